"""The losses: those of the paper (equations 8 and 14, and that behind 13), and others proposed for the same network.

Each is a function of a network's `output` (..., heads) and the `target` (...), y, and gives the loss of each point,
(...), in nats where it is a likelihood. The first head is mu, the second sigma; a third one, where it enters, is
explained there. Shapes that do not fit and numbers out of range are refused by a ValueError. They are called at every
step of training, and by torch.func, so that they ask no more than that.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from kbe import refusals


def gaussian_nll(output: Tensor, target: Tensor) -> Tensor:
    r"""Negative log-likelihood of a Gaussian, Eq. (8).

    .. math:: L_i = \log \sigma_i + \frac12 \Big(\frac{y_i - \mu_i}{\sigma_i}\Big)^2 + \frac12 \log 2\pi
    """
    mean, deviation = _heads(output, target, 2)
    return deviation.log() + 0.5 * ((target - mean) / deviation) ** 2 + 0.5 * math.log(2 * math.pi)


def gaussian_nll_misprinted(output: Tensor, target: Tensor) -> Tensor:
    r"""Eq. (14) as printed, with sigma in the place of log sigma; for comparison.

    .. math:: L_i = \sigma_i + \frac12 \Big(\frac{y_i - \mu_i}{\sigma_i}\Big)^2
    """
    mean, deviation = _heads(output, target, 2)
    return deviation + 0.5 * ((target - mean) / deviation) ** 2


def squared_error(output: Tensor, target: Tensor) -> Tensor:
    r"""Half the squared error; its negative slope in mu is the y - mu of equation 13.

    .. math:: L_i = \frac12 (y_i - \mu_i)^2
    """
    (mean,) = _heads(output, target, 1)
    return 0.5 * (target - mean) ** 2


def laplace_nll(output: Tensor, target: Tensor) -> Tensor:
    r"""Negative log-likelihood of a Laplace distribution, which section IV mentions.

    .. math:: L_i = \log 2 \sigma_i + \frac{|y_i - \mu_i|}{\sigma_i}

    Its standard deviation is sigma times the root of two.
    """
    mean, scale = _heads(output, target, 2)
    return (2 * scale).log() + (target - mean).abs() / scale


def student_t_nll(output: Tensor, target: Tensor, degrees: float = 3.0) -> Tensor:
    r"""Negative log-likelihood of a Student t distribution of fixed degrees of freedom, of which section IV speaks.

    .. math:: L_i = \log \sigma_i + \tfrac12 (\nu + 1) \log [1 + (y_i - \mu_i)^2 / \nu \sigma_i^2] + C(\nu)

    Parameters
    ----------
    degrees
        nu, greater than 0; by default the least whole number for which the variance is finite.
    """
    mean, scale = _heads(output, target, 2)
    half = refusals.number("degrees", degrees, above=0) / 2
    return scale.log() + (half + 0.5) * (((target - mean) / scale) ** 2 / (2 * half)).log1p() + _constant_at(2 * half)


def student_t_learned_nll(output: Tensor, target: Tensor, least: float = 2.0) -> Tensor:
    r"""`student_t_nll` with degrees of freedom that the network gives too, by a third head.

    .. math:: \nu_i = \nu_0 / h_i

    The third head h must give no negative numbers. A "sigmoid" head gives all degrees from `least` on, up to the
    Gaussian at h = 0, and is bounded, so that a jump of it is told in the same way as one of mu or sigma.

    Parameters
    ----------
    least
        nu_0, greater than 0; with the default and a sigmoid head the variance is finite.
    """
    mean, scale, share = _heads(output, target, 3)
    per_degree = share / refusals.number("least", least, above=0)
    square = ((target - mean) / scale) ** 2
    ratio = square * per_degree
    return scale.log() + 0.5 * (square * _log1p_ratio(ratio) + ratio.log1p()) + _student_t_constant(per_degree)


def beta_nll(output: Tensor, target: Tensor, beta: float = 0.5) -> Tensor:
    r"""`gaussian_nll` weighted by a power of the variance that no gradient flows through (Seitzer et al. 2022).

    .. math:: \big\lfloor \sigma_i^{2 \beta} \big\rfloor L_i(\mu_i, \sigma_i)

    Its gradient is not the slope of its value.

    Parameters
    ----------
    beta
        From 0, no weight, to 1, where the slope in the mean is the squared error's; the authors suggest 0.5.
    """
    unweighted = gaussian_nll(output, target)
    return output[..., 1].detach() ** (2 * refusals.number("beta", beta, 0, 1)) * unweighted


def faithful_nll(output: Tensor, target: Tensor) -> Tensor:
    r"""The squared error for the mean, and `gaussian_nll` for the deviation alone (Stirn et al. 2023).

    .. math:: \tfrac12 (y_i - \mu_i)^2 + L_i(\lfloor \mu_i \rfloor, \sigma_i)

    No gradient flows through the brackets, so that its gradient is not the slope of its value. The authors' stop at
    the shared layers is beyond a loss.
    """
    mean, deviation = _heads(output, target, 2)
    return squared_error(output, target) + gaussian_nll(torch.stack([mean.detach(), deviation], -1), target)


def clamped_gaussian_nll(output: Tensor, target: Tensor, floor: float = 1e-6) -> Tensor:
    r"""`gaussian_nll` with the variance held above a floor, as `torch.nn.GaussianNLLLoss(full=True)` does it.

    .. math:: \tfrac12 [\log v_i + (y_i - \mu_i)^2 / v_i + \log 2\pi], \qquad v_i = \max(\sigma_i^2, \text{floor})

    Parameters
    ----------
    floor
        The least variance, greater than 0, torch's `eps`; where it holds, v is still differentiated as if it were
        the variance.
    """
    mean, deviation = _heads(output, target, 2)
    least, variance = refusals.number("floor", floor, above=0), deviation**2
    variance = torch.where(variance < least, variance - variance.detach() + least, variance)
    return 0.5 * (variance.log() + (target - mean) ** 2 / variance + math.log(2 * math.pi))


def conjugate_nll(output: Tensor, target: Tensor, weight: float = 0.1, variance: float = 0.25) -> Tensor:
    r"""`gaussian_nll` with a conjugate prior on every standard deviation, up to a constant of the prior.

    .. math:: L_i = (1 + w) \log \sigma_i + \frac{(y_i - \mu_i)^2 + w v}{2 \sigma_i^2} + \frac12 \log 2\pi

    The prior, an inverse gamma distribution of the variance, counts as w observations of mean square v made
    before. The loss is the negative logarithm of the posterior density of log sigma; it is also the variational
    bound for an inverse gamma posterior of shape (1 + w) / 2 whose scale the network predicts.

    Parameters
    ----------
    weight
        w, the observations for which the prior counts, at least 0; 0 is no prior.
    variance
        v, the prior's variance, greater than 0; by default that of a fair coin.
    """
    likelihood = gaussian_nll(output, target)
    count, guess = refusals.number("weight", weight, 0), refusals.number("variance", variance, above=0)
    deviation = output[..., 1]
    return likelihood + count * (deviation.log() + 0.5 * guess / deviation**2)


def marginal_nll(output: Tensor, target: Tensor, weight: float = 0.1, variance: float = 0.25) -> Tensor:
    r"""The same prior with sigma integrated out: a Student t of fixed scale, in which the second head has no part.

    .. math:: L_i = \tfrac12 (1 + w) \log [1 + (y_i - \mu_i)^2 / w v] + C(w, v)

    Up to a constant it is the least value of `conjugate_nll` over sigma.

    Parameters
    ----------
    weight
        w, the observations for which the prior counts, greater than 0: the degrees of freedom.
    variance
        v, the prior's variance, greater than 0: the square of the scale.
    """
    (mean,) = _heads(output, target, 1)
    degrees, guess = refusals.number("weight", weight, above=0), refusals.number("variance", variance, above=0)
    scale = torch.full_like(mean, math.sqrt(guess))
    return student_t_nll(torch.stack([mean, scale], -1), target, degrees)


@functools.cache
def _constant_at(degrees: float) -> float:
    return _student_t_constant(torch.tensor(1 / degrees, dtype=torch.float64)).item()


def _student_t_constant(per_degree: Tensor) -> Tensor:
    r"""The constant C of a Student t as a function of 1/nu, smooth down to the Gaussian's at 0.

    .. math:: C(\nu) = \tfrac12 \log \pi\nu + \log \Gamma(\nu / 2) - \log \Gamma(\nu / 2 + \tfrac12)

    Both log gammas grow without bound, their difference does not. So the recurrence of the gamma function goes from
    nu / 2 to x = nu / 2 + 30, where Stirling's series of the difference ends at rounding.
    """
    shifts = 2 * torch.arange(30, device=per_degree.device)
    inverse = 2 * per_degree / (1 + 60 * per_degree)  # 1 / x
    steps = (per_degree[..., None] / (1 + shifts * per_degree[..., None])).log1p().sum(-1)
    series = inverse * _polynomial(inverse**2, (1 / 8, -1 / 192, 1 / 640, -17 / 14336))
    return 0.5 * math.log(2 * math.pi) - 0.5 * (60 * per_degree).log1p() + steps + series


def _log1p_ratio(x: Tensor) -> Tensor:
    """log(1 + x) / x, with its slopes, down to x = 0: near it by the series of 2 artanh(x / (2 + x)) / x."""
    small = x < 0.1
    near, far = torch.where(small, x, 0.0), torch.where(small, 1.0, x)  # both branches have slopes: no NaN in either
    series = _polynomial((near / (2 + near)) ** 2, [1 / odd for odd in (1, 3, 5, 7, 9, 11)])
    return torch.where(small, 2 / (2 + near) * series, far.log1p() / far)


def _polynomial(x: Tensor, coefficients: Sequence[float]) -> Tensor:
    """By Horner's rule, the lowest power first."""
    total = torch.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        total = total * x + coefficient
    return total


def _heads(output: Tensor, target: Tensor, count: int) -> list[Tensor]:
    """The outputs of the first heads; what is no tensor, too few heads and targets of another shape are refused."""
    if not isinstance(output, Tensor) or not isinstance(target, Tensor):
        kinds = f"output is a {type(output).__name__} and target a {type(target).__name__}"
        raise ValueError(f"{kinds}: both must be torch tensors.")
    if output.ndim == 0 or output.shape[-1] < count or output.shape[:-1] != target.shape:
        shapes = f"output has shape {tuple(output.shape)} and target {tuple(target.shape)}"
        raise ValueError(f"{shapes}: output must have the target's shape and then at least {count} heads.")
    return [output[..., head] for head in range(count)]
