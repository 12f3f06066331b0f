"""Response kernel dynamics of an average network, exact, local and at rest (equations 12, 13, 15, 17 to 20).

Arrays hold one value a point, shape (..., n), and Gram matrices have shape (..., n, n); leading dimensions
(members) broadcast. Time is the paper's: one full-batch step of learning rate eta on the summed loss is a
time eta, and on the loss averaged over N points a time eta / N. The kernel is constant.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy import linalg

from kbe import checks
from kbe.theory.kernels import exponential_kernel, multi_scale_kernel

NORMALISE = ("weights", "count")


def local_average(distance: np.ndarray, targets: np.ndarray, scale: float, normalise: str = "weights") -> np.ndarray:
    r"""The average of the targets around each point, the kernel-balanced equation, Eq. (20).

    .. math:: \mu_i = \frac{\sum_j e^{-\alpha |x_i - x_j|} y_j}{\sum_j e^{-\alpha |x_i - x_j|}}

    It is where Eq. (18) rests. Section III.B prints the number of points in the denominator: that is no
    average, for it falls to y_i / n when the scale grows.

    Parameters
    ----------
    distance : array, shape (..., m, n)
        Distances of the places where the average is wanted to the data points.
    targets : array, shape (..., n)
        y.
    scale : float
        alpha, an inverse length, at least 0: 0 averages over all, a large one over the same input.
    normalise : {"weights", "count"}
        Divide by the sum of the weights, Eq. (20), or by n, as printed in III.B.

    Returns
    -------
    numpy.ndarray, shape (..., m)
        The averages, in the unit of y.

    Raises
    ------
    ValueError
        If the shapes do not fit or a value is not allowed.
    """
    return _average(exponential_kernel(distance, scale), targets, checks.choice("normalise", normalise, NORMALISE))


def multi_scale_average(
    distance: np.ndarray, targets: np.ndarray, scales: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    r"""The average with a kernel of several scales, where Eq. (19) rests.

    .. math:: \mu_i = \frac{\sum_k \lambda_k \sum_j e^{-\beta_k |x_i - x_j|} y_j}
              {\sum_k \lambda_k \sum_j e^{-\beta_k |x_i - x_j|}}

    There is one such average for all scales together. Each of the averages of Eq. (20), scale by
    scale, is where only that term of Eq. (19) rests.

    Parameters
    ----------
    distance : array, shape (..., m, n)
        Distances of the places where the average is wanted to the data points.
    targets : array, shape (..., n)
        y.
    scales, weights : array, shape (k,)
        beta_k and lambda_k, at least 0, one weight at least greater than 0.

    Returns
    -------
    numpy.ndarray, shape (..., m)
        The averages, in the unit of y.

    Raises
    ------
    ValueError
        If the shapes do not fit or a value is not allowed.
    """
    kernel = multi_scale_kernel(distance, scales, weights)
    if not np.any(weights):
        raise ValueError("weights holds zeros alone: one at least must be greater than 0.")
    return _average(kernel, targets, "weights")


def linear_response(
    gram: np.ndarray, targets: np.ndarray, start: np.ndarray, times: np.ndarray, *, misprinted: bool = False
) -> xr.Dataset:
    r"""An average network in training, the exact solution of Eq. (13), (15), (17).

    .. math:: \mu(t) = y + e^{-K t} (\mu(0) - y)

    Parameters
    ----------
    gram : array, shape (n, n)
        K, symmetric.
    targets, start : array, shape (n,)
        y and mu at time 0.
    times : array, shape (t,)
        Times, at least 0.
    misprinted : bool
        Take the sign of Eq. (15) as printed: every mode of the error then grows.

    Returns
    -------
    xarray.Dataset
        `mu` (time, point) and `y` (point); what overflows is infinite or NaN.

    Raises
    ------
    ValueError
        If the shapes do not fit or a value is not allowed.
    """
    gram, targets, start = _linear_arguments(gram, targets, start)
    times = checks.array("times", times, 1)
    checks.flag("misprinted", misprinted)
    if times.min() < 0:
        raise ValueError(f"times holds {times.min():g}: every time must be at least 0.")
    with np.errstate(over="ignore"):
        decay = np.exp((1 if misprinted else -1) * times[:, None] * linalg.eigvalsh(gram))
    return _linear_history(gram, targets, start, decay, "time", times)


def linear_map(
    gram: np.ndarray, targets: np.ndarray, start: np.ndarray, steps: int, learning_rate: float
) -> xr.Dataset:
    r"""An average network in steps of gradient descent, the map whose small-step limit is Eq. (13).

    .. math:: \mu_{s} = y + (1 - \eta K)^s (\mu_0 - y)

    It converges if and only if :math:`\eta` times the largest eigenvalue of K is below 2.

    Parameters
    ----------
    gram : array, shape (n, n)
        K, symmetric.
    targets, start : array, shape (n,)
        y and mu before the first step.
    steps : int
        How many, at least 0.
    learning_rate : float
        eta, greater than 0.

    Returns
    -------
    xarray.Dataset
        `mu` (step, point) with the start as step 0, and `y` (point).

    Raises
    ------
    ValueError
        If the shapes do not fit or a value is not allowed.
    """
    gram, targets, start = _linear_arguments(gram, targets, start)
    step = np.arange(checks.integer("steps", steps, 0) + 1)
    learning_rate = checks.number("learning_rate", learning_rate, above=0)
    with np.errstate(over="ignore"):
        decay = (1 - learning_rate * linalg.eigvalsh(gram)) ** step[:, None]
    return _linear_history(gram, targets, start, decay, "step", step)


def effective_weights(gram: np.ndarray, time: float) -> np.ndarray:
    r"""The weights with which an average network averages the targets at a time, from Eq. (17) exactly.

    .. math:: \mu(t) = W y + (1 - W) \mu(0), \qquad W(t) = 1 - e^{-K t} = K t - \tfrac12 (K t)^2 + \dots

    Early on, for t far below the inverse of the largest eigenvalue, they are K t: the scale of averaging starts
    at the kernel's own beta, not at 0. In the end they are the identity. In between each mode of K enters in turn.

    Parameters
    ----------
    gram : array, shape (n, n)
        K, symmetric.
    time : float
        t, at least 0.

    Returns
    -------
    numpy.ndarray, shape (n, n)
        W; its rows need not sum to 1 and may hold negative weights.

    Raises
    ------
    ValueError
        If the matrix is not symmetric or the time is negative.
    """
    values, vectors = linalg.eigh(checks.symmetric("gram", checks.array("gram", gram, 2)))
    return vectors * -np.expm1(-values * checks.number("time", time, 0)) @ vectors.T


def response_rate(gram: np.ndarray, loss_slope: np.ndarray) -> np.ndarray:
    r"""The response kernel dynamics of any loss, Eq. (12).

    .. math:: \frac{d\mu_i}{dt} = -\sum_j K_{ij} \frac{dL}{d\mu_j}

    Parameters
    ----------
    gram : array, shape (..., n, n)
        K.
    loss_slope : array, shape (..., n)
        dL/dmu at each point.

    Returns
    -------
    numpy.ndarray, shape (..., n)
        The rate of mu.

    Raises
    ------
    ValueError
        If the shapes do not fit or a value is not finite.
    """
    (loss_slope,) = _points(loss_slope=loss_slope)
    return -_respond(_gram("gram", gram, loss_slope), loss_slope)


def rate_exact(gram: np.ndarray, targets: np.ndarray, mean: np.ndarray) -> np.ndarray:
    r"""The rate of an average network under the squared error, Eq. (13), (17).

    .. math:: \frac{d\mu_i}{dt} = \sum_j K_{ij} (y_j - \mu_j)

    Parameters
    ----------
    gram : array, shape (..., n, n)
        K.
    targets, mean : array, shape (..., n)
        y and mu.

    Returns
    -------
    numpy.ndarray, shape (..., n)
        The rate of mu.

    Raises
    ------
    ValueError
        If the shapes do not fit or a value is not finite.
    """
    targets, mean = _points(targets=targets, mean=mean)
    return _respond(_gram("gram", gram, mean), targets - mean)


def rate_local(gram: np.ndarray, targets: np.ndarray, mean: np.ndarray) -> np.ndarray:
    r"""The rate once mu_j is replaced by mu_i, Eq. (18).

    .. math:: \frac{d\mu_i}{dt} = \sum_j K_{ij} (y_j - \mu_i)

    Each point relaxes on its own to the local average with the fixed kernel K, at the rate
    :math:`\sum_j K_{ij}`, and the weights never narrow: that part of Eq. (17) is lost in the step.

    Parameters
    ----------
    gram : array, shape (..., n, n)
        K.
    targets, mean : array, shape (..., n)
        y and mu.

    Returns
    -------
    numpy.ndarray, shape (..., n)
        The rate of mu.

    Raises
    ------
    ValueError
        If the shapes do not fit or a value is not finite.
    """
    targets, mean = _points(targets=targets, mean=mean)
    gram = _gram("gram", gram, mean)
    return _respond(gram, targets) - gram.sum(-1) * mean


def rate_multi_scale(
    distance: np.ndarray, targets: np.ndarray, mean: np.ndarray, scales: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    r"""The rate with the kernel expanded in several scales, Eq. (19).

    .. math:: \frac{d\mu_i}{dt} = \sum_k \lambda_k \sum_j e^{-\beta_k |x_i - x_j|} (y_j - \mu_i)

    Where the expansion is exact this is Eq. (18) itself, not one approximation more.

    Parameters
    ----------
    distance : array, shape (..., n, n)
        Distances, at least 0.
    targets, mean : array, shape (..., n)
        y and mu.
    scales, weights : array, shape (k,)
        beta_k and lambda_k, at least 0.

    Returns
    -------
    numpy.ndarray, shape (..., n)
        The rate of mu.

    Raises
    ------
    ValueError
        If the shapes do not fit or a value is not allowed.
    """
    return rate_local(multi_scale_kernel(distance, scales, weights), targets, mean)


def _average(kernel: np.ndarray, targets: np.ndarray, normalise: str) -> np.ndarray:
    targets = checks.array("targets", targets)
    if kernel.ndim < 2 or targets.ndim == 0 or kernel.shape[-1] != targets.shape[-1]:
        raise ValueError(
            f"distance has shape {kernel.shape} and targets {targets.shape}: their last dimensions must agree."
        )
    divisor = kernel.sum(-1) if normalise == "weights" else float(kernel.shape[-1])
    return (kernel @ targets[..., None])[..., 0] / divisor


def _linear_arguments(gram: np.ndarray, targets: np.ndarray, start: np.ndarray) -> list[np.ndarray]:
    targets, start = checks.array("targets", targets, 1), checks.array("start", start, 1)
    checks.same_shape(targets=targets, start=start)
    gram = checks.symmetric("gram", checks.array("gram", gram, 2), len(targets))
    return [gram, targets, start]


def _linear_history(
    gram: np.ndarray, targets: np.ndarray, start: np.ndarray, decay: np.ndarray, dim: str, ticks: np.ndarray
) -> xr.Dataset:
    vectors = linalg.eigh(gram)[1]
    with np.errstate(all="ignore"):
        error = (decay * (vectors.T @ (start - targets))) @ vectors.T
    return xr.Dataset({"mu": ((dim, "point"), targets + error), "y": ("point", targets)}, coords={dim: ticks})


def _respond(gram: np.ndarray, pull: np.ndarray) -> np.ndarray:
    return (gram @ pull[..., None])[..., 0]


def _gram(name: str, value: np.ndarray, like: np.ndarray) -> np.ndarray:
    result = checks.array(name, value)
    if result.shape[-2:] != (like.shape[-1],) * 2:
        raise ValueError(
            f"{name} has shape {result.shape}: its last two dimensions must be the {like.shape[-1]} points."
        )
    return result


def _points(**values: np.ndarray) -> list[np.ndarray]:
    arrays = {name: checks.array(name, value) for name, value in values.items()}
    if any(a.ndim == 0 for a in arrays.values()):
        raise ValueError(f"{', '.join(arrays)} cannot be one number: each must have a last dimension of points.")
    checks.same_shape(**arrays)
    if "deviation" in arrays and not arrays["deviation"].all():
        raise ValueError("deviation holds 0: the loss and its slopes need every sigma to differ from 0.")
    return list(arrays.values())
