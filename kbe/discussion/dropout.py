"""What drop-out leaves in a trained network's prediction: its spread over masks, and the bounds of it (section IV)."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
import xarray as xr

from kbe.checks import Array, Count, Holds, Real, Seed, Shaped, checked
from kbe.refusals import told
from kbe.response.functional import PureNetwork
from kbe.training.calling import at_once, settled
from kbe.training.weights import Network, architecture

KeptNetworks = Annotated[
    xr.Dataset,
    Holds(
        "parameters(member epoch parameter) x(member point ...) y(member point)",
        "what ensemble.train returns with keep_parameters=True",
    ),
]
Drawn = Annotated[
    xr.Dataset,
    Holds("mu(mask ... point) sigma(mask ... point) y(... point)", "what masked_outputs returns for two heads"),
]


@checked
def masked_outputs(network: Network, run: KeptNetworks, masks: Count = 50, seed: Seed = 0) -> xr.Dataset:
    """The outputs of trained networks with masks drawn at random, as in training.

    Parameters
    ----------
    network
        Makes a member's module, the one that was trained.
    run
        `parameters` (member, epoch, parameter), `x` (member, point, ...) and `y`.
    masks
        The number of independent draws, each of the masks of all members and points.
    seed
        Start of the draws.

    Returns
    -------
    xarray.Dataset
        `mu` and `sigma` (mask, member, epoch, point), and `y` (member, point).
    """
    pure = PureNetwork(architecture(network), masked=True)
    x = pure.inputs("run.x", run.x.values, run.sizes["member"], own=True)
    members = at_once(pure.outputs, (0, 0))
    again = at_once(lambda _, weights: members(weights, x), (0, None))
    with torch.no_grad(), pure.settled(), settled(seed=seed), told("network fails"):
        epochs = run.parameters.transpose("epoch", "member", "parameter").values
        outputs = np.stack(
            [again(torch.arange(masks), pure.stack("run.parameters", weights)).numpy() for weights in epochs], 2
        )
    dims, coords = ("mask", "member", "epoch", "point"), {"mask": range(masks), **run.parameters.coords}
    drawn = {name: (dims, outputs[..., k]) for k, name in enumerate(("mu", "sigma")[: outputs.shape[-1]])}
    return xr.Dataset(drawn, coords).assign(y=run.y)


@checked
def over_masks(drawn: Drawn) -> xr.Dataset:
    r"""The moments of the outputs over masks, at every point, and the two variances of section III.B over both.

    .. math:: V = \langle (y_i - \mu_i)^2 \rangle = \langle e_i^2 + s_i^2 \rangle, \; V^* = \langle \sigma_i^2 \rangle

    Returns
    -------
    xarray.Dataset
        `error`, e, the distance of the mean output from the target; `spread`, s, the standard deviation of mu over
        masks; `deviation`, the root of the mean square of sigma (member, epoch, point); `squared_error`, V, and
        `predicted`, V* (member, epoch).
    """
    error = abs(drawn.mu.mean("mask", skipna=False) - drawn.y)
    spread = drawn.mu.std("mask", skipna=False)
    square = (drawn.sigma**2).mean("mask", skipna=False)
    return xr.Dataset(
        {
            "error": error,
            "spread": spread,
            "deviation": np.sqrt(square),
            "squared_error": (error**2 + spread**2).mean("point", skipna=False),
            "predicted": square.mean("point", skipna=False),
        }
    )


@checked
def greatest_spread(error: Annotated[np.ndarray, Shaped(low=0)]) -> np.ndarray:
    r"""The largest spread of a mean between 0 and 1 about a target of 0 or 1: that of outputs at 0 and 1 alone.

    .. math:: s^2 \le e (1 - e)

    with e the `error`, the distance of the mean output from the target, from 0 to 1. It vanishes with the error.

    Raises
    ------
    ValueError
        If an error is above 1.
    """
    if error.max() > 1:
        raise ValueError(f"error holds {error.max():g}: every element must be at most 1.")
    return np.sqrt(error * (1 - error))


@checked
def least_spread(mean: Array, bias: Array, rate: Annotated[float, Real(0, below=1)], features: Count) -> np.ndarray:
    r"""The least spread of a linear head whose features are masked: that of F equal terms.

    .. math:: s^2 \ge \frac{p}{1 - p} \, \frac{(m - b)^2}{F}

    Whatever the layers before do. The head adds F terms to its bias; those that are not masked are divided by
    1 - p, so that they make up m - b on average, and their squares at least the F-th part of its square.

    Parameters
    ----------
    mean
        m, the output on average over masks.
    bias
        b, the head's bias, which is not masked.
    rate
        p, the share that is masked.
    features
        F, the inputs of the head.
    """
    return np.sqrt(rate / (1 - rate) / features) * abs(mean - bias)
