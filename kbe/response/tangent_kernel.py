"""The training response of any torch module (equations 1 to 4).

The training response Theta(x, x') is the neural tangent kernel: how far a step of gradient descent on x'
moves the output at x, computed by autograd or measured by taking the step. A kernel has the shape
(n, m, heads, heads): entry (i, j, a, c) is the answer of output a at input i to a step on output c at input j.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from tqdm.auto import tqdm

from kbe.checks import Positive, Shaped, checked
from kbe.response.contraction import contracted
from kbe.response.functional import PureNetwork, slices
from kbe.response.operators import TensorOperator, jacobian_operator
from kbe.training.calling import at_once

Kernel = Annotated[np.ndarray, Shaped("... n m heads trained_heads", finite=False)]  # members that blew up have NaN


@checked
def neural_tangent_kernel(
    module: nn.Module,
    first: ArrayLike,
    second: ArrayLike | None = None,
    *,
    memory: Positive = 1e9,
    dtype: torch.dtype = torch.float64,
    tensor: bool = False,
    progress: bool = False,
    whole_batch: bool = False,
) -> Any:
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
    memory
        The bytes that Jacobians, or inputs and slopes of layers, may take at once. Where those of all inputs fit, each
        is made once. What torch takes for a pass through the module, and the result, come on top.
    dtype
        The precision of weights, inputs and result, a floating-point one.
    tensor
        Return a tensor on the module's device.
    progress
        Show a progress bar on stderr.
    whole_batch
        Take the module in the mode in which it is, as one function of all of the first inputs, and of all of the second
        ones: so must be one with batch statistics, which is refused otherwise. It must not be random.

    Returns
    -------
    numpy.ndarray or Tensor, shape (n, m, heads, heads)
        Theta, in squared units of the output per squared unit of the weights.
    """
    if whole_batch:
        inputs = {"first": first} if second is None else {"first": first, "second": second}
        return _batch_kernel(module, inputs, memory, dtype, tensor, progress)
    network = PureNetwork(module, dtype)
    return _ensemble_kernel(network, network.weights[None], first, second, False, memory, tensor, progress)[0]


@checked
def ensemble_kernel(
    module: nn.Module,
    parameters: ArrayLike,
    first: ArrayLike,
    second: ArrayLike | None = None,
    *,
    own_inputs: bool = False,
    memory: Positive = 1e9,
    dtype: torch.dtype = torch.float64,
    tensor: bool = False,
    progress: bool = False,
) -> Any:
    r"""The training response of many networks of one architecture, equation 3.

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
    memory, dtype, tensor, progress
        As for `neural_tangent_kernel`.

    Returns
    -------
    numpy.ndarray or Tensor, shape (members, n, m, heads, heads)
        Theta of each member.
    """
    network = PureNetwork(module, dtype)
    weights = network.stack("parameters", parameters)
    return _ensemble_kernel(network, weights, first, second, own_inputs, memory, tensor, progress)


def _ensemble_kernel(
    network: PureNetwork,
    weights: Tensor,
    first: ArrayLike,
    second: ArrayLike | None,
    own_inputs: bool,
    memory: float,
    tensor: bool,
    progress: bool,
) -> Any:
    _refuse_bfloat16(weights.dtype, tensor)
    left = network.inputs("first", first, len(weights), own_inputs)
    right = left if second is None else network.inputs("second", second, len(weights), own_inputs)
    theta = contracted(network, weights, left, right, memory, progress)
    return theta if tensor else theta.cpu().numpy()


def _batch_kernel(
    module: nn.Module, inputs: Mapping[str, ArrayLike], memory: float, dtype: torch.dtype, tensor: bool, progress: bool
) -> Any:
    """The kernel of a module that is one function of all inputs: rows of its Jacobians, as many as the memory takes."""
    _refuse_bfloat16(dtype, tensor)
    network = PureNetwork(module, dtype, whole_batch=True)
    sets = [network.inputs(name, x)[0] for name, x in inputs.items()]
    jacobians = [jacobian_operator(module, x, dtype=dtype, whole_batch=True) for x in sets]
    left, right = jacobians[0], jacobians[-1]
    most = max(left.shape[0], right.shape[0])
    fitting = min(most, max(1, int(memory / (2 * left.shape[1] * network.weights.itemsize))))
    bands = []
    for i in tqdm([*slices(left.shape[0], fitting)], disable=not progress, unit="block", desc="tangent kernel"):
        one = _rows(left, i)
        others = (one if left is right and i == j else _rows(right, j) for j in slices(right.shape[0], fitting))
        bands.append(torch.cat([one @ other.mT for other in others], 1))
    theta = torch.cat(bands).to(dtype).unflatten(1, (len(sets[-1]), -1)).unflatten(0, (len(sets[0]), -1))
    return theta.transpose(1, 2) if tensor else theta.transpose(1, 2).cpu().numpy()


def _rows(jacobian: TensorOperator, some: slice) -> Tensor:
    return (jacobian.T @ torch.eye(jacobian.shape[0])[:, some].double()).mT


def _refuse_bfloat16(dtype: torch.dtype, tensor: bool) -> None:
    if not tensor and dtype == torch.bfloat16:
        raise ValueError("dtype is torch.bfloat16, which NumPy has not: it must come with tensor=True.")


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
    memory: Positive = 1e9,
    dtype: torch.dtype = torch.float64,
) -> np.ndarray:
    r"""The training response measured by taking the step, Eq. (1), (2).

    .. math:: \frac{f_a\big(x; w - \eta\, \partial f_c(x')/\partial w\big) - f_a(x; w)}{-\eta}

    with eta the `learning_rate`. Each training input and head gets one step of gradient descent of its own from
    the same weights, on a loss whose derivative in that output is one. For a small learning rate the answer
    tends to `neural_tangent_kernel`, with an error proportional to the learning rate.

    Parameters
    ----------
    module, first, second, memory, dtype
        As for `neural_tangent_kernel`.

    Returns
    -------
    numpy.ndarray, shape (n, m, heads, heads)
        The measured response, in the units of `neural_tangent_kernel`.
    """
    network = PureNetwork(module, dtype)
    left = network.inputs("first", first)
    right = left if second is None else network.inputs("second", second)
    heads = network.heads(left)
    trained_heads = heads if second is None else network.heads(right)
    outputs, responses = at_once(network.outputs, (0, None)), []
    with network.settled():
        before = network.outputs(network.weights, left[0])
        for some in slices(right.shape[1], network.block(heads, memory)):
            slopes = network.jacobian(network.weights[None], right[:, some])[0].flatten(0, 1)
            after = outputs(network.weights - learning_rate * slopes, left[0])
            responses.append(((after - before) / -learning_rate).unflatten(0, (-1, trained_heads)))
    return torch.cat(responses).permute(2, 0, 3, 1).detach().cpu().numpy()
