"""What a training response is made of: each output's own part and the cross part, and the part of each layer."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn

from kbe.checks import Positive, checked
from kbe.refusals import shown, told
from kbe.response.functional import PureNetwork
from kbe.response.tangent_kernel import Kernel, neural_tangent_kernel


def _groups(name: str, value: Any, sizes: dict[str, Any]) -> Mapping[str, str] | None:
    if value is not None and not isinstance(value, Mapping):
        raise ValueError(f"{name} is {shown(value)}: it must be a mapping from each parameter's name to its group.")
    return value


@checked
def own_and_cross(kernel: Kernel) -> tuple[np.ndarray, np.ndarray]:
    r"""The response of each output to its own training, and that to the training of the others; they sum to Theta.

    .. math:: \Theta_{ac} \delta_{ac}, \qquad \Theta_{ac} (1 - \delta_{ac})

    Equations 21 and 23 have the first part alone. `prediction.predicted_change` takes either part.

    Parameters
    ----------
    kernel
        Theta, (..., n, m, heads, heads).

    Returns
    -------
    pair of numpy.ndarray
        Both of the kernel's shape.

    Raises
    ------
    ValueError
        If the outputs watched and trained are not the same.

    Examples
    --------
    >>> own_and_cross([[[[4.0, 1.0], [2.0, 9.0]]]])[1]  # of one pair of inputs
    array([[[[0., 1.],
             [2., 0.]]]])
    """
    own = np.eye(_heads(kernel), dtype=bool)
    return np.where(own, kernel, 0.0), np.where(own, 0.0, kernel)


@checked
def cross_response(kernel: Kernel) -> np.ndarray:
    r"""How strongly one output answers to the training of another, beside each one's answer to its own.

    .. math:: \frac{|\Theta_{ac}|}{\sqrt{|\Theta_{aa}|\,|\Theta_{cc}|}}

    with the Frobenius norm over pairs of inputs. The paper's dynamics for two outputs, equations 21 and 23, leave
    this out; it is 0 where two heads share nothing.

    Parameters
    ----------
    kernel
        Theta, (..., n, m, heads, heads).

    Returns
    -------
    numpy.ndarray, shape (..., heads, heads)
        The ratio of each output a to each trained output c, 1 for a = c; NaN where it is not finite.

    Raises
    ------
    ValueError
        If the outputs watched and trained are not the same.
    """
    _heads(kernel)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        norm = np.sqrt((kernel**2).sum((-4, -3)))
        own = np.diagonal(norm, axis1=-2, axis2=-1)
        return norm / np.sqrt(own[..., :, None] * own[..., None, :])


@checked
def layer_responses(
    module: nn.Module,
    first: ArrayLike,
    second: ArrayLike | None = None,
    groups: Annotated[Mapping[str, str] | None, _groups] = None,
    *,
    memory: Positive = 1e9,
    dtype: torch.dtype = torch.float64,
) -> dict[str, np.ndarray]:
    r"""The part of each layer in the response, equation 3: that of a module of which nothing else is trained.

    .. math:: \Theta_{ac}(x, x') = \sum_g \sum_{p \in g} \frac{\partial f_a(x)}{\partial w_p}
        \frac{\partial f_c(x')}{\partial w_p}

    Parameters
    ----------
    module, first, second, memory, dtype
        As for `neural_tangent_kernel`.
    groups
        The group of each parameter by its name in `module.named_parameters()`; None takes the name's first part.

    Returns
    -------
    dict of numpy.ndarray, shape (n, m, heads, heads)
        The parts by group, in the order of the parameters; a group in which nothing is trained is left out.

    Raises
    ------
    ValueError
        If `groups` lacks a parameter.

    Examples
    --------
    >>> parts = layer_responses(nn.Linear(2, 1), [[1, 0], [0, 2]])
    >>> parts["weight"][..., 0, 0], parts["bias"][..., 0, 0]
    (array([[1., 0.],
           [0., 4.]]), array([[1., 1.],
           [1., 1.]]))
    """
    PureNetwork(module, dtype)  # refuses what has nothing to train
    names = [name for name, parameter in module.named_parameters() if parameter.requires_grad]
    group = {name: name.split(".")[0] for name in names} if groups is None else groups
    missing = [name for name in names if name not in group]
    if missing:
        raise ValueError(f"groups lacks {', '.join(missing)}: it must have every parameter of the module.")
    return {
        one: neural_tangent_kernel(_trained(module, {name for name in names if group[name] == one}), first, second,
                                   memory=memory, dtype=dtype)
        for one in dict.fromkeys(group[name] for name in names)
    }  # fmt: skip


def _heads(kernel: np.ndarray) -> int:
    heads, trained_heads = kernel.shape[-2:]
    if heads != trained_heads:
        raise ValueError(f"kernel has shape {kernel.shape}: it must be (..., n, m, heads, heads).")
    return heads


def _trained(module: nn.Module, names: set[str]) -> nn.Module:
    """A copy of which only these parameters are trained."""
    with told("module cannot be copied"):
        result = copy.deepcopy(module)
    for name, parameter in result.named_parameters():
        parameter.requires_grad_(name in names)
    return result
