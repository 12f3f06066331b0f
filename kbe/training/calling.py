"""How modules of others are called: with torch set as they need it, errors as one sentence, members at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.func import vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

_LOCK = threading.RLock()


@contextmanager
def settled(
    *,
    seed: int | None = None,
    threads: int | None = None,
    dtype: torch.dtype | None = None,
    device: torch.device | None = None,
    cudnn: bool = True,
) -> Iterator[None]:
    """Torch as it is wanted for a while, and then as it was, after an error too.

    All this is one for the whole process, so that one thread of Python has it at a time, and others wait for it.
    Attention is computed step by step, because torch's compound functions for it have no second derivatives.

    Parameters
    ----------
    seed
        Where the random stream starts; None lets it go on.
    threads
        How many torch takes; None leaves it to torch.
    dtype
        The type of tensors that a module makes without naming one; None leaves it.
    device
        Where a module draws, if not on the processor alone.
    cudnn
        Whether a GPU may use cuDNN, which has no slopes of recurrent layers outside training mode.
    """
    with _LOCK:
        drawn = [(stream, stream.get_state()) for stream in streams(device)]
        before = torch.get_default_dtype(), torch.get_num_threads(), torch.backends.mha.get_fastpath_enabled()
        library = torch.backends.cudnn.enabled
        try:
            torch.backends.mha.set_fastpath_enabled(False)
            torch.backends.cudnn.enabled = library and cudnn
            torch.set_default_dtype(dtype or before[0])
            torch.set_num_threads(threads or before[1])
            if seed is not None:
                for stream, _ in drawn:
                    stream.manual_seed(seed)  # torch.manual_seed costs a hundred times as much
            with sdpa_kernel(SDPBackend.MATH):
                yield
        finally:
            torch.set_default_dtype(before[0])
            torch.set_num_threads(before[1])
            torch.backends.mha.set_fastpath_enabled(before[2])
            torch.backends.cudnn.enabled = library
            for stream, state in drawn:
                stream.set_state(state)


def streams(device: torch.device | None) -> list[torch.Generator]:
    """The random streams of which a module on this device draws: the processor's, and the device's own."""
    if device is None or device.type != "cuda":
        return [torch.default_generator]
    torch.cuda.init()
    number = torch.cuda.current_device() if device.index is None else device.index
    return [torch.default_generator, torch.cuda.default_generators[number]]


def at_once(
    function: Callable[..., Any], in_dims: Sequence[int | None], *, directly: bool = False
) -> Callable[..., Any]:
    """A function of one member as a function of many: by `torch.func.vmap`, one by one where torch cannot do that.

    So it is with recurrent layers, and where a module branches on a value.

    Parameters
    ----------
    function
        Takes tensors or lists of tensors and gives a tensor or a tuple of them; random draws differ between members.
    in_dims
        For each argument 0 where its tensors have the members as their first dimension, None where all share it.
    directly
        Call a single member without `vmap`: that is faster, and may round otherwise.
    """
    together, vectorised = vmap(function, tuple(in_dims), randomness="different"), True

    def call(*arguments: Any) -> Any:
        nonlocal vectorised
        own = next(value for value, dim in zip(arguments, in_dims, strict=True) if dim is not None)
        count = len(own if isinstance(own, Tensor) else own[0])
        if vectorised and not (directly and count == 1):
            try:
                return together(*arguments)
            except Exception:  # torch has many; what is wrong with the function itself is said below
                vectorised = False
        results = [function(*map(_member, arguments, in_dims, [k] * len(arguments))) for k in range(count)]
        return _stacked(results) if isinstance(results[0], Tensor) else tuple(map(_stacked, zip(*results, strict=True)))

    return call


def _stacked(results: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(results)) if len(results) > 1 else results[0][None]


def _member(value: Any, dim: int | None, number: int) -> Any:
    if dim is None:
        return value
    return value[number] if isinstance(value, Tensor) else [one[number] for one in value]
