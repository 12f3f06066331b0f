"""A notebook executed by papermill in a kernel of this very Python, and how far it is.

Little is imported here, because every point of a sweep is a process of its own.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import nbformat
import papermill
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from nbclient.exceptions import CellTimeoutError
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from kbe.book import lifeline

_ENGINE = "kbe"
_NO_WIDGETS = "ignore:IProgress not found"  # of tqdm, where nobody looks
_LONGEST_SOCKET = 90  # bytes of its folder's path; systems allow some hundred for the whole
_CHECKS = "parameters.check("  # in the cell that refuses values
Tell = Callable[[int, int, str], None]


class CellFailed(RuntimeError):
    """A cell failed or took too long: `cell` counts the code cells from 1, `notebook` is as far as it came."""

    cell: int
    notebook: nbformat.NotebookNode


class KernelDied(RuntimeError):
    """The kernel ended before the notebook did."""


def execute_notebook(
    notebook: nbformat.NotebookNode,
    values: Mapping[str, Any],
    folder: str | Path,
    *,
    tell: Tell | None = None,
    timeout: float | None = None,
) -> nbformat.NotebookNode:
    """Execute a notebook with new values of its parameters in a folder; it is returned with its outputs.

    papermill is given no paths: it reads more into them than their letters, such as braces, it would write half a
    notebook, and it would change the working folder of the whole process.

    Parameters
    ----------
    notebook
        It is not changed.
    values
        By name, as a notebook can hold them.
    folder
        Where the kernel runs.
    tell
        Called at each code cell that begins, with its number, their number, and the cell's first line.
    timeout
        Seconds that a cell may take; None sets no limit.

    Raises
    ------
    ValueError
        If the notebook's own check refuses a value.
    CellFailed
        If a cell failed or took too long.
    KernelDied
        If the kernel ended.
    """
    progress = _Progress(tell)
    with tempfile.TemporaryDirectory(prefix=f"kbe-{os.getpid()}-") as sockets:
        try:
            return papermill.execute_notebook(
                notebook, None, dict(values), engine_name=_ENGINE, keep=progress.keep, on_cell_start=progress.start,
                kernel_name="python3", language="python", progress_bar=False, execution_timeout=timeout,
                kernel_manager_class=_Kernel, config=_connection(sockets),
                resources={"metadata": {"path": str(folder)}},
                shutdown_kernel="immediate",  # and quietly, when somebody interrupts
            )  # fmt: skip
        except PapermillExecutionError as error:
            if _CHECKS in error.source:
                raise ValueError(error.evalue) from None
            raise progress.failed(f"cell {progress.cell}: {_line(error.ename)}: {_line(error.evalue)}") from error
        except CellTimeoutError as error:
            told = f"cell {progress.cell} ({progress.line}): it took more than {timeout:g} s."
            raise progress.failed(told) from error
        except RuntimeError as error:
            raise KernelDied(f"{_line(error)} (was there too little memory?)") from error


class _Progress:
    """The notebook that runs, and the code cell that it has come to."""

    def __init__(self, tell: Tell | None) -> None:
        self._tell, self.cell, self.line = tell, 0, ""

    def keep(self, notebook: nbformat.NotebookNode) -> None:
        self.notebook = notebook
        self.cells = sum(cell.cell_type == "code" for cell in notebook.cells)

    def start(self, cell: nbformat.NotebookNode, cell_index: int) -> None:
        if cell.cell_type == "code":
            self.cell += 1
            self.line = next((line.strip() for line in cell.source.splitlines() if line.strip()), "")
            if self._tell:
                self._tell(self.cell, self.cells, self.line)

    def failed(self, told: str) -> CellFailed:
        error = CellFailed(told)
        error.cell, error.notebook = self.cell, self.notebook
        return error


class _Engine(NBClientEngine):
    """papermill's own, which also hands over the notebook that it fills, since a failed one is not returned."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> Any:
        options.pop("keep")(nb_man.nb)
        return super().execute_managed_notebook(nb_man, kernel_name, **options)


papermill_engines.register(_ENGINE, _Engine)


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
        warnings = ",".join(filter(None, (os.environ.get("PYTHONWARNINGS"), _NO_WIDGETS)))
        return super().start_kernel(env=lifeline.surroundings() | {"PYTHONWARNINGS": warnings}, **options)


def _connection(folder: str) -> Config:
    """Sockets that are files where they can be: two kernels that start at once may take the same port."""
    files = sys.platform != "win32" and len(os.fsencode(folder)) <= _LONGEST_SOCKET
    sockets = {"transport": "ipc", "ip": f"{folder}/kernel"} if files else {}
    return Config({"KernelManager": {"connection_file": f"{folder}/kernel.json", **sockets}})


def _line(text: object) -> str:
    return " ".join(str(text).split())
