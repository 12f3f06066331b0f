"""The members' modules before training, and their weights as vectors."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn

from kbe.checks import Count, Seed, checked
from kbe.data import encoding
from kbe.refusals import shown


def _makes_modules(name: str, value: Any, sizes: dict[str, Any]) -> Callable[[], nn.Module]:
    if isinstance(value, nn.Module) or not callable(value):
        given = shown(value)
        raise ValueError(f"{name} is {given}: it must be a callable that makes a torch module, such as its class.")
    return value


Network = Annotated[Callable[[], nn.Module], _makes_modules]


@checked
def initial_modules(network: Network, members: Count, seed: Seed = 0) -> list[nn.Module]:
    """The members' modules before training, each drawn from its own seed in float64 and rounded to single precision.

    A member's module depends on the seed and on the member's number alone.

    Raises
    ------
    ValueError
        If `network` fails, makes no torch module or one without parameters, or not each time a new one.
    """
    modules, usual = [], torch.get_default_dtype()
    with torch.random.fork_rng(devices=[]):
        torch.set_default_dtype(torch.float64)
        try:
            for member in range(members):
                start = encoding.member_generator(seed, member, "weights").integers(2**63)
                torch.default_generator.manual_seed(int(start))  # torch.manual_seed costs a hundred times as much
                modules.append(_made(network))
                if (member and modules[-1] is modules[0]) or _shapes(modules[-1]) != _shapes(modules[0]):
                    given = shown(modules[-1])
                    raise ValueError(f"network makes {given} at last: it must make new modules of one shape.")
                for parameter in modules[-1].parameters():
                    # Single precision: torch's draws differ in the last place between processors, and
                    # both dtypes start from the same weights.
                    parameter.data = parameter.data.float().double()
        finally:
            torch.set_default_dtype(usual)
    return modules


def mask_seed(seed: int, epoch: int) -> int:
    """From which number torch's stream starts anew in an epoch that is trained, for the masks of drop-out."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])


@checked
def flat_parameters(module: nn.Module) -> np.ndarray:
    """A module's parameters as one vector, in the order of `module.parameters()`."""
    return nn.utils.parameters_to_vector(module.parameters()).detach().cpu().numpy()


@checked
def with_parameters(module: nn.Module, parameters: ArrayLike) -> nn.Module:
    """A copy of a module that holds other parameters, in the order of `module.parameters()` and in their dtype.

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


def _made(network: Callable[[], nn.Module]) -> nn.Module:
    try:
        module = network()
    except ValueError:  # the network's own sentence
        raise
    except Exception as error:
        raise ValueError(f"network fails when it is called without arguments: {shown(error)}.") from error
    parameters = list(module.parameters()) if isinstance(module, nn.Module) else []
    if not parameters or any(map(nn.parameter.is_lazy, parameters)):
        raise ValueError(f"network makes {shown(module)}: it must make a torch module with parameters.")
    return module


def _shapes(module: nn.Module) -> list[torch.Size]:
    return [parameter.shape for parameter in module.parameters()]
