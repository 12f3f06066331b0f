"""What a training method makes of the response: its own factor beside that of the network (equation 4)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn

from kbe import checks, losses, response
from kbe.functional import PureNetwork


def method_factor(
    module: nn.Module,
    before: ArrayLike,
    after: ArrayLike,
    x: ArrayLike,
    y: ArrayLike,
    learning_rate: float,
    loss: Callable = losses.squared_error,
) -> tuple[np.ndarray, np.ndarray]:
    r"""How many times as far a method moves the outputs as a step of gradient descent would, Eq. (4).

    .. math::
        G = \frac{\Delta \cdot P}{P \cdot P}, \qquad
        P(x_i) = -\frac{\eta}{N} \sum_j \Theta(x_i, x_j) \frac{\partial L}{\partial f_j}

    P is the change of the outputs that one full-batch step makes to first order, :math:`\Delta` the change that did
    happen, at the training inputs.

    Parameters
    ----------
    module : torch.nn.Module
        The architecture; its own weights do not matter.
    before, after : array, shape (members, parameters)
        Flat weight vectors before and after, for example, an epoch of the method.
    x : array, shape (members, n, ...)
        The training inputs.
    y : array, shape (members, n)
        Their targets.
    learning_rate : float
        eta, whatever the method does with it.
    loss : callable
        A function of output and target, one value a point, of which training takes the mean.

    Returns
    -------
    pair of numpy.ndarray, shape (members,)
        G, and the cosine between the two changes: far from 1, one number does not describe the method. NaN where
        nothing moves or is not finite.

    Raises
    ------
    ValueError
        If the shapes do not fit or the learning rate is not positive.
    """
    rate = checks.number("learning_rate", learning_rate, above=0)
    network = PureNetwork(module)
    stacks = network.stack("before", before), network.stack("after", after)
    inputs = network.inputs("x", x, len(stacks[0]), own=True)
    targets = torch.as_tensor(checks.array("y", y, 2)).to(inputs)
    if len(stacks[1]) != len(stacks[0]) or targets.shape != inputs.shape[:2]:
        raise ValueError(
            f"before has {len(stacks[0])} members, after {len(stacks[1])}, x shape {tuple(inputs.shape)} and y "
            f"{tuple(targets.shape)}: they must agree."
        )
    with network.threads():
        now, later = (torch.func.vmap(network.outputs)(weights, inputs).detach() for weights in stacks)
        slope = torch.func.grad(lambda output: loss(output, targets).sum())(now)
    theta = response.ensemble_kernel(module, stacks[0].numpy(), inputs.numpy(), own_inputs=True)
    finite = np.isfinite(theta).all((1, 2, 3, 4)) & now.isfinite().all(2).all(1).numpy()
    step = np.full(now.shape, np.nan)
    step[finite] = response.predicted_change(theta[finite], slope[finite].numpy(), rate)
    change = (later - now).numpy()
    along, own, other = ((a * b).sum((1, 2)) for a, b in ((change, step), (step, step), (change, change)))
    with np.errstate(invalid="ignore", divide="ignore"):
        return along / own, along / np.sqrt(own * other)
