"""Ensembles: many independent networks trained on data sets of their own, as one computation.

Two paths lead to the same numbers. The reference path is plain torch: the members' parameters
are stacked, `torch.func` evaluates all of them, and any torch optimiser steps them; it takes any
module, any loss, batches and devices. The fast path (`kbe.training.compiled.fast`) is compiled for the
paper's networks, full batch and gradient descent without momentum; it is taken by itself
wherever it applies, and the result's attributes say which path ran.
"""

from __future__ import annotations

import contextlib
import copy
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import nn

from kbe import checks, losses
from kbe.training.compiled import fast
from kbe.training.record import Trainer, dataset, epoch_grid, follow
from kbe.training.reference import ReferenceTrainer
from kbe.training.weights import flat_parameters, initial_modules

PATHS = ("auto", "fast", "reference")

DTYPES = {"float64": torch.float64, "float32": torch.float32}

MOST_THREADS = 1024  # far beyond any use; many more would end the process


def train(
    network: Callable[[], nn.Module],
    data: xr.Dataset,
    loss: Callable = losses.gaussian_nll,
    *,
    learning_rate: float = 0.1,
    epochs: int = 2000,
    record: Sequence[int] | None = None,
    reduction: str = "mean",
    optimizer: Callable[..., torch.optim.Optimizer] | None = None,
    batch_size: int | None = None,
    jump: float = 0.25,
    seed: int = 0,
    dtype: str = "float64",
    path: str = "auto",
    device: str = "cpu",
    threads: int | None = None,
    keep_parameters: bool = False,
    progress: bool = False,
) -> xr.Dataset:
    """Train one network for each member of the data, all independent of each other (section II).

    Parameters
    ----------
    network : callable
        Makes a member's module when called without arguments; its initial weights are the
        module's own, drawn from the member's seed. Input (points, ...), output (points, heads).
    data : xarray.Dataset
        `x` (member, point, ...) and `y` (member, point), as `encoding.random_encoding` draws.
    loss : callable
        A function of output and target, one value a point, from `kbe.losses` or your own.
    learning_rate : float
        eta.
    epochs : int
        Passes over the data.
    record : sequence of int, optional
        The epochs after which outputs are kept, 0 being the start; by default `epoch_grid(epochs)`.
    reduction : {"mean", "sum"}
        How the loss is taken over the points of a batch.
    optimizer : callable, optional
        Makes a torch optimiser from parameters and `lr`; None is gradient descent without momentum.
        It must act on every number alone, as SGD, RMSprop and Adam do.
    batch_size : int, optional
        Points a step, drawn anew without repetition in every epoch; None is the full batch.
    jump : float
        A member's onset is the first epoch in which an output at one of its points changes by more
        than this, or is not finite.
    seed : int
        Start of all random draws: weights and batches.
    dtype : {"float64", "float32"}
        Precision of weights and outputs.
    path : {"auto", "fast", "reference"}
        "auto" takes the fast path wherever it applies.
    device : str
        Where the reference path computes, as torch names it.
    threads : int, optional
        Threads to compute with; None takes as many as torch does.
    keep_parameters : bool
        Keep the weights at every recorded epoch, for the training response.
    progress : bool
        Show a progress bar on stderr.

    Returns
    -------
    xarray.Dataset
        `mu` and, with a second head, `sigma` (member, epoch, point), any further heads as `output`, all
        of them with drop-out off, which masks in training only;
        `loss` (member, epoch), reduced like the training's; `onset` (member), infinite where
        there was none; `x` and `y`; with `keep_parameters` also `parameters` (member, epoch, parameter).
        The arguments and the path that ran are attributes.

    Raises
    ------
    ValueError
        If an argument is out of range, or the chosen path cannot do what is asked.
    """
    x, y = _check_data(data)
    checks.number("learning_rate", learning_rate, above=0)
    checks.integer("epochs", epochs, 0)
    checks.choice("reduction", reduction, ("mean", "sum"))
    checks.number("jump", jump, above=0)
    checks.choice("dtype", dtype, DTYPES)
    if batch_size is not None:
        checks.integer("batch_size", batch_size, 1, y.shape[1])
    if threads is not None:
        checks.integer("threads", threads, 1, MOST_THREADS)
    checks.flag("keep_parameters", keep_parameters)
    checks.flag("progress", progress)
    if optimizer is not None:
        _check_optimizer(optimizer, learning_rate)
    epochs_kept = _check_record(record, epochs)
    modules = initial_modules(network, len(y), seed)
    _check_network(modules[0], loss, x[0], y[0])
    chosen = _choose_path(path, modules[0], loss, optimizer, batch_size, device)
    _check_device(device)
    weights = np.stack([flat_parameters(module) for module in modules]).astype(dtype)
    start = (weights, x, y, loss, learning_rate, reduction == "mean", jump)
    trainer: Trainer
    if chosen == "fast":
        trainer = fast.FastTrainer(modules[0], *start, threads, seed=seed)
    else:
        with _told("network fails for all members at once"):
            trainer = ReferenceTrainer(modules, *start, optimizer, batch_size, seed, device, threads)
    kept = follow(trainer, epochs_kept, epochs, len(y), keep_parameters, progress)
    result = dataset(data, kept, trainer.onset(), epochs_kept, loss, reduction)
    names = {"network": _name(network), "loss": _name(loss), "optimizer": _name(optimizer or "gradient descent")}
    plain = {"learning_rate": learning_rate, "epochs": epochs, "reduction": reduction, "jump": jump, "dtype": dtype}
    result.attrs = {**{f"data_{k}": v for k, v in data.attrs.items()}, **names, **plain, "seed": seed, "path": chosen,
                    "batch_size": batch_size or y.shape[1], "device": device}  # fmt: skip
    return result


