"""The outputs of trained networks at inputs of your choice, from the weights that a training kept."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn
from torch.func import vmap

from kbe import checks
from kbe.response.functional import PureNetwork, slices

ROWS = 1 << 13  # inputs at once, so that hidden layers stay in the cache


def outputs_at(
    network: Callable[[], nn.Module], parameters: ArrayLike, inputs: ArrayLike, *, own_inputs: bool = False
) -> np.ndarray:
    """The outputs of every member at every kept epoch, at inputs that it need not have been trained on.

    Parameters
    ----------
    network : callable
        Makes a module of the members' architecture when called without arguments.
    parameters : array, shape (members, epochs, parameters)
        The weights, as `ensemble.train` keeps them with `keep_parameters`.
    inputs : array, shape (n, ...), or (members, n, ...) with `own_inputs`
        Where the outputs are wanted.
    own_inputs : bool
        Whether each member has inputs of its own.

    Returns
    -------
    numpy.ndarray, shape (members, epochs, n, heads)
        The outputs, without the masks of drop-out; not finite where the weights are not.

    Raises
    ------
    ValueError
        If an argument is not as described.
    """
    pure = PureNetwork(network())
    weights = checks.array("parameters", parameters, 3, finite=False)
    members, epochs = weights.shape[:2]
    flat = pure.stack("parameters", weights.reshape(members * epochs, -1))
    x = pure.inputs("inputs", inputs, members, own_inputs)
    owner = torch.arange(members).repeat_interleave(epochs)
    with torch.no_grad(), pure.threads():
        pieces = [
            vmap(pure.outputs)(flat[some], x[owner[some]]) for some in slices(len(flat), max(1, ROWS // x.shape[1]))
        ]
    return torch.cat(pieces).unflatten(0, (members, epochs)).numpy()
