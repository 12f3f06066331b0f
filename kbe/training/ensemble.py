"""Ensembles: many independent networks trained on data sets of their own, as one computation.

Two paths lead to the same numbers, to rounding. The reference path is plain torch: the members' parameters are stacked,
`torch.func` evaluates all of them, one after the other where it cannot do so at once, and any torch optimiser steps
them; it takes any module, any loss, batches and devices. The fast path (`kbe.training.compiled.fast`) is compiled for
the paper's networks, full batch and gradient descent without momentum; it is taken by itself wherever it applies, and
the result's attributes say which path ran.
"""

from __future__ import annotations

import copy
import functools
import warnings
from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np
import torch
import xarray as xr
from torch import nn

from kbe import losses, refusals
from kbe.checks import Count, Natural, Positive, Seed, Shaped, Whole, checked
from kbe.refusals import shown, told
from kbe.training.calling import settled
from kbe.training.compiled import fast
from kbe.training.examination import alike, examined, examined_loss, examined_optimizer, output_of, some_points
from kbe.training.record import Data, Trainer, as_dataset, epoch_grid, follow, point_losses, storable, target_spread
from kbe.training.reference import ReferenceTrainer
from kbe.training.weights import Network, flat_parameters, initial_modules

Epochs = Annotated[np.ndarray, Shaped("epochs", low=0, increasing=True)]


def _device(name: str, value: Any, sizes: dict[str, Any]) -> str:
    if not isinstance(value, (str, torch.device)):
        raise ValueError(f"{name} is {shown(value)}: it must be a torch device or its name.")
    with told(f"{name} is {shown(value)}: torch knows no such device, because it says"):
        device = torch.device(value)
    return "cpu" if device.type == "cpu" else str(device)


