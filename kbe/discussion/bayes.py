"""The Bayesian approach of section IV: distributions over sigma, over weights, and over networks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from kbe import checks, losses


def conjugate_nll(output: Tensor, target: Tensor, weight: float = 0.1, variance: float = 0.25) -> Tensor:
    r"""`losses.gaussian_nll` with a conjugate prior on every standard deviation.

    .. math:: L_i = (1 + w) \log \sigma_i + \frac{(y_i - \mu_i)^2 + w v}{2 \sigma_i^2} + \frac12 \log 2\pi

    The prior, an inverse gamma distribution of the variance, counts as w observations of mean square v made
    before. The loss is the negative logarithm of the posterior density of log sigma; it is also the variational
    bound for an inverse gamma posterior of shape (1 + w) / 2 whose scale the network predicts.

    Parameters
    ----------
    output : Tensor, shape (..., 2)
        Mean and standard deviation.
    target : Tensor, shape (...)
        y.
    weight : float
        w, the observations for which the prior counts, at least 0; 0 is no prior.
    variance : float
        v, the prior's variance; by default that of a fair coin.

    Returns
    -------
    Tensor, shape (...)
        The loss of each point, up to a constant of the prior.

    Raises
    ------
    ValueError
        If the shapes do not fit or a number is out of range.
    """
    likelihood = losses.gaussian_nll(output, target)
    count, guess = checks.number("weight", weight, 0), checks.number("variance", variance, above=0)
    deviation = output[..., 1]
    return likelihood + count * (deviation.log() + 0.5 * guess / deviation**2)


def marginal_nll(output: Tensor, target: Tensor, weight: float = 0.1, variance: float = 0.25) -> Tensor:
    r"""The same prior with sigma integrated out: a Student t of fixed scale, in which the second head has no part.

    .. math:: L_i = \tfrac12 (1 + w) \log [1 + (y_i - \mu_i)^2 / w v] + C(w, v)

    Up to a constant it is the least value of `conjugate_nll` over sigma.

    Parameters
    ----------
    output : Tensor, shape (..., heads)
        The mean is the first head; further heads do not enter.
    target : Tensor, shape (...)
        y.
    weight : float
        w, the observations for which the prior counts: the degrees of freedom.
    variance : float
        v, the prior's variance: the square of the scale.

    Returns
    -------
    Tensor, shape (...)
        The loss of each point, in nats.

    Raises
    ------
    ValueError
        If the shapes do not fit or a number is not positive.
    """
    guess = checks.number("variance", variance, above=0)
    if not isinstance(output, Tensor) or output.ndim == 0:
        raise ValueError(f"output is {checks.shown(output)}: it must be a torch tensor with heads.")
    scale = torch.full_like(output[..., 0], math.sqrt(guess))
    return losses.student_t_nll(torch.stack([output[..., 0], scale], -1), target, degrees=weight)


def least_deviation(weight: float, variance: float = 0.25) -> float:
    r"""The sigma of the least `conjugate_nll` where the mean meets the target.

    .. math:: \sigma_*^2 = \frac{w v}{1 + w}

    Parameters
    ----------
    weight : float
        w, the observations for which the prior counts, at least 0.
    variance : float
        v, the prior's variance.

    Returns
    -------
    float
        The least standard deviation that an optimum can have.

    Raises
    ------
    ValueError
        If a number is out of range.
    """
    count, guess = checks.number("weight", weight, 0), checks.number("variance", variance, above=0)
    return math.sqrt(count * guess / (1 + count))


class Langevin(torch.optim.Optimizer):
    r"""Gradient descent with noise: it samples weights from a posterior (Welling and Teh 2011).

    .. math:: w \to w - \eta \, (\nabla L + \lambda w) + \sqrt{2 \eta T} \, \xi, \qquad \xi \sim N(0, 1)

    For small steps the weights visit the density proportional to exp(-(L + lambda w^2 / 2) / T). With L the mean
    loss over N points the Bayesian posterior is that of T = 1/N, and lambda / T the prior's inverse variance.

    Parameters
    ----------
    parameters : iterable of Tensor
        The weights.
    lr : float
        eta.
    temperature : float
        T, in the unit of the loss; 0 is gradient descent, and finds the mode of the posterior.
    weight_decay : float
        lambda.

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    def __init__(
        self, parameters: Iterable[Tensor], lr: float = 0.1, temperature: float = 0.0, weight_decay: float = 0.0
    ) -> None:
        checks.number("lr", lr, above=0)
        checks.number("temperature", temperature, 0)
        checks.number("weight_decay", weight_decay, 0)
        super().__init__(parameters, {"lr": lr, "temperature": temperature, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step on every weight that has a gradient.

        Parameters
        ----------
        closure : callable, optional
            Computes the loss anew, as torch's optimisers allow.

        Returns
        -------
        Any
            What the closure returned, or None.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            noise = math.sqrt(2 * group["lr"] * group["temperature"])
            for weights in group["params"]:
                if weights.grad is None:
                    continue
                pull = weights.grad + group["weight_decay"] * weights
                weights.add_(pull, alpha=-group["lr"])
                if noise:
                    weights.add_(torch.randn_like(weights), alpha=noise)
        return loss


def in_groups(run: xr.Dataset, networks: int) -> xr.Dataset:
    """A run whose members that follow each other form groups, for `mixture`.

    Parameters
    ----------
    run : xarray.Dataset
        With a dimension `member`.
    networks : int
        The members of a group.

    Returns
    -------
    xarray.Dataset
        The same with the groups along `member`, and `network` as a new dimension within.

    Raises
    ------
    ValueError
        If there is no such dimension, or the members do not make whole groups.
    """
    if not isinstance(run, xr.Dataset) or "member" not in run.dims:
        raise ValueError("run has no dimension 'member': it must be what ensemble.train returns.")
    size = checks.integer("networks", networks, 1)
    if run.sizes["member"] % size:
        raise ValueError(f"networks is {size}: the {run.sizes['member']} members must make whole groups.")
    bare = run.drop_vars("member", errors="ignore")
    return bare.coarsen(member=size).construct(member=("member", "network"))


def mixture(run: xr.Dataset, dim: str) -> xr.Dataset:
    r"""The mean and standard deviation of an equal mixture of predictions.

    .. math:: \bar\mu = \langle \mu_k \rangle, \qquad \bar\sigma^2 = \langle \sigma_k^2 + (\mu_k - \bar\mu)^2 \rangle

    Over networks it is a deep ensemble (Lakshminarayanan et al. 2017), over late epochs of `Langevin` the
    average over a posterior of the weights.

    Parameters
    ----------
    run : xarray.Dataset
        `mu` and `sigma` with the dimension `dim`, and possibly `y`.
    dim : str
        What to average over.

    Returns
    -------
    xarray.Dataset
        `mu` and `sigma` without the dimension, NaN where one of the predictions is not finite, and `y`.

    Raises
    ------
    ValueError
        If the run lacks an output or the dimension.
    """
    if not isinstance(run, xr.Dataset) or not {"mu", "sigma"} <= set(run) or dim not in run.mu.dims:
        raise ValueError(f"run lacks mu, sigma or the dimension {checks.shown(dim)}: it must be an ensemble's.")
    mean = run.mu.mean(dim, skipna=False)
    square = (run.sigma**2 + (run.mu - mean) ** 2).mean(dim, skipna=False)
    mixed = xr.Dataset({"mu": mean, "sigma": np.sqrt(square)})
    if "y" not in run:
        return mixed
    return mixed.assign(y=run.y.isel({dim: 0}, drop=True) if dim in run.y.dims else run.y)
