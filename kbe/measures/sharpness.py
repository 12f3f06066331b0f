"""The curvature of the loss in a network's weights; the largest one, the sharpness, bounds a stable learning rate."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.func import grad, vjp

from kbe import losses
from kbe.checks import Array, Count, Shaped, checked
from kbe.refusals import told
from kbe.response.batches import Batches
from kbe.response.estimates import DENSE, largest_eigenpairs
from kbe.response.functional import PureNetwork
from kbe.response.operators import HELD_NUMBERS, TensorOperator, each, scattered
from kbe.training.examination import examined_loss

BLOCK = 1024  # points that go through a module at once


@checked
def sharpness(
    module: nn.Module,
    parameters: Annotated[np.ndarray, Shaped("members parameters", finite=False)],
    x: Array,
    y: Annotated[np.ndarray, Shaped("members points")],
    loss: Callable = losses.gaussian_nll,
    *,
    reduction: Literal["mean", "sum"] = "mean",
) -> np.ndarray:
    r"""The largest curvature of the training loss, by default that of equation 8, in the trained weights.

    .. math:: \lambda_{\max}\big( \partial^2 L / \partial w^2 \big)

    A small error along its direction is multiplied by :math:`1 - \eta \lambda_{\max}` in a step of gradient
    descent: it grows, with its sign changing from step to step, once :math:`\eta \lambda_{\max}` exceeds 2.
    Largest means greatest on the real line, even if another eigenvalue is farther below zero.

    Up to 512 trained weights it comes from the whole Hessian, beyond from Lanczos iterations. For more
    eigenvalues, their vectors, data in batches or another precision see `hessian_operator`.

    Parameters
    ----------
    module
        The architecture; its own weights do not matter.
    parameters
        A flat weight vector for each member, in the order of `module.parameters()`, and after it what the
        member's buffers hold. Only weights that require a gradient have a curvature.
    x, y
        Each member's inputs, shape (members, points, ...), and their targets.
    loss
        A function of output and target, one value a point, as for `ensemble.train`. What it detaches counts as
        fixed, so that for such a loss, as `beta_nll`, the curvature does not bound the learning rate.
    reduction
        How the loss is taken over the points.

    Returns
    -------
    numpy.ndarray, shape (members,)
        The curvature, in the unit of the loss; NaN where weights or curvature are not finite.

    Raises
    ------
    ValueError
        If `y` has not a target for each input, or Lanczos iterations do not converge.
    """
    network = PureNetwork(module)
    weights = network.stack("parameters", parameters)
    inputs = network.inputs("x", x, len(weights), own=True)
    targets = torch.as_tensor(y).to(weights)
    if targets.shape != inputs.shape[:2]:
        raise ValueError(f"y has shape {tuple(targets.shape)}: it must be {tuple(inputs.shape[:2])}, as x has points.")
    _examine(network, loss, inputs[0], targets[0])

    def largest(weights: Tensor, x: Tensor, y: Tensor) -> float:
        if not weights.isfinite().all():
            return np.nan
        batches = list(zip(x.split(BLOCK), y.split(BLOCK), strict=True))
        hessian = _hessian(network, weights, batches, len(x), loss, reduction)
        small = hessian.shape[0] <= DENSE
        product = hessian @ (torch.eye if small else torch.ones)(hessian.shape[0]).to(weights)
        if not product.isfinite().all():
            return np.nan
        return float(torch.linalg.eigvalsh(product)[-1] if small else largest_eigenpairs(hessian).value[0])

    return np.array([largest(*member) for member in zip(weights, inputs, targets, strict=True)])


@checked
def hessian_operator(
    module: nn.Module,
    x: ArrayLike | Iterable,
    y: ArrayLike | None = None,
    loss: Callable = losses.gaussian_nll,
    *,
    reduction: Literal["mean", "sum"] = "mean",
    block: Count = BLOCK,
    dtype: torch.dtype = torch.float64,
) -> TensorOperator:
    r"""The Hessian of the loss in a module's trained weights, at its present ones, without ever building it.

    .. math:: (H v)_p = \sum_q \frac{\partial^2 L}{\partial w_p \partial w_q} v_q

    A product is a reverse derivative of a reverse derivative: it goes through the data once, takes a few times what
    the gradient takes, and the memory of one batch. The whole Hessian takes a product for each trained weight.

    Parameters
    ----------
    module
        As for `neural_tangent_kernel`. Its weights are those of this moment: later changes do not enter.
    x : array, shape (n, ...), or iterable of batches
        The inputs; or batches, each a pair of inputs and targets, from whatever can be iterated over several times,
        such as a list or a `DataLoader`. The points must be the same each time; their order does not matter.
    y : array, shape (n, ...)
        The targets, where x is an array. Whole numbers stay such, as labels of classes must.
    loss
        A function of output and target, one value a point, as for `ensemble.train`.
    reduction
        How the loss is taken over all points.
    block
        The number of points that go through the module at once, where they come as one array. Memory grows with it.
    dtype
        The precision of weights, inputs and products, a floating-point one.

    Returns
    -------
    TensorOperator, shape (trained weights, trained weights)
        Rows and columns are the weights that require a gradient, in the order of `module.parameters()`.

    Raises
    ------
    ValueError
        If x or y are not what they must be, or module or loss cannot be differentiated twice.

    Examples
    --------
    The squared error of a linear module has the mean product of its inputs; its largest eigenvalue is the sharpness.

    >>> module, x = nn.Linear(2, 1, bias=False), [[1, 0], [0, 2]]
    >>> hessian = hessian_operator(module, x, [0.0, 0.0], losses.squared_error)
    >>> hessian @ np.array([1.0, 1.0])
    array([0.5, 2. ])
    >>> largest_eigenpairs(hessian).value.values
    array([2.])
    """
    network = PureNetwork(module, dtype)
    batches = Batches(network, "x", x, y, block=block, paired=True)
    _examine(network, loss, *batches.first)
    return _hessian(network, network.weights, batches, batches.points, loss, reduction)


def _examine(network: PureNetwork, loss: Callable, x: Tensor, y: Tensor) -> None:
    """Refuse a loss that has not a value for each point, and what torch.func cannot differentiate twice.

    Of a function that hides its slope from torch the products below would silently leave out a part.
    """
    with network.settled():
        with torch.enable_grad():
            examined_loss(loss, network.outputs(network.weights.clone().requires_grad_(), x), y)
        with told("module or loss cannot be differentiated twice"):
            slope = grad(lambda weights: loss(network.outputs(weights, x[:1]), y[:1]).sum())
            vjp(slope, network.weights)[1](network.weights)


def _hessian(
    network: PureNetwork,
    weights: Tensor,
    batches: Iterable[tuple[Tensor, ...]],
    points: int,
    loss: Callable,
    reduction: str,
) -> TensorOperator:
    trained, share = network.trained.nonzero()[:, 0], 1 / points if reduction == "mean" else 1.0

    def product(vectors: Tensor) -> Tensor:
        moves, total = scattered(network, trained, vectors), torch.zeros_like(vectors)
        for x, y in batches:
            with network.settled(), torch.enable_grad(), told("module or loss cannot be differentiated twice"):
                held = weights.clone().requires_grad_()
                (slope,) = torch.autograd.grad(loss(network.outputs(held, x), y).sum(), held, create_graph=True)
                if slope.requires_grad:  # else the loss is linear in all weights
                    total += each(partial(_bend, slope, held), moves)[:, trained]
        return total * share

    together = max(1, HELD_NUMBERS // max(len(trained), min(BLOCK, points)))
    return TensorOperator((len(trained),) * 2, product, product, weights, together)


def _bend(slope: Tensor, weights: Tensor, move: Tensor) -> Tensor:
    return torch.autograd.grad(slope, weights, move, retain_graph=True, materialize_grads=True)[0]
