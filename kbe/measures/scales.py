"""The prediction scale alpha: how far a network averages its data (section III.B, Fig. 4b)."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
import xarray as xr

from kbe.checks import Holds, Points, Positive, Shaped, Whole, checked
from kbe.data import encoding
from kbe.theory.average_network import Normalise, kernel_average
from kbe.theory.kernels import Kernel, exponential_kernel

GOLDEN = (np.sqrt(5) - 1) / 2

GROUPED = 2**20  # sums over the points at each distinct distance, beyond which a Gram matrix is faster and smaller

NEGLIGIBLE = 1e-6  # the exponential kernel at the nearest neighbours at which its averages count as settled


def _named(name: str, value: Any, sizes: dict[str, Any]) -> xr.DataArray:
    """What has no names of dimensions gets them."""
    values = Shaped("... points", finite=False)(name, value, sizes)
    dims = value.dims if isinstance(value, xr.DataArray) else [f"axis_{k}" for k in range(values.ndim)]
    return xr.DataArray(values, dims=dims)


@checked
def prediction_scale(
    distance: Annotated[np.ndarray, Shaped("... points points", low=0)],
    targets: Points,
    outputs: Annotated[xr.DataArray, _named],
    *,
    normalise: Normalise = "weights",
    highest: Positive | None = None,
    grid: Annotated[int, Whole(10)] = 160,
    kernel: Kernel = exponential_kernel,
) -> xr.Dataset:
    r"""The scale alpha at which the local average of equation 20 fits a network's outputs best (III.B, Fig. 4b).

    .. math:: \min_{0 \le \alpha \le \alpha_{\max}} \sum_i \big( \mu_i - a_i(\alpha) \big)^2

    The sum may have several minima: a grid over the whole range, 0 and then evenly spaced in log alpha,
    finds the lowest, and a golden section search around it finishes to about 1e-7 of alpha.

    Parameters
    ----------
    distance
        Distances of the data points of each data set.
    targets
        y of each data set.
    outputs
        mu, an array or a DataArray: after the dimensions of the data sets (member) any others (epoch), the points last.
    normalise
        As for `average_network.local_average`.
    highest
        The upper end of the range. None takes the alpha at which the nearest neighbours in all the data weigh 1e-6
        in the exponential kernel: beyond it the averages no longer change. A kernel with a long tail wants more.
    grid
        Points of the grid. Its lowest above 0 is 0.01 over the largest distance.
    kernel
        A function of distance and scale.

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
        If the data sets of the three do not fit, or `highest` is not above the grid's lowest scale.
    """
    lead, points = targets.shape[:-1], targets.shape[-1]
    if distance.shape[:-2] != lead or outputs.shape[: len(lead)] != lead:
        raise ValueError(
            f"distance has shape {distance.shape}, targets {targets.shape} and outputs {outputs.shape}: "
            "they must be (sets, n, n), (sets, n) and (sets, others, n)."
        )
    ladder = _ladder(distance, highest, grid)
    sets = int(np.prod(lead))
    distance, targets = distance.reshape(sets, points, points), targets.reshape(sets, points)
    flat = outputs.values.reshape(sets, -1, points)
    fits = np.stack(
        [_fit(_averages(d, y, normalise, kernel), mu, ladder) for d, y, mu in zip(distance, targets, flat, strict=True)]
    ).reshape(*outputs.shape[:-1], 4)
    names = ("alpha", "rms", "explained", "at_bound")
    return xr.Dataset(
        {name: (outputs.dims[:-1], fits[..., k]) for k, name in enumerate(names)},
        attrs={"normalise": normalise, "highest": float(ladder[-1])},
    )


@checked
def run_scale(
    run: Annotated[
        xr.Dataset,
        Holds(
            "x(member point bit) y(member point) mu(member epoch point)", "what ensemble.train returns for bit strings"
        ),
    ],
    *,
    power: Positive = 1.0,
    normalise: Normalise = "weights",
    kernel: Kernel = exponential_kernel,
) -> xr.Dataset:
    """The prediction scale of every network of a run at every recorded epoch.

    Parameters
    ----------
    run
        With `mu` (member, epoch, point) and bit strings `x`.
    power
        Of the number of bits that differ, as the distance: 1, or 0.5 for the Euclidean distance.
    normalise, kernel
        As for `prediction_scale`.

    Returns
    -------
    xarray.Dataset
        (member, epoch): what `prediction_scale` returns, NaN where that is, with the run's epochs.
    """
    distance = np.stack([encoding.hamming_distance(x, x) for x in run.x.values]) ** power
    fit = prediction_scale(distance, run.y.values, run.mu, normalise=normalise, kernel=kernel)
    return fit.assign_coords(epoch=run.epoch)


def _averages(
    distance: np.ndarray, targets: np.ndarray, normalise: str, kernel: Kernel
) -> Callable[[np.ndarray], np.ndarray]:
    """The local averages of one data set at any scales.

    On bit strings there are few distinct distances: with the sums over the points at each of them, an average costs n
    times those, not n squared. On a line almost every distance is its own; then one Gram matrix is held at a time.
    """
    points, normal = len(targets), normalise == "weights"
    average = inspect.unwrap(kernel_average)  # no checks at each of many scales
    distances, which = np.unique(distance, return_inverse=True)
    size = len(distances) * points
    if size > GROUPED:
        divisor = None if normal else points
        return lambda scales: np.stack([average(kernel(distance, scale), targets, divisor) for scale in scales])
    cells = (which.reshape(distance.shape) * points + np.arange(points)[:, None]).ravel()
    sums = np.bincount(cells, np.tile(targets, points), size).reshape(-1, points)
    counts = np.bincount(cells, minlength=size).reshape(-1, points).astype(float)

    def at(scales: np.ndarray) -> np.ndarray:
        weights = kernel(distances, scales[:, None])
        return average(weights, sums, weights @ counts if normal else points)

    return at


def _fit(averages: Callable[[np.ndarray], np.ndarray], outputs: np.ndarray, ladder: np.ndarray) -> np.ndarray:
    """alpha, rms, explained and at_bound of each output, shape (outputs, 4)."""
    fine = np.isfinite(outputs).all(1)
    result = np.full((len(outputs), 4), [np.nan, np.nan, np.nan, 0.0])
    if fine.any():
        result[fine] = _fit_finite(averages, outputs[fine], ladder)
    return result


def _fit_finite(averages: Callable[[np.ndarray], np.ndarray], outputs: np.ndarray, ladder: np.ndarray) -> np.ndarray:
    def misfit(scales: np.ndarray) -> np.ndarray:
        return np.sum((averages(scales) - outputs) ** 2, 1)

    steps = averages(ladder)
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
    lowest, top = 0.01 / farthest, -np.log(NEGLIGIBLE) / nearest if highest is None else highest
    if top <= lowest:
        raise ValueError(f"highest is {top:g}: it must be greater than {lowest:g}, the first scale above 0.")
    return np.concatenate([[0.0], np.geomspace(lowest, top, grid - 1)])
