"""Losses proposed elsewhere for the same network; section IV names some of them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kbe import checks
from kbe.losses.paper import gaussian_nll, squared_error
from kbe.losses.shapes import check_shapes, two_heads


def laplace_nll(output: Tensor, target: Tensor) -> Tensor:
    r"""Negative log-likelihood of a Laplace distribution, which section IV mentions.

    .. math:: L_i = \log 2 \sigma_i + \frac{|y_i - \mu_i|}{\sigma_i}

    Parameters
    ----------
    output : Tensor, shape (..., 2)
        Mean and scale; the standard deviation is the scale times the root of two.
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
    mean, scale = two_heads(output, target)
    return (2 * scale).log() + (target - mean).abs() / scale


def student_t_nll(output: Tensor, target: Tensor, degrees: float = 3.0) -> Tensor:
    r"""Negative log-likelihood of a Student t distribution of fixed degrees of freedom.

    .. math:: L_i = \log \sigma_i + \tfrac12 (\nu + 1) \log [1 + (y_i - \mu_i)^2 / \nu \sigma_i^2] + C(\nu)

    Parameters
    ----------
    output : Tensor, shape (..., 2)
        Location and scale.
    target : Tensor, shape (...)
        y.
    degrees : float
        The degrees of freedom nu; by default the least whole number for which the variance is finite.

    Returns
    -------
    Tensor, shape (...)
        The loss of each point, in nats.

    Raises
    ------
    ValueError
        If the shapes do not fit or `degrees` is not positive.
    """
    mean, scale = two_heads(output, target)
    half = checks.number("degrees", degrees, above=0) / 2
    constant = 0.5 * math.log(2 * half * math.pi) + math.lgamma(half) - math.lgamma(half + 0.5)
    return scale.log() + (half + 0.5) * (((target - mean) / scale) ** 2 / (2 * half)).log1p() + constant


def student_t_learned_nll(output: Tensor, target: Tensor, least: float = 2.0) -> Tensor:
    r"""`student_t_nll` with degrees of freedom that the network gives too, by a third head.

    .. math:: \nu_i = \nu_0 / h_i

    The third head h must give positive numbers. A "sigmoid" head gives all degrees from `least` on, up to the
    Gaussian at h = 0, and is bounded, so that a jump of it is told in the same way as one of mu or sigma.

    Parameters
    ----------
    output : Tensor, shape (..., 3)
        Location, scale, and the share that `least` is of the degrees of freedom.
    target : Tensor, shape (...)
        y.
    least : float
        nu_0, greater than 0; with the default and a sigmoid head the variance is finite.

    Returns
    -------
    Tensor, shape (...)
        The loss of each point, in nats.

    Raises
    ------
    ValueError
        If the shapes do not fit or `least` is not positive.
    """
    check_shapes(output, target, 3)
    half = checks.number("least", least, above=0) / (2 * output[..., 2])
    constant = 0.5 * (2 * math.pi * half).log() + half.lgamma() - (half + 0.5).lgamma()
    location, scale = two_heads(output, target)
    return scale.log() + (half + 0.5) * (((target - location) / scale) ** 2 / (2 * half)).log1p() + constant


def beta_nll(output: Tensor, target: Tensor, beta: float = 0.5) -> Tensor:
    r"""`gaussian_nll` weighted by a power of the variance that no gradient flows through (Seitzer et al. 2022).

    .. math:: \big\lfloor \sigma_i^{2 \beta} \big\rfloor L_i(\mu_i, \sigma_i)

    Parameters
    ----------
    output : Tensor, shape (..., 2)
        Mean and standard deviation.
    target : Tensor, shape (...)
        y.
    beta : float
        From 0, no weight, to 1, where the slope in the mean is the squared error's; the authors suggest 0.5.

    Returns
    -------
    Tensor, shape (...)
        The loss of each point; its gradient is not the slope of its value.

    Raises
    ------
    ValueError
        If the shapes do not fit or `beta` is not from 0 to 1.
    """
    _, deviation = two_heads(output, target)
    exponent = 2 * checks.number("beta", beta, 0, 1)
    return deviation.detach() ** exponent * gaussian_nll(output, target)


def faithful_nll(output: Tensor, target: Tensor) -> Tensor:
    r"""The squared error for the mean, and `gaussian_nll` for the deviation alone (Stirn et al. 2023).

    .. math:: \tfrac12 (y_i - \mu_i)^2 + L_i(\lfloor \mu_i \rfloor, \sigma_i)

    No gradient flows through the brackets. The authors' stop at the shared layers is beyond a loss.

    Parameters
    ----------
    output : Tensor, shape (..., 2)
        Mean and standard deviation.
    target : Tensor, shape (...)
        y.

    Returns
    -------
    Tensor, shape (...)
        The loss of each point; its gradient is not the slope of its value.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    mean, deviation = two_heads(output, target)
    return squared_error(output, target) + gaussian_nll(torch.stack([mean.detach(), deviation], -1), target)


def clamped_gaussian_nll(output: Tensor, target: Tensor, floor: float = 1e-6) -> Tensor:
    r"""`gaussian_nll` with the variance held above a floor, as `torch.nn.GaussianNLLLoss(full=True)` does it.

    .. math:: \tfrac12 [\log v_i + (y_i - \mu_i)^2 / v_i + \log 2\pi], \qquad v_i = \max(\sigma_i^2, \text{floor})

    Parameters
    ----------
    output : Tensor, shape (..., 2)
        Mean and standard deviation.
    target : Tensor, shape (...)
        y.
    floor : float
        The least variance, torch's `eps`; where it holds, v is still differentiated as if it were the variance.

    Returns
    -------
    Tensor, shape (...)
        The loss of each point, in nats.

    Raises
    ------
    ValueError
        If the shapes do not fit or `floor` is not positive.
    """
    mean, deviation = two_heads(output, target)
    least, variance = checks.number("floor", floor, above=0), deviation**2
    variance = torch.where(variance < least, variance - variance.detach() + least, variance)
    return 0.5 * (variance.log() + (target - mean) ** 2 / variance + math.log(2 * math.pi))
