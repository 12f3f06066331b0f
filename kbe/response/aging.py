"""The aging of the training response: how its size decays in training (equation 5)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy
import xarray as xr
from numpy.typing import ArrayLike

from kbe import checks

CLOCKS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "power": np.log,
    "exponential": lambda time: time,
    "constant": np.zeros_like,
}

STEEPEST = 20.0  # powers of e: a decay by more is over, and a growth by more is not looked for


def fit_aging(
    profile: xr.Dataset,
    window: tuple[float, float] | None = None,
    *,
    offset: float = 0.0,
    center: str = "median",
    weighting: str = "relative",
    resamples: int = 200,
    level: float = 0.95,
    seed: int = 0,
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
    profile : xarray.Dataset
        `mean` (member, epoch, distance), as `response_profile` makes it.
    window : (float, float) or None
        The first and the last epoch that count, both included; None means all from the first positive
        time on. Every recorded epoch in it weighs the same: record evenly in log t to weigh decades alike.
    offset : float
        Added to the epoch to give the t of the law, for a clock that does not start at 0.
    center : {"median", "mean"}
        What stands for many members; the tail over members is heavy once some are unstable.
    weighting : {"relative", "absolute"}
        Whether every distance counts alike, or by the size of its response.
    resamples : int
        The number of resamples.
    level : float
        The share of resamples that an interval holds.
    seed : int
        Start of the random draws.

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
        If an argument is not as described or the window holds fewer than three epochs.
    """
    checks.choice("center", center, ("median", "mean"))
    checks.choice("weighting", weighting, ("relative", "absolute"))
    checks.integer("resamples", resamples, 1)
    checks.integer("seed", seed, 0)
    if checks.number("level", level, above=0) >= 1:
        raise ValueError(f"level is {checks.shown(level)}: it must be less than 1.")
    epochs, values = _windowed(profile, window, checks.number("offset", offset))
    time = epochs + offset
    finite = np.isfinite(values).all((1, 2))
    kept = values[finite]
    if not len(kept):
        raise ValueError(
            f"profile has {len(values)} members and none is finite in the window: there is nothing to fit."
        )
    middle = np.median if center == "median" else np.mean
    curve = middle(kept, axis=0)
    fits = [_fit_law(law, time, curve, weighting) for law in CLOCKS]
    errors = np.array([_error(curve, decay, shape, weighting) for _, decay, shape in fits])
    with np.errstate(over="ignore"):  # takes K(d) of the power law from the first epoch of the window to t = 1
        start = np.array([time[0] ** fits[0][0], 1.0, 1.0])
    rates, misses = _resampled(kept, time, middle, weighting, resamples, np.random.default_rng(seed))
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    low, high = np.quantile(rates, tails, axis=0) if len(kept) > 1 else np.full((2, len(CLOCKS)), np.nan)
    best = np.argmin(misses, 1)
    preferred = [np.mean(best == i) if len(misses) else np.nan for i in range(len(CLOCKS))]
    return xr.Dataset(
        {
            "rate": ("law", [rate for rate, _, _ in fits]),
            "rate_low": ("law", low),
            "rate_high": ("law", high),
            "profile": (("law", "distance"), start[:, None] * [shape for _, _, shape in fits]),
            "r_squared": ("law", 1 - errors / errors[-1] if errors[-1] > 0 else np.full(len(fits), np.nan)),
            "error": ("law", misses.mean(0) if len(misses) else np.full(len(fits), np.nan)),
            "preferred": ("law", preferred),
        },
        coords={"law": list(CLOCKS), "distance": profile["distance"]},
        attrs={
            "window": [float(epochs[0]), float(epochs[-1])],
            "members": int(finite.sum()),
            "left_out": int((~finite).sum()),
            "offset": float(offset),
            "center": center,
            "weighting": weighting,
            "resamples": resamples,
            "level": float(level),
            "seed": seed,
        },
    )


def _windowed(profile: xr.Dataset, window: tuple[float, float] | None, offset: float) -> tuple[np.ndarray, np.ndarray]:
    """The epochs of the window, and the responses (member, epoch, distance) there."""
    if (
        not isinstance(profile, xr.Dataset)
        or "mean" not in profile
        or set(profile["mean"].dims) != {"member", "epoch", "distance"}
    ):
        raise ValueError("profile must be a Dataset whose mean has the dimensions member, epoch and distance.")
    epochs = checks.array("epoch", profile["epoch"], 1)
    ends = (-np.inf, np.inf) if window is None else checks.array("window", window, 1)
    if len(ends) != 2 or ends[0] >= ends[1]:
        raise ValueError(f"window is {checks.shown(window)}: it must be two epochs, the earlier one first.")
    inside = (epochs + offset > 0) & (epochs >= ends[0]) & (epochs <= ends[1])
    if inside.sum() < 3:
        raise ValueError(f"window holds {inside.sum()} epochs at positive times: a fit needs at least 3.")
    values = profile["mean"].transpose("member", "epoch", "distance").to_numpy()
    return epochs[inside], checks.array("profile", values, 3, finite=False)[:, inside]


def _resampled(
    values: np.ndarray,
    time: np.ndarray,
    middle: Callable[..., np.ndarray],
    weighting: str,
    resamples: int,
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Rates and errors (resample, law); a draw that leaves no member out has no error."""
    members, rates, misses = len(values), [], []
    for _ in range(resamples if members > 1 else 0):
        drawn = generator.integers(0, members, members)
        rest = np.setdiff1d(np.arange(members), drawn)
        curve = middle(values[drawn], axis=0)
        fits = [_fit_law(law, time, curve, weighting) for law in CLOCKS]
        rates.append([rate for rate, _, _ in fits])
        if len(rest):
            unseen = middle(values[rest], axis=0)
            misses.append([_error(unseen, decay, shape, weighting) for _, decay, shape in fits])
    return np.reshape(rates, (-1, len(CLOCKS))), np.reshape(misses, (-1, len(CLOCKS)))


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
