"""The Bayesian approach of section IV: what a prior on sigma allows, samples of weights, and mixtures of networks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from kbe import refusals
from kbe.checks import Count, Holds, NonNegative, Positive, checked
from kbe.refusals import shown

Predictions = Annotated[xr.Dataset, Holds("mu(...) sigma(...)", "what ensemble.train returns for two heads")]


@checked
def conjugate_floor(weight: NonNegative, variance: Positive = 0.25) -> float:
    r"""The sigma of the least `losses.conjugate_nll` where the mean meets the target: no optimum has a smaller one.

    .. math:: \sigma_*^2 = \frac{w v}{1 + w}

    with w the prior's `weight` in observations and v its `variance`.
    """
    return math.sqrt(weight * variance / (1 + weight))


def _weights(name: str, value: Any, sizes: dict[str, Any]) -> list[Tensor]:
    found = refusals.several(name, value)
    if not found or not all(isinstance(one, Tensor) and one.is_leaf for one in found):
        raise ValueError(f"{name} is {shown(value)}: it must be a list of weights, one tensor at least.")
    return found


class Langevin(torch.optim.Optimizer):
    r"""Gradient descent with noise: it samples weights from a posterior (Welling and Teh 2011).

    .. math:: w \to w - \eta \, (\nabla L + \lambda w) + \sqrt{2 \eta T} \, \xi, \qquad \xi \sim N(0, 1)

    For small steps the weights visit the density proportional to exp(-(L + lambda w^2 / 2) / T). With L the mean
    loss over N points the Bayesian posterior is that of T = 1/N, and lambda / T the prior's inverse variance.

    Parameters
    ----------
    parameters
        The weights w.
    lr
        eta.
    temperature
        T, in the unit of the loss; 0 is gradient descent, and finds the mode of the posterior.
    weight_decay
        lambda.
    """

    @checked
    def __init__(
        self,
        parameters: Annotated[Iterable[Tensor], _weights],
        lr: Positive = 0.1,
        temperature: NonNegative = 0.0,
        weight_decay: NonNegative = 0.0,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "temperature": temperature, "weight_decay": weight_decay})

    @checked
    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step on every weight that has a gradient; returns what `closure` does, if there is one."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            noise = math.sqrt(2 * group["lr"] * group["temperature"])
            for weights in group["params"]:
                if weights.grad is None:
                    continue
                slope = weights.grad + group["weight_decay"] * weights
                weights.add_(slope, alpha=-group["lr"])
                if noise:
                    weights.add_(torch.randn_like(weights), alpha=noise)
        return loss


@checked
def in_groups(run: xr.Dataset, networks: Count) -> xr.Dataset:
    """A run whose members that follow each other form groups, for `mixture`.

    Parameters
    ----------
    run
        With a dimension `member`.
    networks
        The members of a group.

    Returns
    -------
    xarray.Dataset
        The same with the groups along `member`, and `network` as a new dimension within.

    Raises
    ------
    ValueError
        If the members do not make whole groups, or there are none.
    """
    members = run.sizes.get("member", 0)
    if not members or members % networks:
        raise ValueError(f"networks is {networks}: the {members} members of run must make whole groups.")
    return run.drop_vars("member", errors="ignore").coarsen(member=networks).construct(member=("member", "network"))


@checked
def mixture(run: Predictions, dim: str) -> xr.Dataset:
    r"""The mean and standard deviation of an equal mixture of predictions.

    .. math:: \bar\mu = \langle \mu_k \rangle, \qquad \bar\sigma^2 = \langle \sigma_k^2 + (\mu_k - \bar\mu)^2 \rangle

    Over networks it is a deep ensemble (Lakshminarayanan et al. 2017), over late epochs of `Langevin` the
    average over a posterior of the weights.

    Parameters
    ----------
    run
        Its `y`, if it has one, does not depend on what is averaged over.
    dim
        The dimension to average over.

    Returns
    -------
    xarray.Dataset
        `mu` and `sigma` without the dimension, NaN where one of the predictions is not finite, and `y`.

    Raises
    ------
    ValueError
        If mu lacks the dimension.
    """
    if dim not in run.mu.dims:
        raise ValueError(f"dim is {dim!r}: it must be one of the dimensions of mu, {', '.join(map(str, run.mu.dims))}.")
    mean = run.mu.mean(dim, skipna=False)
    square = (run.sigma**2 + (run.mu - mean) ** 2).mean(dim, skipna=False)
    mixed = xr.Dataset({"mu": mean, "sigma": np.sqrt(square)})
    return mixed.assign(y=run.y.isel({dim: 0}, drop=True, missing_dims="ignore")) if "y" in run else mixed
