"""The members' modules before training, and what a module holds as a vector: its weights, then its buffers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.func import functional_call

from kbe.checks import Count, Seed, checked
from kbe.data import encoding
from kbe.refusals import array, shown, told
from kbe.training.calling import settled


def _makes_modules(name: str, value: Any, sizes: dict[str, Any]) -> Callable[[], nn.Module]:
    if isinstance(value, nn.Module) or not callable(value):
        given = shown(value)
        raise ValueError(f"{name} is {given}: it must be a callable that makes a torch module, such as its class.")
    return value


Network = Annotated[Callable[[], nn.Module], _makes_modules]


class Stateless:
    """A module as a function of what it holds, and of its inputs.

    A tensor that goes by several names, or belongs to a part that does, is one. The module itself stays as it is.

    Parameters
    ----------
    module
        It is called in the mode in which it is.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module, number = module, {id(tensor): k for k, tensor in enumerate(held(module))}
        self._places = {  # torch's own search of names would put a part that has two back in the wrong order
            f"{path}.{name}" if path else name: number[id(tensor)]
            for path, part in module.named_modules()
            for of_part in (part.named_parameters, part.named_buffers)
            for name, tensor in of_part(recurse=False, remove_duplicate=False)
        }

    def __call__(self, tensors: Sequence[Tensor], x: Tensor) -> Tensor:
        """What the module gives at x if it holds these tensors, in the order of `held`."""
        named = {name: tensors[number] for name, number in self._places.items()}
        return functional_call(self._module, named, (x,), tie_weights=False)


@checked
def initial_modules(network: Network, members: Count, seed: Seed = 0) -> list[nn.Module]:
    """The members' modules before training, each drawn from its own seed in float64 and rounded to single precision.

    A member's module depends on the seed and on the member's number alone.

    Raises
    ------
    ValueError
        If `network` fails, makes no torch module or one without parameters, or not each time a new one.
    """
    modules: list[nn.Module] = []
    kinds: list[list[tuple]] = []
    for member in range(members):
        start = encoding.member_generator(seed, member, "weights").integers(2**63)
        with settled(seed=int(start), dtype=torch.float64):
            modules.append(_made(network))
        tensors = held(modules[-1])
        for parameter in modules[-1].parameters():
            # Single precision: torch's draws differ in the last place between processors, and
            # both dtypes start from the same weights.
            parameter.data = parameter.data.float().double()
        kinds.append([(tensor.shape, tensor.dtype, tensor.requires_grad) for tensor in tensors])
        if (member and modules[-1] is modules[0]) or kinds[-1] != kinds[0]:
            given = shown(modules[-1])
            raise ValueError(f"network makes {given} at last: it must make new modules of one shape.")
    return modules


@checked
def architecture(network: Network) -> nn.Module:
    """One module of a network whose own weights do not matter, without a trace in torch's random stream."""
    with settled(seed=0):
        return _made(network)


def mask_seed(seed: int, epoch: int) -> int:
    """From which number torch's stream starts anew in an epoch that is trained, for the masks of drop-out."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])


def held(module: nn.Module) -> list[Tensor]:
    """What a module holds, each tensor once: those of `module.parameters()`, then those of `module.buffers()`.

    Raises
    ------
    ValueError
        If one is complex, sparse or without numbers, or has memory in common with another.
    """
    tensors = list({id(tensor): tensor for tensor in (*module.parameters(), *module.buffers())}.values())
    if any(tensor.is_complex() or tensor.is_meta or tensor.layout is not torch.strided for tensor in tensors):
        raise ValueError(f"The module {type(module).__name__} holds a tensor that is not of real numbers, all stored.")
    if _have_common_memory(tensors):
        what = f"The module {type(module).__name__} holds tensors with common memory"
        raise ValueError(f"{what}: what is shared must be one tensor, as by a.weight = b.weight.")
    return tensors


def flattened(tensors: Sequence[Tensor], dtype: torch.dtype, leading: int = 0) -> Tensor:
    """All numbers of tensors along one last dimension, after so many leading ones.

    Raises
    ------
    ValueError
        If the type cannot hold a whole number among them.
    """
    rows = [tensor.detach().reshape(*tensor.shape[:leading], -1) for tensor in tensors]
    pieces = [row.to(dtype) for row in rows]
    for row, piece in zip(rows, pieces, strict=True):
        if not row.is_floating_point() and not torch.equal(piece.to(row.dtype), row):
            raise ValueError(f"A buffer holds whole numbers that {dtype} cannot hold: take a wider type.")
    return torch.cat(pieces, leading)


@checked
def flat_parameters(module: nn.Module) -> np.ndarray:
    """What a module holds as one vector: its parameters, in the order of `module.parameters()`, then its buffers."""
    tensors = held(module)
    return flattened(tensors, tensors[0].dtype).cpu().numpy()


@checked
def with_parameters(module: nn.Module, parameters: ArrayLike) -> nn.Module:
    """A copy of a module that holds other numbers, in the order of `flat_parameters` and in their dtype.

    Raises
    ------
    ValueError
        If they are not as many as the module's.
    """
    numbers = array("parameters", parameters, finite=False, empty=True)
    values = torch.as_tensor(numbers, dtype=torch.float32 if np.asarray(parameters).dtype == np.float32 else None)
    with told("module cannot be copied"):
        result = copy.deepcopy(module).to(values.dtype)
    tensors = held(result)
    count = sum(tensor.numel() for tensor in tensors)
    if values.shape != (count,):
        raise ValueError(f"parameters has shape {tuple(values.shape)}: the module has {count} parameters.")
    for tensor, piece in zip(tensors, values.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.data = piece.view_as(tensor).to(tensor, copy=True)
    return result


def _made(network: Callable[[], nn.Module]) -> nn.Module:
    with told("network fails when it is called without arguments"):
        module = network()
    parameters = list(module.parameters()) if isinstance(module, nn.Module) else []
    if not parameters or any(map(nn.parameter.is_lazy, parameters)):
        raise ValueError(f"network makes {shown(module)}: it must make a torch module with parameters.")
    return module


def _have_common_memory(tensors: Sequence[Tensor]) -> bool:
    """Whether training would change one of them through another, as `a.weight.data = b.weight.data` has it."""
    stores: dict[int, list[Tensor]] = {}
    for tensor in tensors:
        if tensor.numel():
            stores.setdefault(tensor.untyped_storage().data_ptr(), []).append(tensor)
    for several in (group for group in stores.values() if len(group) > 1):
        numbers = torch.arange(max(t.untyped_storage().nbytes() // t.itemsize for t in several))
        places = [numbers.as_strided(t.shape, t.stride(), t.storage_offset()).unique() for t in several]
        if len(torch.cat(places).unique()) < sum(map(len, places)):
            return True
    return False
