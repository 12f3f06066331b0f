"""The aging of the training response: how its size decays in training (equation 5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np
import scipy
import xarray as xr
from numpy.typing import ArrayLike

from kbe import statistics
from kbe.checks import Confidence, Count, Finite, Holds, Seed, Shaped, checked
from kbe.refusals import shown

CLOCKS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "power": np.log,
    "exponential": lambda time: time,
    "constant": np.zeros_like,
}

STEEPEST = 20.0  # powers of e: a decay by more is over, and a growth by more is not looked for


def _two_epochs(name: str, value: Any, sizes: dict[str, Any]) -> np.ndarray:
    ends = Shaped("ends", increasing=True)(name, value, sizes)
    if len(ends) != 2:
        raise ValueError(f"{name} is {shown(value)}: it must be two epochs, the earlier one first.")
    return ends


Window = Annotated[np.ndarray, _two_epochs]


@checked
def fit_aging(
    profile: Annotated[
        xr.Dataset, Holds("mean(member epoch distance)", "a Dataset whose mean is over member, epoch and distance")
    ],
    window: Window | None = None,
    *,
    offset: Finite = 0.0,
    center: Literal["median", "mean"] = "median",
    weighting: Literal["relative", "absolute"] = "relative",
    resamples: Count = 200,
    level: Confidence = 0.95,
    seed: Seed = 0,
) -> xr.Dataset:
    r"""The aging law fitted to measured responses, beside two others that it must beat, Eq. (5).

    .. math:: \Theta(t, d) \approx t^{-a} K(d), \qquad e^{-rt} K(d), \qquad K(d)

    Each is a decay times a free profile. The response is first brought to one curve by the center over
    members; then the rate is found by least squares, with the profile that is best for it. Members are
    resampled with replacement; on each resample all three laws are fitted anew and then have to predict
    the center of the members that were not drawn. So a law gains nothing from a parameter that only
    follows noise, and the constant law can win.

    Parameters
    ----------
    profile
        `mean` (member, epoch, distance), as `response_profile` makes it.
    window
        The first and the last epoch that count, both included; None means all from the first positive
        time on. Every recorded epoch in it weighs the same: record evenly in log t to weigh decades alike.
    offset
        Added to the epoch to give the t of the law, for a clock that does not start at 0.
    center
        What stands for many members; the tail over members is heavy once some are unstable.
    weighting
        Whether every distance counts alike, or by the size of its response.
    level
        The share of resamples that an interval holds.

    Returns
    -------
    xarray.Dataset
        Over `law` (power, exponential, constant):
        `rate`, the exponent a of the power law (no unit), r of the exponential (per epoch), and 0;
        `rate_low`, `rate_high`, its percentile bootstrap interval;
        `profile` (law, distance), which is K(d) at t = 1, for the exponential at the window's first epoch;
        `r_squared` of the fit, in which 0 is as good as the constant law and 1 is exact;
        `error`, the mean over resamples of the squared error in predicting members left out, as a share
        of their squared response; `preferred`, the share of resamples in which the law predicts best.
        Intervals, errors and shares are NaN for fewer than two members. The attributes hold the window,
        the members used and those left out for a value that is not finite.

    Raises
    ------
    ValueError
        If the window holds fewer than three epochs, or no member is finite in it.
    """
    response = _windowed(profile["mean"], window, offset)
    epochs, values = response["epoch"].values, response.values
    time, finite = epochs + offset, np.isfinite(values).all((1, 2))
    kept = values[finite]
    if not len(kept):
        raise ValueError(
            f"profile has {len(values)} members and none is finite in the window: there is nothing to fit."
        )
    middle = np.median if center == "median" else np.mean
    curve = middle(kept, axis=0)
    rate, decays, shapes = zip(*[_fit_law(law, time, curve, weighting) for law in CLOCKS], strict=True)
    errors = np.array([_error(curve, *fit, weighting) for fit in zip(decays, shapes, strict=True)])
    with np.errstate(over="ignore"):  # takes K(d) of the power law from the first epoch of the window to t = 1
        start = np.array([time[0] ** rate[0], 1.0, 1.0])
    rates, misses = _resampled(kept, time, middle, weighting, statistics.draws(len(kept), resamples, seed))
    low, high = np.quantile(rates, np.array([(1 - level) / 2, (1 + level) / 2]), axis=0)
    with np.errstate(invalid="ignore"):  # 0 of 0 where no draw leaves a member out
        error = misses.sum(0) / len(misses)
        preferred = np.bincount(misses.argmin(1), minlength=len(CLOCKS)) / len(misses)
    return xr.Dataset(
        {
            "rate": ("law", list(rate)),
            "rate_low": ("law", low),
            "rate_high": ("law", high),
            "profile": (("law", "distance"), start[:, None] * shapes),
            "r_squared": ("law", 1 - errors / (errors[-1] or np.nan)),
            "error": ("law", error),
            "preferred": ("law", preferred),
        },
        {"law": list(CLOCKS), "distance": profile["distance"]},
        {
            "window": [float(epochs[0]), float(epochs[-1])], "members": len(kept), "left_out": len(values) - len(kept),
            "offset": offset, "center": center, "weighting": weighting, "resamples": resamples, "level": level,
            "seed": seed,
        },
    )  # fmt: skip


def _windowed(response: xr.DataArray, window: np.ndarray | None, offset: float) -> xr.DataArray:
    """The response (member, epoch, distance) at the positive times of the window."""
    ends = (-np.inf, np.inf) if window is None else window
    epoch = Shaped("epochs")("profile.epoch", response["epoch"], {})
    inside = (epoch + offset > 0) & (epoch >= ends[0]) & (epoch <= ends[1])
    if inside.sum() < 3:
        raise ValueError(f"window holds {inside.sum()} epochs at positive times: a fit needs at least 3.")
    return response.transpose("member", "epoch", "distance")[:, inside].astype(np.float64)


def _resampled(
    values: np.ndarray, time: np.ndarray, middle: Callable[..., np.ndarray], weighting: str, draws: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rates and errors (resample, law); a draw that leaves no member out has no error, and of one member no rate."""
    rates, misses = [], []
    for drawn in draws if len(values) > 1 else ():
        rest = np.setdiff1d(np.arange(len(values)), drawn)
        curve = middle(values[drawn], axis=0)
        fits = [_fit_law(law, time, curve, weighting) for law in CLOCKS]
        rates.append([rate for rate, _, _ in fits])
        if len(rest):
            unseen = middle(values[rest], axis=0)
            misses.append([_error(unseen, decay, shape, weighting) for _, decay, shape in fits])
    return np.array(rates or [[np.nan] * len(CLOCKS)]), np.reshape(misses, (-1, len(CLOCKS)))


