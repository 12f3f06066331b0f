"""Ensembles: many independent networks trained on data sets of their own, as one computation.

Two paths lead to the same numbers, to rounding. The reference path is plain torch: the members' parameters
are stacked, `torch.func` evaluates all of them, and any torch optimiser steps them; it takes any
module, any loss, batches and devices. The fast path (`kbe.training.compiled.fast`) is compiled for the
paper's networks, full batch and gradient descent without momentum; it is taken by itself
wherever it applies, and the result's attributes say which path ran.
"""

from __future__ import annotations

import contextlib
import copy
import functools
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal

import numpy as np
import torch
import xarray as xr
from torch import nn

from kbe import losses, refusals
from kbe.checks import Count, Natural, Positive, Seed, Shaped, Whole, checked
from kbe.refusals import shown
from kbe.training.compiled import fast
from kbe.training.record import Data, Trainer, as_dataset, epoch_grid, follow
from kbe.training.reference import ReferenceTrainer
from kbe.training.weights import Network, flat_parameters, initial_modules

Epochs = Annotated[np.ndarray, Shaped("epochs", low=0, increasing=True)]
Threads = Annotated[int, Whole(1, 1024)]  # far beyond any use; many more would end the process


@checked
def train(
    network: Network,
    data: Data,
    loss: Callable = losses.gaussian_nll,
    *,
    learning_rate: Positive = 0.1,
    epochs: Natural = 2000,
    record: Epochs | None = None,
    reduction: Literal["mean", "sum"] = "mean",
    optimizer: Callable[..., torch.optim.Optimizer] | None = None,
    batch_size: Count | None = None,
    jump: Positive = 0.25,
    seed: Seed = 0,
    dtype: Literal["float64", "float32"] = "float64",
    path: Literal["auto", "fast", "reference"] = "auto",
    device: str = "cpu",
    threads: Threads | None = None,
    keep_parameters: bool = False,
    progress: bool = False,
) -> xr.Dataset:
    """Train one network for each member of the data, all independent of each other (section II).

    Parameters
    ----------
    network
        Makes a member's module when called without arguments; its initial weights are the
        module's own, drawn from the member's seed. Input (points, ...), output (points, heads).
    data
        `x` (member, point, ...) and `y` (member, point), as `encoding.random_encoding` draws.
    loss
        A function of output and target, one value a point, from `kbe.losses` or your own.
    learning_rate
        eta.
    epochs
        Passes over the data.
    record
        The epochs after which outputs are kept, 0 being the start; by default `epoch_grid(epochs)`.
    reduction
        How the loss is taken over the points of a batch.
    optimizer
        Makes a torch optimiser from parameters and `lr`; None is gradient descent without momentum.
        It must act on every number alone, as SGD, RMSprop and Adam do.
    batch_size
        Points a step, drawn anew without repetition in every epoch; None is the full batch.
    jump
        A member's onset is the first epoch in which an output at one of its points changes by more
        than this, or is not finite.
    seed
        Start of all random draws: weights, batches and the masks of drop-out.
    dtype
        Precision of weights and outputs.
    path
        "auto" takes the fast path wherever it applies.
    device
        Where the reference path computes, as torch names it.
    threads
        None takes as many as torch does.
    keep_parameters
        Keep the weights at every recorded epoch, for the training response.
    progress
        Show a progress bar on stderr.

    Returns
    -------
    xarray.Dataset
        `mu` and, with a second head, `sigma` (member, epoch, point), with more than two heads all of them
        as `output` (..., head), with drop-out off, which masks in training only;
        `loss` (member, epoch), reduced like the training's; `onset` (member), infinite where
        there was none; `x` and `y`; with `keep_parameters` also `parameters` (member, epoch, parameter).
        What was trained, how, and the path that ran are attributes.

    Raises
    ------
    ValueError
        If what is handed over fails when it is tried, before any long work, or the chosen path cannot do what is asked.
    """
    x, y = _inputs_and_targets(data)
    kept = _epochs_to_keep(record, epochs)
    if batch_size is not None and batch_size > y.shape[1]:
        raise ValueError(f"batch_size is {batch_size}: it must be at most the number of points, {y.shape[1]}.")
    if optimizer is not None:
        _try_optimizer(optimizer, learning_rate)
    modules = initial_modules(network, len(y), seed)
    _try_network(modules[0], loss, x[0], y[0])
    chosen = _choose_path(path, modules[0], loss, optimizer, batch_size, device)
    _try_device(device)
    start = (x, y, loss, learning_rate, reduction == "mean", jump)
    trainer: Trainer
    if chosen == "fast":
        weights = np.stack([flat_parameters(module) for module in modules]).astype(dtype)
        trainer = fast.FastTrainer(modules[0], weights, *start, threads, seed=seed)
    else:
        with _told("network fails for all members at once"):
            trainer = ReferenceTrainer(modules, *start, optimizer, batch_size, seed, dtype, device, threads)
    history = follow(trainer, kept, epochs, len(y), keep_parameters, progress)
    result = as_dataset(data, history, trainer.onset(), kept, loss, reduction)
    names = {"network": _name(network), "loss": _name(loss), "optimizer": _name(optimizer or "gradient descent")}
    plain = {"learning_rate": learning_rate, "epochs": epochs, "reduction": reduction, "jump": jump, "dtype": dtype}
    result.attrs = {**{f"data_{k}": v for k, v in data.attrs.items()}, **names, **plain, "seed": seed, "path": chosen,
                    "batch_size": batch_size or y.shape[1], "device": device}  # fmt: skip
    return result


