"""The sharpness: the largest curvature of the loss in a network's weights, which bounds a stable learning rate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import grad, jacrev

from kbe import losses
from kbe.checks import Array, Shaped, checked
from kbe.response.functional import PureNetwork
from kbe.training.calling import told
from kbe.training.examination import examined_loss


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
    r"""The largest curvature of the training loss, by default that of equation 8, in the weights.

    .. math:: \lambda_{\max}\big( \partial^2 L / \partial w^2 \big)

    A small error along its direction is multiplied by :math:`1 - \eta \lambda_{\max}` in a step of gradient
    descent: it grows, with its sign changing from step to step, once :math:`\eta \lambda_{\max}` exceeds 2.

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
        A function of output and target, one value a point, as for `ensemble.train`.
    reduction
        How the loss is taken over the points.

    Returns
    -------
    numpy.ndarray, shape (members,)
        The curvature, in the unit of the loss; NaN where weights or curvature are not finite.

    Raises
    ------
    ValueError
        If `y` has not a target for each input.
    """
    network = PureNetwork(module)
    weights = network.stack("parameters", parameters)
    inputs = network.inputs("x", x, len(weights), own=True)
    targets = torch.as_tensor(y).to(weights)
    if targets.shape != inputs.shape[:2]:
        raise ValueError(f"y has shape {tuple(targets.shape)}: it must be {tuple(inputs.shape[:2])}, as x has points.")
    with network.settled():
        examined_loss(loss, network.outputs(network.weights.clone().requires_grad_(), inputs[0]), targets[0])
    reduce, trained = getattr(torch, reduction), network.trained.nonzero()[:, 0]

    def total(moving: Tensor, weights: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return reduce(loss(network.outputs(weights.index_copy(0, trained, moving), x), y))

    def largest(weights: Tensor, x: Tensor, y: Tensor) -> float:
        if not weights.isfinite().all():
            return np.nan
        matrix = hessian(weights[trained], weights, x, y).detach()
        return float(torch.linalg.eigvalsh(matrix)[-1]) if matrix.isfinite().all() else np.nan

    # Member by member: a Hessian over stacked members is far slower than one after the other.
    hessian = jacrev(grad(total))
    with network.settled(), told("module or loss cannot be differentiated twice"):
        return np.array([largest(*member) for member in zip(weights, inputs, targets, strict=True)])
