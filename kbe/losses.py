"""The losses, per data point: those of the paper (equations 8, 13 and 14), and others proposed for the same network."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kbe import checks


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


def two_heads(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """The first two heads' outputs.

    Parameters
    ----------
    output : Tensor, shape (..., heads)
        A network's output.
    target : Tensor, shape (...)
        y.

    Returns
    -------
    tuple of Tensor, each of shape (...)
        Location and scale.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    check_shapes(output, target, 2)
    return output[..., 0], output[..., 1]


def check_shapes(output: Tensor, target: Tensor, heads: int) -> None:
    """Refuse what is no tensor, too few heads, and targets of another shape.

    Parameters
    ----------
    output : Tensor, shape (..., heads)
        A network's output.
    target : Tensor, shape (...)
        y.
    heads : int
        The least number of heads.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    if not isinstance(output, Tensor) or not isinstance(target, Tensor):
        kinds = f"output is a {type(output).__name__} and target a {type(target).__name__}"
        raise ValueError(f"{kinds}: both must be torch tensors.")
    if output.ndim == 0 or output.shape[-1] < heads or output.shape[:-1] != target.shape:
        shapes = f"output has shape {tuple(output.shape)} and target {tuple(target.shape)}"
        raise ValueError(f"{shapes}: output must have the target's shape and then at least {heads} heads.")