def _inputs_and_targets(data: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    x, y = data["x"], data["y"]
    if y.dims != ("member", "point") or x.dims[:2] != y.dims or x.ndim < 3:
        dims = f"data.x has dimensions {x.dims} and data.y {y.dims}"
        raise ValueError(f"{dims}: they must be (member, point, ...) and (member, point).")
    return refusals.array("data.x", x.values), refusals.array("data.y", y.values)


def _epochs_to_keep(record: np.ndarray | None, epochs: int) -> np.ndarray:
    if record is None:
        return epoch_grid(epochs)
    if (record != np.round(record)).any() or record[-1] > epochs:
        raise ValueError(f"record is {shown(record)}: it must hold whole epochs from 0 to epochs, {epochs}.")
    return record.astype(int)


def _try_device(device: str) -> None:
    with _told(f"device is {shown(device)}: torch cannot compute there, because it says"):
        torch.zeros(1, device=device).cpu()


def _try_optimizer(optimizer: Callable[..., torch.optim.Optimizer], learning_rate: float) -> None:
    """Try one step on one number."""
    number = torch.zeros(1, requires_grad=True)
    number.grad = torch.ones(1)
    with _told(f"optimizer makes from parameters and lr={learning_rate!r} nothing that steps"):
        made = optimizer([number], lr=learning_rate)
        made.zero_grad()
        made.step()


def _try_network(module: nn.Module, loss: Callable, x: np.ndarray, y: np.ndarray) -> None:
    """Try one forward pass and one loss, so that a misfit is said before the work starts."""
    with torch.random.fork_rng(devices=[]):  # a copy, and draws that leave the stream of others as it was
        with _told("network fails on the points of the first member"):
            output = copy.deepcopy(module)(torch.as_tensor(x))
        _check_tensor("network", output, 2, len(y), "(points, heads)")
        with _told("loss fails on the output at the points of the first member"):
            values = loss(output, torch.as_tensor(y))
    _check_tensor("loss", values, 1, len(y), f"one value for each of {len(y)} points")


def _check_tensor(maker: str, made: Any, ndim: int, points: int, wanted: str) -> None:
    if not isinstance(made, torch.Tensor) or made.ndim != ndim or len(made) != points:
        shape = f"shape {tuple(made.shape)}" if isinstance(made, torch.Tensor) else f"a {type(made).__name__}"
        raise ValueError(f"{maker} gives {shape}: it must be {wanted}.")
    if not made.is_floating_point() or not made.requires_grad:
        raise ValueError(f"{maker} gives {made.dtype} without a gradient: it must be real and move with the weights.")


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """Turn whatever fails in code that was handed over into one sentence; a ValueError already is one."""
    try:
        yield
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(f"{what}: {shown(error)}.") from error


def _choose_path(path: str, module: nn.Module, loss: Callable, optimizer: Any, batch_size: Any, device: str) -> str:
    obstacle = fast.obstacle(module, loss)
    if optimizer is not None:
        obstacle = "it knows no optimizer but gradient descent"
    elif batch_size is not None:
        obstacle = "it trains on the full batch only"
    elif device != "cpu":
        obstacle = f"it does not run on {device}"
    if path == "fast" and obstacle:
        raise ValueError(f"path is 'fast': this path cannot be taken, because {obstacle}.")
    return "reference" if obstacle or path == "reference" else "fast"


def _name(thing: Any) -> str:
    """How a callable was made, for the record."""
    if isinstance(thing, functools.partial):
        settings = [*map(repr, thing.args), *(f"{k}={v!r}" for k, v in thing.keywords.items())]
        return f"{_name(thing.func)}({', '.join(settings)})"
    return thing if isinstance(thing, str) else getattr(thing, "__name__", type(thing).__name__)
