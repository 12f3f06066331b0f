"""Whether a response is a product of time and distance, and which function of the distance it is (equations 5, 16)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from kbe import checks

SHAPES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "constant": np.zeros_like,
    "exponential": lambda distance: distance,
    "Gaussian": np.square,
    "power": np.log1p,
}


def compare_shapes(profile: ArrayLike, distance: ArrayLike) -> xr.Dataset:
    r"""Which function of the distance a profile is: each predicts one distance from all others, Eq. (5), (16).

    .. math:: A, \quad A\,e^{-\beta d}, \quad A\,e^{-\beta d^2}, \quad A\,(1 + d)^{-\beta}

    Parameters
    ----------
    profile : array, shape (distance,)
        The response at each distance; some may be negative.
    distance : array, shape (distance,)
        The distances, at least five.

    Returns
    -------
    xarray.Dataset
        Over `shape`: `rate` beta, `amplitude` A, and `missed`, the mean squared error at the distance left out, as a
        share of the profile's variance over distance.

    Raises
    ------
    ValueError
        If the arrays do not fit.
    """
    curve, where = checks.array("profile", profile, 1), checks.array("distance", distance, 1)
    checks.same_shape(profile=curve, distance=where)
    if len(curve) < 5:
        raise ValueError(f"profile has {len(curve)} distances: a comparison needs at least 5.")
    rows = []
    for clock in SHAPES.values():
        rate, amplitude = _fit_shape(clock, where, curve)
        errors = []
        for k in range(len(where)):
            rest = np.arange(len(where)) != k
            beta, height = _fit_shape(clock, where[rest], curve[rest])
            errors.append(curve[k] - height * np.exp(-beta * clock(where[k : k + 1])[0]))
        rows.append((rate, amplitude, np.mean(np.square(errors)) / curve.var() if curve.var() > 0 else np.nan))
    columns = dict(zip(("rate", "amplitude", "missed"), np.transpose(rows), strict=True))
    return xr.Dataset({name: ("shape", column) for name, column in columns.items()}, {"shape": list(SHAPES)})


def inseparable(response: ArrayLike) -> float:
    r"""How far a response over time and distance is from a product of the two, Eq. (5).

    .. math:: 1 - \frac{s_1^2}{\sum_k s_k^2}

    with the singular values of the matrix whose rows, one an epoch, are brought to the same norm: without that
    the epochs of the largest response would count alone.

    Parameters
    ----------
    response : array, shape (epoch, distance)
        The response; no row is 0 everywhere.

    Returns
    -------
    float
        0 for a product, at most 1.

    Raises
    ------
    ValueError
        If it is not a matrix, or a row vanishes.
    """
    matrix = checks.array("response", response, 2)
    norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    if not norms.all():
        raise ValueError("response has a row of zeros: every epoch must have a response.")
    squares = np.linalg.svd(matrix / norms, compute_uv=False) ** 2
    return float(1 - squares[0] / squares.sum())


def _fit_shape(
    clock: Callable[[np.ndarray], np.ndarray], distance: np.ndarray, curve: np.ndarray
) -> tuple[float, float]:
    """Rate and amplitude by least squares, the rate on a grid that is refined three times."""
    scale = clock(distance)
    low, high = (-2.0, 8.0) if scale.any() else (0.0, 0.0)
    for _ in range(4):
        rates = np.linspace(low, high, 101)
        forms = np.exp(-rates[:, None] * scale)
        amplitudes = forms @ curve / (forms**2).sum(1)
        best = int(np.argmin(((curve - amplitudes[:, None] * forms) ** 2).sum(1)))
        low, high = rates[max(best - 1, 0)], rates[min(best + 1, 100)]
    return float(rates[best]), float(amplitudes[best])
