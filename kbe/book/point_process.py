"""The process of one point of a sweep: `python -m kbe.book.point_process`.

It reads a notebook, values, a folder and a time limit from its standard input, and tells each cell that begins and at
last what failed, if anything did, as lines of JSON. The executed notebook is left in its working folder.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import nbformat

from kbe.book import lifeline
from kbe.book.papermilling import CellFailed, KernelDied, execute_notebook

EXECUTED = "executed.ipynb"


def _tell(**event: Any) -> None:
    print(json.dumps(event), flush=True)


def _execute(notebook: str, values: dict[str, Any], folder: str, timeout: float | None) -> None:
    def tell(cell: int, cells: int, line: str) -> None:
        _tell(cell=cell, cells=cells)

    try:
        made = execute_notebook(nbformat.reads(notebook, 4), values, folder, tell=tell, timeout=timeout)
        failure: dict[str, Any] = {"error": ""}
    except CellFailed as error:
        made, failure = error.notebook, {"cell": error.cell, "error": str(error)}
    except ValueError as error:
        made, failure = None, {"cell": None, "error": str(error)}
    except KernelDied as error:
        made, failure = None, {"error": str(error), "died": True}
    if made is not None:
        Path(EXECUTED).write_text(nbformat.writes(made), encoding="utf-8")
    _tell(**failure)


if __name__ == "__main__":
    lifeline.follow_parent()
    _execute(**json.load(sys.stdin))