def _check_data(data: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    if not isinstance(data, xr.Dataset) or not {"x", "y"} <= set(data):
        raise ValueError(f"data is a {type(data).__name__}: it must be an xarray.Dataset with variables x and y.")
    y = checks.array("data.y", data["y"].values, 2)
    if data["y"].dims != ("member", "point") or data["x"].dims[:2] != ("member", "point"):
        dims = f"data.x has dimensions {data['x'].dims} and data.y {data['y'].dims}"
        raise ValueError(f"{dims}: they must be (member, point, ...) and (member, point).")
    x = checks.array("data.x", data["x"].values)
    if x.ndim < 3 or x.shape[:2] != y.shape:
        raise ValueError(f"data.x has shape {x.shape} and data.y {y.shape}: x must be (member, point, ...) like y.")
    return x, y


def _check_record(record: Sequence[int] | None, epochs: int) -> np.ndarray:
    if record is None:
        return epoch_grid(epochs)
    kept = checks.array("record", record, 1)
    if (kept != np.round(kept)).any() or (np.diff(kept) <= 0).any() or kept[0] < 0 or kept[-1] > epochs:
        given = checks.shown(record)
        raise ValueError(f"record is {given}: it must hold increasing whole epochs from 0 to epochs, {epochs}.")
    return kept.astype(int)


def _check_device(device: str) -> None:
    with _told(f"device is {checks.shown(device)}: torch cannot compute there, because it says"):
        torch.zeros(1, device=torch.device(device)).cpu()


def _check_optimizer(optimizer: Any, learning_rate: float) -> None:
    """Try one step on one number."""
    if not callable(optimizer):
        given = checks.shown(optimizer)
        raise ValueError(f"optimizer is {given}: it must be a callable that makes a torch optimiser.")
    number = torch.zeros(1, requires_grad=True)
    number.grad = torch.ones(1)
    with _told(f"optimizer makes from parameters and lr={learning_rate!r} nothing that steps"):
        made = optimizer([number], lr=learning_rate)
        made.zero_grad()
        made.step()


def _check_network(module: nn.Module, loss: Callable, x: np.ndarray, y: np.ndarray) -> None:
    """Try one forward pass and one loss, so that a misfit is said before the work starts."""
    if not callable(loss):
        raise ValueError(f"loss is {checks.shown(loss)}: it must be a function of output and target.")
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
        raise ValueError(f"{what}: {checks.shown(error)}.") from error


def _choose_path(path: str, module: nn.Module, loss: Callable, optimizer: Any, batch_size: Any, device: str) -> str:
    checks.choice("path", path, PATHS)
    obstacle = fast.obstacle(module, loss)
    if optimizer is not None:
        obstacle = "it knows no optimizer but gradient descent"
    elif batch_size is not None:
        obstacle = "it trains on the full batch only"
    elif device != "cpu":
        obstacle = f"it does not run on {device}"
    if path == "fast" and obstacle:
        raise ValueError(f"path is 'fast': this path cannot be taken, because {obstacle}.")
    return "reference" if obstacle else "fast" if path == "auto" else path


def _name(thing: Any) -> str:
    """How a callable was made, for the record."""
    if isinstance(thing, functools.partial):
        settings = [*map(repr, thing.args), *(f"{k}={v!r}" for k, v in thing.keywords.items())]
        return f"{_name(thing.func)}({', '.join(settings)})"
    return thing if isinstance(thing, str) else getattr(thing, "__name__", type(thing).__name__)
