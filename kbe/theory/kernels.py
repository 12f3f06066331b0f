"""Response kernels as functions of distance and scale, sums of several scales, and the expansion of a kernel in them.

A kernel is a function of distances and of a scale, an inverse length, that broadcast as in NumPy; a new one is one such
function. Averages, fits of the scale and draws of modes take it as `kernel`; rates take the Gram matrix that it makes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
import scipy
import xarray as xr

from kbe import refusals
from kbe.checks import Array, Distances, Positive, Real, Shaped, Vector, checked


def _scale(name: str, value: Any, sizes: dict[str, Any]) -> float | np.ndarray:
    """A number of at least 0, or an array of them for many scales at once."""
    return (Shaped(low=0) if isinstance(value, np.ndarray) else Real(0))(name, value, sizes)


def _function(name: str, value: Any, sizes: dict[str, Any]) -> Any:
    """A kernel, tried at two distances and two scales."""
    with refusals.told(f"{name} fails at two distances and two scales"):
        found = refusals.function(name, value)(np.array([0.0, 1.0]), np.array([[1.0], [2.0]]))
    Shaped("scales distances")(f"what {name} gives", found, {"scales": (2, name), "distances": (2, name)})
    return value


Scale = Annotated[float | np.ndarray, _scale]
Scales = Annotated[np.ndarray, Shaped("scales", low=0)]
Kernel = Annotated[Callable[[np.ndarray, float | np.ndarray], np.ndarray], _function]


@checked
def line_distance(first: Vector, second: Annotated[np.ndarray, Shaped("others")]) -> np.ndarray:
    """The distance of points on a line, for all pairs, in the unit of their positions."""
    return np.abs(first[:, None] - second)


@checked
def exponential_kernel(distance: Distances, scale: Scale) -> np.ndarray:
    r"""The response kernel that falls exponentially with distance, Eq. (16).

    .. math:: K_{ij} = e^{-\beta |x_i - x_j|}

    with beta the `scale`. On distinct points of a line, or distinct bit strings under the Hamming distance, its
    matrix is positive definite for every positive scale.
    """
    return np.exp(-scale * distance)


@checked
def gaussian_kernel(distance: Distances, scale: Scale) -> np.ndarray:
    r"""The squared exponential kernel (Rasmussen and Williams 2006, eq. 4.9, with the length :math:`1 / \beta`).

    .. math:: K_{ij} = e^{-(\beta |x_i - x_j|)^2 / 2}

    Its matrix is positive definite for distinct points under the Euclidean distance, and under the square root of the
    Hamming distance, which is one. Under the Hamming distance itself a wide one has negative eigenvalues.

    >>> gaussian_kernel([0, 1, 2], 1.0).round(3)
    array([1.   , 0.607, 0.135])
    """
    return np.exp(-((scale * distance) ** 2) / 2)


@checked
def rational_quadratic_kernel(distance: Distances, scale: Scale, *, shape: Positive = 1.0) -> np.ndarray:
    r"""A mix of Gaussians of many scales, with a tail that falls like a power (Rasmussen and Williams 2006, eq. 4.19).

    .. math:: K_{ij} = \Big(1 + \frac{(\beta |x_i - x_j|)^2}{2 a}\Big)^{-a}

    with a the `shape`, their alpha, and the length :math:`1 / \beta`. The squares of the Gaussians' scales are gamma
    distributed with mean :math:`\beta^2` and shape a; for a large one it is the Gaussian itself.

    >>> rational_quadratic_kernel([0, 1, 2], 1.0).round(3)
    array([1.   , 0.667, 0.333])
    """
    return (1 + (scale * distance) ** 2 / (2 * shape)) ** -shape


@checked
def measured_kernel(
    distance: Annotated[np.ndarray, Shaped("distances", low=0, increasing=True)],
    profile: Annotated[np.ndarray, Shaped("distances")],
) -> Kernel:
    r"""The kernel that a measured profile makes: its values k(d), interpolated linearly, and stretched.

    .. math:: K_{ij} = k(\beta |x_i - x_j|)

    At a scale of 1 it is the profile itself. Beyond the distances that were measured it keeps the nearest value.

    >>> kernel = measured_kernel([0, 1, 3], [1.0, 0.5, 0.3])
    >>> kernel(np.array([0.5, 1, 9]), 2.0)
    array([0.5, 0.4, 0.3])
    """
    return lambda apart, scale: np.interp(scale * apart, distance, profile)


@checked
def multi_scale_kernel(
    distance: Distances, scales: Scales, weights: Scales, *, kernel: Kernel = exponential_kernel
) -> np.ndarray:
    r"""A sum of kernels of several scales, the one in equation 19.

    .. math:: K_{ij} = \sum_k \lambda_k \, e^{-\beta_k |x_i - x_j|}

    with beta the `scales`, lambda the `weights`, and the `kernel` in the place of the exponential. To stretch the sum
    as a whole, as a fit of its scale does, multiply the distance: it is then a kernel as any other.

    >>> stretched = lambda distance, scale: multi_scale_kernel(scale * distance, [0.1, 2.0], [0.6, 0.4])
    >>> stretched(np.array([0.0, 1.0]), 1.0).round(3)
    array([1.   , 0.597])
    """
    return kernel(distance[..., None], scales) @ weights


@checked
def expand_kernel(
    distance: Distances, values: Array, scales: Scales, *, kernel: Kernel = exponential_kernel
) -> xr.Dataset:
    """Fit a kernel's values by a sum of kernels with weights of at least 0, the step to equation 19.

    A function of all distances is a mixture of exponentials, a sum or an integral over scales, if and only if it is
    completely monotone (each derivative keeps one sign, and the signs alternate), by Bernstein's theorem: a Gaussian
    is not, and keeps an error. Here the distances given count alone, such as 0 to b of bit strings.

    Parameters
    ----------
    distance, values
        Where the kernel is known, and what it is there.
    scales
        The inverse lengths beta_k to choose from.
    kernel
        What to expand in.

    Returns
    -------
    xarray.Dataset
        `weight` (scale), the lambda_k by non-negative least squares, with the scales as
        coordinate; `rms_error` and `largest_error`, in the unit of the values.

    Raises
    ------
    ValueError
        If there is not one value for each distance.
    """
    if distance.shape != values.shape:
        raise ValueError(f"values has shape {values.shape}: it must be that of distance, {distance.shape}.")
    basis = kernel(distance.reshape(-1, 1), scales)
    weights, _ = scipy.optimize.nnls(basis, values.ravel())
    error = basis @ weights - values.ravel()
    return xr.Dataset(
        {
            "weight": ("scale", weights),
            "rms_error": np.sqrt(np.mean(error**2)),
            "largest_error": np.abs(error).max(),
        },
        coords={"scale": scales},
    )
