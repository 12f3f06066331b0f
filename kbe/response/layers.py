"""Where the weights of a module go: the linear maps, convolutions and sums in which one is used, once in a run.

What torch is asked to do decides, not what a part of the module is called: a weight may be reshaped before, and belong
to a part of one's own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor
from torch.nn.functional import pad
from torch.overrides import TorchFunctionMode

_CONVOLUTION = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "linear": ("input", "weight", "bias"),
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), _CONVOLUTION),
    **dict.fromkeys(("matmul", "__matmul__", "add", "__add__"), ("first", "second")),
}
_RESHAPING = {
    "flatten", "reshape", "view", "unsqueeze", "squeeze", "transpose", "t", "T", "mT", "permute", "contiguous", "to",
    "__getitem__",
}  # fmt: skip

Arrange = Callable[[Tensor], Tensor]
Use = tuple[str, tuple[int, ...]]
Uses = Sequence[Use]


class OtherUseError(ValueError):
    """Weights go into other functions than in the trial."""


@dataclass(frozen=True)
class Layer:
    """A use of weights that are used once: z = w a + b.

    Attributes
    ----------
    use
        Its number among all uses of weights.
    weight, bias
        The numbers of w and b among the tensors that the module holds; None where it is not trained, or used again.
    shape
        Of z for one input.
    size
        The numbers in a for one input.
    groups, positions, width, height
        The sizes of what `columns` and `rows` give.
    columns
        Arranges the a of n inputs as (n, groups, positions, width).
    rows
        Arranges slopes in the z of n inputs as (n, groups, positions, height).
    """

    use: int
    weight: int | None
    bias: int | None
    shape: tuple[int, ...]
    size: int
    groups: int
    positions: int
    width: int
    height: int
    columns: Arrange
    rows: Arrange


class Recorder(TorchFunctionMode):
    """Sees each function of torch that a watched tensor goes into.

    Parameters
    ----------
    watched
        The tensors, by their numbers.
    shifts
        What is added to the results of the uses with these numbers, so that slopes can be taken there.
    known
        The uses that there must be, if they are known: any other, or a result of another shape, is an `OtherUseError`.

    Attributes
    ----------
    uses
        The name of each function, and the numbers of the watched tensors in it.
    inputs
        The a of the uses with a shift.
    """

    def __init__(
        self, watched: Mapping[int, Tensor], shifts: Mapping[int, Tensor] | None = None, known: Uses | None = None
    ) -> None:
        super().__init__()
        self._numbers, self._shifts = {id(tensor): number for number, tensor in watched.items()}, shifts or {}
        self._known = known
        self._alive = list(watched.values())  # an id counts as long as its tensor lives
        self.uses: list[Use] = []
        self.inputs: dict[int, Tensor] = {}
        self._parts: list[tuple[dict[str, Any], Any]] = []

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """What the function gives, shifted."""
        result = func(*args, **(kwargs or {}))
        given = (*args, *kwargs.values()) if kwargs else args
        found = tuple(self._numbers[id(one)] for one in _leaves(given) if id(one) in self._numbers)
        if not found or not any(isinstance(one, Tensor) for one in _leaves((result,))):
            return result  # no slope goes through a shape or a type
        name = getattr(func.__self__ if func.__name__ == "__get__" else func, "__name__", "")
        if name in _RESHAPING and _rearranges(args, result):
            self._numbers[id(result)] = found[0]
            self._alive.append(result)
            return result
        number, arguments = len(self.uses), dict(zip(_ARGUMENTS.get(name, ()), args, strict=False)) | (kwargs or {})
        self.uses.append((name, found))
        if self._known is not None and self.uses[-1:] != self._known[number : number + 1]:
            raise OtherUseError
        self._parts.append((arguments, result))
        if number not in self._shifts:
            return result
        if result.shape != self._shifts[number].shape:
            raise OtherUseError
        self.inputs[number] = self._operands(arguments, "add" in name)[0]
        return result + self._shifts[number]

    def layers(self, points: int) -> list[Layer]:
        """The uses at so many inputs that are layers."""
        times: Counter[int | None] = Counter(number for _, found in self.uses for number in found)
        layers = []
        for use, ((name, _), (arguments, result)) in enumerate(zip(self.uses, self._parts, strict=True)):
            x, w, b, turned = self._operands(arguments, "add" in name)
            weight, bias = (number if times[number] == 1 else None for number in (self._number(w), self._number(b)))
            by_points = self._number(x) is None and all(
                isinstance(z, Tensor) and z.ndim > 1 and len(z) == points for z in (x, result)
            )
            arranged = _arranged(name, arguments, x, w, b, turned, result) if by_points else None
            if arranged and (weight, bias) != (None, None):
                columns, rows = arranged
                _, groups, positions, width = columns(x.detach()).shape
                sizes = x[0].numel(), groups, positions, width, rows(result.detach()).shape[3]
                layers.append(Layer(use, weight, bias, result.shape[1:], *sizes, columns, rows))
        return layers

    def _number(self, value: Any) -> int | None:
        return self._numbers.get(id(value))

    def _operands(self, arguments: dict[str, Any], is_sum: bool) -> tuple[Any, Any, Any, bool]:
        """The input, weight and bias of a use, and whether the weight stands before the input."""
        if "first" not in arguments:
            return arguments.get("input"), arguments.get("weight"), arguments.get("bias"), False
        first, second = arguments["first"], arguments.get("second")
        turned = self._number(first) is not None
        x, part = (second, first) if turned else (first, second)
        return (x, None, part, turned) if is_sum else (x, part, None, turned)


def _leaves(values: Iterable[Any]) -> Iterator[Any]:
    """All that stands in lists, tuples and dictionaries, for which torch's own function takes ten times as long."""
    for value in values:
        if isinstance(value, (list, tuple)):
            yield from _leaves(value)
        elif isinstance(value, dict):
            yield from _leaves(value.values())
        else:
            yield value


