"""A chapter's parameters: what its one cell of them declares, and what does not fit it.

A chapter declares its parameters in one cell, each with a type and a line of explanation:
`members: int = 100  # independent networks`. What does not fit that declaration is refused in one
sentence, before a rerun starts and, by `check`, in the notebook itself.
"""

from __future__ import annotations

import ast
import json
import numbers
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from kbe import refusals
from kbe.refusals import shown

TAG = "parameters"
INJECTED = "# Parameters"  # the first line of the cell that papermill injects
_KINDS = {kind.__name__: kind for kind in (int, float, str, bool, list, tuple)}


class _Parameter(NamedTuple):
    """One declared parameter: its annotation as written, its value in the chapter, and the comment beside it."""

    name: str
    kind: str
    default: Any
    meaning: str


def declared(chapter: str | Path) -> list[_Parameter]:
    """What a chapter's cell of parameters declares: name, kind, default and meaning of each; none without such a cell.

    Parameters
    ----------
    chapter
        Its `.ipynb`, or its bare name if it lies in the folder `book`.

    Raises
    ------
    ValueError
        If there is no such notebook, or more than one of its cells is tagged `parameters`.
    """
    path = find_notebook(chapter)
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        cells = ["".join(cell["source"]) for cell in cells if TAG in cell["metadata"].get("tags", [])]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path.name} is no notebook: it must be JSON with cells.") from error
    if len(cells) > 1:
        raise ValueError(f"{path.name} has {len(cells)} cells tagged {TAG!r}: it must have one.")
    try:
        return declared_in("".join(cells))
    except (SyntaxError, ValueError) as error:
        raise ValueError(f"{path.name} has a cell of parameters that cannot be read: {shown(error)}.") from error


def declared_in(source: str) -> list[_Parameter]:
    """What the source of a cell of parameters declares, in its order."""
    lines = source.splitlines()
    return [
        _Parameter(
            node.target.id,
            ast.unparse(node.annotation),
            ast.literal_eval(node.value),
            lines[node.end_lineno - 1][node.end_col_offset :].strip().removeprefix("#").strip(),
        )
        for node in ast.parse(source).body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value and node.end_lineno
    ]


def check(namespace: Mapping[str, Any], **bounds: Any) -> None:
    """Check a chapter's own parameters, in the cell right after the one that declares them.

    A value that does not fit its declared type or bounds is refused, and so is a name that papermill passed and the
    chapter does not declare.

    Parameters
    ----------
    namespace
        The notebook's `globals()`.
    **bounds
        For a number or a list of numbers the least and the greatest value (None leaves a side open),
        for a string the values to choose from.
    """
    kinds = namespace.get("__annotations__", {})
    # Only what papermill injected can be foreign: a kernel that has run the chapter is full of other names.
    history = namespace.get("In", [])
    before = history[-2] if len(history) > 1 else ""
    given = _assigned(before) if before.startswith(INJECTED) else []
    _known([*given, *bounds], list(kinds), "The chapter")
    for name, kind in kinds.items():
        _fitting(name, namespace[name], kind)
    for name, bound in bounds.items():
        _within(name, namespace[name], bound)


def suiting(chapter: str | Path, given: Mapping[str, Any]) -> None:
    """Refuse new values that do not suit a chapter, before it runs: of an unknown name, or of another type.

    Raises
    ------
    ValueError
        If the values are no mapping, or one of them does not suit.
    """
    path = find_notebook(chapter)
    if not isinstance(given, Mapping):
        raise ValueError(f"parameters is {shown(given)}: it must be a mapping from names to values.")
    kinds = {one.name: one.kind for one in declared(path)}
    _known(given, list(kinds), path.name)
    for name, value in given.items():
        _fitting(name, value, kinds[name])


def find_notebook(chapter: str | Path) -> Path:
    """Where a chapter's notebook is, given as an `.ipynb` or as the bare name of one in the folder `book`."""
    path = Path(chapter) if isinstance(chapter, (str, Path)) else Path()
    for candidate in (path, Path("book") / f"{path}.ipynb"):
        if candidate.suffix == ".ipynb" and candidate.is_file():
            return candidate
    raise ValueError(f"chapter is {shown(chapter)}: it must be an .ipynb or the name of one in the folder book.")


def _known(names: Iterable[str], declared: list[str], chapter: str) -> None:
    for name in names:
        if name not in declared:
            raise ValueError(
                f"{chapter} has no parameter {name!r}: its parameters are {', '.join(declared) or 'none'}."
            )


def _fitting(name: str, value: Any, kind: Any) -> None:
    if isinstance(kind, str):
        kind = eval(kind, {"__builtins__": {}}, _KINDS)  # the annotation of a notebook that is about to run anyway
    if not _is(value, kind):
        wanted = kind.__name__ if isinstance(kind, type) and not typing.get_args(kind) else str(kind)
        raise ValueError(f"{name} is {shown(value)}: it must be of type {wanted}.")


def _is(value: Any, kind: Any) -> bool:
    origin, inner = typing.get_origin(kind) or kind, typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return any(_is(value, one) for one in inner)
    if kind is None or kind is types.NoneType:
        return value is None
    if origin in (list, tuple):  # a list must not be empty, and papermill turns a tuple into one
        return isinstance(value, (list, tuple)) and len(value) > 0 and all(_is(v, inner[0]) for v in value if inner)
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    if kind is float:
        return refusals.is_finite_number(value)
    return isinstance(value, numbers.Integral if kind is int else kind)


def _within(name: str, value: Any, bound: Any) -> None:
    for one in value if isinstance(value, (list, tuple)) else [value]:
        if isinstance(one, str):
            refusals.choice(name, one, bound)
        elif one is not None:
            refusals.number(name, one, *bound)


def _assigned(source: str) -> list[str]:
    targets = [node.targets[0] for node in ast.parse(source).body if isinstance(node, ast.Assign)]
    return [target.id for target in targets if isinstance(target, ast.Name)]
