"""Networks with one hidden layer, whose training response splits into factors that can be read off (equations 3, 4).

The network is `AverageNetwork(layers=1, kernel_size=bits, padding="valid", channels=width)`: every hidden
unit sees the whole input. Weights are flat vectors as `ensemble.train(..., keep_parameters=True)` keeps them. The
leading dimensions of weights and inputs broadcast against each other; weights that are NaN or infinite give such
numbers. The last factor is the training method's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, NamedTuple

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn
from torch.func import jvp

from kbe import losses
from kbe.checks import Array, Inputs, Positive, Shaped, checked
from kbe.networks import ACTIVATIONS, HEADS, Activation, Head
from kbe.response import evaluation, prediction, tangent_kernel

Weights = Annotated[np.ndarray, Shaped("... parameters", finite=False, broadcast=True)]
Members = Annotated[np.ndarray, Shaped("members parameters", finite=False)]


@checked
def features(parameters: Weights, inputs: Inputs, activation: Activation = "elu") -> np.ndarray:
    """The hidden units' outputs R(W x + c), the function f of equation 6, shape (..., points, width).

    Parameters
    ----------
    parameters
        Flat weight vectors, shape (..., parameters).
    inputs
        x.
    activation
        R, a name in `networks.ACTIVATIONS`.

    Raises
    ------
    ValueError
        If no network with one hidden layer and this length of input has so many parameters.
    """
    return _layers(parameters, inputs, activation, "linear").features


@checked
def outputs(
    parameters: Weights, inputs: Inputs, *, activation: Activation = "elu", mean: Head = "sigmoid"
) -> np.ndarray:
    r"""The network's outputs, equation 6, shape (..., points).

    .. math:: f(x) = p\big(a \cdot R(W x + c) + b\big)

    with the arguments of `response_factors`.

    Raises
    ------
    ValueError
        As for `features`.
    """
    return _layers(parameters, inputs, activation, mean).output


@checked
def response_factors(
    parameters: Weights,
    first: Annotated[np.ndarray, Shaped("... first bits", broadcast=True)],
    second: Annotated[np.ndarray, Shaped("... second bits", broadcast=True)] | None = None,
    *,
    activation: Activation = "elu",
    mean: Head = "sigmoid",
) -> xr.Dataset:
    r"""The training response of one hidden layer in its factors, Eq. (3); an identity, not an approximation.

    .. math::
        \Theta(x, x') = p'(x)\, p'(x') \Big[ 1 + R(x) \cdot R(x')
        + (1 + x \cdot x') \sum_k a_k^2 R'_k(x) R'_k(x') \Big]

    Parameters
    ----------
    parameters
        Flat weight vectors, shape (..., parameters).
    first
        The inputs x at which the output is watched.
    second
        The inputs x' on which the network is trained; None means the first ones.
    activation
        R, a name in `networks.ACTIVATIONS`.
    mean
        The head's activation p, a name in `networks.HEADS`.

    Returns
    -------
    xarray.Dataset
        `head`, the product of the two slopes p'; `readout`, 1 + R R', what the weights behind the hidden layer
        answer; `hidden`, the third term, what those before it answer; `total`, head (readout + hidden): (..., i, j).

    Raises
    ------
    ValueError
        As for `features`.
    """
    second = first if second is None else second
    left, right = (_layers(parameters, x, activation, mean) for x in (first, second))
    head = left.head_slope[..., :, None] * right.head_slope[..., None, :]
    readout = 1 + left.features @ right.features.mT
    hidden = (1 + first @ second.mT) * (left.slopes @ right.slopes.mT)
    terms = {"head": head, "readout": readout, "hidden": hidden, "total": head * (readout + hidden)}
    dims = [*(f"axis_{k}" for k in range(terms["total"].ndim - 2)), "i", "j"]
    return xr.Dataset({name: (dims, value) for name, value in terms.items()})


@checked
def size_factors(
    parameters: Weights, inputs: Inputs, *, activation: Activation = "elu", mean: Head = "sigmoid"
) -> dict[str, np.ndarray]:
    r"""The mean response of an input to its own training, equation 3, as a product and sum of five factors.

    .. math::
        \langle \Theta(x, x) \rangle = P \big[ 1 + F + X A S \big], \qquad
        F = \langle |R|^2 \rangle, \quad X = \langle 1 + |x|^2 \rangle, \quad A = |a|^2

    The head's factor P and the slopes' factor S are the weighted means of :math:`p'^2` and :math:`R'^2` that make
    this exact. The mean is over the `inputs`; the other arguments are those of `response_factors`.

    Returns
    -------
    dict of str to numpy.ndarray
        `size`, `head` P, `features` F, `inputs` X, `readout` A, `slope` S, and `share`, the part X A S of the bracket,
        each of shape (...).

    Raises
    ------
    ValueError
        As for `features`.
    """
    layers = _layers(parameters, inputs, activation, mean)
    reach = 1 + (inputs**2).sum(-1)
    squares = (layers.features**2).sum(-1)
    hidden = reach * (layers.slopes**2).sum(-1)
    bracket = 1 + squares + hidden
    size, readout = (layers.head_slope**2 * bracket).mean(-1), (layers.readout**2).sum(-1)
    mean_reach = np.broadcast_to(reach.mean(-1), size.shape)
    with np.errstate(invalid="ignore"):  # without a read-out its slopes have no weight
        slope = hidden.mean(-1) / (mean_reach * readout)
    return {
        "size": size,
        "head": size / bracket.mean(-1),
        "features": squares.mean(-1),
        "inputs": mean_reach,
        "readout": readout,
        "slope": slope,
        "share": hidden.mean(-1) / bracket.mean(-1),
    }


@checked
def method_factor(
    module: nn.Module,
    before: Members,
    after: Members,
    x: Array,
    y: Annotated[np.ndarray, Shaped("members points")],
    learning_rate: Positive,
    loss: Callable = losses.squared_error,
) -> tuple[np.ndarray, np.ndarray]:
    r"""How many times as far a method moves the outputs as a step of gradient descent would, by Eq. (4).

    .. math::
        G = \frac{\Delta \cdot P}{P \cdot P}, \qquad
        P(x_i) = -\frac{\eta}{N} \sum_j \Theta(x_i, x_j) \frac{\partial L}{\partial f_j}

    P is the change of the outputs that one full-batch step makes to first order, :math:`\Delta` the change that did
    happen, at the training inputs. It is found for any network, also one of more layers.

    Parameters
    ----------
    module
        The architecture; its own weights do not matter.
    before, after
        Flat weight vectors before and after, for example, an epoch of the method.
    x
        The training inputs, shape (members, points, ...).
    y
        Their targets.
    learning_rate
        eta, whatever the method does with it.
    loss
        A function of output and target, one value a point, of which training takes the mean.

    Returns
    -------
    pair of numpy.ndarray
        G of each member, and the cosine between the two changes: far from 1, one number does not describe the method.
        NaN where nothing moves or is not finite.

    Raises
    ------
    ValueError
        If there are not as many inputs as targets.
    """
    if x.shape[:2] != y.shape:
        raise ValueError(f"x has shape {x.shape}: it must be ({y.shape[0]}, {y.shape[1]}, ...), one input a target.")
    both = (one[:, None] for one in (before, after))
    now, later = (evaluation.outputs_at(lambda: module, one, x, own_inputs=True)[:, 0] for one in both)
    targets = torch.as_tensor(y)
    slope = torch.func.grad(lambda output: loss(output, targets).sum())(torch.as_tensor(now)).numpy()
    theta = tangent_kernel.ensemble_kernel(module, before, x, own_inputs=True)
    finite = np.isfinite(theta).all((1, 2, 3, 4)) & np.isfinite(now).all((1, 2))
    step = np.full(now.shape, np.nan)
    step[finite] = prediction.predicted_change(theta[finite], slope[finite], learning_rate)
    change = later - now
    along, own, other = ((a * b).sum((1, 2)) for a, b in ((change, step), (step, step), (change, change)))
    with np.errstate(invalid="ignore", divide="ignore"):
        return along / own, along / np.sqrt(own * other)


class _Layers(NamedTuple):
    """What the response is made of: R and a R' of each hidden unit, f and p' of each input, and the read-out a."""

    features: np.ndarray
    slopes: np.ndarray
    output: np.ndarray
    head_slope: np.ndarray
    readout: np.ndarray


def _layers(parameters: np.ndarray, x: np.ndarray, activation: str, mean: str) -> _Layers:
    bits = x.shape[-1]
    width, rest = divmod(parameters.shape[-1] - 1 if parameters.ndim else 0, bits + 2)
    if width < 1 or rest:
        raise ValueError(
            f"parameters has shape {parameters.shape}: one hidden layer on {bits} bits has a multiple of {bits + 2}, "
            "plus 1."
        )
    hidden, offset, readout, bias = np.split(parameters, np.cumsum([width * bits, width, width]), axis=-1)
    hidden = hidden.reshape(*parameters.shape[:-1], width, bits)
    value, slope = _with_slope(ACTIVATIONS[activation](), x @ hidden.mT + offset[..., None, :])
    before_head = (value * readout[..., None, :]).sum(-1) + bias
    output, head_slope = _with_slope(HEADS[mean], before_head)
    return _Layers(value, readout[..., None, :] * slope, output, head_slope, readout)


def _with_slope(function: Callable[[Tensor], Tensor], values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A function of each number alone, and its derivative."""
    at = torch.as_tensor(values)
    return tuple(part.numpy() for part in jvp(function, (at,), (torch.ones_like(at),)))