def _rearranges(args: tuple, result: Any) -> bool:
    """Whether one of the functions above gives all numbers of a tensor, each once."""
    if not isinstance(result, Tensor) or result.numel() != args[0].numel() or result.dtype != args[0].dtype:
        return False
    places = args[1] if len(args) > 1 and isinstance(args[1], tuple) else args[1:]
    return not any(isinstance(place, (Tensor, list)) for place in places)


def _arranged(
    name: str, options: dict[str, Any], x: Tensor, weight: Any, bias: Any, turned: bool, result: Tensor
) -> tuple[Arrange, Arrange] | None:
    """How the inputs and the slopes of a use are arranged by positions; None where it is no layer."""
    if name.startswith("conv") and x.ndim == weight.ndim:
        kind = [options.get(key, usual) for key, usual in zip(_CONVOLUTION[3:], (1, 0, 1, 1), strict=True)]
        return partial(_unfolded, weight.shape[2:], *kind), partial(_channels_last, kind[3])
    if (
        "add" in name
        and "alpha" not in options
        and bias.ndim <= result.ndim
        and (bias.ndim < result.ndim or len(bias) == 1)
    ):
        shape = (1,) * (result.ndim - bias.ndim) + bias.shape
        own = [dim for dim in range(1, result.ndim) if shape[dim] > 1]
        return _features_last, partial(_own_last, own)
    if name in ("linear", "matmul", "__matmul__") and weight.ndim == 2 and x.ndim > 1 + turned:
        return (_rows_last, _rows_last) if turned else (_features_last, _features_last)
    return None


def _features_last(z: Tensor) -> Tensor:
    return z.reshape(len(z), 1, -1, z.shape[-1])


def _rows_last(z: Tensor) -> Tensor:
    return _features_last(z.mT)


def _channels_last(groups: int, z: Tensor) -> Tensor:
    return z.flatten(2).unflatten(1, (groups, -1)).mT


def _own_last(own: Sequence[int], z: Tensor) -> Tensor:
    """The dimensions along which a bias has numbers of its own, after those along which it is one."""
    others = [dim for dim in range(1, z.ndim) if dim not in own]
    z = z.permute(0, *others, *own)
    return z.reshape(len(z), 1, z.shape[1 : 1 + len(others)].numel(), -1)


def _unfolded(shape: Sequence[int], stride: Any, padding: Any, dilation: Any, groups: int, x: Tensor) -> Tensor:
    """What each position of a convolution sees, (n, groups, positions, channels of a group * places)."""
    dims = len(shape)
    steps, gaps = ((value,) * dims if isinstance(value, int) else tuple(value) for value in (stride, dilation))
    reach = [gap * (places - 1) for gap, places in zip(gaps, shape, strict=True)]
    if padding == "same":
        sides = [(one // 2, one - one // 2) for one in reach]
    else:
        both = 0 if padding == "valid" else padding
        sides = [(one, one) for one in ((both,) * dims if isinstance(both, int) else both)]
    x = pad(x, [side for pair in reversed(sides) for side in pair])
    for dim in range(dims):
        x = x.unfold(2 + dim, reach[dim] + 1, steps[dim])[..., :: gaps[dim]]
    x = x.unflatten(1, (groups, -1)).movedim(2, 2 + dims)  # n, groups, positions ..., channels, places ...
    return x.reshape(len(x), groups, x.shape[2 : 2 + dims].numel(), -1)
