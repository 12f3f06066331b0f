"""The outputs of trained networks at inputs of your choice, from the weights that a training kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn
from torch.func import vmap

from kbe.checks import Shaped, checked
from kbe.response.functional import PureNetwork, slices

ROWS = 1 << 13  # inputs at once, so that hidden layers stay in the cache


@checked
def outputs_at(
    network: Callable[[], nn.Module],
    parameters: Annotated[ArrayLike, Shaped("members epochs parameters", finite=False)],
    inputs: ArrayLike,
    *,
    own_inputs: bool = False,
) -> np.ndarray:
    """The outputs of every member at every kept epoch, at inputs that it need not have been trained on.

    Parameters
    ----------
    network
        Makes a module of the members' architecture when called without arguments.
    parameters
        The weights, as `ensemble.train` keeps them with `keep_parameters`.
    inputs : array, shape (n, ...), or (members, n, ...) with `own_inputs`
        Where the outputs are wanted.
    own_inputs
        Whether each member has inputs of its own.

    Returns
    -------
    numpy.ndarray, shape (members, epochs, n, heads)
        The outputs, without the masks of drop-out; not finite where the weights are not.
    """
    pure = PureNetwork(network())
    members, epochs, each = np.shape(parameters)
    flat = pure.stack("parameters", np.reshape(parameters, (members * epochs, each)))
    x = pure.inputs("inputs", inputs, members, own_inputs)
    owner = torch.arange(members).repeat_interleave(epochs)
    with torch.no_grad(), pure.threads():
        pieces = [
            vmap(pure.outputs)(flat[some], x[owner[some]]) for some in slices(len(flat), max(1, ROWS // x.shape[1]))
        ]
    return torch.cat(pieces).unflatten(0, (members, epochs)).numpy()
