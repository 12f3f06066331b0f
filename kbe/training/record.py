"""The record of a training: which epochs are kept, and what is kept of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
import xarray as xr
from tqdm.auto import tqdm

from kbe import checks

_LOOK = 0.2  # seconds between two looks at the keyboard and the progress bar


class Trainer(Protocol):
    """What a path offers: all members, advanced some epochs at a time."""

    def advance(self, epochs: int) -> None:
        """Train on for some epochs."""

    def outputs(self) -> np.ndarray:
        """The outputs now, shape (members, points, heads)."""

    def parameters(self) -> np.ndarray:
        """The weights now, shape (members, parameters)."""

    def onset(self) -> np.ndarray:
        """The onset epochs so far, shape (members,), -1 for none."""


def epoch_grid(epochs: int, count: int = 100) -> np.ndarray:
    """Epochs from 0 to the last, about evenly spaced on a logarithmic axis.

    Parameters
    ----------
    epochs : int
        The last epoch, at least 0.
    count : int
        The number of epochs wanted; small ones coincide, so that fewer may come back.

    Returns
    -------
    numpy.ndarray of int
        Increasing, from 0 to `epochs`.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    checks.integer("epochs", epochs, 0)
    checks.integer("count", count, 2)
    return np.unique(np.round(np.geomspace(1, epochs + 1, count)).astype(int) - 1)


def follow(
    trainer: Trainer, kept: np.ndarray, epochs: int, members: int, keep_parameters: bool = False, progress: bool = False
) -> dict[str, np.ndarray]:
    """Advance from one epoch to be kept to the next, in strides short enough for an interrupt to be felt.

    Parameters
    ----------
    trainer : Trainer
        What trains; it stands at epoch 0.
    kept : array of int
        The epochs to keep, increasing.
    epochs : int
        The last epoch.
    members : int
        How many train, for the label of the progress bar.
    keep_parameters : bool
        Whether to keep the weights too.
    progress : bool
        Whether to show a progress bar on stderr.

    Returns
    -------
    dict of arrays, shape (members, kept, ...)
        `outputs` and, if wanted, `parameters`.
    """
    history: dict[str, list[np.ndarray]] = {"outputs": [], "parameters": []}
    done, stride = 0, 1
    with tqdm(total=epochs, disable=not progress, unit="epoch", desc=f"{members} members") as bar:
        for epoch in [*kept, epochs]:
            while done < epoch:
                start, now = time.perf_counter(), min(stride, epoch - done)
                trainer.advance(now)
                stride = max(1, int(now * _LOOK / (time.perf_counter() - start + 1e-9)))
                done += now
                bar.update(now)
            if len(history["outputs"]) < len(kept):
                history["outputs"].append(trainer.outputs())
                if keep_parameters:
                    history["parameters"].append(trainer.parameters())
    return {name: np.stack(values, 1) for name, values in history.items() if values}


def dataset(
    data: xr.Dataset,
    history: dict[str, np.ndarray],
    onset: np.ndarray,
    kept: np.ndarray,
    loss: Callable,
    reduction: str,
) -> xr.Dataset:
    """A record as the Dataset that `ensemble.train` returns.

    Parameters
    ----------
    data : xarray.Dataset
        What was trained on.
    history : dict of arrays
        From `follow`.
    onset : array, shape (members,)
        Onset epochs, -1 for none.
    kept : array of int
        The epochs that were kept.
    loss : callable
        The loss, one value a point.
    reduction : {"mean", "sum"}
        How the loss is taken over the points.

    Returns
    -------
    xarray.Dataset
        Without attributes.
    """
    outputs = history["outputs"]
    with torch.no_grad():
        target = torch.as_tensor(data["y"].values).double()[:, None].expand(outputs.shape[:3])
        values = point_losses(loss, torch.as_tensor(outputs).double(), target).numpy()
    dims = ("member", "epoch", "point")
    variables: dict[str, Any] = {"mu": (dims, outputs[..., 0])}
    if outputs.shape[-1] > 1:
        variables["sigma"] = (dims, outputs[..., 1])
    if outputs.shape[-1] > 2:
        variables["output"] = ((*dims, "head"), outputs)
    variables["loss"] = (dims[:2], values.mean(2) if reduction == "mean" else values.sum(2))
    variables["onset"] = ("member", np.where(onset < 0, np.inf, onset))
    if "parameters" in history:
        variables["parameters"] = ((*dims[:2], "parameter"), history["parameters"])
    result = xr.Dataset(variables, coords={"epoch": kept, "member": data["member"].values})
    return result.assign(x=data["x"], y=data["y"])


def point_losses(loss: Callable, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """A loss at many members' points; it is called on (points, heads), whatever stands before these dimensions.

    Parameters
    ----------
    loss : callable
        A function of output and target, one value a point.
    outputs : Tensor, shape (..., heads)
        The outputs.
    targets : Tensor, shape (...)
        The targets.

    Returns
    -------
    Tensor, shape (...)
        The losses.
    """
    return loss(outputs.flatten(0, -2), targets.flatten()).unflatten(0, targets.shape)
