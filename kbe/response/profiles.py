"""The profile of a measured response kernel over distance, and what function of the distance it is (equations 5, 16).

The paper assumes that the kernel K of equation 5 is a positive decreasing function of the distance,
close to the exponential of equation 16.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np
import scipy
import xarray as xr

from kbe.checks import Holds, Shaped, Whole, checked
from kbe.labels import same_labels

SHAPES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "constant": np.zeros_like,
    "exponential": lambda distance: distance,
    "Gaussian": np.square,
    "power": np.log1p,
}


def _named(name: str, value: Any, sizes: dict[str, Any]) -> xr.DataArray:
    """A kernel, or many, with names for the dimensions: a DataArray's own, else member and epoch before n and m."""
    values = Shaped("... n m", finite=False)(name, value, sizes)
    if values.ndim > 4:
        raise ValueError(f"{name} has shape {values.shape}: it must have 2, 3 or 4 dimensions.")
    if isinstance(value, xr.DataArray):
        return same_labels(name, value, sizes).copy(data=values)
    return xr.DataArray(values, dims=[*("member", "epoch")[: values.ndim - 2], "n", "m"])


Kernels = Annotated[xr.DataArray, _named]  # (..., n, m); an array becomes a DataArray


@checked
def response_profile(
    kernel: Kernels, distance: Annotated[np.ndarray, Shaped("n m")], decimals: Annotated[int, Whole(0, 15)] = 9
) -> xr.Dataset:
    """The mean of a kernel over all pairs of inputs at the same distance, the K(d) of Eq. (5).

    Parameters
    ----------
    kernel
        The response of one output to one trained output (..., n, m), such as `theta[..., 0, 0]`. Up to two
        leading dimensions are called member and epoch; a DataArray keeps its own names and coordinates.
    distance
        The distance of each pair; pairs of the same input, at distance 0, are counted.
    decimals
        Distances that agree to so many decimals are one distance.

    Returns
    -------
    xarray.Dataset
        `mean` and `spread` (..., distance), the latter the standard deviation over pairs, in the kernel's
        units, and `pairs` (distance), their number. A non-finite member keeps its non-finite values.
    """
    where = np.round(distance, decimals)
    order = np.argsort(where, axis=None, kind="stable")
    distances, starts, pairs = np.unique(where.ravel()[order], return_index=True, return_counts=True)
    ordered = kernel.values.reshape(*kernel.shape[:-2], -1)[..., order]
    mean = np.add.reduceat(ordered, starts, axis=-1) / pairs
    square = np.add.reduceat((ordered - np.repeat(mean, pairs, axis=-1)) ** 2, starts, axis=-1) / pairs
    dims = (*kernel.dims[:-2], "distance")
    return xr.Dataset(
        {"mean": (dims, mean), "spread": (dims, np.sqrt(square)), "pairs": ("distance", pairs)},
        {name: kernel[name] for name in dims if name in kernel.coords} | {"distance": distances},
    )


@checked
def explained_by_distance(
    profile: Annotated[
        xr.Dataset,
        Holds("mean(... distance) spread(... distance) pairs(distance)", "what response_profile returns"),
    ],
) -> xr.DataArray:
    """The share of a kernel's variation over pairs of inputs that their distance explains.

    Equation 5 takes it for all. It is found over the leading dimensions of the `profile`: 1 for a function of the
    distance alone, 0 where distance says nothing; NaN for a kernel that does not vary or is not finite.
    """
    share = profile["pairs"] / profile["pairs"].sum()
    within = (share * profile["spread"] ** 2).sum("distance", skipna=False)
    average = (share * profile["mean"]).sum("distance", skipna=False)
    between = (share * (profile["mean"] - average) ** 2).sum("distance", skipna=False)
    return (between / (between + within).where(between + within > 0)).rename("explained")


