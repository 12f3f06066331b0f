"""The record of a training: which epochs are kept, and what is kept of them."""

from __future__ import annotations

import numbers
import time
from collections.abc import Callable
from typing import Annotated, Any, Literal, Protocol, cast, runtime_checkable

import numpy as np
import torch
import xarray as xr
from tqdm.auto import tqdm

from kbe.checks import Count, Holds, Natural, Points, Shaped, Whole, checked
from kbe.data import arrays
from kbe.training.calling import settled

_LOOK = 0.2  # seconds between two looks at the keyboard and the progress bar


def _data(name: str, value: Any, sizes: dict[str, Any]) -> xr.Dataset:
    """A data set for each member; two arrays are the data set of one."""
    if isinstance(value, (tuple, list)) and len(value) == 2:
        try:
            return arrays.repeated(*value)
        except ValueError as error:
            raise ValueError(f"{name} is no data set of two arrays: {error}") from error
    source = (
        "an xarray.Dataset with x (member, point, ...) and y (member, point), or two arrays of one data set, (x, y)"
    )
    return cast(xr.Dataset, Holds("x y", source)(name, value, sizes))


Data = Annotated[xr.Dataset, _data]


@runtime_checkable
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


@checked
def epoch_grid(epochs: Natural, count: Annotated[int, Whole(2, 10**6)] = 100) -> np.ndarray:
    """Whole epochs from 0 to `epochs`, increasing, about evenly spaced on a logarithmic axis.

    The first ones of so many would coincide, so that fewer than `count` may come back.
    """
    return np.unique(np.round(np.geomspace(1, epochs + 1, count)).astype(int) - 1)


@checked
def follow(
    trainer: Trainer,
    kept: Annotated[np.ndarray, Shaped("epochs", low=0, increasing=True)],
    epochs: Natural,
    members: Count,
    keep_parameters: bool = False,
    progress: bool = False,
) -> dict[str, np.ndarray]:
    """Advance from one epoch to be kept to the next, in strides short enough for an interrupt to be felt.

    Parameters
    ----------
    trainer
        It stands at epoch 0.
    kept
        The epochs to keep, increasing, none after the last.
    epochs
        The last epoch.
    members
        How many train, for the label of the progress bar.
    keep_parameters
        Whether to keep the weights too.
    progress
        Whether to show a progress bar on stderr.

    Returns
    -------
    dict of arrays, shape (members, kept, ...)
        `outputs` and, if wanted, `parameters`.

    Raises
    ------
    ValueError
        If an epoch is to be kept that comes after the last.
    """
    if kept.max(initial=0) > epochs:
        raise ValueError(f"kept holds {kept.max():g}: it must hold no epoch after the last one, {epochs}.")
    history: dict[str, list[np.ndarray]] = {"outputs": [], "parameters": []}
    done, stride = 0, 1
    with tqdm(total=epochs, disable=not progress, unit="epoch", desc=f"{members} members") as bar:
        for epoch in [*kept.astype(int), epochs]:
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


@checked
def as_dataset(
    data: Data,
    history: dict,
    onset: np.ndarray,
    kept: np.ndarray,
    loss: Callable,
    reduction: Literal["mean", "sum"],
) -> xr.Dataset:
    """What `ensemble.train` returns, but for the attributes.

    Parameters
    ----------
    data
        What was trained on.
    history
        From `follow`, which has kept the epochs `kept`.
    onset
        Onset epochs, shape (members,), -1 for none, which is infinity in the result.
    loss
        One value a point.
    reduction
        How the loss is taken over the points.

    Raises
    ------
    ValueError
        If the history is another.
    """
    if "outputs" not in history:
        raise ValueError("history lacks outputs: it must be what follow returns.")
    if np.shape(onset) != (data.sizes["member"],):
        raise ValueError(f"onset has shape {np.shape(onset)}: it must be ({data.sizes['member']},), one a member.")
    outputs = history["outputs"]
    with torch.no_grad(), settled(seed=0, dtype=torch.float64):
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
    """A loss at many members' points, in the shape of the targets.

    It is called on outputs of shape (points, heads), whatever stands before these dimensions.
    """
    return loss(outputs.flatten(0, -2), targets.flatten()).unflatten(0, targets.shape)


@checked
def target_spread(y: Points) -> np.ndarray:
    """The unit of a jump: the range of the middle 98 % of each member's targets, at least 1, as for targets 0 and 1.

    An outlier does not set it. Below 1 outputs move on a scale of their own: they lie where torch's initial weights put
    them, or in the range of a sigmoid.
    """
    low, high = np.quantile(y / 2, (0.01, 0.99), axis=-1)  # halves, because a difference may be too large
    return np.maximum(2 * (high - low), 1.0)


def storable(run: xr.Dataset) -> xr.Dataset:
    """The same with attributes as every file format takes them: truth values as 0 and 1, what is no number as text."""
    run.attrs = {str(name): _storable(value) for name, value in run.attrs.items()}
    for variable in run.variables.values():
        variable.attrs = {str(name): _storable(value) for name, value in variable.attrs.items()}
    return run


def _storable(value: Any) -> Any:
    if isinstance(value, (bool, np.bool_)):
        return int(value)
    several = isinstance(value, (list, tuple, np.ndarray))
    kind = np.asarray(value).dtype.kind if several or isinstance(value, numbers.Real) else ""
    return value if isinstance(value, str) or (kind in ("i", "u", "f") and np.size(value)) else str(value)
