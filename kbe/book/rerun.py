"""A chapter again with other parameters, by papermill."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import nbformat

from kbe.book import files
from kbe.book.papermilling import CellFailed, KernelDied, Tell, execute_notebook
from kbe.book.parameters import find_notebook, suiting
from kbe.book.plain import in_plain_markdown
from kbe.checks import Real, checked
from kbe.refusals import shown

Seconds = Annotated[float, Real(above=0)]
_LONGEST_FILE_NAME = 200  # bytes; most file systems allow 255, and a file that is being written has a longer one


@checked
def rerun(
    chapter: str | Path,
    parameters: Mapping,
    output: str | Path,
    *,
    tell: Tell | None = None,
    timeout: Seconds | None = None,
    keep_failed: bool = False,
) -> Path:
    """Execute a chapter with other parameters.

    Parameters
    ----------
    chapter
        Its `.ipynb`, or its bare name if it lies in the folder `book`; it is not changed.
    parameters
        New values by name; what is not named keeps its value, in a rerun the one that it was run with.
    output
        Where the executed notebook goes, in Markdown that every Jupyter shows and with its own numbers in the text;
        written whole or not at all. It is returned.
    tell
        Called at each code cell that begins, with its number, their number, and the cell's first line.
    timeout
        Seconds that a cell may take; None sets no limit.
    keep_failed
        Keep what a failed chapter has come to beside the output, as `.failed.ipynb`.

    Raises
    ------
    ValueError
        If a parameter is unknown or does not fit, or a path is of no use; before anything runs.
    RuntimeError
        If a cell of the chapter failed, or the kernel.
    """
    path, target = find_notebook(chapter), _path("output", output)
    values, notebook = suiting(path, parameters), _read(path)
    fits = target.suffix == ".ipynb" and os.path.isdir(target.parent) and not os.path.isdir(target)
    if not fits or target.resolve() == path.resolve():
        raise ValueError(f"output is {str(target)!r}: it must be an .ipynb, not the chapter, in a folder that exists.")
    _writable(target)
    try:
        made = execute_notebook(notebook, values, path.parent, tell=tell, timeout=timeout)
    except CellFailed as error:
        told = f"{path.name}, {error}"
        if keep_failed:
            kept = target.with_suffix(".failed.ipynb")
            files.write(nbformat.writes(_of_names(error.notebook, path, kept)), kept)
            told = f"{told.rstrip('.')}; {kept} shows it."
        raise RuntimeError(told) from error
    except KernelDied as error:
        raise RuntimeError(f"{path.name}: {error}") from error
    files.write(finished(made, path, target), target)
    return target


def finished(made: nbformat.NotebookNode, chapter: Path, target: Path) -> str:
    """What is kept of an executed chapter: plain Markdown, and of paths the names alone."""
    return nbformat.writes(in_plain_markdown(_of_names(made, chapter, target), chapter.stem, chapter.parent))


def _of_names(made: nbformat.NotebookNode, chapter: Path, target: Path) -> nbformat.NotebookNode:
    made.metadata.papermill |= {"input_path": chapter.name, "output_path": target.name}
    return made


def _read(path: Path) -> nbformat.NotebookNode:
    try:
        notebook = nbformat.v4.reads(path.read_text(encoding="utf-8"))
        nbformat.validate(notebook, version=4)
    except Exception as error:  # what is no notebook fails in many ways
        raise ValueError(f"{path.name} is no notebook: nbformat must find it valid.") from error
    return notebook


def _path(name: str, given: Any) -> Path:
    if not isinstance(given, (str, Path)) or not str(given) or "\0" in str(given):
        raise ValueError(f"{name} is {shown(given)}: it must be a path.")
    return Path(given)


def _writable(output: Path) -> None:
    """Try to write there, rather than fail after the work."""
    if len(os.fsencode(output.name)) > _LONGEST_FILE_NAME:
        raise ValueError(
            f"output gets the file {shown(output.name)}: its name must have at most {_LONGEST_FILE_NAME} bytes."
        )
    try:
        with tempfile.TemporaryFile(dir=output.parent):
            pass
    except OSError as error:
        raise ValueError(
            f"output is {str(output)!r}: it must be in a folder to write in ({error.strerror})."
        ) from error
