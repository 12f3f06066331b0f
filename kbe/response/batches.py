"""Data in batches that are the same in every pass: an array in pieces, or what a caller iterates over."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from kbe.checks import Shaped
from kbe.refusals import shown
from kbe.response.functional import PureNetwork


class Batches:
    """Inputs, or pairs of inputs and targets, as tensors on the network's device: each batch is (x,) or (x, y).

    An array or tensor, or nested lists of numbers, is cut into batches. Anything else that can be iterated over, such
    as a `DataLoader` or a list of arrays, gives the batches itself, each of them inputs or a pair of inputs and
    targets. It is iterated over at every pass, and each pass is held against the first one: a product with rows in
    another order, or with other points, would be wrong without a sign of it.

    Parameters
    ----------
    network
        The function that takes the inputs.
    name
        The parameter's name, for messages.
    inputs : array, shape (n, ...), or iterable of batches
        The inputs, all of one shape.
    targets : array, shape (n, ...), or None
        If `paired`, the target of each input in an array.
    block
        The number of inputs in a batch that is cut from an array; None leaves it whole.
    paired
        Whether targets are wanted. The points may then come in any order, for what is summed over them.

    Attributes
    ----------
    points : int
        The number of inputs.
    first : tuple of Tensor
        The first batch.

    Raises
    ------
    ValueError
        If the inputs can be iterated over once only, or a batch is not what it must be.
    """

    def __init__(
        self,
        network: PureNetwork,
        name: str,
        inputs: ArrayLike | Iterable,
        targets: ArrayLike | None = None,
        *,
        block: int | None,
        paired: bool = False,
    ) -> None:
        self._name, self._paired, self._weights, self._known = name, paired, network.weights, np.empty(0, np.uint32)
        if _is_array(inputs):
            x = network.inputs(name, inputs)[0]  # type: ignore[arg-type]
            whole = (x, self._targets("y", targets, len(x))) if paired else (x,)
            self._source: Iterable = list(zip(*(one.split(block or len(x)) for one in whole), strict=True))
            self._own, self.first, self.points = True, self._source[0], len(x)
            return
        if targets is not None:
            raise ValueError(
                f"y is {shown(targets)}: it must be None where {name} are batches, which hold the targets."
            )
        if isinstance(inputs, Iterator):
            once = f"{name} is {shown(inputs)}, which can be iterated over only once"
            raise ValueError(f"{once}: it must be an array, or batches in a list, a DataLoader or the like.")
        self._own, self._source = False, inputs  # type: ignore[assignment]
        marks: list[np.ndarray] = []
        for number, batch in enumerate(self._source, 1):
            x, *y = self._tensors(number, batch)
            if not marks:
                self._like = network.inputs(f"batch 1 of {name}", x)[0, :1]
                self.first = (x.to(self._like), *y)
            if x.shape[1:] != self._like.shape[1:]:
                wanted = f"it must be (points, ...) with {tuple(self._like.shape[1:])} for a point, as the first"
                raise ValueError(f"batch {number} of {name} has shape {tuple(x.shape)}: {wanted}.")
            marks.append(_marks(x, *y))
        if not marks:
            raise ValueError(f"{name} is {shown(inputs)}: it must hold at least one batch.")
        self._known = self._in_order(marks)
        self.points = len(self._known)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        """Go through all batches once.

        Yields
        ------
        tuple of Tensor
            A batch.

        """
        if self._own:
            yield from self._source
            return
        marks, seen = [np.empty(0, np.uint32)], 0
        for number, batch in enumerate(self._source, 1):
            x, *y = self._tensors(number, batch)
            marks.append(_marks(x, *y))
            if not self._paired:  # whoever multiplies rows needs to know at once
                self._compare(marks[-1], self._known[seen : seen + len(x)])
            seen += len(x)
            yield x.to(self._like), *y
        self._compare(self._in_order(marks), self._known)

    def _compare(self, marks: np.ndarray, known: np.ndarray) -> None:
        if not np.array_equal(marks, known):
            wanted = "the points must be the same" if self._paired else "they must come in one order, without shuffling"
            raise ValueError(f"{self._name} gives other batches in another pass: {wanted}.")

    def _in_order(self, marks: list[np.ndarray]) -> np.ndarray:
        return np.sort(np.concatenate(marks)) if self._paired else np.concatenate(marks)

    def _tensors(self, number: int, batch: Any) -> tuple[Tensor, ...]:
        name, joined = f"batch {number} of {self._name}", _holds_arrays(batch)
        if self._paired and (not joined or len(batch) != 2):
            raise ValueError(f"{name} is {shown(batch)}: it must be a pair of inputs and targets.")
        x = _tensor(name, batch[0] if joined else batch)
        return (x, self._targets(f"batch {number} of y", batch[1], len(x))) if self._paired else (x,)

    def _targets(self, name: str, value: Any, points: int) -> Tensor:
        """Targets on the network's device; whole numbers stay such, as labels of classes must."""
        y = _tensor(name, value)
        if y.shape[:1] != (points,):
            raise ValueError(f"{name} has shape {tuple(y.shape)}: it must have a target for each of {points} inputs.")
        real = y.is_floating_point() or y.dtype is torch.bool
        return y.to(self._weights) if real else y.to(self._weights.device)


def _tensor(name: str, value: Any) -> Tensor:
    """Finite real numbers as a tensor of their own type, which stays where it is."""
    if not isinstance(value, Tensor):
        Shaped()(name, value, {})
        value = torch.as_tensor(np.require(value, requirements=["C", "W"]))
    if value.is_complex() or not value.numel() or not value.isfinite().all():
        Shaped()(name, value.detach().cpu(), {})
    return value.detach()


def _marks(*tensors: Tensor) -> np.ndarray:
    """A checksum of each point, by which it is known again."""
    rows = [one.cpu().reshape(len(one), -1).contiguous().view(torch.uint8).numpy() for one in tensors]
    return np.array([zlib.crc32(row) for row in np.concatenate(rows, 1)], np.uint32)


def _is_array(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return not _holds_arrays(value)
    return hasattr(value, "__array__") or isinstance(value, (str, bytes, dict)) or not isinstance(value, Iterable)


def _holds_arrays(value: Any) -> bool:
    """Whether it is a list or tuple of arrays, however deep, rather than of numbers."""
    if not isinstance(value, (list, tuple)):
        return False
    return any((isinstance(one, (Tensor, np.ndarray)) and one.ndim > 0) or _holds_arrays(one) for one in value)
