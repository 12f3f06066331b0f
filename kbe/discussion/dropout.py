"""What drop-out leaves in a trained network's prediction: its spread over masks, and the bounds of it (section IV)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import xarray as xr
from numpy.typing import ArrayLike
from torch import nn
from torch.func import vmap

from kbe import checks
from kbe.response.functional import PureNetwork
from kbe.training.reference import DROPOUTS


def masked_outputs(network: Callable[[], nn.Module], run: xr.Dataset, masks: int = 50, seed: int = 0) -> xr.Dataset:
    """The outputs of trained networks with masks drawn at random, as in training.

    Parameters
    ----------
    network : callable
        Makes a member's module, the one that was trained.
    run : xarray.Dataset
        `parameters` (member, epoch, parameter), `x` (member, point, ...) and `y`, as `ensemble.train` returns
        with `keep_parameters`.
    masks : int
        The number of independent draws, each of the masks of all members and points.
    seed : int
        Start of the draws.

    Returns
    -------
    xarray.Dataset
        `mu` and `sigma` (mask, member, epoch, point), and `y` (member, point).

    Raises
    ------
    ValueError
        If an argument is out of range, or the run lacks a variable.
    """
    missing = [n for n in ("parameters", "x", "y") if not isinstance(run, xr.Dataset) or n not in run]
    if missing:
        raise ValueError(f"run lacks {', '.join(missing)}: it must be kept with its parameters by ensemble.train.")
    checks.integer("masks", masks, 1)
    checks.integer("seed", seed, 0)
    pure = PureNetwork(network())
    for part in pure.module.modules():
        if isinstance(part, DROPOUTS):
            part.train()
    x = pure.inputs("run.x", run.x.values, run.sizes["member"], own=True)
    members = vmap(pure.outputs, randomness="different")
    again = vmap(lambda _, weights: members(weights, x), (0, None), randomness="different")
    with torch.no_grad(), torch.random.fork_rng(devices=[]), pure.threads():
        torch.manual_seed(seed)
        epochs = run.parameters.transpose("epoch", "member", "parameter").values
        outputs = np.stack(
            [again(torch.arange(masks), pure.stack("run.parameters", weights)).numpy() for weights in epochs], 2
        )
    dims = ("mask", "member", "epoch", "point")
    names = ("mu", "sigma")[: outputs.shape[-1]]
    drawn = xr.Dataset({name: (dims, outputs[..., k]) for k, name in enumerate(names)}, coords=run.parameters.coords)
    return drawn.assign(y=run.y)


def over_masks(drawn: xr.Dataset) -> xr.Dataset:
    r"""The moments of the outputs over masks, at every point, and the two variances of section III.B over both.

    .. math:: V = \langle (y_i - \mu_i)^2 \rangle = \langle e_i^2 + s_i^2 \rangle, \; V^* = \langle \sigma_i^2 \rangle

    Parameters
    ----------
    drawn : xarray.Dataset
        `mu`, `sigma` (mask, member, epoch, point) and `y` (member, point), from `masked_outputs`.

    Returns
    -------
    xarray.Dataset
        `error`, e, the distance of the mean output from the target; `spread`, s, the standard deviation of mu over
        masks; `deviation`, the root of the mean square of sigma (member, epoch, point); `squared_error`, V, and
        `predicted`, V* (member, epoch).

    Raises
    ------
    ValueError
        If a variable or the dimension `mask` is missing.
    """
    if not isinstance(drawn, xr.Dataset) or not {"mu", "sigma", "y"} <= set(drawn) or "mask" not in drawn.dims:
        raise ValueError("drawn lacks mu, sigma, y or the dimension 'mask': it must come from masked_outputs.")
    square = (drawn.sigma**2).mean("mask", skipna=False)
    result = xr.Dataset(
        {
            "error": abs(drawn.mu.mean("mask", skipna=False) - drawn.y),
            "spread": drawn.mu.std("mask", skipna=False),
            "deviation": np.sqrt(square),
        }
    )
    result["squared_error"] = (result.error**2 + result.spread**2).mean("point", skipna=False)
    return result.assign(predicted=square.mean("point", skipna=False))


def greatest_spread(error: ArrayLike) -> np.ndarray:
    r"""The largest spread of a mean between 0 and 1 about a target of 0 or 1.

    .. math:: s^2 \le e (1 - e)

    Parameters
    ----------
    error : array
        e, the distance of the mean output from the target, from 0 to 1.

    Returns
    -------
    numpy.ndarray
        s at the most: that of outputs at 0 and 1 alone. It vanishes with the error.

    Raises
    ------
    ValueError
        If an error is not from 0 to 1.
    """
    distance = checks.array("error", error)
    if distance.min() < 0 or distance.max() > 1:
        raise ValueError(f"error holds {distance.min():g} to {distance.max():g}: it must lie from 0 to 1.")
    return np.sqrt(distance * (1 - distance))


def least_spread(mean: ArrayLike, bias: ArrayLike, rate: float, features: int) -> np.ndarray:
    r"""The least spread of a linear head whose features are masked.

    .. math:: s^2 \ge \frac{p}{1 - p} \, \frac{(m - b)^2}{F}

    Whatever the layers before do. The head adds F terms to its bias; those that are not masked are divided by
    1 - p, so that they make up m - b on average, and their squares at least the F-th part of its square.

    Parameters
    ----------
    mean : array
        m, the output on average over masks.
    bias : array
        b, the head's bias, which is not masked.
    rate : float
        p, the share that is masked, at least 0 and less than 1.
    features : int
        F, the inputs of the head.

    Returns
    -------
    numpy.ndarray
        s at the least: that of F equal terms.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    share = checks.number("rate", rate, 0, 1 - 1e-9)
    count = checks.integer("features", features, 1)
    distance = checks.array("mean", mean) - checks.array("bias", bias)
    return np.sqrt(share / (1 - share) / count) * abs(distance)
