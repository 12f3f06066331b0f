"""Response kernel dynamics of an average network: closed forms through time (equations 13, 15, 17).

Time is the paper's: one full-batch step of learning rate eta on the summed loss is a time eta, and
on the loss averaged over N points a time eta / N. The kernel is constant.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy import linalg

from kbe import checks


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
