"""What is read off a measured response kernel: its profile over distance and its drift in training.

The paper assumes that the kernel K of equation 5 is a positive decreasing function of the distance,
close to the exponential of equation 16, and that training leaves it almost constant. Both are measured here.
"""

from __future__ import annotations

import numpy as np
import scipy
import xarray as xr
from numpy.typing import ArrayLike

from kbe import checks

LEADING = {0: (), 1: ("member",), 2: ("member", "epoch")}


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


def kernel_drift(initial: ArrayLike, current: ArrayLike) -> xr.Dataset:
    r"""How far a kernel has moved in training, in size and in shape; both are constant where Eq. (12) holds.

    .. math:: \text{size} = \frac{|K_t|}{|K_0|}, \qquad
        \text{shape} = 1 - \frac{\langle K_0, K_t \rangle}{|K_0|\,|K_t|}

    with the Frobenius norm. Aging that is nothing but a factor, as in Eq. (5), changes the size alone.

    Parameters
    ----------
    initial : array, shape (..., n, m)
        The kernel before, such as `theta[..., 0, 0]` or a `gram_matrix`.
    current : array, shape (..., n, m)
        The kernel after; its leading dimensions may be more than those of the initial one, which is repeated.

    Returns
    -------
    xarray.Dataset
        `size` and `shape` over the leading dimensions, which are called member and epoch. Both are NaN
        where a kernel is not finite or zero everywhere.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    before = checks.array("initial", initial, (2, 3, 4), finite=False)
    after = checks.array("current", current, (2, 3, 4), finite=False)
    try:
        leading = (
            np.broadcast_shapes(before.shape, after.shape) == after.shape and before.shape[-2:] == after.shape[-2:]
        )
    except ValueError:
        leading = False
    if not leading:
        raise ValueError(f"initial has shape {before.shape} and current {after.shape}: they must fit.")
    with np.errstate(invalid="ignore", over="ignore"):
        norms = [np.sqrt(np.einsum("...ij,...ij->...", k, k)) for k in (before, after)]
        norms = [np.where((norm > 0) & np.isfinite(norm), norm, np.nan) for norm in norms]
        overlap = np.einsum("...ij,...ij->...", before, after) / norms[0] / norms[1]
        dims = LEADING[after.ndim - 2]
        return xr.Dataset({"size": (dims, norms[1] / norms[0]), "shape": (dims, 1 - overlap)})


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
