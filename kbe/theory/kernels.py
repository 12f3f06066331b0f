"""The response kernel on distances (equation 16) and its expansion in scales (equation 19)."""

from __future__ import annotations

import numpy as np
import scipy
import xarray as xr

from kbe import checks


def line_distance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The distance of points on a line, for all pairs.

    Parameters
    ----------
    first : array, shape (n,)
        Positions.
    second : array, shape (m,)
        Positions in the same unit.

    Returns
    -------
    numpy.ndarray, shape (n, m)
        The absolute differences, in the unit of the positions.

    Raises
    ------
    ValueError
        If an array is not one-dimensional, empty, or not finite.
    """
    first, second = checks.array("first", first, 1), checks.array("second", second, 1)
    return np.abs(first[:, None] - second)


def exponential_kernel(distance: np.ndarray, scale: float) -> np.ndarray:
    r"""The response kernel that falls exponentially with distance, Eq. (16).

    .. math:: K_{ij} = e^{-\beta |x_i - x_j|}

    On distinct points of a line, or distinct bit strings under the Hamming distance, its
    matrix is positive definite for every positive scale.

    Parameters
    ----------
    distance : array
        Distances, at least 0.
    scale : float
        beta, an inverse length; at 0 all points count alike.

    Returns
    -------
    numpy.ndarray, shape of `distance`
        The kernel, from 0 to 1.

    Raises
    ------
    ValueError
        If a distance is negative or not finite, or the scale is.
    """
    return np.exp(-checks.number("scale", scale, 0) * _distances(distance))


def multi_scale_kernel(distance: np.ndarray, scales: np.ndarray, weights: np.ndarray) -> np.ndarray:
    r"""A sum of exponential kernels of several scales, the kernel of Eq. (19).

    .. math:: K_{ij} = \sum_k \lambda_k \, e^{-\beta_k |x_i - x_j|}

    Parameters
    ----------
    distance : array
        Distances, at least 0.
    scales : array, shape (k,)
        beta_k, inverse lengths, at least 0.
    weights : array, shape (k,)
        lambda_k, at least 0.

    Returns
    -------
    numpy.ndarray, shape of `distance`
        The kernel.

    Raises
    ------
    ValueError
        If an array holds a negative or non-finite value, or scales and weights differ in shape.
    """
    distance = _distances(distance)
    scales, weights = _non_negative("scales", scales, 1), _non_negative("weights", weights, 1)
    checks.same_shape(scales=scales, weights=weights)
    return np.exp(-distance[..., None] * scales) @ weights


def expand_kernel(distance: np.ndarray, kernel: np.ndarray, scales: np.ndarray) -> xr.Dataset:
    """Fit a kernel by a sum of exponentials with weights of at least 0, the step to Eq. (19).

    Only a completely monotone function of distance (each derivative keeps one sign, and the
    signs alternate) is such a sum exactly, by Bernstein's theorem: a Gaussian is not, and keeps an error.

    Parameters
    ----------
    distance : array
        Distances at which the kernel is known, at least 0.
    kernel : array, shape of `distance`
        Its values there.
    scales : array, shape (k,)
        The inverse lengths beta_k to choose from, at least 0.

    Returns
    -------
    xarray.Dataset
        `weight` (scale), the lambda_k by non-negative least squares, with the scales as
        coordinate; `rms_error` and `largest_error`, in the unit of the kernel.

    Raises
    ------
    ValueError
        If an argument holds a value that is not allowed or the shapes differ.
    """
    distance, kernel = _distances(distance), checks.array("kernel", kernel)
    scales = _non_negative("scales", scales, 1)
    checks.same_shape(distance=distance, kernel=kernel)
    basis = np.exp(-distance.reshape(-1, 1) * scales)
    weights, _ = scipy.optimize.nnls(basis, kernel.ravel())
    error = basis @ weights - kernel.ravel()
    return xr.Dataset(
        {
            "weight": ("scale", weights),
            "rms_error": np.sqrt(np.mean(error**2)),
            "largest_error": np.abs(error).max(),
        },
        coords={"scale": scales},
    )


def _distances(value: np.ndarray) -> np.ndarray:
    return _non_negative("distance", value)


def _non_negative(name: str, value: np.ndarray, ndim: int | None = None) -> np.ndarray:
    result = checks.array(name, value, ndim)
    if (result < 0).any():
        raise ValueError(f"{name} holds {result.min():g}: every element must be at least 0.")
    return result
