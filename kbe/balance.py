"""The kernel-balanced equation: the averages at which the local dynamics rest (equations 20, 22, 24)."""

from __future__ import annotations

import numpy as np
import xarray as xr

from kbe import checks
from kbe.kernels import exponential_kernel, multi_scale_kernel

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


def variance_balance(
    gram: np.ndarray,
    targets: np.ndarray,
    start_deviation: np.ndarray | None = None,
    *,
    steps: int = 2000,
    damping: float = 0.5,
    tolerance: float = 1e-10,
    floor: float = 1e-6,
) -> xr.Dataset:
    r"""The local mean and standard deviation in balance, where Eq. (22), (24) rest, by damped iteration.

    .. math::
        \mu_i = \frac{\sum_j K_{ij} \sigma_j^{-2} y_j}{\sum_j K_{ij} \sigma_j^{-2}}, \qquad
        \sigma_i^2 = \frac{\sum_j K_{ij} \sigma_j^{-3} (y_j - \mu_i)^2}{\sum_j K_{ij} \sigma_j^{-3}}

    A point with a small sigma weighs heavily everywhere, itself included, so a balance with all sigma
    above 0 need not exist, and one that exists may repel: look at `collapsed` and `converged`. The exact
    Eq. (21), (23) have no such rest at all unless inputs repeat.

    Parameters
    ----------
    gram : array, shape (n, n)
        K, with no negative element and a positive diagonal.
    targets : array, shape (n,)
        y.
    start_deviation : array, shape (n,), or None
        sigma to begin with, greater than 0; None for the standard deviation that equal sigma give.
    steps : int
        The largest number of iterations.
    damping : float
        The share of the old value that is kept in each, from 0 to below 1, in log sigma.
    tolerance : float
        The largest change of log sigma at which it counts as converged.
    floor : float
        The sigma at which it counts as collapsed.

    Returns
    -------
    xarray.Dataset
        `mu`, `sigma` (point), `converged`, `collapsed` and `iterations`.

    Raises
    ------
    ValueError
        If the shapes do not fit or a value is not allowed.
    """
    targets = checks.array("targets", targets, 1)
    gram = checks.symmetric("gram", checks.array("gram", gram, 2), len(targets))
    checks.number("floor", floor, above=0)
    checks.number("tolerance", tolerance, 0)
    checks.integer("steps", steps, 1)
    damping = checks.number("damping", damping, 0, 0.999)
    weights = np.ones_like(targets)
    if start_deviation is not None:
        weights = checks.array("start_deviation", start_deviation, 1)
        checks.same_shape(targets=targets, start_deviation=weights)
    if weights.min() <= 0 or gram.min() < 0 or np.diagonal(gram).min() <= 0:
        raise ValueError("start_deviation and the diagonal of gram must be greater than 0, and gram nowhere negative.")
    deviation = weights if start_deviation is not None else _balance(gram, targets, weights)[1]
    converged, iteration = False, 0
    while not converged and iteration < steps and deviation.min() > floor:
        with np.errstate(divide="ignore"):
            change = (1 - damping) * (np.log(_balance(gram, targets, deviation)[1]) - np.log(deviation))
        deviation, iteration = deviation * np.exp(change), iteration + 1
        converged = bool(np.abs(change).max() < tolerance)
    mean = _balance(gram, targets, np.maximum(deviation, floor))[0]
    return xr.Dataset(
        {
            "mu": ("point", mean),
            "sigma": ("point", deviation),
            "converged": converged,
            "collapsed": bool(deviation.min() <= floor),
            "iterations": iteration,
        }
    )


def _average(kernel: np.ndarray, targets: np.ndarray, normalise: str) -> np.ndarray:
    targets = checks.array("targets", targets)
    if kernel.ndim < 2 or targets.ndim == 0 or kernel.shape[-1] != targets.shape[-1]:
        raise ValueError(
            f"distance has shape {kernel.shape} and targets {targets.shape}: their last dimensions must agree."
        )
    divisor = kernel.sum(-1) if normalise == "weights" else float(kernel.shape[-1])
    return (kernel @ targets[..., None])[..., 0] / divisor


def _balance(gram: np.ndarray, targets: np.ndarray, deviation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One step: the mean that the deviations give, and the deviations around it."""
    relative = deviation / deviation.min()
    second, third = gram / relative**2, gram / relative**3
    mean = second @ targets / second.sum(1)
    square = (third * (targets - mean[:, None]) ** 2).sum(1) / third.sum(1)
    return mean, np.sqrt(square)
