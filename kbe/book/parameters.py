"""A chapter's parameters: what its one cell of them declares, and what does not fit it.

A chapter declares its parameters in one cell, each with a type and a line of explanation:
`members: int = 100  # independent networks`. What does not fit that declaration is refused in one
sentence, before a rerun starts and, by `check`, in the notebook itself.
"""

from __future__ import annotations

import ast
import contextlib
import difflib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from kbe import refusals
from kbe.book import kinds
from kbe.refusals import shown

TAG = "parameters"
INJECTED_TAG = "injected-parameters"  # of the cell of new values that papermill puts after the chapter's own
INJECTED = "# Parameters"  # its first line
_CHECK = "parameters.check"  # the call that checks them


class _Parameter(NamedTuple):
    """One parameter: its annotation as written, its value in the notebook, and the comment beside it."""

    name: str
    kind: str
    value: Any
    meaning: str


def declared(chapter: str | Path) -> list[_Parameter]:
    """What a chapter's cell of parameters declares: name, kind, value and meaning of each; none without such a cell.

    Parameters
    ----------
    chapter
        Its `.ipynb`, or its bare name if it lies in the folder `book`. In a rerun, which is a chapter too, the values
        are those that it was run with.

    Raises
    ------
    ValueError
        If there is no such notebook, or more than one of its cells is tagged `parameters`.
    """
    own, given, _ = _read(find_notebook(chapter))
    return [one._replace(value=given.get(one.name, one.value)) for one in own]


def declared_in(source: str) -> list[_Parameter]:
    """What the source of a cell of parameters declares, in its order."""
    lines = source.encode().split(b"\n")  # in bytes, as the positions of the syntax are
    return [
        _Parameter(
            node.target.id,
            ast.unparse(node.annotation),
            ast.literal_eval(node.value),
            lines[node.end_lineno - 1][node.end_col_offset :].decode().strip().removeprefix("#").strip(),
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
    annotations = namespace.get("__annotations__", {})
    # Only what papermill injected can be foreign: a kernel that has run the chapter is full of other names.
    history = namespace.get("In", [])
    before = history[-2] if len(history) > 1 else ""
    given = _assigned(before) if before.startswith(INJECTED) else {}
    _known([*given, *bounds], list(annotations), "The chapter")
    for name, annotation in annotations.items():
        kinds.fitting(name, namespace[name], annotation)
    for name, bound in bounds.items():
        _within(name, namespace[name], bound)


def suiting(chapter: str | Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """The values to run a chapter with: new ones over those that it was run with, if it is a rerun itself.

    NumPy's numbers and arrays become Python's, and tuples lists: nothing else can be written into a notebook.

    Raises
    ------
    ValueError
        If the values are no mapping, or one of them does not suit the chapter: its name is unknown, its type is
        another, or it is out of bounds, where those that the chapter checks are plain numbers and names.
    """
    path = find_notebook(chapter)
    if not isinstance(given, Mapping):
        raise ValueError(f"parameters is {shown(given)}: it must be a mapping from names to values.")
    own, before, bounds = _read(path)
    annotations = {one.name: one.kind for one in own}
    _known(given, list(annotations), path.name)
    values = {name: kinds.plain(value) for name, value in {**before, **given}.items()}
    for name, value in values.items():
        kinds.fitting(name, value, annotations[name])
        if name in bounds:
            _within(name, value, bounds[name])
    return values


def find_notebook(chapter: str | Path) -> Path:
    """Where a chapter's notebook is, given as an `.ipynb` or as the bare name of one in the folder `book`.

    The path holds in any working folder.

    Raises
    ------
    ValueError
        If there is no such file.
    """
    path = Path(chapter) if isinstance(chapter, (str, Path)) else Path()
    for candidate in (path, Path("book") / f"{path}.ipynb"):
        if candidate.suffix == ".ipynb" and os.path.isfile(candidate):
            return candidate.absolute()
    raise ValueError(f"chapter is {shown(chapter)}: it must be an .ipynb or the name of one in the folder book.")


def _read(path: Path) -> tuple[list[_Parameter], dict[str, Any], dict[str, Any]]:
    """What a notebook says of its parameters: what it declares, what was given instead in its run, and the bounds."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        sources = [("".join(cell["source"]), list(cell["metadata"].get("tags", []))) for cell in cells]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path.name} is no notebook: it must be JSON with cells.") from error
    for tag in (TAG, INJECTED_TAG):
        count = sum(tag in tags for _, tags in sources)
        if count > 1:
            raise ValueError(f"{path.name} has {count} cells tagged {tag!r}: it must have one.")
    try:
        own = declared_in("".join(source for source, tags in sources if TAG in tags))
        injected = _assigned("".join(source for source, tags in sources if INJECTED_TAG in tags))
        given = {name: ast.literal_eval(node) for name, node in injected.items()}
        bounds = _bounds(source for source, _ in sources)
    except kinds.NO_LITERAL as error:
        raise ValueError(f"{path.name} has a cell of parameters that cannot be read: {shown(error)}.") from error
    _known(given, [one.name for one in own], path.name)
    return own, given, bounds


def _bounds(sources: Iterable[str]) -> dict[str, Any]:
    """The bounds that `check` gets in a notebook, as far as they are plain; others depend on what is computed there."""
    found: dict[str, Any] = {}
    for source in (source for source in sources if f"{_CHECK}(" in source):
        calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
        for bound in (bound for call in calls if ast.unparse(call.func) == _CHECK for bound in call.keywords):
            with contextlib.suppress(*kinds.NO_LITERAL):
                found[str(bound.arg)] = ast.literal_eval(bound.value)
    return found


def _known(names: Iterable[str], declared: list[str], chapter: str) -> None:
    for name in names:
        if name not in declared:
            near = difflib.get_close_matches(name, declared, 1)
            meant = f" ({near[0]!r} is near)" if near else ""
            raise ValueError(
                f"{chapter} has no parameter {name!r}{meant}: its parameters are {', '.join(declared) or 'none'}."
            )


def _within(name: str, value: Any, bound: Any) -> None:
    for one in value if isinstance(value, (list, tuple)) else [value]:
        if isinstance(one, str):
            refusals.choice(name, one, bound)
        elif one is not None:
            refusals.number(name, one, *bound)


def _assigned(source: str) -> dict[str, ast.expr]:
    nodes = [node for node in ast.parse(source).body if isinstance(node, ast.Assign)]
    return {node.targets[0].id: node.value for node in nodes if isinstance(node.targets[0], ast.Name)}
