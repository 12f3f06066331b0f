"""The profile of a measured response kernel over distance, and what function of the distance it is (equations 5, 16).

The paper assumes that the kernel K of equation 5 is a positive decreasing function of the distance,
close to the exponential of equation 16.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy
import xarray as xr
from numpy.typing import ArrayLike

from kbe import checks

LEADING = {0: (), 1: ("member",), 2: ("member", "epoch")}
SHAPES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "constant": np.zeros_like,
    "exponential": lambda distance: distance,
    "Gaussian": np.square,
    "power": np.log1p,
}


def explained_by_distance(profile: xr.Dataset) -> xr.DataArray:
    """The share of a kernel's variation over pairs of inputs that their distance explains, Eq. (5).

    Parameters
    ----------
    profile : xarray.Dataset
        `mean`, `spread` and `pairs`, as `response_profile` makes them.

    Returns
    -------
    xarray.DataArray
        Over the leading dimensions: 1 for a function of the distance alone, 0 where distance says nothing;
        NaN for a kernel that does not vary or is not finite.

    Raises
    ------
    ValueError
        If the profile is not as described.
    """
    if not isinstance(profile, xr.Dataset) or not {"mean", "spread", "pairs"} <= set(profile):
        raise ValueError("profile must be a Dataset with mean, spread and pairs, as response_profile makes it.")
    share = profile["pairs"] / profile["pairs"].sum()
    within = (share * profile["spread"] ** 2).sum("distance", skipna=False)
    average = (share * profile["mean"]).sum("distance", skipna=False)
    between = (share * (profile["mean"] - average) ** 2).sum("distance", skipna=False)
    return (between / (between + within).where(between + within > 0)).rename("explained")


def gram_matrix(kernel: ArrayLike) -> np.ndarray:
    """A kernel over all pairs of input and head as one matrix; for one head it is the K of Eq. (12), (13).

    Parameters
    ----------
    kernel : array, shape (..., n, m, heads, heads)
        Theta.

    Returns
    -------
    numpy.ndarray, shape (..., n * heads, m * heads)
        Row i * heads + a is output a at input i.

    Raises
    ------
    ValueError
        If the kernel has fewer than four dimensions.
    """
    theta = checks.array("kernel", kernel, finite=False)
    if theta.ndim < 4:
        raise ValueError(f"kernel has shape {theta.shape}: it must be (..., n, m, heads, heads).")
    n, m, rows, columns = theta.shape[-4:]
    return theta.swapaxes(-3, -2).reshape(*theta.shape[:-4], n * rows, m * columns)


def response_profile(kernel: ArrayLike | xr.DataArray, distance: ArrayLike, decimals: int = 9) -> xr.Dataset:
    """The mean of a kernel over all pairs of inputs at the same distance, the K(d) of Eq. (5).

    Parameters
    ----------
    kernel : array, shape (..., n, m)
        The response of one output to one trained output, such as `theta[..., 0, 0]`. Up to two leading
        dimensions are called member and epoch; a DataArray keeps its own names and coordinates.
    distance : array, shape (n, m)
        The distance of each pair; pairs of the same input, at distance 0, are counted.
    decimals : int
        Distances that agree to so many decimals are one distance.

    Returns
    -------
    xarray.Dataset
        `mean` and `spread` (..., distance), the latter the standard deviation over pairs, in the kernel's
        units, and `pairs` (distance), their number. A non-finite member keeps its non-finite values.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    values = checks.array("kernel", kernel, (2, 3, 4), finite=False)
    checks.integer("decimals", decimals, 0, 15)
    where = np.round(checks.array("distance", distance, 2), decimals)
    if where.shape != values.shape[-2:]:
        raise ValueError(f"kernel has shape {values.shape} and distance {where.shape}: the last two must agree.")
    order = np.argsort(where, axis=None, kind="stable")
    distances, starts, pairs = np.unique(where.ravel()[order], return_index=True, return_counts=True)
    ordered = values.reshape(*values.shape[:-2], -1)[..., order]
    mean = np.add.reduceat(ordered, starts, axis=-1) / pairs
    square = np.add.reduceat((ordered - np.repeat(mean, pairs, axis=-1)) ** 2, starts, axis=-1) / pairs
    dims, coords = LEADING[values.ndim - 2], {}
    if isinstance(kernel, xr.DataArray):
        dims = tuple(map(str, kernel.dims[:-2]))
        coords = {name: kernel[name] for name in dims if name in kernel.coords}
    return xr.Dataset(
        {
            "mean": ((*dims, "distance"), mean),
            "spread": ((*dims, "distance"), np.sqrt(square)),
            "pairs": ("distance", pairs),
        },
        coords={**coords, "distance": distances},
    )


