"""Which law of time the size of a response follows (equation 5).

Two questions, each with a function of its own: what does a response do in a window of training (`classify`), and
which law, fitted to the first half of a window, predicts the second best (`compare_extrapolations`)? How fast a
response ages, and with which profile over distance, says `aging.fit_aging`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any, NamedTuple

import numpy as np
import xarray as xr

from kbe import statistics
from kbe.checks import Count, Positive, Real, Seed, Share, checked
from kbe.refusals import shown
from kbe.response import aging

# The logarithm of each law is a level plus a rate times a clock; a law with a second parameter has a clock for each.
LAWS: dict[str, Callable[[np.ndarray], Iterable[np.ndarray]]] = {
    "constant": lambda time: [np.zeros_like(time)],
    "exponential": lambda time: [time / time[-1]],
    "stretched exponential": lambda time: [(time / time[-1]) ** power for power in np.geomspace(0.05, 3, 60)],
    "power": lambda time: [np.log(time)],
}


def _over_time(name: str, value: Any, sizes: dict[str, Any]) -> xr.DataArray:
    if not isinstance(value, xr.DataArray) or set(value.dims) != {"member", "epoch"}:
        raise ValueError(f"{name} is {shown(value)}: it must be a DataArray over member and epoch.")
    return value.transpose("member", "epoch").astype(np.float64)


Sizes = Annotated[xr.DataArray, _over_time]


class Law(NamedTuple):
    """What the size of the response does in a window of training; as text, a few words.

    Parameters
    ----------
    name
        "constant", "power law", "other decay", "growth", or "too short".
    change
        The largest over the smallest size, of the median over members; NaN where it is too short.
    exponent
        Of the power law, where one was fitted; else NaN.
    certain, possible
        Whether the resampled members make sure that it is a constant or a power law; whether they leave it possible.

    Examples
    --------
    >>> print(Law("power law", 24.0, 1.1, certain=True, possible=True))
    power law, 1.1
    >>> print(Law("growth", 24.0, np.nan, certain=False, possible=False))
    growth, factor 24
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


@checked
def classify(
    size: Sizes,
    *,
    tolerance: Positive = 0.1,
    explained: Share = 0.9,
    level: Annotated[float, Real(0.5, below=1)] = 0.95,
    resamples: Count = 40,
    seed: Seed = 0,
) -> Law:
    """Whether a response is constant, ages as a power law (equation 5), or does neither.

    It is constant if its median over members varies by less than the tolerance. It ages as a power law if it falls,
    the power law predicts members left out better than an exponential and a constant do, and explains the curve.

    Parameters
    ----------
    size
        The response (member, epoch) at the epochs of the window, which are positive. Members with a size that
        is not finite or not positive are left out.
    tolerance
        The largest over the smallest size, less one, up to which it counts as constant.
    explained
        The least share of the curve's variation that the power law explains.
    level
        The share of resamples that makes sure.

    Returns
    -------
    Law
        The law; "too short", with NaN for its numbers, for fewer than three epochs or where no member is left.
    """
    size = _positive(size)
    if size.sizes["epoch"] < 3 or not len(size):
        return Law("too short", np.nan, np.nan, False, False)
    values, curve = size.values, np.median(size, 0)
    draws = statistics.draws(len(values), resamples, seed)
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


