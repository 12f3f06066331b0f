"""Which law of time the size of a response follows in a window of training (equation 5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from kbe import checks
from kbe.response import aging

# The logarithm of each law is a level plus a rate times one of these clocks; None stands for no second parameter.
CLOCKS: dict[str, tuple[Callable[[np.ndarray, float], np.ndarray], np.ndarray | None]] = {
    "constant": (lambda time, _: np.zeros_like(time), None),
    "exponential": (lambda time, _: time / time[-1], None),
    "stretched exponential": (lambda time, power: (time / time[-1]) ** power, np.geomspace(0.05, 3, 60)),
    "power": (lambda time, _: np.log(time), None),
}


def compare_laws(
    size: ArrayLike, epochs: ArrayLike, window: tuple[float, float], *, resamples: int = 200, seed: int = 0
) -> xr.Dataset:
    r"""The law of time that predicts a response best from the first half of a range for its second, Eq. (5).

    .. math:: c, \quad c\,e^{-rt}, \quad c\,e^{-r t^p}, \quad c\,t^{-a}

    Each is fitted to the logarithm of the median over members at the recorded epochs in the first half of the
    range, counted in log t, and has to predict those of the second half. All rates may have either sign: a
    response may grow. A law with one parameter more gains nothing by that unless it predicts better.

    Parameters
    ----------
    size : array, shape (member, epoch)
        Sizes of the response, greater than 0; members that are not are left out.
    epochs : array, shape (epoch,)
        The recorded epochs.
    window : (float, float)
        The range: its first epoch, at least 1, and its last.
    resamples : int
        How many times the members are drawn again.
    seed : int
        Start of the draws.

    Returns
    -------
    xarray.Dataset
        Over `law`: `exponent`, a of the power law fitted to the whole range (NaN for the others), with `low` and
        `high`; `misfit`, the root mean square of the logarithm's error in the fit of the whole range; `missed`, the
        same in the prediction of the second half; `preferred`, the share of resamples in which this law's is least;
        `exponents` and `errors` (law, resample), the exponents and the errors in prediction of the resamples;
        `median` (epoch) and `predicted` (law, epoch), the data and what each law makes of the first half.

    Raises
    ------
    ValueError
        If an argument is out of range, or a half holds fewer than four epochs.
    """
    values, times = checks.array("size", size, 2, finite=False), checks.array("epochs", epochs, 1)
    ends = checks.array("window", window, 1)
    checks.integer("resamples", resamples, 1)
    checks.integer("seed", seed, 0)
    if len(ends) != 2 or not 1 <= ends[0] < ends[1] or values.shape[1] != len(times):
        raise ValueError(
            f"window is {checks.shown(window)}: it must be two of the epochs of size, the first at least 1."
        )
    inside = (times >= ends[0]) & (times <= ends[1])
    time, early = times[inside], times[inside] <= np.sqrt(ends[0] * ends[1])
    if min(early.sum(), (~early).sum()) < 4:
        raise ValueError(
            f"window holds {early.sum()} and {(~early).sum()} epochs in its halves: each needs at least 4."
        )
    good = values[(np.isfinite(values) & (values > 0)).all(1)][:, inside]
    if not len(good):
        raise ValueError("size has no member that is finite and greater than 0.")
    generator, names = np.random.default_rng(seed), list(CLOCKS)
    draws = [good[generator.integers(0, len(good), len(good))] for _ in range(resamples)]
    curves = np.log(np.median([good, *draws], axis=1))
    fits = np.array([_fit(law, time, np.ones_like(early), curves)[:2] for law in names])
    halves = [_fit(law, time, early, curves) for law in names]
    missed, predicted = np.array([half[2] for half in halves]), np.exp([half[3][:, 0] for half in halves])
    exponents = np.where([name == "power" for name in names], -fits[:, 0].T, np.nan).T
    low, high = np.quantile(exponents[:, 1:], (0.025, 0.975), axis=1)
    wins = np.argmin(missed[:, 1:], 0)
    columns = {
        "exponent": exponents[:, 0], "low": low, "high": high, "misfit": fits[:, 1, 0], "missed": missed[:, 0],
        "preferred": np.array([np.mean(wins == k) for k in range(len(names))]),
    }  # fmt: skip
    attrs = {"window": list(map(float, ends)), "members": len(good), "left_out": len(values) - len(good)}
    result = xr.Dataset({name: ("law", column) for name, column in columns.items()}, {"law": names}, attrs)
    dims = ("law", "resample")
    result = result.assign(exponents=(dims, exponents[:, 1:]), errors=(dims, missed[:, 1:]))
    result = result.assign(median=("epoch", np.exp(curves[0])), predicted=(("law", "epoch"), predicted))
    return result.assign_coords(epoch=time)


class Law(NamedTuple):
    """What the size of the response does in a window of training; as text, a few words.

    Parameters
    ----------
    name : str
        "constant", "power law", "other decay", "growth", or "too short".
    change : float
        The largest over the smallest size, of the median over members.
    exponent : float
        Of the power law, where one was fitted; else NaN.
    certain, possible : bool
        Whether the resampled members make sure that it is a constant or a power law; whether they leave it possible.
    """

    name: str
    change: float
    exponent: float
    certain: bool
    possible: bool

    def __str__(self) -> str:
        if self.name == "power law":
            return f"power law, {self.exponent:.1f}"
        if self.name in ("growth", "other decay"):
            return f"{self.name}, factor {self.change:.2g}"
        return self.name


def law(
    size: xr.DataArray,
    *,
    tolerance: float = 0.1,
    explained: float = 0.9,
    level: float = 0.95,
    resamples: int = 40,
    seed: int = 0,
) -> Law:
    """Whether a response is constant, ages as a power law, or does neither, Eq. (5).

    It is constant if its median over members varies by less than the tolerance. It ages as a power law if it falls,
    the power law predicts members left out better than an exponential and a constant do, and explains the curve.

    Parameters
    ----------
    size : xarray.DataArray
        The response (member, epoch) at the epochs of the window, which are positive. Members with a size that
        is not finite or not positive are left out.
    tolerance : float
        The largest over the smallest size, less one, up to which it counts as constant.
    explained : float
        The least share of the curve's variation that the power law explains.
    level : float
        The share of resamples that makes sure.
    resamples : int
        How many times the members are drawn again.
    seed : int
        Start of the draws.

    Returns
    -------
    Law
        The law, "too short" for fewer than three epochs.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    if not isinstance(size, xr.DataArray) or set(size.dims) != {"member", "epoch"}:
        raise ValueError("size must be a DataArray with the dimensions member and epoch.")
    checks.number("tolerance", tolerance, above=0)
    checks.number("explained", explained, 0, 1)
    checks.number("level", level, 0.5, 1)
    checks.integer("resamples", resamples, 1)
    checks.integer("seed", seed, 0)
    values = checks.array("size", size.transpose("member", "epoch").to_numpy(), 2, empty=True, finite=False)
    kept = (np.isfinite(values) & (values > 0)).all(1)
    values, size = values[kept], size.isel(member=kept)
    if values.shape[1] < 3 or not len(values):
        return Law("too short", np.nan, np.nan, False, False)
    draws = np.random.default_rng(seed).integers(len(values), size=(resamples, len(values)))
    curve = np.median(values, 0)
    constant = float(np.mean([_change(np.median(values[draw], 0)) < 1 + tolerance for draw in draws]))
    change = _change(curve)
    if constant >= level or curve[-1] >= curve[0]:
        name = "constant" if change < 1 + tolerance else "growth"
        return Law(name, change, np.nan, constant >= level, constant > 1 - level)
    profile = xr.Dataset({"mean": size.expand_dims(distance=[0])})
    fit = aging.fit_aging(profile, resamples=resamples, seed=seed, level=level).sel(law="power")
    ages = float(fit.rate_low) > 0 and float(fit.r_squared) >= explained
    power = float(fit.preferred) if ages else 0.0
    name = "constant" if change < 1 + tolerance else "power law" if power > 0.5 else "other decay"
    return Law(name, change, float(fit.rate), max(constant, power) >= level, max(constant, power) > 1 - level)


def _fit(law: str, time: np.ndarray, fitted: np.ndarray, curves: np.ndarray) -> tuple[np.ndarray, ...]:
    """Rate, misfit where fitted, error elsewhere, and the whole fit, of the logarithm of curves (curve, epoch)."""
    clock, seconds = CLOCKS[law]
    best: tuple[np.ndarray, ...] = ()
    for second in [0.0] if seconds is None else seconds:
        basis = np.stack([np.ones_like(time), clock(time, second)], 1)
        solution = np.linalg.lstsq(basis[fitted], curves[:, fitted].T, rcond=None)[0]
        made = basis @ solution
        errors = (curves.T - made) ** 2
        rest = errors[~fitted].mean(0) if (~fitted).any() else np.zeros(len(curves))
        found = (solution[1], np.sqrt(errors[fitted].mean(0)), np.sqrt(rest), made)
        best = (
            tuple(np.where(found[1] < best[1], new, old) for new, old in zip(found, best, strict=True))
            if best
            else found
        )
    return best


def _change(curve: np.ndarray) -> float:
    return float(curve.max() / curve.min())
