"""Networks with one hidden layer, whose training response splits into factors that can be read off (equations 3, 4).

The network is `AverageNetwork(layers=1, kernel_size=bits, padding="valid", channels=width)`: every hidden
unit sees the whole input. Weights are flat vectors as `ensemble.train(..., keep_parameters=True)` keeps them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.func import jvp

from kbe import checks, losses
from kbe.networks import ACTIVATIONS, HEADS
from kbe.response import tangent_kernel
from kbe.response.functional import PureNetwork


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
    theta = tangent_kernel.ensemble_kernel(module, stacks[0].numpy(), inputs.numpy(), own_inputs=True)
    finite = np.isfinite(theta).all((1, 2, 3, 4)) & now.isfinite().all(2).all(1).numpy()
    step = np.full(now.shape, np.nan)
    step[finite] = tangent_kernel.predicted_change(theta[finite], slope[finite].numpy(), rate)
    change = (later - now).numpy()
    along, own, other = ((a * b).sum((1, 2)) for a, b in ((change, step), (step, step), (change, change)))
    with np.errstate(invalid="ignore", divide="ignore"):
        return along / own, along / np.sqrt(own * other)


class Weights(NamedTuple):
    """The weights by their places: W (..., width, bits), c and a (..., width), b (...)."""

    hidden: np.ndarray
    offset: np.ndarray
    readout: np.ndarray
    bias: np.ndarray


def split(parameters: ArrayLike, bits: int) -> Weights:
    r"""A flat weight vector as the four weights of the network, Eq. (9)-(11) with a single layer.

    .. math:: f(x) = p\big(a \cdot R(W x + c) + b\big)

    Parameters
    ----------
    parameters : array, shape (..., parameters)
        In the order of `module.parameters()`.
    bits : int
        The length of an input.

    Returns
    -------
    Weights
        Views of the same numbers.

    Raises
    ------
    ValueError
        If no network with one hidden layer and this length of input has so many parameters.
    """
    flat = checks.array("parameters", parameters, finite=False)
    checks.integer("bits", bits, 1)
    width, rest = divmod(flat.shape[-1] - 1 if flat.ndim else 0, bits + 2)
    if width < 1 or rest:
        raise ValueError(
            f"parameters has shape {flat.shape}: one hidden layer on {bits} bits has a multiple of {bits + 2}, plus 1."
        )
    hidden, offset, readout, bias = np.split(flat, np.cumsum([width * bits, width, width]), axis=-1)
    return Weights(hidden.reshape(*flat.shape[:-1], width, bits), offset, readout, bias[..., 0])


def features(parameters: ArrayLike, inputs: ArrayLike, activation: str = "elu") -> np.ndarray:
    """The hidden units' outputs R(W x + c), the function f of Eq. (6).

    Parameters
    ----------
    parameters : array, shape (..., parameters)
        Flat weight vectors.
    inputs : array, shape (..., n, bits)
        The inputs; their leading dimensions broadcast against those of the parameters.
    activation : str
        R, a name in `networks.ACTIVATIONS`.

    Returns
    -------
    numpy.ndarray, shape (..., n, width)
        The features.

    Raises
    ------
    ValueError
        If the shapes do not fit or the activation is unknown.
    """
    weights, x = _weights_and_inputs(parameters, inputs)
    return _with_slope(_activation(activation), _preactivation(weights, x))[0]


def outputs(parameters: ArrayLike, inputs: ArrayLike, *, activation: str = "elu", mean: str = "sigmoid") -> np.ndarray:
    """The network's outputs, Eq. (6).

    Parameters
    ----------
    parameters : array, shape (..., parameters)
        Flat weight vectors.
    inputs : array, shape (..., n, bits)
        The inputs.
    activation, mean : str
        As for `response_factors`.

    Returns
    -------
    numpy.ndarray, shape (..., n)
        The mean of each input.

    Raises
    ------
    ValueError
        If the shapes do not fit or an activation is unknown.
    """
    checks.choice("mean", mean, HEADS)
    weights, _ = _weights_and_inputs(parameters, inputs)
    return _with_slope(HEADS[mean], _before_head(weights, features(parameters, inputs, activation)))[0]


def response_factors(
    parameters: ArrayLike,
    first: ArrayLike,
    second: ArrayLike | None = None,
    *,
    activation: str = "elu",
    mean: str = "sigmoid",
) -> xr.Dataset:
    r"""The training response of one hidden layer in its factors, Eq. (3); an identity, not an approximation.

    .. math::
        \Theta(x, x') = p'(x)\, p'(x') \Big[ 1 + R(x) \cdot R(x')
        + (1 + x \cdot x') \sum_k a_k^2 R'_k(x) R'_k(x') \Big]

    Parameters
    ----------
    parameters : array, shape (..., parameters)
        Flat weight vectors.
    first : array, shape (..., n, bits)
        The inputs x at which the output is watched.
    second : array, shape (..., m, bits), or None
        The inputs x' on which the network is trained; None means the first ones.
    activation : str
        R, a name in `networks.ACTIVATIONS`.
    mean : str
        The head's activation p, a name in `networks.HEADS`.

    Returns
    -------
    xarray.Dataset
        `head`, the product of the two slopes p'; `readout`, 1 + R R', what the weights behind the hidden layer
        answer; `hidden`, the third term, what those before it answer; `total`, head (readout + hidden): (..., i, j).

    Raises
    ------
    ValueError
        If the shapes do not fit or an activation is unknown.
    """
    checks.choice("mean", mean, HEADS)
    sides = []
    for inputs in (first, first if second is None else second):
        weights, x = _weights_and_inputs(parameters, inputs)
        value, slope = _with_slope(_activation(activation), _preactivation(weights, x))
        head = _with_slope(HEADS[mean], _before_head(weights, value))[1]
        sides.append((x, value, weights.readout[..., None, :] * slope, head))
    (x, left, left_slope, left_head), (z, right, right_slope, right_head) = sides
    terms = {
        "head": left_head[..., :, None] * right_head[..., None, :],
        "readout": 1 + left @ np.matrix_transpose(right),
        "hidden": (1 + x @ np.matrix_transpose(z)) * (left_slope @ np.matrix_transpose(right_slope)),
    }
    terms["total"] = terms["head"] * (terms["readout"] + terms["hidden"])
    dims = [*(f"axis_{k}" for k in range(terms["total"].ndim - 2)), "i", "j"]
    return xr.Dataset({name: (dims, value) for name, value in terms.items()})


def size_factors(
    parameters: ArrayLike, inputs: ArrayLike, *, activation: str = "elu", mean: str = "sigmoid"
) -> dict[str, np.ndarray]:
    r"""The mean response of an input to its own training, Eq. (3), as a product and sum of five factors.

    .. math::
        \langle \Theta(x, x) \rangle = P \big[ 1 + F + X A S \big], \qquad
        F = \langle |R|^2 \rangle, \quad X = \langle 1 + |x|^2 \rangle, \quad A = |a|^2

    The head's factor P and the slopes' factor S are the weighted means of :math:`p'^2` and :math:`R'^2` that make
    this exact.

    Parameters
    ----------
    parameters : array, shape (..., parameters)
        Flat weight vectors.
    inputs : array, shape (..., n, bits)
        The inputs over which the mean is taken.
    activation, mean : str
        As for `response_factors`.

    Returns
    -------
    dict of str to numpy.ndarray, shape (...)
        `size`, `head` P, `features` F, `inputs` X, `readout` A, `slope` S, and `share`, the part X A S of the bracket.

    Raises
    ------
    ValueError
        If the shapes do not fit or an activation is unknown.
    """
    checks.choice("mean", mean, HEADS)
    weights, x = _weights_and_inputs(parameters, inputs)
    value, slope = _with_slope(_activation(activation), _preactivation(weights, x))
    head = _with_slope(HEADS[mean], _before_head(weights, value))[1]
    reach = 1 + (x**2).sum(-1)
    hidden = reach * ((weights.readout[..., None, :] * slope) ** 2).sum(-1)
    bracket = 1 + (value**2).sum(-1) + hidden
    norm, size = (weights.readout**2).sum(-1), (head**2 * bracket).mean(-1)
    mean_reach = np.broadcast_to(reach.mean(-1), size.shape)
    with np.errstate(invalid="ignore"):  # without a read-out its slopes have no weight
        slopes = hidden.mean(-1) / (mean_reach * norm)
    return {
        "size": size,
        "head": size / bracket.mean(-1),
        "features": (value**2).sum(-1).mean(-1),
        "inputs": mean_reach,
        "readout": norm,
        "slope": slopes,
        "share": hidden.mean(-1) / bracket.mean(-1),
    }


def _weights_and_inputs(parameters: ArrayLike, inputs: ArrayLike) -> tuple[Weights, np.ndarray]:
    x = checks.array("inputs", inputs)
    if x.ndim < 2:
        raise ValueError(f"inputs has shape {x.shape}: it must be (..., n, bits).")
    return split(parameters, x.shape[-1]), x


def _preactivation(weights: Weights, x: np.ndarray) -> np.ndarray:
    return x @ np.matrix_transpose(weights.hidden) + weights.offset[..., None, :]


def _before_head(weights: Weights, value: np.ndarray) -> np.ndarray:
    return (value * weights.readout[..., None, :]).sum(-1) + weights.bias[..., None]


def _activation(name: str) -> Callable[[Tensor], Tensor]:
    return ACTIVATIONS[checks.choice("activation", name, ACTIVATIONS)]()


def _with_slope(function: Callable[[Tensor], Tensor], values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A function of each number alone, and its derivative."""
    at = torch.as_tensor(values)
    return tuple(part.numpy() for part in jvp(function, (at,), (torch.ones_like(at),)))
