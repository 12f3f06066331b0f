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
        A flat weight vector for each member, in the order of `module.parameters()`.
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
    reduce = getattr(torch, reduction)

    def total(w: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return reduce(loss(network.outputs(w, x), y))

    # Member by member: a Hessian over stacked members is far slower than one after the other.
    hessian = jacrev(grad(total))
    with network.threads():
        return np.array([_largest(hessian, *member) for member in zip(weights, inputs, targets, strict=True)])


def _largest(hessian: Callable[..., Tensor], weights: Tensor, x: Tensor, y: Tensor) -> float:
    if not weights.isfinite().all():
        return np.nan
    matrix = hessian(weights, x, y).detach()
    return float(torch.linalg.eigvalsh(matrix)[-1]) if matrix.isfinite().all() else np.nan
