"""Stages of a training by the fall of its loss, and the law that the size of the response follows in each."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from kbe import aging, checks

STAGES = ("start", "fall", "plateau")


def stages(loss: ArrayLike, begins: float = 0.1, ends: float = 0.9) -> np.ndarray:
    """Which stage of training each recorded epoch belongs to.

    Parameters
    ----------
    loss : array, shape (epochs,)
        The loss in the order of training, the first value being the start; what is not finite has not fallen.
    begins, ends : float
        The shares of the whole fall, from the first to the lowest loss, between which the loss falls fast.

    Returns
    -------
    numpy.ndarray of str, shape (epochs,)
        "start" until the first share is reached, "fall" until the second is, "plateau" from then on.

    Raises
    ------
    ValueError
        If the first loss is not finite or the shares are not in order within 0 and 1.
    """
    values = checks.array("loss", loss, 1, finite=False)
    if not np.isfinite(values[0]):
        raise ValueError(f"loss starts at {values[0]}: its first value must be finite.")
    values = np.where(np.isfinite(values), values, values[0])
    checks.number("ends", ends, high=1, above=checks.number("begins", begins, 0))
    fallen = np.maximum.accumulate(values[0] - values)
    share = fallen / fallen[-1] if fallen[-1] > 0 else np.zeros_like(fallen)
    return np.select([share < begins, share < ends], STAGES[:2], STAGES[2])


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


def _change(curve: np.ndarray) -> float:
    return float(curve.max() / curve.min())


def at_losses(loss: ArrayLike, values: ArrayLike, levels: ArrayLike) -> np.ndarray:
    """A quantity at the moment at which the loss first reaches given levels, so that equally trained networks compare.

    Between two recorded epochs it is taken on the straight line over the logarithm of the loss.

    Parameters
    ----------
    loss : array, shape (members, epochs)
        The loss of each member, positive.
    values : array, shape (members, epochs)
        The quantity.
    levels : array, shape (levels,)
        The levels, positive.

    Returns
    -------
    numpy.ndarray, shape (members, levels)
        The values; NaN for a level that is not reached, or reached before the second epoch.

    Raises
    ------
    ValueError
        If the shapes do not fit or a level is not positive.
    """
    losses, kept = checks.array("loss", loss, 2, finite=False), checks.array("values", values, 2, finite=False)
    checks.same_shape(loss=losses, values=kept)
    wanted = checks.array("levels", levels, 1)
    if (wanted <= 0).any():
        raise ValueError(f"levels is {checks.shown(levels)}: every level must be positive.")
    result = np.full((len(losses), len(wanted)), np.nan)
    for member, row in enumerate(losses):
        for k, level in enumerate(wanted):
            after = int(np.argmax(row <= level))
            if after and row[after] <= level:
                steep = np.log(row[after - 1] / np.maximum(row[after], np.finfo(float).tiny))
                share = np.log(row[after - 1] / level) / steep
                result[member, k] = (1 - share) * kept[member, after - 1] + share * kept[member, after]
    return result
