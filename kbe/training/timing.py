"""How long training takes: trainers ready to run, and measurements that take turns."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from torch import nn

from kbe import checks, losses
from kbe.data import encoding
from kbe.networks import VarianceNetwork
from kbe.training.compiled.fast import FastTrainer
from kbe.training.record import Trainer
from kbe.training.reference import ReferenceTrainer
from kbe.training.weights import flat_parameters, initial_modules


def prepare(
    network: Callable[[], nn.Module],
    data: xr.Dataset,
    loss: Callable = losses.gaussian_nll,
    *,
    path: str = "fast",
    threads: int = 1,
    merge: bool | None = None,
) -> Trainer:
    """A trainer as `ensemble.train` uses it, compiled and warm, so that a measurement sees the epochs alone.

    Parameters
    ----------
    network : callable
        Makes a member's module.
    data : xarray.Dataset
        `x` (member, point, ...) and `y` (member, point).
    loss : callable
        One value a point.
    path : {"fast", "reference"}
        The path to measure.
    threads : int
        Threads to compute with.
    merge : bool or None
        Whether the fast path computes equal windows once; None leaves it to its model of the cost.

    Returns
    -------
    Trainer
        Its learning rate is so small that no member blows up, and none leaves the lanes.

    Raises
    ------
    ValueError
        If the path is unknown or cannot be taken.
    """
    checks.choice("path", path, ("fast", "reference"))
    checks.integer("threads", threads, 1)
    x, y, rate, jump = data.x.values, data.y.values, 1e-6, 1.0
    modules = initial_modules(network, len(y))
    weights = np.stack([flat_parameters(module) for module in modules])
    trainer: Trainer
    if path == "fast":
        trainer = FastTrainer(modules[0], weights, x, y, loss, rate, True, jump, threads, merge, rest=False)
    else:
        trainer = ReferenceTrainer(modules, weights, x, y, loss, rate, True, jump, None, None, 0, "cpu", threads)
    trainer.advance(1)
    return trainer


def interleaved(
    actions: Mapping[str, Callable[[], object]],
    repeats: int = 5,
    clock: Callable[[], float] = time.process_time,
) -> xr.DataArray:
    """Time several actions in turns, so that whatever else the machine does touches all alike.

    Parameters
    ----------
    actions : mapping of str to callable
        What to time, by name; each is called once before.
    repeats : int
        Rounds.
    clock : callable
        Seconds; by default those that this process has computed, on all threads together.

    Returns
    -------
    xarray.DataArray, shape (action, repeat)
        Seconds.

    Raises
    ------
    ValueError
        If there is no action or no repeat.
    """
    checks.integer("repeats", repeats, 1)
    if not actions:
        raise ValueError("actions is empty: there must be something to time.")
    seconds = np.empty((len(actions), repeats))
    for action in actions.values():
        action()
    for repeat in range(repeats):
        for row, action in enumerate(actions.values()):
            start = clock()
            action()
            seconds[row, repeat] = clock() - start
    return xr.DataArray(seconds, dims=("action", "repeat"), coords={"action": list(actions)})


def epoch_times(trainers: Mapping[str, Trainer], repeats: int = 5, seconds: float = 0.01) -> xr.DataArray:
    """The time that each trainer takes for an epoch of all its members.

    Parameters
    ----------
    trainers : mapping of str to Trainer
        From `prepare`, by name.
    repeats : int
        Rounds.
    seconds : float
        About how long to train in one round; a single epoch takes part in full.

    Returns
    -------
    xarray.DataArray, shape (action, repeat)
        Seconds that this process has computed, for one epoch.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    checks.number("seconds", seconds, above=0)
    strides = {}
    for name, trainer in trainers.items():
        one = float(interleaved({name: _advance(trainer, 1)}, 3).min())
        strides[name] = max(1, int(seconds / max(one, 1e-6)))
    actions = {name: _advance(trainer, strides[name]) for name, trainer in trainers.items()}
    return interleaved(actions, repeats) / xr.DataArray(list(strides.values()), dims="action")


def over(
    setting: str,
    values: Sequence[int],
    *,
    members: int = 96,
    points: int = 20,
    repeats: int = 5,
    merge: bool | None = None,
) -> xr.Dataset:
    """The cost of the fast path over one setting of the variance network or of its data, the others at their defaults.

    Parameters
    ----------
    setting : {"members", "points", "bits", "layers", "channels", "kernel_size"}
        What varies.
    values : sequence of int
        Its values.
    members : int
        Networks, where that is not what varies.
    points : int
        N, where that is not what varies; no more than there are inputs.
    repeats : int
        Rounds.
    merge : bool or None
        Whether equal windows are computed once; None leaves it to the model.

    Returns
    -------
    xarray.Dataset
        `seconds` (value, repeat) computed for one epoch of one member, and `model` (value), what
        `WindowGraph.cost` foretells, in multiplications and additions there and back.

    Raises
    ------
    ValueError
        If the setting is unknown or a value is out of range.
    """
    checks.choice("setting", setting, ("members", "points", "bits", "layers", "channels", "kernel_size"))
    trainers: dict[str, FastTrainer] = {}
    counts = []
    for value in values:
        sizes = {"members": members, "points": points, "bits": 8} | {setting: checks.integer(setting, value, 1)}
        counts.append(sizes["members"])
        architecture: dict[str, Any] = {} if setting in ("members", "points") else {setting: value}
        data = encoding.random_encoding(min(sizes["points"], 2 ** sizes["bits"]), sizes["bits"], sizes["members"])
        trainer = prepare(functools.partial(VarianceNetwork, **architecture), data, merge=merge)
        assert isinstance(trainer, FastTrainer)
        trainers[str(value)] = trainer
    seconds = epoch_times(trainers, repeats).values / np.array(counts)[:, None]
    model = [trainer.cost for trainer in trainers.values()]
    return xr.Dataset(
        {"seconds": (("value", "repeat"), seconds), "model": ("value", model)},
        coords={"value": list(values)},
        attrs={"setting": setting},
    )


def bootstrap_median(
    samples: np.ndarray, resamples: int = 2000, confidence: float = 0.95, seed: int = 0
) -> tuple[float, tuple[float, float]]:
    """The median over the rounds of a measurement, with its bootstrap interval.

    Parameters
    ----------
    samples : array, shape (repeats,)
        Such as ratios of times that were taken in turns.
    resamples : int
        Draws of the bootstrap.
    confidence : float
        Of the interval.
    seed : int
        Of the draws.

    Returns
    -------
    float, (float, float)
        The median and the ends of its interval.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    values = checks.array("samples", samples, 1)
    checks.number("confidence", confidence, above=0, high=1)
    draws = np.random.default_rng(seed).integers(
        0, len(values), (checks.integer("resamples", resamples, 1), len(values))
    )
    low, high = np.quantile(np.median(values[draws], axis=1), [0.5 - confidence / 2, 0.5 + confidence / 2])
    return float(np.median(values)), (float(low), float(high))


def _advance(trainer: Trainer, epochs: int) -> Callable[[], None]:
    return lambda: trainer.advance(epochs)