@checked
def compare_extrapolations(
    size: Sizes,
    window: aging.Window,
    *,
    resamples: Count = 200,
    seed: Seed = 0,
) -> xr.Dataset:
    r"""The law of time that predicts a response best from the first half of a window for its second, Eq. (5).

    .. math:: c, \quad c\,e^{-rt}, \quad c\,e^{-r t^p}, \quad c\,t^{-a}

    Each is fitted to the logarithm of the median over members at the recorded epochs in the first half of the
    window, counted in log t, and has to predict those of the second half. All rates may have either sign: a
    response may grow. A law with one parameter more gains nothing by that unless it predicts better.

    Parameters
    ----------
    size
        Sizes of the response (member, epoch), greater than 0; members that are not are left out.
    window
        Its first epoch, at least 1, and its last.

    Returns
    -------
    xarray.Dataset
        Over `law`: `exponent`, a of the power law fitted to the whole window (NaN for the others), with `low` and
        `high`; `misfit`, the root mean square of the logarithm's error in the fit of the whole window; `missed`, the
        same in the prediction of the second half; `preferred`, the share of resamples in which this law's is least;
        `exponents` and `errors` (law, resample), the exponents and the errors in prediction of the resamples;
        `median` (epoch) and `predicted` (law, epoch), the data and what each law makes of the first half.

    Raises
    ------
    ValueError
        If the window starts before epoch 1, a half of it holds fewer than four epochs, or no member is left.
    """
    if window[0] < 1:
        raise ValueError(f"window starts at {window[0]:g}: its first epoch must be at least 1.")
    kept = _positive(size)
    if not len(kept):
        raise ValueError("size has no member that is finite and greater than 0.")
    kept = kept[:, ((size["epoch"] >= window[0]) & (size["epoch"] <= window[1])).values]
    time = kept["epoch"].to_numpy().astype(np.float64)
    early = time <= np.sqrt(window[0] * window[1])
    if min(early.sum(), (~early).sum()) < 4:
        raise ValueError(
            f"window holds {early.sum()} and {(~early).sum()} epochs in its halves: each needs at least 4."
        )
    draws = statistics.draws(len(kept), resamples, seed)
    curves = np.log(np.median([kept.values, *kept.values[draws]], axis=1))
    whole, half = (_fits(time, fitted, curves) for fitted in (np.ones_like(early), early))
    exponents, missed = (-whole["rate"]).where(whole["law"] == "power"), half["missed"]
    low, high = np.quantile(exponents[:, 1:], (0.025, 0.975), axis=1)
    return xr.Dataset(
        {
            "exponent": exponents[:, 0],
            "low": ("law", low),
            "high": ("law", high),
            "misfit": whole["misfit"][:, 0],
            "missed": missed[:, 0],
            "preferred": ("law", np.bincount(missed[:, 1:].argmin("law"), minlength=len(LAWS)) / resamples),
            "exponents": exponents[:, 1:],
            "errors": missed[:, 1:],
            "median": ("epoch", np.exp(curves[0])),
            "predicted": np.exp(half["made"][:, 0]),
        },
        {"law": list(LAWS), "epoch": time},
        {"window": window.tolist(), "members": len(kept), "left_out": len(size) - len(kept)},
    )


def _fits(time: np.ndarray, fitted: np.ndarray, curves: np.ndarray) -> xr.Dataset:
    """Each law fitted to the logarithm of curves at some epochs: its rate, misfit there and error elsewhere."""
    laws = [_fit(clocks(time), fitted, curves) for clocks in LAWS.values()]
    rate, misfit, missed, made = (np.array(column) for column in zip(*laws, strict=True))
    dims = ("law", "resample")
    columns = {"rate": (dims, rate), "misfit": (dims, misfit), "missed": (dims, missed)}
    return xr.Dataset(columns | {"made": ((*dims, "epoch"), made)}, {"law": list(LAWS)})


def _fit(clocks: Iterable[np.ndarray], fitted: np.ndarray, curves: np.ndarray) -> list[np.ndarray]:
    """With the best of the clocks for each curve: its rate, misfit where fitted, error elsewhere, and the whole fit."""
    found = []
    for clock in clocks:
        basis = np.stack([np.ones_like(clock), clock], 1)
        solution = np.linalg.lstsq(basis[fitted], curves[:, fitted].T, rcond=None)[0]
        made = basis @ solution
        errors = (curves.T - made) ** 2
        rest = errors[~fitted].mean(0) if (~fitted).any() else np.zeros(len(curves))
        found.append((solution[1], np.sqrt(errors[fitted].mean(0)), np.sqrt(rest), made))
    columns = [np.array(column) for column in zip(*found, strict=True)]
    best = columns[1].argmin(0)
    return [column[best, ..., np.arange(len(curves))] for column in columns]


def _positive(size: xr.DataArray) -> xr.DataArray:
    """The members whose sizes are all finite and greater than 0."""
    return size[((size > 0) & (size < np.inf)).all("epoch").values]


def _change(curve: np.ndarray) -> float:
    return float(curve.max() / curve.min())