Device = Annotated[str, _device]
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
    device: Device = "cpu",
    threads: Threads | None = None,
    keep_parameters: bool = False,
    progress: bool = False,
) -> xr.Dataset:
    """Train one network for each member of the data, all independent of each other (section II).

    Parameters
    ----------
    network
        Makes a member's module when called without arguments; its initial weights are the
        module's own, drawn from the member's seed. Input (points, ...) of real numbers, output (points, heads),
        in which points must not go into one another, as they do in batch normalisation.
    data
        `x` (member, point, ...) and `y` (member, point), as `encoding.random_encoding` draws; or two arrays,
        x (point, ...) and y (point), for one member.
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
        It must act on every number alone, as SGD, RMSprop and Adam do; one that does not is refused.
    batch_size
        Points a step, drawn anew without repetition in every epoch; None is the full batch.
    jump
        A member's onset is the first epoch in which an output at one of its points is not finite, or changes by more
        than this, in units of the spread of its targets: the range of the middle 98 % of them, at least 1.
    seed
        Start of all random draws: weights, batches and the masks of drop-out.
    dtype
        Precision of weights and outputs.
    path
        "auto" takes the fast path wherever it applies.
    device
        Where the reference path computes, a torch device or its name.
    threads
        None takes as many as torch does.
    keep_parameters
        Keep the weights at every recorded epoch, for the training response, and after them what else a module
        holds in its buffers.
    progress
        Show a progress bar on stderr.

    Returns
    -------
    xarray.Dataset
        `mu` and, with a second head, `sigma` (member, epoch, point), with more than two heads all of them
        as `output` (..., head), in evaluation mode, so that drop-out masks in training only;
        `loss` (member, epoch), reduced like the training's; `onset` (member), infinite where
        there was none, and beyond which numbers may be NaN; `x` and `y`; with `keep_parameters` also
        `parameters` (member, epoch, parameter).
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
        examined_optimizer(optimizer, learning_rate)
    modules = initial_modules(network, len(y), seed)
    differs, at_start = _tried(modules[0], loss, x, y, getattr(torch, dtype))
    start = (x, y, loss, learning_rate, reduction == "mean", jump * target_spread(y))

    def fast_trainer() -> Trainer:
        weights = np.stack([flat_parameters(module) for module in modules]).astype(dtype)
        return fast.FastTrainer(modules[0], weights, *start, threads, seed=seed)

    def reference_trainer() -> Trainer:
        with told("network fails for all members at once"):
            return ReferenceTrainer(modules, *start, differs, optimizer, batch_size, seed, dtype, device, threads)

    paths = _paths(path, modules[0], loss, optimizer, batch_size, device)
    _try_device(device)
    for chosen in paths:
        trainer = {"fast": fast_trainer, "reference": reference_trainer}[chosen]()
        if alike(torch.as_tensor(trainer.outputs()[0]), at_start):
            break
    else:
        raise ValueError(f"network gives other outputs on the {chosen} path than when it is called.")
    _warn_of_sigma(loss, trainer.outputs(), y)
    with told("training fails"):
        history = follow(trainer, kept, epochs, len(y), keep_parameters, progress)
    result = as_dataset(data, history, trainer.onset(), kept, loss, reduction)
    names = {"network": _name(network), "loss": _name(loss), "optimizer": _name(optimizer or "gradient descent")}
    plain = {"learning_rate": learning_rate, "epochs": epochs, "reduction": reduction, "jump": jump, "dtype": dtype}
    result.attrs = {**{f"data_{k}": v for k, v in data.attrs.items()}, **names, **plain, "seed": seed, "path": chosen,
                    "batch_size": batch_size or y.shape[1], "device": device}  # fmt: skip
    return storable(result)


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
    with told(f"device is {device!r}: torch cannot compute there, because it says"):
        torch.zeros(1, device=device).cpu()


def _tried(
    module: nn.Module, loss: Callable, x: np.ndarray, y: np.ndarray, dtype: torch.dtype
) -> tuple[bool, torch.Tensor]:
    """Try a module and a loss before the work starts; whether it differs in training, and its outputs at the start."""
    with told("network cannot be copied"):
        module, inputs = copy.deepcopy(module).to(dtype), torch.as_tensor(x).to(dtype)
    differs = examined("network", module, some_points(inputs))
    with settled(seed=0, dtype=dtype):
        output = output_of("network", module.eval(), inputs[0])
    if output.ndim != 2:
        raise ValueError(f"network gives shape {tuple(output.shape)}: it must be (points, heads).")
    if not output.requires_grad:
        raise ValueError("network gives an output without a gradient: it must move with the weights.")
    examined_loss(loss, output, torch.as_tensor(y[0]).to(dtype))
    return differs, output.detach()


def _warn_of_sigma(loss: Callable, outputs: np.ndarray, y: np.ndarray) -> None:
    if outputs.shape[-1] < 2:
        return
    with torch.no_grad():
        values = point_losses(loss, torch.as_tensor(outputs), torch.as_tensor(y.astype(outputs.dtype))).numpy()
    count = ((outputs[..., 1] <= 0) & ~np.isfinite(values)).any(1).sum()
    if count:
        warnings.warn(
            f"sigma starts at or below 0 at a point in {count} of {len(y)} members, where the loss is not finite: give "
            "the second head an activation that is positive, such as softplus.",
            stacklevel=4,
        )


def _paths(path: str, module: nn.Module, loss: Callable, optimizer: Any, batch_size: Any, device: str) -> list[str]:
    """The paths that may be taken, the better one first."""
    obstacle = fast.obstacle(module, loss)
    if optimizer is not None:
        obstacle = "it knows no optimizer but gradient descent"
    elif batch_size is not None:
        obstacle = "it trains on the full batch only"
    elif device != "cpu":
        obstacle = f"it does not run on {device}"
    if path == "fast" and obstacle:
        raise ValueError(f"path is 'fast': this path cannot be taken, because {obstacle}.")
    if path == "auto":
        return ["reference"] if obstacle else ["fast", "reference"]
    return [path]


def _name(thing: Any) -> str:
    """How a callable was made, for the record."""
    if isinstance(thing, functools.partial):
        settings = [*map(repr, thing.args), *(f"{k}={v!r}" for k, v in thing.keywords.items())]
        return f"{_name(thing.func)}({', '.join(settings)})"
    return thing if isinstance(thing, str) else getattr(thing, "__name__", type(thing).__name__)