def _fit_law(law: str, time: np.ndarray, curve: np.ndarray, weighting: str) -> tuple[float, np.ndarray, np.ndarray]:
    """Rate, decay from the first epoch on and profile then, of the law closest to a curve (epoch, distance)."""
    clock = CLOCKS[law](time) - CLOCKS[law](time)[0]

    def fitted(rate: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        decay = np.exp(-np.multiply.outer(rate, clock))
        return decay, decay @ curve / np.vecdot(decay, decay)[..., None]

    def error(rate: ArrayLike) -> np.ndarray:
        return _error(curve, *fitted(rate), weighting)

    if not clock.any():
        return 0.0, *fitted(0.0)
    rates = _candidates(clock)
    nearest = int(np.clip(np.argmin(error(rates)), 1, len(rates) - 2))
    bounds = rates[nearest - 1], rates[nearest + 1]
    near = {"xatol": 1e-9 * np.ptp(bounds)}
    rate = scipy.optimize.minimize_scalar(error, bounds=bounds, method="bounded", options=near).x
    return float(rate), *fitted(rate)


def _candidates(clock: np.ndarray) -> np.ndarray:
    """Rates from a growth by e^20 over the window, through zero, to a decay that is over at its second epoch."""
    slow, growth, decay = 0.01 / clock[-1], STEEPEST / clock[-1], STEEPEST / clock[1]
    return np.concatenate([-np.geomspace(growth, slow, 25), [0.0], np.geomspace(slow, decay, 50)])


def _error(curve: np.ndarray, decay: np.ndarray, shape: np.ndarray, weighting: str) -> np.ndarray:
    """Squared error of decay times shape, as a share of the squared response; for many rates at once, or for one."""
    missed, size = ((curve - decay[..., None] * shape[..., None, :]) ** 2).sum(-2), (curve**2).sum(0)
    if weighting == "absolute":
        return missed.sum(-1) / size.sum()
    return (missed[..., size > 0] / size[size > 0]).mean(-1)
