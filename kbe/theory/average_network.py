"""Response kernel dynamics of an average network: rates, solution, and the average at rest (equations 12 to 20).

Arrays hold one value a point, shape (..., n), and Gram matrices have shape (..., n, n); leading dimensions
(members) broadcast in rates and averages; a solution through time is that of one matrix. Time is the paper's: one
full-batch step of learning rate eta on the summed loss is a time eta, and on the loss averaged over N points a time
eta / N. The kernel is constant.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import xarray as xr
from scipy import linalg

from kbe.checks import (
    Array,
    Gram,
    NonNegative,
    Points,
    PointVector,
    Positive,
    Shaped,
    Steps,
    SymmetricGram,
    Times,
    checked,
)
from kbe.theory.kernels import Kernel, exponential_kernel

Normalise = Literal["weights", "count"]


def _columns(name: str, value: Any, sizes: dict[str, Any]) -> np.ndarray:
    """One number a point, or a column of them for each of several sets."""
    values = Shaped()(name, value, {})
    return Shaped("points" if values.ndim == 1 else "... points columns")(name, values, sizes)


@checked
def kernel_average(
    weights: Annotated[np.ndarray, Shaped("... places points", broadcast=True)],
    targets: Annotated[np.ndarray, _columns],
    divisor: Array | None = None,
) -> np.ndarray:
    r"""The average of the targets, weighted by a kernel: the kernel-balanced equation, Eq. (20).

    .. math:: \mu_i = \frac{\sum_j K_{ij} y_j}{\sum_j K_{ij}}

    with K the `weights` and y the `targets`. It is where equation 18 rests with the Gram matrix K, and equation 19
    with a sum of kernels for it; the paper reads it scale by scale. Statistics knows it as the estimator of Nadaraya
    and Watson (1964).

    Parameters
    ----------
    weights
        A Gram matrix, or the kernel from the places where the average is wanted to the points.
    targets
        One number a point, or a column for each of several sets of targets, as for NumPy's matrix product.
    divisor
        What stands in the place of the sum of the weights, if anything does: where `targets` holds sums over several
        points, the weights times the numbers of points.

    Returns
    -------
    numpy.ndarray
        One number a place, or a column for each set; NaN where all weights are 0.
    """
    total = weights.sum(-1, keepdims=targets.ndim > 1) if divisor is None else divisor
    return weights @ targets / total


@checked
def local_average(
    distance: Annotated[np.ndarray, Shaped("... places points", low=0, broadcast=True)],
    targets: Points,
    scale: NonNegative,
    normalise: Normalise = "weights",
    *,
    kernel: Kernel = exponential_kernel,
) -> np.ndarray:
    r"""The average of equation 20 around each place, with a kernel of the distance.

    Parameters
    ----------
    distance
        From the places where the average is wanted to the data points.
    targets
        y.
    scale
        alpha, an inverse length: 0 averages over all, a large one over the same input.
    normalise
        Divide by the sum of the weights, as equation 20 does, or by the number of points, as section III.B prints.
        That is no average, for it falls to y_i / n when the scale grows.
    kernel
        A function of distance and scale, :math:`e^{-\alpha |x_i - x_j|}` as in the paper by default.

    Returns
    -------
    numpy.ndarray, shape (..., places)
        The averages, in the unit of y; NaN where all weights are 0 in double precision.
    """
    divisor = None if normalise == "weights" else np.array(distance.shape[-1])
    return kernel_average(kernel(distance, scale), targets[..., None], divisor)[..., 0]


@checked
def response_rate(gram: Gram, negative_slope: Points) -> np.ndarray:
    r"""The response kernel dynamics of any loss, Eq. (12).

    .. math:: \frac{d\mu_i}{dt} = \sum_j K_{ij} \Big(-\frac{dL}{d\mu_j}\Big)

    with K the `gram`. For the squared error the `negative_slope`, -dL/dmu, is y - mu.

    >>> response_rate([[1.0, 0.5], [0.5, 1.0]], [1.0, 0.0])
    array([1. , 0.5])
    """
    return (gram @ negative_slope[..., None])[..., 0]


@checked
def rate_exact(gram: Gram, targets: Points, mean: Points) -> np.ndarray:
    r"""The rate of an average network under the squared error, Eq. (13), (17).

    .. math:: \frac{d\mu_i}{dt} = \sum_j K_{ij} (y_j - \mu_j)

    with K the `gram`, y the `targets` and mu the `mean`.
    """
    return (gram @ (targets - mean)[..., None])[..., 0]


@checked
def rate_local(gram: Gram, targets: Points, mean: Points) -> np.ndarray:
    r"""The rate once mu_j is replaced by mu_i, Eq. (18); with a sum of kernels for K it is Eq. (19).

    .. math:: \frac{d\mu_i}{dt} = \sum_j K_{ij} (y_j - \mu_i)

    with K the `gram`, y the `targets` and mu the `mean`. Each point relaxes on its own to the local average with
    the fixed kernel K, at the rate :math:`\sum_j K_{ij}`, and comes to no narrower one: that part of equation 17 is
    lost in the step. For equation 19 give `kernels.multi_scale_kernel`; where the expansion is exact it is equation
    18 itself, not one approximation more.
    """
    return (gram @ targets[..., None])[..., 0] - gram.sum(-1) * mean


@checked
def linear_response(
    gram: SymmetricGram, targets: PointVector, start: PointVector, times: Times, *, misprinted: bool = False
) -> xr.Dataset:
    r"""An average network in training, the exact solution of equation 17, or of Eq. (15) as printed.

    .. math:: \mu(t) = y + e^{\mp K t} (\mu(0) - y)

    with K the `gram`, y the `targets` and mu(0) the `start`. With the sign of equation 15 as printed, `misprinted`,
    every mode of the error with a positive eigenvalue grows.

    Returns
    -------
    xarray.Dataset
        `mu` (time, point) and `y` (point); what overflows is infinite or NaN.
    """
    with np.errstate(over="ignore"):
        decay = np.exp((1 if misprinted else -1) * times[:, None] * linalg.eigvalsh(gram))
    return _linear_history(gram, targets, start, decay, "time", times)


@checked
def linear_map(
    gram: SymmetricGram, targets: PointVector, start: PointVector, steps: Steps, learning_rate: Positive
) -> xr.Dataset:
    r"""An average network in steps of gradient descent, the map whose small-step limit is equation 13.

    .. math:: \mu_{s} = y + (1 - \eta K)^s (\mu_0 - y)

    with K the `gram`, y the `targets`, mu_0 the `start` and eta the `learning_rate`. For a positive definite K it
    converges if and only if :math:`\eta` times the largest eigenvalue of K is below 2:

    >>> linear_map([[2]], [1], [0], 3, learning_rate=0.99).mu.values.ravel().round(3)
    array([0.   , 1.98 , 0.04 , 1.941])
    >>> linear_map([[2]], [1], [0], 3, learning_rate=1.01).mu.values.ravel().round(3)
    array([ 0.   ,  2.02 , -0.04 ,  2.061])

    Returns
    -------
    xarray.Dataset
        `mu` (step, point) with the start as step 0, and `y` (point). What overflows is infinite or NaN.
    """
    step = np.arange(steps + 1)
    with np.errstate(over="ignore"):
        decay = (1 - learning_rate * linalg.eigvalsh(gram)) ** step[:, None]
    return _linear_history(gram, targets, start, decay, "step", step)


@checked
def effective_weights(gram: SymmetricGram, time: NonNegative) -> np.ndarray:
    r"""The weights with which an average network averages the targets at a time, from equation 17 exactly.

    .. math:: \mu(t) = W y + (1 - W) \mu(0), \qquad W(t) = 1 - e^{-K t} = K t - \tfrac12 (K t)^2 + \dots

    with K the `gram` and t the `time`. Early on, for t far below the inverse of the largest eigenvalue, they are K t:
    the scale of averaging starts at the kernel's own beta, not at 0. In the end they are the identity, if K is
    positive definite; in between each mode of K enters in turn. The rows need not sum to 1; weights may be negative.
    """
    values, vectors = linalg.eigh(gram)
    return vectors * -np.expm1(-values * time) @ vectors.T


def _linear_history(
    gram: np.ndarray, targets: np.ndarray, start: np.ndarray, decay: np.ndarray, dim: str, ticks: np.ndarray
) -> xr.Dataset:
    vectors = linalg.eigh(gram)[1]
    with np.errstate(all="ignore"):
        error = (decay * (vectors.T @ (start - targets))) @ vectors.T
    return xr.Dataset({"mu": ((dim, "point"), targets + error), "y": ("point", targets)}, coords={dim: ticks})
