"""What a loss does to one output where its error goes to zero: its slopes, its curvature, and a rule of scale.

All of it is read off the loss by automatic differentiation, at a target of 0. So it is what training does, also
where a loss stops some of its gradient.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy
import torch
from numpy.typing import ArrayLike

from kbe import checks

FAR = 40.0  # in logarithms of the ratio: as far as the squares of both ends stay finite


def slopes(loss: Callable, residual: ArrayLike, deviation: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    r"""The slopes of a loss in its two outputs, for Eq. (8) those behind Eq. (21) and (23).

    .. math:: g_\mu = \partial L / \partial \mu, \qquad g_\sigma = \partial L / \partial \sigma

    Parameters
    ----------
    loss : callable
        A loss of `kbe.losses` for two heads, or your own.
    residual, deviation : array
        mu - y and sigma; they broadcast.

    Returns
    -------
    tuple of numpy.ndarray
        The two slopes, of their common shape.

    Raises
    ------
    ValueError
        If a deviation is not positive.
    """
    errors = np.broadcast_arrays(checks.array("residual", residual), checks.array("deviation", deviation))
    if errors[1].min() <= 0:
        raise ValueError(f"deviation holds {errors[1].min():g}: it must be greater than 0.")
    output = torch.as_tensor(np.stack(errors, -1)).requires_grad_()
    values = loss(output, torch.zeros(output.shape[:-1], dtype=output.dtype))
    gradient = torch.autograd.grad(values.sum(), output)[0].numpy()
    return gradient[..., 0], gradient[..., 1]


def curvature(loss: Callable, deviation: ArrayLike, ratio: float = 1e-3) -> np.ndarray:
    r"""How fast the slope in mu grows from zero error on, in units of the error.

    .. math:: g_\mu(r) / r, \qquad r = \mu - y = z \sigma

    At a small ratio z that is the curvature; for a kink it grows as 1 / z.

    Parameters
    ----------
    loss : callable
        A loss for two heads.
    deviation : array
        sigma.
    ratio : float
        z, greater than 0.

    Returns
    -------
    numpy.ndarray, shape of `deviation`
        The curvature.

    Raises
    ------
    ValueError
        If a deviation or the ratio is not positive.
    """
    residual = checks.number("ratio", ratio, above=0) * checks.array("deviation", deviation)
    return slopes(loss, residual, deviation)[0] / residual


def scale_rule(loss: Callable, residual: ArrayLike, deviation: ArrayLike) -> np.ndarray:
    r"""The slope of a loss when error and deviation shrink together.

    .. math:: r \, g_\mu + \sigma \, g_\sigma

    It is 1 wherever sigma is the scale of a distribution of fixed shape.

    Parameters
    ----------
    loss : callable
        A loss for two heads.
    residual, deviation : array
        r = mu - y and sigma; they broadcast.

    Returns
    -------
    numpy.ndarray
        The sum, of their common shape.

    Raises
    ------
    ValueError
        If a deviation is not positive.
    """
    in_mean, in_deviation = slopes(loss, residual, deviation)
    return np.asarray(residual) * in_mean + np.asarray(deviation) * in_deviation


def pull(loss: Callable, ratio: ArrayLike, deviation: ArrayLike = 1.0) -> np.ndarray:
    r"""The slope in the logarithm of the error, which for a scale family depends on the ratio alone.

    .. math:: q(z) = r \, g_\mu, \qquad z = r / \sigma

    Parameters
    ----------
    loss : callable
        A loss for two heads.
    ratio, deviation : array
        z and sigma; they broadcast.

    Returns
    -------
    numpy.ndarray
        q: for Eq. (8) z squared, for Laplace the magnitude of z, for Student t at most its degrees of freedom
        plus one.

    Raises
    ------
    ValueError
        If a deviation is not positive.
    """
    residual = np.asarray(ratio) * np.asarray(deviation)
    return residual * slopes(loss, residual, deviation)[0]


def step_limit(loss: Callable, share: float = 0.5) -> float:
    r"""The largest stable step of one point on its way to zero error and deviation, for a scale family.

    With sigmoid heads, a target of 0 or 1, and the response k_m of the mean's logit and k_s of the deviation's,

    .. math:: \frac{d \log z}{dt} = k_s - (k_m + k_s) \, q(z), \qquad \frac{d \log \sigma}{dt} = k_s (q(z) - 1) .

    The ratio rests where q is the share k_s / (k_m + k_s), whatever the family, and sigma then falls at one and
    the same rate. In steps of learning rate eta that rest is stable while eta k_s is below 2 / e, with e the
    elasticity d log q / d log z there.

    Parameters
    ----------
    loss : callable
        The loss of a scale family.
    share : float
        k_s / (k_m + k_s), between 0 and 1.

    Returns
    -------
    float
        2 / e: 1 for Eq. (8), 2 for Laplace.

    Raises
    ------
    ValueError
        If the share is out of range or the pull never reaches it.
    """
    checks.number("share", share, above=0, high=1 - 1e-9)

    def excess(log_ratio: float) -> float:
        with np.errstate(divide="ignore"):
            return float(np.log(pull(loss, np.exp(log_ratio)) / share))

    if excess(-FAR) >= 0 or excess(FAR) <= 0:
        raise ValueError(f"share is {share}: the pull of this loss never takes that value.")
    rest, step = float(scipy.optimize.brentq(excess, -FAR, FAR, xtol=1e-12)), 1e-4
    return 2 * 2 * step / (excess(rest + step) - excess(rest - step))
