"""The training response of any torch module (equations 1 to 4).

The training response Theta(x, x') is the neural tangent kernel: how far a step of gradient descent on x'
moves the output at x, computed by autograd or measured by taking the step. A kernel has the shape
(n, m, heads, heads): entry (i, j, a, c) is the answer of output a at input i to a step on output c at input j.
"""

from __future__ import annotations

from itertools import product
from typing import Annotated

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn

from kbe.checks import Count, Positive, Shaped, checked
from kbe.response.functional import PureNetwork, slices
from kbe.training.calling import at_once

Kernel = Annotated[np.ndarray, Shaped("... n m heads trained_heads", finite=False)]  # members that blew up have NaN


@checked
def neural_tangent_kernel(
    module: nn.Module,
    first: ArrayLike,
    second: ArrayLike | None = None,
    *,
    block: Count | None = None,
    dtype: torch.dtype = torch.float64,
) -> np.ndarray:
    """The training response of a module at its present weights, equation 3.

    Parameters
    ----------
    module
        Maps inputs (n, ...) to outputs (n, heads), or (n,), which counts as one head, each input by itself.
        Weights that require no gradient do not enter. The module stays as it is: a copy is used, in evaluation mode.
    first : array, shape (n, ...)
        The inputs x at which the output is watched.
    second : array, shape (m, ...), or None
        The inputs x' on which the module is trained; None means the first ones.
    block
        The number of inputs whose Jacobians are held at once; None holds 2 MiB of them.
    dtype
        The precision of weights, inputs and result, a floating-point one.

    Returns
    -------
    numpy.ndarray, shape (n, m, heads, heads)
        Theta, in squared units of the output per squared unit of the weights.
    """
    weights = PureNetwork(module, dtype).weights
    return ensemble_kernel(module, weights[None], first, second, block=block, dtype=dtype)[0]


@checked
def ensemble_kernel(
    module: nn.Module,
    parameters: ArrayLike,
    first: ArrayLike,
    second: ArrayLike | None = None,
    *,
    own_inputs: bool = False,
    block: Count | None = None,
    dtype: torch.dtype = torch.float64,
) -> np.ndarray:
    r"""The training response of many networks of one architecture, Eq. (3).

    .. math:: \Theta_{ac}(x, x') = \sum_p \frac{\partial f_a(x)}{\partial w_p} \frac{\partial f_c(x')}{\partial w_p}

    Parameters
    ----------
    module
        The architecture; its own weights do not matter.
    parameters : array, shape (members, parameters)
        A flat weight vector w for each member, in the order of `module.parameters()`, and after it what the
        member's buffers hold. A member with non-finite weights gets a non-finite kernel and leaves the others alone.
    first, second
        As for `neural_tangent_kernel`; with `own_inputs` the shapes are (members, n, ...) and (members, m, ...).
    own_inputs
        Whether each member has inputs of its own.
    block, dtype
        As for `neural_tangent_kernel`; inputs are counted over members.

    Returns
    -------
    numpy.ndarray, shape (members, n, m, heads, heads)
        Theta of each member.
    """
    network = PureNetwork(module, dtype)
    weights = network.stack("parameters", parameters)
    left = network.inputs("first", first, len(weights), own_inputs)
    right = left if second is None else network.inputs("second", second, len(weights), own_inputs)
    (members, n), m, heads = left.shape[:2], right.shape[1], (network.heads(left), network.heads(right))
    rows = block or network.block(heads[0])
    result = weights.new_empty(members, n * heads[0], m * heads[1])
    with network.settled():
        for some, i in product(slices(members, max(1, rows // max(n, m))), slices(n, rows)):
            watched = network.jacobian(weights[some], left[some, i])
            for j in slices(m, rows):
                same = second is None and i == j
                step = watched if same else network.jacobian(weights[some], right[some, j])
                place = result[some, i.start * heads[0] : i.stop * heads[0], j.start * heads[1] : j.stop * heads[1]]
                torch.bmm(watched.flatten(1, 2), step.flatten(1, 2).mT, out=place)
    return result.view(members, n, heads[0], m, heads[1]).transpose(2, 3).cpu().numpy()


@checked
def gram_matrix(kernel: Kernel) -> np.ndarray:
    """A kernel over all pairs of input and head as one matrix; for one head it is the K of equations 12 and 13.

    Returns
    -------
    numpy.ndarray, shape (..., n * heads, m * heads)
        Row i * heads + a is output a at input i.

    Examples
    --------
    >>> gram_matrix(np.arange(8).reshape(1, 2, 2, 2))  # one input against two, two heads
    array([[0., 1., 4., 5.],
           [2., 3., 6., 7.]])
    """
    n, m, rows, columns = kernel.shape[-4:]
    return kernel.swapaxes(-3, -2).reshape(*kernel.shape[:-4], n * rows, m * columns)


@checked
def one_step_response(
    module: nn.Module,
    first: ArrayLike,
    second: ArrayLike | None = None,
    learning_rate: Positive = 0.1,
    *,
    block: Count | None = None,
    dtype: torch.dtype = torch.float64,
) -> np.ndarray:
    r"""The training response measured by taking the step, Eq. (1), (2).

    .. math:: \frac{f_a\big(x; w - \eta\, \partial f_c(x')/\partial w\big) - f_a(x; w)}{-\eta}

    with eta the `learning_rate`. Each training input and head gets one step of gradient descent of its own from
    the same weights, on a loss whose derivative in that output is one. For a small learning rate the answer
    tends to `neural_tangent_kernel`, with an error proportional to the learning rate.

    Parameters
    ----------
    module, first, second, block, dtype
        As for `neural_tangent_kernel`.

    Returns
    -------
    numpy.ndarray, shape (n, m, heads, heads)
        The measured response, in the units of `neural_tangent_kernel`.
    """
    network = PureNetwork(module, dtype)
    left = network.inputs("first", first)
    right = left if second is None else network.inputs("second", second)
    heads, trained_heads = network.heads(left), network.heads(right)
    outputs, responses = at_once(network.outputs, (0, None)), []
    with network.settled():
        before = network.outputs(network.weights, left[0])
        for some in slices(right.shape[1], block or network.block(heads)):
            slopes = network.jacobian(network.weights[None], right[:, some])[0].flatten(0, 1)
            after = outputs(network.weights - learning_rate * slopes, left[0])
            responses.append(((after - before) / -learning_rate).unflatten(0, (-1, trained_heads)))
    return torch.cat(responses).permute(2, 0, 3, 1).detach().cpu().numpy()
