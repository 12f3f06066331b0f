"""What the training response predicts of a training: one step, or many with the response held constant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn

from kbe import losses
from kbe.checks import Count, PointVector, Positive, Shaped, checked
from kbe.refusals import told
from kbe.response.functional import PureNetwork
from kbe.response.tangent_kernel import gram_matrix, neural_tangent_kernel
from kbe.training.examination import examined_loss


@checked
def predicted_change(
    kernel: Annotated[np.ndarray, Shaped("... n m heads trained_heads")],
    loss_gradient: Annotated[np.ndarray, Shaped("... m trained_heads")],
    learning_rate: Positive,
    reduction: Literal["mean", "sum"] = "mean",
) -> np.ndarray:
    r"""What one step of gradient descent on all points does to the outputs, to first order, Eq. (4).

    .. math:: \Delta f_a(x) = -\eta \sum_j \sum_c \Theta_{ac}(x, x_j) \frac{\partial L}{\partial f_c(x_j)}

    Parameters
    ----------
    kernel
        Theta, (..., n, m, heads, heads), between the watched inputs x and the training inputs x_j.
    loss_gradient
        The derivative of each training point's own loss in the outputs there, (..., m, heads).
    learning_rate
        The size eta of the step.
    reduction
        Whether the step is on the mean of the points' losses or on their sum. The paper's equation
        shows the sum; a trainer usually takes the mean, which divides by m.

    Returns
    -------
    numpy.ndarray, shape (..., n, heads)
        The change of the outputs, in their units.

    Raises
    ------
    ValueError
        If the dimensions before these differ.
    """
    if kernel.shape[:-4] != loss_gradient.shape[:-2]:
        raise ValueError(
            f"kernel has shape {kernel.shape} and loss_gradient {loss_gradient.shape}: "
            "they must be (..., n, m, heads, heads) and (..., m, heads)."
        )
    points = loss_gradient.shape[-2] if reduction == "mean" else 1
    return -learning_rate / points * np.einsum("...ijac,...jc->...ia", kernel, loss_gradient)


@checked
def linearised_training(
    module: nn.Module,
    x: ArrayLike,
    y: PointVector,
    loss: Callable = losses.gaussian_nll,
    watched: ArrayLike | None = None,
    *,
    learning_rate: Positive = 0.1,
    steps: Count = 1,
    reduction: Literal["mean", "sum"] = "mean",
    dtype: torch.dtype = torch.float64,
) -> np.ndarray:
    r"""The outputs under gradient descent on a module that is linear in its weights about where they are.

    .. math:: f_{t+1}(x) = f_t(x) - \eta \sum_j \Theta_0(x, x_j) \frac{\partial L(f_t(x_j), y_j)}{\partial f}

    Equation 4 at every step with the response of the start, as equation 12 has it for the squared error. The first step
    is that of the module itself, to first order in the learning rate eta.

    Parameters
    ----------
    module, dtype
        As for `neural_tangent_kernel`.
    x : array, shape (m, ...)
        The training inputs x_j.
    y
        Their targets.
    loss
        A function of output and target, one value a point, as for `ensemble.train`.
    watched : array, shape (n, ...), or None
        The inputs at which the outputs are wanted; None means the training inputs.
    learning_rate
        eta.
    steps
        How many steps are taken.
    reduction
        How the loss is taken over the points.

    Returns
    -------
    numpy.ndarray, shape (steps + 1, n, heads)
        The outputs before and after each step; NaN from where on the loss is not finite.

    Raises
    ------
    ValueError
        If `y` has not a target for each input.

    Examples
    --------
    A linear module is its own linearisation: half of the error is left after each step.

    >>> module = nn.Linear(1, 1, bias=False)
    >>> _ = nn.init.zeros_(module.weight)
    >>> linearised_training(module, [[1.0]], [8.0], losses.squared_error, learning_rate=0.5, steps=3).ravel()
    array([0., 4., 6., 7.])
    """
    network = PureNetwork(module, dtype)
    trained = network.inputs("x", x)[0]
    places = [trained] if watched is None else [trained, network.inputs("watched", watched)[0]]
    targets, points = torch.as_tensor(y).to(trained), len(trained)
    if len(targets) != points:
        raise ValueError(f"y has shape {tuple(targets.shape)}: it must be ({points},), as x has points.")
    rate = learning_rate / (points if reduction == "mean" else 1)
    with network.settled(), torch.enable_grad():
        now = torch.cat([network.outputs(network.weights, place) for place in places]).detach()
        examined_loss(loss, now[:points].clone().requires_grad_(), targets)
    theta = np.concatenate([neural_tangent_kernel(module, place, trained, dtype=dtype) for place in places])
    response, path = torch.as_tensor(gram_matrix(theta)).to(now), [now]
    with network.settled(), torch.enable_grad(), told("loss cannot be differentiated"):
        for _ in range(steps):
            outputs = path[-1][:points].clone().requires_grad_()
            total = loss(outputs, targets).sum()
            (slope,) = torch.autograd.grad(total, outputs)
            slope = slope + 0 * total.detach()  # the logarithm of a negative deviation has a slope, but no value
            path.append(path[-1] - rate * (response @ slope.flatten()).view_as(now))
    return torch.stack(path)[:, 0 if watched is None else points :].cpu().numpy()
