"""The outputs of trained networks at inputs of your choice, from the weights that a training kept."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
from numpy.typing import ArrayLike

from kbe.checks import Shaped, checked
from kbe.refusals import told
from kbe.response.functional import PureNetwork, slices
from kbe.training.calling import at_once
from kbe.training.weights import Network, architecture

ROWS = 1 << 13  # inputs at once, so that hidden layers stay in the cache


@checked
def outputs_at(
    network: Network,
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
        What the members hold, as `ensemble.train` keeps it with `keep_parameters`.
    inputs : array, shape (n, ...), or (members, n, ...) with `own_inputs`
        Where the outputs are wanted.
    own_inputs
        Whether each member has inputs of its own.

    Returns
    -------
    numpy.ndarray, shape (members, epochs, n, heads)
        The outputs in evaluation mode, so without the masks of drop-out; not finite where the weights are not.
    """
    pure = PureNetwork(architecture(network))
    members, epochs, each = np.shape(parameters)
    flat = pure.stack("parameters", np.reshape(parameters, (members * epochs, each)))
    x = pure.inputs("inputs", inputs, members, own_inputs)
    owner = torch.arange(members).repeat_interleave(epochs)
    outputs = at_once(pure.outputs, (0, 0))
    with torch.no_grad(), pure.settled(), told("network fails"):
        pieces = [outputs(flat[some], x[owner[some]]) for some in slices(len(flat), max(1, ROWS // x.shape[1]))]
    return torch.cat(pieces).unflatten(0, (members, epochs)).numpy()