def fit_profile(profile: xr.Dataset, weighting: str = "distances") -> xr.Dataset:
    r"""The exponential that is closest to a measured profile, and whether the profile is one, Eq. (5), (16).

    .. math:: K(d) \approx A\, e^{-\beta d}

    Least squares in the kernel's own units, because a measured profile may be negative somewhere.

    Parameters
    ----------
    profile : xarray.Dataset
        `mean` (..., distance) and `pairs` (distance), as `response_profile` makes them; at least three distances.
    weighting : {"distances", "pairs"}
        Whether each distance counts alike, or by its number of pairs. On the hypercube most pairs are
        half the bits apart, where the kernel is small and its decay is over: the default is the former.

    Returns
    -------
    xarray.Dataset
        Over the leading dimensions: `amplitude` A; `rate` beta, per unit of distance; `rate_error`, its
        standard error, which takes the misfits for independent noise; `r_squared`, the share of the
        profile's variation over distance that the fit explains; `positive` and `decreasing`, whether
        the profile itself is so at every distance. A profile that cannot be fitted gives NaN and False.

    Raises
    ------
    ValueError
        If the profile is not as described.
    """
    checks.choice("weighting", weighting, ("distances", "pairs"))
    if not isinstance(profile, xr.Dataset) or not {"mean", "pairs"} <= set(profile) or "distance" not in profile.coords:
        raise ValueError("profile must be a Dataset with mean, pairs and distance, as response_profile makes it.")
    if profile.sizes["distance"] < 3:
        raise ValueError(f"profile has {profile.sizes['distance']} distances: a fit needs at least 3.")
    distance = profile["distance"].to_numpy()
    weights = profile["pairs"].to_numpy() if weighting == "pairs" else np.ones(len(distance))
    fitted = xr.apply_ufunc(
        lambda mean: np.array(_fit_exponential(distance, mean, weights)),
        profile["mean"],
        input_core_dims=[["distance"]],
        output_core_dims=[["quantity"]],
        vectorize=True,
    )
    result = xr.Dataset(
        {
            name: fitted.isel(quantity=i, drop=True)
            for i, name in enumerate(("amplitude", "rate", "rate_error", "r_squared"))
        }
    )
    result["positive"] = (profile["mean"] > 0).all("distance")
    result["decreasing"] = (profile["mean"].diff("distance") < 0).all("distance")
    return result.assign_attrs(weighting=weighting)


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


def _fit_exponential(distance: np.ndarray, mean: np.ndarray, weights: np.ndarray) -> tuple[float, float, float, float]:
    """Amplitude, rate, the rate's standard error, and R squared."""
    size = np.abs(mean).max()
    if not 0 < size < np.inf:
        return (np.nan,) * 4
    span = distance[-1] - distance[0]
    try:
        (amplitude, rate), covariance = scipy.optimize.curve_fit(
            lambda d, a, b: a * np.exp(-b * d), distance, mean / size, (mean[0] / size, 1 / span), weights**-0.5
        )
    except RuntimeError:  # scipy found no minimum within its steps
        return (np.nan,) * 4
    residual = mean / size - amplitude * np.exp(-rate * distance)
    around = mean / size - np.average(mean / size, weights=weights)
    variation = weights @ around**2
    explained = 1 - weights @ residual**2 / variation if variation > 0 else np.nan
    return amplitude * size, rate, np.sqrt(covariance[1, 1]), explained


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
