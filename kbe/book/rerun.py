"""A chapter again with other parameters, and over a grid of them, by papermill."""

from __future__ import annotations

import itertools
import os
import re
import tempfile
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import papermill
from papermill.exceptions import PapermillExecutionError

from kbe.book.parameters import find_notebook, suiting
from kbe.refusals import shown

_LONGEST_FILE_NAME = 200  # characters; most file systems allow 255 bytes


def rerun(chapter: str | Path, parameters: Mapping[str, Any], output: str | Path, *, progress: bool = False) -> Path:
    """Execute a chapter with other parameters.

    Parameters
    ----------
    chapter
        Its `.ipynb`, or its bare name if it lies in the folder `book`; it is not changed.
    parameters
        New values by name; what is not named keeps its default.
    output
        Where the executed notebook goes, written whole or not at all. It is returned.
    progress
        Show a progress bar over the cells.

    Raises
    ------
    ValueError
        If a parameter is unknown or does not fit, or a path is of no use; before anything runs.
    RuntimeError
        If a cell of the chapter failed.
    """
    path, target = find_notebook(chapter), _path("output", output)
    suiting(path, parameters)
    if target.suffix != ".ipynb" or target.resolve() == path.resolve() or not target.parent.is_dir():
        raise ValueError(f"output is {str(target)!r}: it must be an .ipynb, not the chapter, in a folder that exists.")
    _writable("output", target.parent)
    partial = target.with_name(f".{os.getpid()}-{target.name}")
    try:
        papermill.execute_notebook(
            path, partial, dict(parameters), cwd=str(path.parent), progress_bar=progress, log_output=False
        )
        os.replace(partial, target)
    except PapermillExecutionError as error:
        if "parameters.check(" in error.source:
            raise ValueError(error.evalue) from None
        raise RuntimeError(f"{path.name}, cell {error.exec_count}: {error.ename}: {error.evalue}") from error
    finally:
        partial.unlink(missing_ok=True)
    return target


def sweep(
    chapter: str | Path, grid: Mapping[str, Sequence[Any]], folder: str | Path, executor: Executor | None = None
) -> list[Path]:
    """Execute a chapter at every point of a grid of parameters; what is already there is not run again.

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
        Dask cluster; None runs them one after the other.

    Returns
    -------
    list of Path
        The executed notebooks, in the order of the grid, the last parameter varying fastest.

    Raises
    ------
    ValueError
        If a parameter is unknown, a value does not fit, or two points would have one file name.
    """
    path, target = find_notebook(chapter), _path("folder", folder)
    if not isinstance(grid, Mapping):
        raise ValueError(f"grid is {shown(grid)}: it must be a mapping from names to lists of values.")
    for name, values in grid.items():
        if not isinstance(values, Collection) or isinstance(values, (str, Mapping)):
            raise ValueError(f"{name} is {shown(values)}: it must be a list of values.")
    points = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    for point in points:
        suiting(path, point)
    outputs = [target / f"{path.stem}-{_label(point)}.ipynb" for point in points]
    if not points or len(set(outputs)) < len(outputs):
        raise ValueError("The grid is empty or two of its points would have the same file name.")
    if max(len(output.name) for output in outputs) > _LONGEST_FILE_NAME:
        raise ValueError(f"A point of the grid makes a file name of more than {_LONGEST_FILE_NAME} characters.")
    _writable("folder", target)
    todo = [(path, point, output) for point, output in zip(points, outputs, strict=True) if not output.exists()]
    run = map if executor is None else executor.map
    for _ in run(rerun, *zip(*todo, strict=True)) if todo else ():
        pass
    return outputs


def _path(name: str, given: Any) -> Path:
    if not isinstance(given, (str, Path)) or not str(given):
        raise ValueError(f"{name} is {shown(given)}: it must be a path.")
    return Path(given)


def _writable(name: str, folder: Path) -> None:
    """Make the folder if it is missing, and try to write there, rather than fail after the work."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ValueError(f"{name} is {str(folder)!r}: it must be a folder to write in ({error.strerror}).") from error


def _label(point: Mapping[str, Any]) -> str:
    return re.sub(r"[^\w.=+,-]", "", ",".join(f"{name}={value}" for name, value in point.items()))
