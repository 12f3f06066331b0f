"""A chapter again with other parameters, and over a grid of them, by papermill."""

from __future__ import annotations

import itertools
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import nbformat
import papermill
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from papermill.exceptions import PapermillExecutionError

from kbe.book import contents, files, kinds
from kbe.book.parameters import INJECTED_TAG, declared, find_notebook, suiting
from kbe.book.plain import in_plain_markdown
from kbe.checks import checked
from kbe.refusals import shown

_LONGEST_FILE_NAME = 200  # bytes; most file systems allow 255, and a file that is being written has a longer one


class _Kernel(AsyncKernelManager):
    """A kernel of this very Python that imports what this process does, whatever a notebook calls its own."""

    @property
    def kernel_spec(self) -> KernelSpec:
        """How it is started."""
        return KernelSpec(**get_kernel_dict())

    def start_kernel(self, **options: Any) -> Any:
        """Start it: in the chapter's folder a relative path would lead elsewhere, to another version of the package."""
        paths = os.pathsep.join(map(os.path.abspath, sys.path))
        return super().start_kernel(env=os.environ | {"PYTHONPATH": paths}, **options)


@checked
def rerun(chapter: str | Path, parameters: Mapping, output: str | Path, *, progress: bool = False) -> Path:
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
    progress
        Show a progress bar over the cells.

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
    _writable("output", target.parent, [target])
    try:
        made = _execute(notebook, values, path.parent, progress)
    except PapermillExecutionError as error:
        if "parameters.check(" in error.source:
            raise ValueError(error.evalue) from None
        told = f"{_line(error.ename)}: {_line(error.evalue)}"
        raise RuntimeError(f"{path.name}, cell {error.exec_count}: {told}") from error
    except RuntimeError as error:
        raise RuntimeError(f"{path.name}: {_line(error)} (was there too little memory?)") from error
    made.metadata.papermill |= {"input_path": str(path), "output_path": str(target)}
    files.write(nbformat.writes(in_plain_markdown(made, path.stem, path.parent)), target)
    return target


@checked
def sweep(
    chapter: str | Path, grid: Mapping[str, Sequence[Any]], folder: str | Path, executor: Executor | None = None
) -> list[Path]:
    """Execute a chapter at every point of a grid of parameters; what is already there is not run again.

    A point that fails does not stop the others.

    Parameters
    ----------
    chapter
        Its `.ipynb`, or its bare name if it lies in the folder `book`.
    grid
        The values of each parameter, by name.
    folder
        Where the notebooks go, each named after its parameters; made if missing.
    executor
        Who runs them: a pool of processes here, or `distributed.Client(...).get_executor()` for a
        Dask cluster whose workers see the same files; None runs them one after the other.

    Returns
    -------
    list of Path
        The executed notebooks, in the order of the grid, the last parameter varying fastest.

    Raises
    ------
    ValueError
        If a parameter is unknown, a value does not fit, two points would have one file name, or a file of that name is
        there that is no run of the chapter as it is now.
    RuntimeError
        If some points failed; the others have been executed.
    """
    path, target = find_notebook(chapter), _path("folder", folder)
    points = _points(grid)
    values = [suiting(path, point) for point in points]
    outputs = [target / f"{path.stem}-{_label(point)}.ipynb" for point in points]
    for output, times in Counter(outputs).items():
        if times > 1:
            raise ValueError(f"{times} points of the grid have the file name {output.name!r}: each must have its own.")
    _writable("folder", target, outputs)
    notebook, own = _read(path), {one.name: one.value for one in declared(path)}
    for given, output in zip(values, outputs, strict=True):
        if output.exists() and not _has_run(output, notebook, own | given):
            raise ValueError(
                f"folder is {str(folder)!r}: it must be another, because its {output.name} is no run of {path.name} as "
                "that is now with these values."
            )
    todo = [
        (path, point, output.absolute())  # whoever runs it may do so in another folder
        for point, output in zip(points, outputs, strict=True)
        if not output.exists()
    ]
    run = map if executor is None else executor.map
    failures = [failure for failure in run(_failure, *zip(*todo, strict=True)) if failure] if todo else []
    if failures:
        raise RuntimeError(f"{len(failures)} of {len(points)} points failed: {'; '.join(failures)}.")
    return outputs


def _execute(
    notebook: nbformat.NotebookNode, values: Mapping[str, Any], folder: Path, progress: bool
) -> nbformat.NotebookNode:
    """Run a notebook with new values in a folder.

    papermill is given no paths: it reads more into them than their letters, such as braces, it would write half a
    notebook, and it would change the working folder of the whole process.
    """
    return papermill.execute_notebook(
        notebook,
        None,
        dict(values),
        kernel_name="python3",
        language="python",
        progress_bar=progress,
        kernel_manager_class=_Kernel,
        resources={"metadata": {"path": str(folder)}},
        shutdown_kernel="immediate",  # and quietly, when somebody interrupts
    )


def _points(grid: Any) -> list[dict[str, Any]]:
    """Every combination of a grid's values."""
    if not isinstance(grid, Mapping) or not grid:
        raise ValueError(f"grid is {shown(grid)}: it must be a mapping from names to lists of values.")
    lists = {name: kinds.plain(values) for name, values in grid.items()}
    for name, values in lists.items():
        if not isinstance(values, Collection) or isinstance(values, (str, bytes, Mapping)) or not values:
            raise ValueError(f"{name} is {shown(values)}: it must be a list of values.")
    return [dict(zip(lists, map(kinds.plain, values), strict=True)) for values in itertools.product(*lists.values())]


def _failure(path: Path, point: Mapping[str, Any], output: Path) -> str:
    """Rerun a chapter, and say what went wrong: an error would end the sweep. Empty if nothing did."""
    try:
        rerun(path, point, output)
    except Exception as error:
        return f"{_label(point)} ({_line(error).rstrip('.')})"
    return ""


def _has_run(output: Path, notebook: nbformat.NotebookNode, values: Mapping[str, Any]) -> bool:
    """Whether a file is a run of this very notebook with these values."""
    try:
        ran, had = _read(output), {one.name: one.value for one in declared(output)}
    except ValueError:
        return False
    return had == values and _sources(ran) == _sources(notebook)


def _sources(notebook: nbformat.NotebookNode) -> list[str]:
    """The cells that run, without those that hold new values."""
    return [cell.source for cell in contents.code(notebook) if INJECTED_TAG not in cell.metadata.get("tags", [])]


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


def _writable(name: str, folder: Path, outputs: Sequence[Path]) -> None:
    """Make the folder if it is missing, and try to write there, rather than fail after the work."""
    for output in outputs:
        if len(os.fsencode(output.name)) > _LONGEST_FILE_NAME:
            raise ValueError(
                f"{name} gets the file {shown(output.name)}: its name must have at most {_LONGEST_FILE_NAME} bytes."
            )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ValueError(f"{name} is {str(folder)!r}: it must be a folder to write in ({error.strerror}).") from error


def _label(point: Mapping[str, Any]) -> str:
    return re.sub(r"[^\w.=+,-]", "", ",".join(f"{name}={value}" for name, value in point.items()))


def _line(text: object) -> str:
    return " ".join(str(text).split())
