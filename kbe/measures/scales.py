"""The prediction scale alpha: how far a network averages its data (section III.B, Fig. 4b)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from kbe import checks
from kbe.data import encoding

GOLDEN = (np.sqrt(5) - 1) / 2

NEGLIGIBLE = 1e-6  # the weight of the nearest neighbours at which the averages count as settled


@dataclass(frozen=True)
class _Averages:
    """The local averages of one data set at any scales, from sums over the points at each distinct distance.

    On bit strings there are few distinct distances, so that an average costs n times those, not n squared.
    """

    distances: np.ndarray
    target_sums: np.ndarray
    counts: np.ndarray | None

    @classmethod
    def of(cls, distance: np.ndarray, targets: np.ndarray, normalise: str) -> _Averages:
        points = len(targets)
        distances, which = np.unique(distance, return_inverse=True)
        cells = (which.reshape(distance.shape) * points + np.arange(points)[:, None]).ravel()
        shape = (len(distances), points)
        sums = np.bincount(cells, np.tile(targets, points), len(distances) * points).reshape(shape)
        counts = np.bincount(cells, minlength=len(distances) * points).reshape(shape).astype(float)
        return cls(distances, sums, counts if normalise == "weights" else None)

    def at(self, scales: np.ndarray) -> np.ndarray:
        weights = np.exp(-scales[:, None] * self.distances)
        divisor = float(self.target_sums.shape[1]) if self.counts is None else weights @ self.counts
        return weights @ self.target_sums / divisor


def prediction_scale(
    distance: np.ndarray,
    targets: np.ndarray,
    outputs: np.ndarray,
    *,
    normalise: str = "weights",
    highest: float | None = None,
    grid: int = 160,
) -> xr.Dataset:
    r"""The scale alpha at which the local average of Eq. (20) fits a network's outputs best (section III.B, Fig. 4b).

    .. math:: \min_{0 \le \alpha \le \alpha_{\max}} \sum_i \big( \mu_i - a_i(\alpha) \big)^2

    The sum may have several minima: a grid over the whole range, 0 and then evenly spaced in log alpha,
    finds the lowest, and a golden section search around it finishes to about 1e-7 of alpha.

    Parameters
    ----------
    distance : array, shape (..., n, n)
        Distances of the data points of each data set, at least 0.
    targets : array, shape (..., n)
        y of each data set.
    outputs : array or xarray.DataArray, shape (..., ..., n)
        mu: after the dimensions of the data sets (member) any others (epoch), the points last.
    normalise : {"weights", "count"}
        Divide the average by the sum of the weights, Eq. (20), or by n, as printed in III.B.
    highest : float or None
        The upper end of the range. None takes the alpha at which the nearest neighbours in all the data
        weigh 1e-6: beyond it the averages no longer change.
    grid : int
        Points of the grid, at least 10. Its lowest above 0 is 0.01 over the largest distance.

    Returns
    -------
    xarray.Dataset
        Over the dimensions of the outputs without the points: `alpha`, an inverse length; `rms`, the
        root mean square misfit, in the unit of y; `explained`, one minus the misfit over that of the best
        constant, negative where a constant fits better; `at_bound`, -1 for alpha = 0, 1 for the upper end, else 0.
        alpha is NaN where the fit does not depend on it (one distinct input, equal targets); all
        are NaN, and `at_bound` 0, where an output is not finite.

    Raises
    ------
    ValueError
        If the shapes do not fit or a value is not allowed.
    """
    distance, targets = checks.array("distance", distance), checks.array("targets", targets)
    values, dims = checks.array("outputs", outputs, finite=False), _dims(outputs)
    checks.choice("normalise", normalise, ("weights", "count"))
    checks.integer("grid", grid, 10)
    lead, points = targets.shape[:-1], targets.shape[-1:]
    if distance.shape != lead + 2 * points or values.shape[: len(lead)] != lead or values.shape[-1:] != points:
        raise ValueError(
            f"distance has shape {distance.shape}, targets {targets.shape} and outputs {values.shape}: "
            "they must be (sets, n, n), (sets, n) and (sets, others, n)."
        )
    if distance.min() < 0:
        raise ValueError(f"distance holds {distance.min():g}: every distance must be at least 0.")
    ladder = _ladder(distance, highest, grid)
    sets = int(np.prod(lead))
    flat = values.reshape(sets, -1, *points)
    fits = np.array(
        [
            _fit(_Averages.of(d, y, normalise), mu, ladder)
            for d, y, mu in zip(distance.reshape(sets, *2 * points), targets.reshape(sets, *points), flat, strict=True)
        ]
    )
    shape = values.shape[:-1]
    alpha, rms, explained, at_bound = (fits[..., k].reshape(shape) for k in range(4))
    return xr.Dataset(
        {"alpha": (dims, alpha), "rms": (dims, rms), "explained": (dims, explained), "at_bound": (dims, at_bound)},
        attrs={"normalise": normalise, "highest": float(ladder[-1])},
    )


def run_scale(run: xr.Dataset, *, power: float = 1.0, normalise: str = "weights") -> xr.Dataset:
    """The prediction scale of every network of a run at every recorded epoch.

    Parameters
    ----------
    run : xarray.Dataset
        `mu` (member, epoch, point) and `x` and `y` of bit strings, as `ensemble.train` returns.
    power : float
        Of the number of bits that differ, as the distance: 1, or 0.5 for the Euclidean distance.
    normalise : {"weights", "count"}
        As for `prediction_scale`.

    Returns
    -------
    xarray.Dataset
        (member, epoch): what `prediction_scale` returns, with the run's epochs.

    Raises
    ------
    ValueError
        If a value is not allowed, or the inputs are no bit strings.
    """
    checks.number("power", power, above=0)
    distance = np.stack([encoding.hamming_distance(x, x) for x in run.x.values]) ** power
    mu = run.mu.transpose("member", "epoch", "point")
    return prediction_scale(distance, run.y.values, mu, normalise=normalise).assign_coords(epoch=run.epoch)


def _fit(averages: _Averages, outputs: np.ndarray, ladder: np.ndarray) -> np.ndarray:
    """alpha, rms, explained and at_bound of each output, shape (outputs, 4)."""
    fine = np.isfinite(outputs).all(1)
    result = np.full((len(outputs), 4), [np.nan, np.nan, np.nan, 0.0])
    if fine.any():
        result[fine] = _fit_finite(averages, outputs[fine], ladder)
    return result


def _fit_finite(averages: _Averages, outputs: np.ndarray, ladder: np.ndarray) -> np.ndarray:
    def misfit(scales: np.ndarray) -> np.ndarray:
        return np.sum((averages.at(scales) - outputs) ** 2, 1)

    steps = averages.at(ladder)
    best = (np.sum(steps**2, 1) - 2 * outputs @ steps.T).argmin(1)
    low, high = ladder[np.maximum(best - 1, 0)], ladder[np.minimum(best + 1, len(ladder) - 1)]
    alpha = _golden_section(misfit, low, high)
    least, at_bound = misfit(alpha), np.zeros(len(outputs))
    for end, flag in ((ladder[0], -1.0), (ladder[-1], 1.0)):
        ends = np.full(len(outputs), end)
        better = (misfit(ends) <= least) & ((low == end) | (high == end))
        alpha, at_bound = np.where(better, end, alpha), np.where(better, flag, at_bound)
    least = misfit(alpha)
    spread = np.sum((outputs - outputs.mean(1, keepdims=True)) ** 2, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        explained = np.where(spread > 0, 1 - least / spread, np.nan)
    if np.ptp(steps, axis=0).max() <= 1e-12 * np.abs(steps).max():
        alpha, at_bound = np.full_like(alpha, np.nan), np.zeros_like(alpha)
    return np.stack([alpha, np.sqrt(least / outputs.shape[1]), explained, at_bound], 1)


def _golden_section(
    function: Callable[[np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray, rounds: int = 30
) -> np.ndarray:
    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    at_left, at_right = function(left), function(right)
    for _ in range(rounds):
        lower = at_left <= at_right
        low, high = np.where(lower, low, left), np.where(lower, right, high)
        fresh = np.where(lower, high - GOLDEN * (high - low), low + GOLDEN * (high - low))
        at_fresh = function(fresh)
        left, right = np.where(lower, fresh, right), np.where(lower, left, fresh)
        at_left, at_right = np.where(lower, at_fresh, at_right), np.where(lower, at_left, at_fresh)
    return (low + high) / 2


def _ladder(distance: np.ndarray, highest: float | None, grid: int) -> np.ndarray:
    apart = distance[distance > 0]
    nearest, farthest = (apart.min(), apart.max()) if apart.size else (1.0, 1.0)
    top = -np.log(NEGLIGIBLE) / nearest if highest is None else checks.number("highest", highest, above=0.01 / farthest)
    return np.concatenate([[0.0], np.geomspace(0.01 / farthest, top, grid - 1)])


def _dims(outputs: np.ndarray | xr.DataArray) -> list[str]:
    if isinstance(outputs, xr.DataArray):
        return [str(dim) for dim in outputs.dims[:-1]]
    return [f"axis_{k}" for k in range(np.ndim(outputs) - 1)]