@checked
def fit_profile(
    profile: Annotated[
        xr.Dataset,
        Holds("mean(... distance) pairs(distance) distance(distance)", "what response_profile returns"),
    ],
    weighting: Literal["distances", "pairs"] = "distances",
) -> xr.Dataset:
    r"""The exponential that is closest to a measured profile, and whether the profile is one, equation 16.

    .. math:: K(d) \approx A\, e^{-\beta d}

    Least squares in the kernel's own units, because a measured profile may be negative somewhere.

    Parameters
    ----------
    profile
        `mean` (..., distance) and `pairs` (distance), as `response_profile` makes them; at least three distances.
    weighting
        Whether each distance counts alike, or by its number of pairs. On the hypercube most pairs are
        half the bits apart, where the kernel is small and its decay is over: the default is the former.

    Returns
    -------
    xarray.Dataset
        Over the leading dimensions: `amplitude` A; `rate` beta, per unit of distance; `rate_error`, its
        standard error, which takes the misfits for independent noise, infinite where the profile does not tell;
        `r_squared`, the share of the profile's variation over distance that the fit explains; `positive` and
        `decreasing`, whether the profile itself is so at every distance. A profile that cannot be fitted gives NaN
        and False.

    Raises
    ------
    ValueError
        If there are fewer than three distances.
    """
    if profile.sizes["distance"] < 3:
        raise ValueError(f"profile has {profile.sizes['distance']} distances: a fit needs at least 3.")
    mean, distance = profile["mean"], profile["distance"].to_numpy()
    weights = profile["pairs"].to_numpy() if weighting == "pairs" else np.ones(len(distance))
    names = ("amplitude", "rate", "rate_error", "r_squared")
    columns = xr.apply_ufunc(
        lambda row: _fit_exponential(distance, row, weights),
        mean,
        input_core_dims=[["distance"]],
        output_core_dims=[[]] * len(names),
        vectorize=True,
    )
    result = xr.Dataset(dict(zip(names, columns, strict=True)))
    result["positive"] = (mean > 0).all("distance")
    result["decreasing"] = (mean.diff("distance") < 0).all("distance")
    return result.assign_attrs(weighting=weighting)


@checked
def compare_shapes(
    profile: Annotated[np.ndarray, Shaped("distances")], distance: Annotated[np.ndarray, Shaped("distances")]
) -> xr.Dataset:
    r"""Which function of the distance a profile is: each predicts one distance from all others, equation 16.

    .. math:: A, \quad A\,e^{-\beta d}, \quad A\,e^{-\beta d^2}, \quad A\,(1 + d)^{-\beta}

    Parameters
    ----------
    profile
        The response at each distance; some may be negative.
    distance
        The distances d, at least five.

    Returns
    -------
    xarray.Dataset
        Over `shape`: `rate` beta, `amplitude` A, and `missed`, the mean squared error at the distance left out, as a
        share of the profile's variance over distance.

    Raises
    ------
    ValueError
        If there are fewer than five distances.
    """
    if len(profile) < 5:
        raise ValueError(f"profile has {len(profile)} distances: a comparison needs at least 5.")
    rows = []
    for clock in SHAPES.values():
        rate, amplitude = _fit_shape(clock, distance, profile)
        errors = []
        for k in range(len(distance)):
            rest = np.arange(len(distance)) != k
            beta, height = _fit_shape(clock, distance[rest], profile[rest])
            errors.append(profile[k] - height * np.exp(-beta * clock(distance[k : k + 1])[0]))
        rows.append((rate, amplitude, float(np.mean(np.square(errors)) / (profile.var() or np.nan))))
    columns = dict(zip(("rate", "amplitude", "missed"), np.transpose(rows), strict=True))
    return xr.Dataset({name: ("shape", column) for name, column in columns.items()}, {"shape": list(SHAPES)})


@checked
def inseparable(response: Annotated[np.ndarray, Shaped("epochs distances")]) -> float:
    r"""How far a response over time and distance is from a product of the two, as equation 5 makes it.

    .. math:: 1 - \frac{s_1^2}{\sum_k s_k^2}

    with the singular values of the matrix whose rows, one an epoch, are brought to the same norm: without that
    the epochs of the largest response would count alone. It is 0 for a product, at most 1.

    Raises
    ------
    ValueError
        If a row vanishes.
    """
    norms = np.linalg.norm(response, axis=1, keepdims=True)
    if not norms.all():
        raise ValueError("response has a row of zeros: every epoch must have a response.")
    squares = np.linalg.svd(response / norms, compute_uv=False) ** 2
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
    explained = 1 - weights @ residual**2 / (variation or np.nan)
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
