"""How long training takes: trainers ready to run, and measurements that take turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np
import torch
import xarray as xr

from kbe import losses
from kbe.checks import Count, Positive, Whole, checked
from kbe.data import encoding
from kbe.networks import VarianceNetwork
from kbe.refusals import shown, told
from kbe.training.compiled.fast import FastTrainer
from kbe.training.examination import examined, some_points
from kbe.training.record import Data, Trainer
from kbe.training.reference import ReferenceTrainer
from kbe.training.weights import Network, flat_parameters, initial_modules


@checked
def prepare(
    network: Network,
    data: Data,
    loss: Callable = losses.gaussian_nll,
    *,
    path: Literal["fast", "reference"] = "fast",
    threads: Count = 1,
    merge: bool | None = None,
) -> Trainer:
    """A trainer as `ensemble.train` uses it, compiled and warm, so that a measurement sees the epochs alone.

    Its learning rate is so small that no member blows up, and none leaves the lanes. With `merge` the fast path
    computes equal windows once; None leaves it to its model of the cost.

    Raises
    ------
    ValueError
        If the path cannot be taken.
    """
    modules = initial_modules(network, len(data.y))
    start = (data.x.values, data.y.values, loss, 1e-6, True, 1.0)
    trainer: Trainer
    if path == "fast":
        weights = np.stack([flat_parameters(module) for module in modules])
        trainer = FastTrainer(modules[0], weights, *start, threads, merge, rest=False)
    else:
        differs = examined("network", modules[0], some_points(torch.as_tensor(data.x.values)))
        trainer = ReferenceTrainer(modules, *start, differs, threads=threads)
    trainer.advance(1)
    return trainer


@checked
def interleaved(
    actions: Mapping[str, Callable[[], object]],
    repeats: Count = 5,
    clock: Callable[[], float] = time.process_time,
) -> xr.DataArray:
    """Time several actions in turns, so that whatever else the machine does touches all alike.

    Each action is called once before. The clock gives seconds, by default those that this process has computed, on all
    threads together.

    Returns
    -------
    xarray.DataArray, shape (action, repeat)
        Seconds.
    """
    seconds = np.empty((len(actions), repeats))
    for name, action in actions.items():
        with told(f"actions[{shown(name)}] fails"):
            action()
    for repeat in range(repeats):
        for row, action in enumerate(actions.values()):
            start = clock()
            action()
            seconds[row, repeat] = clock() - start
    return xr.DataArray(seconds, dims=("action", "repeat"), coords={"action": list(actions)})


@checked
def epoch_times(trainers: Mapping[str, Trainer], repeats: Count = 5, seconds: Positive = 0.01) -> xr.DataArray:
    """The time that each trainer from `prepare` takes for an epoch of all its members.

    A round trains for about so many `seconds`; a single epoch takes part in full.

    Returns
    -------
    xarray.DataArray, shape (action, repeat)
        Seconds that this process has computed, for one epoch.
    """
    strides = {}
    for name, trainer in trainers.items():
        one = float(interleaved({name: partial(trainer.advance, 1)}, 3).min())
        strides[name] = max(1, int(seconds / max(one, 1e-6)))
    actions = {name: partial(trainer.advance, strides[name]) for name, trainer in trainers.items()}
    return interleaved(actions, repeats) / xr.DataArray(list(strides.values()), dims="action")


@checked
def over(
    setting: Literal["members", "points", "bits", "layers", "channels", "kernel_size"],
    values: Sequence[Annotated[int, Whole(1)]],
    *,
    members: Count = 96,
    points: Count = 20,
    repeats: Count = 5,
    merge: bool | None = None,
) -> xr.Dataset:
    """The cost of the fast path over one setting of the variance network or of its data, the others at their defaults.

    Parameters
    ----------
    setting
        What varies.
    values
        Its values.
    members
        Networks, where that is not what varies.
    points
        N, where that is not what varies; no more than there are inputs.
    repeats
        Rounds.
    merge
        Whether equal windows are computed once; None leaves it to the model.

    Returns
    -------
    xarray.Dataset
        `seconds` (value, repeat) computed for one epoch of one member, and `model` (value), what
        `WindowGraph.cost` foretells, in multiplications and additions there and back.

    Raises
    ------
    ValueError
        If there are no values.
    """
    if not len(values):
        raise ValueError(f"values is {shown(values)}: it must hold one value at least.")
    trainers: dict[str, FastTrainer] = {}
    counts = []
    for value in values:
        sizes = {"members": members, "points": points, "bits": 8} | {setting: value}
        counts.append(sizes["members"])
        architecture: dict[str, Any] = {} if setting in ("members", "points") else {setting: value}
        data = encoding.random_encoding(min(sizes["points"], 2 ** sizes["bits"]), sizes["bits"], sizes["members"])
        trainer = prepare(partial(VarianceNetwork, **architecture), data, merge=merge)
        assert isinstance(trainer, FastTrainer)
        trainers[str(value)] = trainer
    seconds = epoch_times(trainers, repeats).values / np.array(counts)[:, None]
    model = [trainer.cost for trainer in trainers.values()]
    return xr.Dataset(
        {"seconds": (("value", "repeat"), seconds), "model": ("value", model)},
        coords={"value": list(values)},
        attrs={"setting": setting},
    )
