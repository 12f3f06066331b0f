"""What a parameter may be, by its annotation: whether a value fits, and which value somebody means by a text."""

from __future__ import annotations

import ast
import numbers
import re
import types
import typing
from collections.abc import Iterator
from typing import Any

import numpy as np

from kbe import refusals
from kbe.refusals import shown

_KINDS = {kind.__name__: kind for kind in (int, float, str, bool, list, tuple)} | {
    "Optional": typing.Optional,
    "Union": typing.Union,
}
NO_LITERAL = (SyntaxError, ValueError, TypeError, MemoryError, RecursionError)  # the last two if nested too deeply
_RANGE = re.compile(r"-?\d+:-?\d+(:-?[1-9]\d*)?")
_BETWEEN_LISTS = re.compile(r",(?![^\[(]*[\])])")  # a comma where no bracket is open


def fitting(name: str, value: Any, annotation: Any) -> None:
    """Refuse a value that does not fit an annotation, given as it is written or as Python makes it."""
    if not _is(value, _kind(name, annotation)):
        plain = isinstance(annotation, type) and not typing.get_args(annotation)
        wanted = annotation.__name__ if plain else str(annotation)
        raise ValueError(f"{name} is {shown(value)}: it must be of type {wanted}.")


def plain(value: Any) -> Any:
    """The value as it can be written into a notebook: NumPy's numbers and arrays as Python's, and tuples as lists."""
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if refusals.is_finite_number(value):
        return int(value) if isinstance(value, numbers.Integral) else float(value)
    return value


def typed(name: str, text: str, annotation: str) -> Any:
    """The value that somebody typed for a parameter; a text that cannot be one stays what it seems to be.

    A list may be typed with or without brackets and quotation marks: `[1, 2]`, `1,2`, `relu,tanh`.
    """
    kind, readings = _kind(name, annotation), list(_readings(text))
    return next((reading for reading in readings if _is(reading, kind)), readings[0])


def typed_values(name: str, text: str, annotation: str) -> list[Any]:
    """The values that somebody typed for a parameter, between commas; lists among them have brackets.

    `0:20` is a range of whole numbers, without its end; `0:20:5` has steps.
    """
    kind, whole = _kind(name, annotation), _literal(f"[{text}]")
    if isinstance(whole, list) and all(_is(value, kind) for value in whole):
        return whole
    values: list[Any] = []
    for part in _BETWEEN_LISTS.split(text):
        if _is(0, kind) and _RANGE.fullmatch(part.strip()):
            values += range(*map(int, part.split(":")))
        else:
            values.append(typed(name, part, annotation))
    return values


def _kind(name: str, annotation: Any) -> Any:
    """The type that an annotation means."""
    kind = annotation
    try:
        while isinstance(kind, str):
            kind = eval(kind, {"__builtins__": {}}, _KINDS)  # of a notebook that is about to run anyway
        _is(None, kind)
    except Exception as error:  # whatever an annotation may raise
        allowed = f"{', '.join(_KINDS)} and None"
        raise ValueError(f"{name} has the type {shown(annotation)}: it must be made of {allowed}.") from error
    return kind


def _is(value: Any, kind: Any) -> bool:
    origin, inner = typing.get_origin(kind) or kind, typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return any(_is(value, one) for one in inner)
    if kind is None or kind is types.NoneType:
        return value is None
    if origin in (list, tuple):  # a list must not be empty, and a tuple becomes one
        return isinstance(value, (list, tuple)) and len(value) > 0 and all(_is(v, inner[0]) for v in value if inner)
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    if kind is float:
        return refusals.is_finite_number(value)
    return isinstance(value, numbers.Integral if kind is int else kind)


def _readings(text: str) -> Iterator[Any]:
    """What a text may mean, the likeliest first."""
    yield _literal(text)
    yield text
    stripped = text.strip()
    inside = stripped[1:-1] if stripped[:1] + stripped[-1:] == "[]" else stripped
    parts = [part.strip() for part in inside.removesuffix(",").split(",")]
    if (inside != stripped or "," in inside) and all(parts) and not set(inside) & set("[](){}'\""):
        yield [_literal(part) for part in parts]
        yield parts


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text.strip())
    except NO_LITERAL:
        return text
