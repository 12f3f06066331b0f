r"""The Jacobian of a module and its training response as operators: products with vectors, never the matrix.

With n inputs, h heads and p trained weights the Jacobian takes n h p numbers and Theta (n h)^2; a product with either
takes a few times what the module takes to go through the inputs, and the memory of one batch. To have the matrix itself
is worth it where it fits into memory and is used more than some n h times: `tangent_kernel` has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.sparse.linalg import LinearOperator
from torch import Tensor, nn
from torch.func import vjp

from kbe.checks import Count, checked
from kbe.refusals import told
from kbe.response.batches import Batches
from kbe.response.functional import PureNetwork
from kbe.training.calling import at_once

HELD_NUMBERS = 2**18  # in the columns that are multiplied at once, and in the Jacobians that are held at once

Product = Callable[[Tensor], Tensor]


class TensorOperator(LinearOperator):
    """A real linear operator that multiplies NumPy arrays, and torch tensors on the device where they are.

    It is a `scipy.sparse.linalg.LinearOperator`, so that SciPy's solvers take it. `operator @ v` and `operator.T @ u`
    are of the kind of v and u: arrays for arrays, tensors for tensors, of one or of several columns. Half precision is
    rounded in the module; what is summed and handed back is float32.

    Parameters
    ----------
    shape
        Rows and columns.
    forward, backward
        What multiplies a stack of vectors, (count, columns) to (count, rows), and its transpose.
    like
        A tensor of the precision and on the device of the computation.
    together
        The number of vectors that are multiplied at once.

    Attributes
    ----------
    precision : float
        The relative rounding error of a single number in the computation.
    """

    def __init__(
        self, shape: tuple[int, int], forward: Product, backward: Product, like: Tensor, together: int | None = None
    ) -> None:
        self._forward, self._backward, self._like = forward, backward, like
        self._together = together or max(1, HELD_NUMBERS // max(shape))
        self.precision = torch.finfo(like.dtype).eps
        super().__init__(torch.empty(0, dtype=_summed(like.dtype)).numpy().dtype, shape)

    def dot(self, x: Any) -> Any:
        """The product with an array, a tensor, a number or another operator.

        Raises
        ------
        ValueError
            If a tensor has not as many rows as this has columns.
        """
        if isinstance(x, TensorOperator) and x.shape[0] == self.shape[1]:
            first, second = (lambda v: self._forward(x._forward(v))), (lambda v: x._backward(self._backward(v)))
            together = min(self._together, x._together)
            return TensorOperator((self.shape[0], x.shape[1]), first, second, self._like, together)
        if not isinstance(x, Tensor):
            return super().dot(x)
        if x.ndim not in (1, 2) or len(x) != self.shape[1]:
            raise ValueError(f"The vector has shape {tuple(x.shape)}: it must have {self.shape[1]} rows.")
        product = self._multiplied(x.mT if x.ndim == 2 else x[None])
        return (product.mT if x.ndim == 2 else product[0]).to(x.device)

    def _multiplied(self, vectors: Tensor) -> Tensor:
        vectors = vectors.detach().to(self._like.device, _summed(self._like.dtype))
        return torch.cat([self._forward(some) for some in vectors.split(self._together)])

    def _matmat(self, X: np.ndarray) -> np.ndarray:
        return self._multiplied(torch.as_tensor(np.ascontiguousarray(X.T))).cpu().numpy().T

    def _adjoint(self) -> TensorOperator:
        return TensorOperator(self.shape[::-1], self._backward, self._forward, self._like, self._together)

    _transpose = _adjoint


def _summed(dtype: torch.dtype) -> torch.dtype:
    """The precision in which numbers of a type are summed: float32 at least."""
    return torch.promote_types(dtype, torch.float32)


@checked
def jacobian_operator(
    module: nn.Module,
    inputs: ArrayLike | Iterable,
    *,
    block: Count = 1024,
    whole_batch: bool = False,
    dtype: torch.dtype = torch.float64,
) -> TensorOperator:
    r"""The Jacobian J of a module's outputs in its trained weights, at its present ones.

    .. math:: (J v)_{ia} = \sum_p \frac{\partial f_a(x_i)}{\partial w_p} v_p, \qquad
              (J^\top u)_p = \sum_i \sum_a u_{ia} \frac{\partial f_a(x_i)}{\partial w_p}

    A product goes through the inputs once: J' u by a reverse derivative, J v by a reverse derivative of that.

    Parameters
    ----------
    module
        As for `neural_tangent_kernel`. Its weights are those of this moment: later changes do not enter.
    inputs : array, shape (n, ...), or iterable of batches
        The inputs x. Batches, of inputs or of pairs that begin with them, may come from whatever can be iterated over
        several times in one order, such as a list or a `DataLoader` that does not shuffle.
    block
        The number of inputs that go through the module at once, where they come as one array. Memory grows with it.
    whole_batch
        Take the module in the mode in which it is, as one function of all inputs of an array, or of each batch: so must
        be one with batch statistics, which is refused otherwise.
    dtype
        The precision of weights, inputs and products, a floating-point one.

    Returns
    -------
    TensorOperator, shape (n * heads, trained weights)
        Row i * heads + a is output a at input i; the columns are the weights that require a gradient, in the order of
        `module.parameters()`.

    Raises
    ------
    ValueError
        If inputs that are iterated over come but once or in another order in another pass, or the module cannot be
        differentiated.

    Examples
    --------
    The Jacobian of a linear module is its inputs.

    >>> jacobian = jacobian_operator(nn.Linear(2, 1, bias=False), [[1, 0], [1, 1], [0, 2]])
    >>> jacobian @ np.array([1.0, 10.0])
    array([ 1., 11., 20.])
    >>> jacobian.T @ np.array([1.0, 10.0, 100.0])
    array([ 11., 210.])
    """
    network = PureNetwork(module, dtype, whole_batch=whole_batch)
    batches = Batches(network, "inputs", inputs, block=None if whole_batch else block)
    heads, trained = network.heads(batches.first[0][None]), network.trained.nonzero()[:, 0]
    _examine(network, batches.first[0] if whole_batch else batches.first[0][:1])

    def forward(vectors: Tensor) -> Tensor:
        moves = scattered(network, trained, vectors)
        return torch.cat([_pushed(network, x, moves) for (x,) in batches], 1).flatten(1).to(vectors)

    def backward(vectors: Tensor) -> Tensor:
        total, start = vectors.new_zeros(len(vectors), len(trained)), 0
        for (x,) in batches:
            cotangents = vectors.unflatten(1, (-1, heads))[:, start : start + len(x)]
            total += _pulled(network, x, cotangents.to(network.weights))[:, trained]
            start += len(x)
        return total

    return TensorOperator((batches.points * heads, len(trained)), forward, backward, network.weights)


@checked
def kernel_operator(
    module: nn.Module,
    inputs: ArrayLike | Iterable,
    *,
    block: Count = 1024,
    whole_batch: bool = False,
    dtype: torch.dtype = torch.float64,
) -> TensorOperator:
    r"""The training response Theta over all inputs and heads, the sum of Eq. (4), without ever building it.

    .. math:: (\Theta v)_a(x_i) = \sum_j \sum_c \Theta_{ac}(x_i, x_j) \, v_c(x_j), \qquad \Theta = J J^\top

    A product goes through the inputs twice. Between two sets of inputs it is
    `jacobian_operator(module, first) @ jacobian_operator(module, second).T`.

    Parameters
    ----------
    module, inputs, block, whole_batch, dtype
        As for `jacobian_operator`.

    Returns
    -------
    TensorOperator, shape (n * heads, n * heads)
        Rows and columns in the order of `gram_matrix`.

    Examples
    --------
    The kernel of a linear module is that of the inner products of its inputs.

    >>> inputs = [[1, 0], [1, 1], [0, 2]]
    >>> kernel_operator(nn.Linear(2, 1, bias=False), inputs) @ np.ones(3)
    array([2., 5., 6.])
    """
    jacobian = jacobian_operator(module, inputs, block=block, whole_batch=whole_batch, dtype=dtype)
    return jacobian @ jacobian.T


@checked
def kernel_diagonal(
    module: nn.Module,
    inputs: ArrayLike | Iterable,
    *,
    dtype: torch.dtype = torch.float64,
) -> np.ndarray:
    r"""The diagonal of Theta, exactly; its sum is the trace.

    .. math:: \Theta_{aa}(x_i, x_i) = \sum_p \Big(\frac{\partial f_a(x_i)}{\partial w_p}\Big)^2

    It takes a reverse derivative for each input and head. Where those are too many, `trace_estimate` and
    `diagonal_estimate` of `kernel_operator` take two for each probe over all inputs.

    Parameters
    ----------
    module, inputs, dtype
        As for `jacobian_operator`.

    Returns
    -------
    numpy.ndarray, shape (n, heads)
        In the units of `neural_tangent_kernel`.

    Examples
    --------
    >>> kernel_diagonal(nn.Linear(2, 1, bias=False), [[1, 0], [1, 1], [0, 2]]).ravel()
    array([1., 2., 4.])
    """
    network = PureNetwork(module, dtype)
    batches = Batches(network, "inputs", inputs, block=1024)
    rows = max(1, HELD_NUMBERS // (network.heads(batches.first[0][None]) * len(network.weights)))
    squares = []
    for x in (piece for (whole,) in batches for piece in whole.split(rows)):
        with network.settled():
            squares.append(network.jacobian(network.weights[None], x[None])[0].to(_summed(dtype)).square().sum(-1))
    return torch.cat(squares).cpu().numpy()


@checked
def scattered(network: PureNetwork, trained: Tensor, vectors: Tensor) -> Tensor:
    """Vectors over the trained weights (count, trained) as vectors over all (count, weights), zero in the others."""
    zeros = network.weights.new_zeros(len(vectors), len(network.weights))
    return zeros.index_copy(1, trained, vectors.to(zeros))


@checked
def each(product: Callable, vectors: Tensor) -> Tensor:
    """A product with a vector for each of a stack of them, at once where torch can do that."""
    return at_once(product, (0,))(vectors) if len(vectors) > 1 else product(vectors[0])[None]


def _pulled(network: PureNetwork, x: Tensor, cotangents: Tensor) -> Tensor:
    """J' u of one batch, (count, points, heads) to (count, weights)."""
    with network.settled(), torch.enable_grad(), told("module cannot be differentiated"):
        weights = network.weights.clone().requires_grad_()
        outputs = network.outputs(weights, x)
        return each(lambda u: torch.autograd.grad(outputs, weights, u, retain_graph=True)[0], cotangents)


def _pushed(network: PureNetwork, x: Tensor, moves: Tensor) -> Tensor:
    """J v of one batch, (count, weights) to (count, points, heads): the slope in u of <J' u, v>, which is linear in u.

    A forward derivative costs the same, is not there for every module, and loads torch's compiler.
    """
    with network.settled(), torch.enable_grad(), told("module cannot be differentiated"):
        weights = network.weights.clone().requires_grad_()
        outputs = network.outputs(weights, x)
        u = torch.zeros_like(outputs).requires_grad_()
        pulled = torch.autograd.grad(outputs, weights, u, create_graph=True)[0]
        return each(lambda v: torch.autograd.grad(pulled, u, v, retain_graph=True)[0], moves)


def _examine(network: PureNetwork, x: Tensor) -> None:
    """Refuse what torch.func cannot differentiate twice: else a part could be left out unseen."""
    with network.settled(), told("module cannot be differentiated"):
        outputs, pull = vjp(partial(network.outputs, x=x), network.weights)  # type: ignore[misc]
        vjp(lambda u: pull(u)[0], outputs)[1](network.weights)
