"""Plasticity: how fast a network that has learnt one task learns another, against its age."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle

import numpy as np
import torch
import xarray as xr
from numpy.typing import ArrayLike
from torch import nn

from kbe import checks
from kbe.networks import BitNetwork
from kbe.training import weights


def resumed(module: nn.Module, parameters: ArrayLike) -> Callable[[], nn.Module]:
    """What `ensemble.train` needs to go on from given weights: it makes one member after the other.

    Parameters
    ----------
    module : torch.nn.Module
        The architecture.
    parameters : array, shape (members, parameters)
        Each member's weights, such as those of a run at an epoch; training rounds them to single precision.

    Returns
    -------
    callable
        Gives the first member's module when it is first called, then the second's, and after the last the first's.

    Raises
    ------
    ValueError
        If the weights are not finite or do not fit the module.
    """
    rows = checks.array("parameters", parameters, 2)
    weights.with_parameters(module, rows[0])  # a misfit is said now
    following = cycle(rows)
    return lambda: weights.with_parameters(module, next(following))


def shrunk_heads(module: BitNetwork, parameters: ArrayLike, inputs: ArrayLike, size: float = 1.0) -> np.ndarray:
    """Weights whose first head is scaled down, so that what enters its activation is small again.

    Parameters
    ----------
    module : BitNetwork
        The architecture.
    parameters : array, shape (members, parameters)
        Each member's weights.
    inputs : array, shape (members, n, bits)
        The inputs at which the size is taken.
    size : float
        The root mean square over a member's inputs that what enters the activation shall have at most.

    Returns
    -------
    numpy.ndarray, shape (members, parameters)
        The weights with scaled heads; the layers are as they were.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    checks.number("size", size, above=0)
    rows, x = checks.array("parameters", parameters, 2), checks.array("inputs", inputs, 3)
    if len(rows) != len(x) or not isinstance(module, BitNetwork):
        raise ValueError(f"parameters has {len(rows)} members and inputs {len(x)}: a BitNetwork needs as many of both.")
    return np.stack([_shrunk(module, row, torch.as_tensor(one), size) for row, one in zip(rows, x, strict=True)])


def first_speed(run: xr.Dataset) -> xr.DataArray:
    r"""How fast the mean squared error falls at first, per epoch and learning rate.

    For small steps on the mean of half the squared errors r it is
    :math:`2\, \mathbf r^\top \boldsymbol\Theta\, \mathbf r / N^2`, by Eq. (4).

    Parameters
    ----------
    run : xarray.Dataset
        What `ensemble.train` returns for the squared error, with the start and the first epoch recorded.

    Returns
    -------
    xarray.DataArray, shape (member,)
        The speed, greater than 0 where the error falls.

    Raises
    ------
    ValueError
        If the first two recorded epochs are not 0 and 1.
    """
    error = _squared_error(run)
    if list(error["epoch"].values[:2]) != [0, 1]:
        raise ValueError("run must have recorded the epochs 0 and 1.")
    return (error.isel(epoch=0) - error.isel(epoch=1)) / run.attrs["learning_rate"]


def _squared_error(run: xr.Dataset) -> xr.DataArray:
    if not isinstance(run, xr.Dataset) or not {"mu", "y"} <= set(run):
        raise ValueError("run lacks mu or y: it must be what ensemble.train returns.")
    return ((run["mu"] - run["y"]) ** 2).mean("point").transpose("member", "epoch")


def _shrunk(module: BitNetwork, row: np.ndarray, x: torch.Tensor, size: float) -> np.ndarray:
    network = weights.with_parameters(module, row)
    assert isinstance(network, BitNetwork)
    head = network.heads[0]
    with torch.no_grad():
        now = float(head(network.features(x)).square().mean().sqrt())
        for parameter in head.parameters():
            parameter.mul_(size / max(now, size))
    return weights.flat_parameters(network)
