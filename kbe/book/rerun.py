"""A chapter again with other parameters, by papermill."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
import papermill
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from nbclient.exceptions import CellTimeoutError
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from kbe.book import files, lifeline
from kbe.book.parameters import find_notebook, suiting
from kbe.book.plain import in_plain_markdown
from kbe.checks import checked
from kbe.refusals import shown

_LONGEST_FILE_NAME = 200  # bytes; most file systems allow 255, and a file that is being written has a longer one


class _Kernel(AsyncKernelManager):
    """A kernel of this very Python that imports what this process does, whatever a notebook calls its own."""

    @property
    def kernel_spec(self) -> KernelSpec:
        """How it is started."""
        described = get_kernel_dict()
        described["argv"] = [lifeline.__name__ if word == "ipykernel_launcher" else word for word in described["argv"]]
        return KernelSpec(**described)

    def start_kernel(self, **options: Any) -> Any:
        """Start it: in the chapter's folder a relative path would lead elsewhere, to another version of the package."""
        paths = os.pathsep.join(map(os.path.abspath, sys.path))
        return super().start_kernel(
            env=os.environ | {"PYTHONPATH": paths, lifeline.PARENT: str(os.getpid())}, **options
        )


@checked
def rerun(
    chapter: str | Path,
    parameters: Mapping,
    output: str | Path,
    *,
    progress: bool = False,
    timeout: float | None = None,
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
    progress
        Show a progress bar over the cells.
    timeout
        Seconds that a cell may take; None sets no limit.

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
        made = _execute(notebook, values, path.parent, progress, timeout)
    except PapermillExecutionError as error:
        if "parameters.check(" in error.source:
            raise ValueError(error.evalue) from None
        told = f"{_line(error.ename)}: {_line(error.evalue)}"
        raise RuntimeError(f"{path.name}, cell {error.exec_count}: {told}") from error
    except CellTimeoutError as error:
        lines = str(error).partition("Here is a preview")[2].partition("---")[2].splitlines()
        first = next((line for line in lines if line.strip("- ")), "")
        raise RuntimeError(f"{path.name}, the cell {first!r}: it took more than {timeout:g} s.") from error
    except RuntimeError as error:
        raise RuntimeError(f"{path.name}: {_line(error)} (was there too little memory?)") from error
    made.metadata.papermill |= {"input_path": str(path), "output_path": str(target)}
    files.write(nbformat.writes(in_plain_markdown(made, path.stem, path.parent)), target)
    return target


def _execute(
    notebook: nbformat.NotebookNode, values: Mapping[str, Any], folder: Path, progress: bool, timeout: float | None
) -> nbformat.NotebookNode:
    """Run a notebook with new values in a folder.

    papermill is given no paths: it reads more into them than their letters, such as braces, it would write half a
    notebook, and it would change the working folder of the whole process.
    """
    with tempfile.TemporaryDirectory(prefix="kbe-") as sockets:
        return papermill.execute_notebook(
            notebook,
            None,
            dict(values),
            kernel_name="python3",
            language="python",
            progress_bar=progress,
            execution_timeout=timeout,
            kernel_manager_class=_Kernel,
            config=_connection(sockets),
            resources={"metadata": {"path": str(folder)}},
            shutdown_kernel="immediate",  # and quietly, when somebody interrupts
        )


def _connection(folder: str) -> Config:
    """Sockets that are files where the system has them: two kernels that start at once may take the same port."""
    return Config({} if sys.platform == "win32" else {"KernelManager": {"transport": "ipc", "ip": f"{folder}/kernel"}})


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


def _line(text: object) -> str:
    return " ".join(str(text).split())
