"""Plasticity: how fast a network that has learnt one task learns another, against its age."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from typing import Annotated

import numpy as np
import torch
import xarray as xr
from torch import nn

from kbe.checks import Holds, Positive, Shaped, checked
from kbe.networks import BitNetwork
from kbe.training import weights

Weights = Annotated[np.ndarray, Shaped("members parameters")]


@checked
def resumed(module: nn.Module, parameters: Weights) -> Callable[[], nn.Module]:
    """What `ensemble.train` needs to go on from given weights: it makes one member after the other.

    Parameters
    ----------
    module
        The architecture.
    parameters
        Each member's weights, such as those of a run at an epoch; training rounds them to single precision.

    Returns
    -------
    callable
        Gives the first member's module when it is first called, then the second's, and after the last the first's.
    """
    weights.with_parameters(module, parameters[0])  # a misfit is said now
    following = cycle(parameters)
    return lambda: weights.with_parameters(module, next(following))


@checked
def shrunk_heads(
    module: BitNetwork,
    parameters: Weights,
    inputs: Annotated[np.ndarray, Shaped("members points bits")],
    size: Positive = 1.0,
) -> np.ndarray:
    """Weights whose first head is scaled down, so that what enters its activation is small again.

    Parameters
    ----------
    module
        The architecture.
    parameters
        Each member's weights; the layers' come back as they are.
    inputs
        The inputs at which the size is taken.
    size
        The root mean square over a member's inputs that what enters the activation shall have at most.
    """
    return np.stack([_shrunk(module, *one, size) for one in zip(parameters, torch.as_tensor(inputs), strict=True)])


@checked
def first_speed(
    run: Annotated[
        xr.Dataset, Holds("mu(member epoch point) y(member point)", "what ensemble.train returns", "learning_rate")
    ],
) -> xr.DataArray:
    r"""How fast the mean squared error of each member falls at first, per epoch and learning rate.

    For small steps on the mean of half the squared errors r it is
    :math:`2\, \mathbf r^\top \boldsymbol\Theta\, \mathbf r / N^2`, by equation 4. NaN where an output is.

    Parameters
    ----------
    run
        A training on the squared error, with the start and the first epoch recorded.

    Raises
    ------
    ValueError
        If the first two recorded epochs are not 0 and 1.
    """
    if list(run["epoch"].values[:2]) != [0, 1]:
        raise ValueError(f"run has recorded the epochs {run['epoch'].values[:2]} first: they must be 0 and 1.")
    error = ((run["mu"] - run["y"]) ** 2).mean("point", skipna=False)
    return (error.isel(epoch=0) - error.isel(epoch=1)) / run.attrs["learning_rate"]


def _shrunk(module: BitNetwork, row: np.ndarray, x: torch.Tensor, size: float) -> np.ndarray:
    network = weights.with_parameters(module, row)
    assert isinstance(network, BitNetwork)
    head = network.heads[0]
    with torch.no_grad():
        now = float(head(network.features(x)).square().mean().sqrt())
        for parameter in head.parameters():
            parameter.mul_(size / max(now, size))
    return weights.flat_parameters(network)
