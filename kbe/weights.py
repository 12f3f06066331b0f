"""The members' modules before training, and their weights as vectors."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from kbe import checks, encoding


def initial_modules(network: Callable[[], nn.Module], members: int, seed: int = 0) -> list[nn.Module]:
    """The members' modules before training, each drawn from its own seed in float64 and rounded to single precision.

    Parameters
    ----------
    network : callable
        Makes a module when called without arguments.
    members : int
        How many.
    seed : int
        Start of the draws; a member's module depends on it and on the member's number alone.

    Returns
    -------
    list of torch.nn.Module
        One for each member, in float64.

    Raises
    ------
    ValueError
        If `network` makes no torch module, or one without parameters.
    """
    checks.integer("members", members, 1)
    if isinstance(network, nn.Module) or not callable(network):
        raise ValueError(f"network is {network!r}: it must be a callable that makes a torch module, such as its class.")
    modules, usual = [], torch.get_default_dtype()
    with torch.random.fork_rng(devices=[]):
        torch.set_default_dtype(torch.float64)
        try:
            for member in range(members):
                torch.manual_seed(int(encoding.member_generator(seed, member, "weights").integers(2**63)))
                modules.append(network())
                if not isinstance(modules[-1], nn.Module) or not list(modules[-1].parameters()):
                    raise ValueError(f"network makes {modules[-1]!r}: it must make a torch module with parameters.")
                for parameter in modules[-1].parameters():
                    # Single precision: torch's draws differ in the last place between processors, and
                    # both dtypes start from the same weights.
                    parameter.data = parameter.data.float().double()
        finally:
            torch.set_default_dtype(usual)
    return modules


def flat_parameters(module: nn.Module) -> np.ndarray:
    """A module's parameters as one vector.

    Parameters
    ----------
    module : torch.nn.Module
        Any module.

    Returns
    -------
    numpy.ndarray, shape (parameters,)
        In the order of `module.parameters()`.
    """
    return nn.utils.parameters_to_vector(module.parameters()).detach().cpu().numpy()


def with_parameters(module: nn.Module, parameters: np.ndarray) -> nn.Module:
    """A copy of a module that holds other parameters.

    Parameters
    ----------
    module : torch.nn.Module
        The architecture.
    parameters : array, shape (parameters,)
        In the order of `module.parameters()`.

    Returns
    -------
    torch.nn.Module
        A copy, in the dtype of the parameters.

    Raises
    ------
    ValueError
        If the number of parameters is not the module's.
    """
    values = torch.as_tensor(np.array(parameters))
    count = sum(p.numel() for p in module.parameters())
    if values.shape != (count,):
        raise ValueError(f"parameters has shape {tuple(values.shape)}: the module has {count} parameters.")
    result = copy.deepcopy(module).to(values.dtype)
    nn.utils.vector_to_parameters(values, result.parameters())
    return result
