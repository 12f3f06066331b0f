"""The losses of the paper: equations 8, 13 and 14."""

from __future__ import annotations

import math

from torch import Tensor

from kbe.losses.shapes import check_shapes, two_heads


def gaussian_nll(output: Tensor, target: Tensor) -> Tensor:
    r"""Negative log-likelihood of a Gaussian, Eq. (8).

    .. math:: L_i = \log \sigma_i + \frac12 \Big(\frac{y_i - \mu_i}{\sigma_i}\Big)^2 + \frac12 \log 2\pi

    Parameters
    ----------
    output : Tensor, shape (..., 2)
        Mean and standard deviation.
    target : Tensor, shape (...)
        y.

    Returns
    -------
    Tensor, shape (...)
        The loss of each point, in nats.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    mean, deviation = two_heads(output, target)
    return deviation.log() + 0.5 * ((target - mean) / deviation) ** 2 + 0.5 * math.log(2 * math.pi)


def gaussian_nll_misprinted(output: Tensor, target: Tensor) -> Tensor:
    r"""Eq. (14) as printed, with sigma where Eq. (8) gives log sigma; for comparison.

    .. math:: L_i = \sigma_i + \frac12 \Big(\frac{y_i - \mu_i}{\sigma_i}\Big)^2

    Parameters
    ----------
    output : Tensor, shape (..., 2)
        Mean and standard deviation.
    target : Tensor, shape (...)
        y.

    Returns
    -------
    Tensor, shape (...)
        The loss of each point.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    mean, deviation = two_heads(output, target)
    return deviation + 0.5 * ((target - mean) / deviation) ** 2


def squared_error(output: Tensor, target: Tensor) -> Tensor:
    r"""Half the squared error, the loss behind Eq. (13): its negative slope in mu is y - mu.

    .. math:: L_i = \frac12 (y_i - \mu_i)^2

    Parameters
    ----------
    output : Tensor, shape (..., heads)
        The mean is the first head; further heads do not enter.
    target : Tensor, shape (...)
        y.

    Returns
    -------
    Tensor, shape (...)
        The loss of each point.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    check_shapes(output, target, 1)
    return 0.5 * (target - output[..., 0]) ** 2
