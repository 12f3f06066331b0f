"""One point of a sweep, and its name: a digest of all that it depends on."""

from __future__ import annotations

import functools
import json
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

import kbe
from kbe.book import contents, sources
from kbe.book.parameters import INJECTED_TAG

_EXECUTES = ("ipykernel", "IPython", "matplotlib_inline", "papermill")
_NAMED_CHANGES = 3


@dataclass(frozen=True)
class Point:
    """A chapter with all its values, and the address of the folder that keeps it; `inputs` is what else it reads.

    `again` runs it though it has failed before.
    """

    chapter: str
    values: dict[str, Any]
    inputs: dict[str, str]
    folder: str
    threads: int = 1
    timeout: float | None = None
    again: bool = False
    keep_failed: bool = False

    @functools.cached_property
    def key(self) -> str:
        """A digest of the inputs and of the values, whatever their order, 1 and 1.0 being one value."""
        values = {name: _canonical(value) for name, value in self.values.items()}
        return sources.digest(json.dumps([self.inputs, values], sort_keys=True))


def inputs(chapter: str | Path) -> dict[str, str]:
    """What a chapter reads besides its values: its code, the package's modules, the libraries' versions, Python.

    Raises
    ------
    ValueError
        If its imports cannot be followed.
    """
    files = [Path(chapter), *sorted(Path(kbe.__file__).parent.rglob("*.py"))]
    return _inputs(Path(chapter), tuple((str(file), (told := file.stat()).st_mtime_ns, told.st_size) for file in files))


@functools.lru_cache(maxsize=4)
def _inputs(chapter: Path, state: tuple[tuple[str, int, int], ...]) -> dict[str, str]:
    """As long as no file is written, they stay what they are."""
    notebook = nbformat.reads(chapter.read_text(encoding="utf-8"), 4)
    cells = [cell.source for cell in contents.code(notebook) if INJECTED_TAG not in cell.metadata.get("tags", [])]
    read = sources.Sources(Path(kbe.__file__).parents[1])
    try:
        inside, outside = read.reached("\n".join(cells))
    except SyntaxError as error:
        raise ValueError(f"The chapter's code cannot be read: {error.msg} (only plain Python runs).") from error
    return {
        "code": sources.digest(json.dumps(cells)),
        "python": platform.python_version(),
        **sources.versions({*outside, *_EXECUTES}),
        **{name: read.digest(name) for name in inside},
    }


def differing(point: Point) -> str:
    """What of a point's inputs is another here than where its sweep started, in one sentence; empty if nothing is."""
    try:
        now = inputs(point.chapter)
    except OSError as error:
        return f"{point.chapter} cannot be read here ({error.strerror})"
    others = sorted(name for name in {*now, *point.inputs} if now.get(name) != point.inputs.get(name))
    more = f" and {len(others) - _NAMED_CHANGES} more" if len(others) > _NAMED_CHANGES else ""
    told = f"{', '.join(others[:_NAMED_CHANGES])}{more} is not here as it was where the sweep started"
    return told if others else ""


def _canonical(value: Any) -> Any:
    if isinstance(value, list):
        return [_canonical(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
