"""One point of a sweep: its name, what is kept of it, and its run in a process of its own.

The truth is on disk: a point is done when its `point.json` is there, which is written last and whole. Its name is a
digest of all that it depends on, so that nothing else is taken for it.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import fsspec
import nbformat
from filelock import FileLock

import kbe
from kbe.book import contents, files, lifeline, sources
from kbe.book.parameters import INJECTED_TAG

DONE, FAILED, NOTEBOOK = "point.json", "failed.json", "notebook.ipynb"
_LOCKS = ".locks"
_EXECUTES = ("ipykernel", "IPython", "matplotlib_inline", "papermill")


@dataclass(frozen=True)
class Point:
    """A chapter with all its values, and the address of the folder that keeps it; `inputs` is what else it reads."""

    chapter: str
    values: dict[str, Any]
    inputs: dict[str, str]
    folder: str
    threads: int = 1
    timeout: float | None = None

    @property
    def key(self) -> str:
        """A digest of the inputs and of the values, whatever their order, 1 and 1.0 being one value."""
        values = {name: _canonical(value) for name, value in self.values.items()}
        return sources.digest(json.dumps([self.inputs, values], sort_keys=True))

    @property
    def store(self) -> Store:
        """Where it is kept."""
        return Store(self.folder)


class Store:
    """A folder or any address that fsspec opens.

    Raises
    ------
    ValueError
        If nothing opens the address.
    """

    def __init__(self, address: str) -> None:
        try:
            self._files, self.root = fsspec.core.url_to_fs(address)
        except Exception as error:  # each scheme has errors of its own
            told = " ".join(str(error).split()).rstrip(".")
            raise ValueError(
                f"folder is {address!r}: it must be a folder or an address to write to ({told})."
            ) from error
        self.is_local = "file" in self._files.protocol

    def check(self) -> None:
        """Write something, and remove it, rather than fail after the work."""
        try:
            self.write(".writable/try", b"x" * 4096)
            self._files.rm(f"{self.root}/.writable", recursive=True)
        except Exception as error:
            told = getattr(error, "strerror", None) or " ".join(str(error).split()).rstrip(".")
            raise ValueError(f"folder is {self.root!r}: it must be a folder to write in ({told}).") from error

    def write(self, name: str, data: bytes) -> None:
        """Write a file whole or not at all."""
        if self.is_local:
            files.write(data, Path(self.root, name))
        else:
            self._files.pipe_file(f"{self.root}/{name}", data)

    def read(self, name: str) -> dict[str, Any]:
        """A record; nothing if there is none, or only part of one."""
        try:
            found = json.loads(self._files.cat_file(f"{self.root}/{name}"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            self._files.rm_file(f"{self.root}/{name}")

    def records(self, name: str) -> Iterator[dict[str, Any]]:
        """The records of that name of all points, in the order of their keys."""
        for path in sorted(self._files.glob(f"{self.root}/*/{name}")):
            if found := self.read("/".join(path.split("/")[-2:])):
                yield found

    @contextlib.contextmanager
    def held(self, key: str) -> Iterator[None]:
        """Nobody else runs this point meanwhile; only in a local folder, where a lock ends with its holder."""
        if not self.is_local:
            yield
            return
        folder = Path(self.root, _LOCKS)
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / key):
            for partial in Path(self.root, key).glob(".*.part"):  # of somebody who was killed
                partial.unlink(missing_ok=True)
            yield


def inputs(notebook: nbformat.NotebookNode) -> dict[str, str]:
    """What a chapter reads besides its values: its code, the package's modules, the libraries' versions, Python.

    Raises
    ------
    ValueError
        If its imports cannot be followed.
    """
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


def run_point(point: Point) -> dict[str, Any]:
    """Run a point in a process of its own unless it is done; what is kept of it is returned.

    It holds `error` if the point failed.
    """
    key, store = point.key, point.store
    with store.held(key):
        if found := store.read(f"{key}/{DONE}"):  # by another sweep, meanwhile
            return found
        store.remove(f"{key}/{FAILED}")
        start, (status, told) = time.monotonic(), _process(point)
        if found := store.read(f"{key}/{DONE}"):
            return found
        try:
            failure = json.loads(told.splitlines()[-1])
        except (IndexError, ValueError):
            last = told.strip().splitlines()[-1:] or ["nothing was said"]
            failure = {"cell": None, "error": f"its process ended with status {status} ({last[0]})"}
        record = record_of(point) | failure | {"seconds": round(time.monotonic() - start, 2)}
        store.write(f"{key}/{FAILED}", json.dumps(record, indent=1).encode())
        return record


def record_of(point: Point) -> dict[str, Any]:
    """What stands beside every result: which point, of what, where."""
    return {"key": point.key, "chapter": Path(point.chapter).stem, "parameters": point.values, "host": platform.node(),
            "inputs": point.inputs}  # fmt: skip


def _process(point: Point) -> tuple[int, str]:
    """The status with which the point's process ends, and what it says."""
    threads = str(point.threads)
    with tempfile.TemporaryDirectory(prefix="kbe-") as scratch:
        around = os.environ | {
            "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path)),
            "JUPYTER_RUNTIME_DIR": scratch,  # a short path, as a socket's must be
            "OMP_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": threads,
            lifeline.PARENT: str(os.getpid()),
        }
        command = [sys.executable, "-m", "kbe.book.point_process"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   text=True, env=around, cwd=scratch, start_new_session=True)  # fmt: skip
        try:
            told, _ = process.communicate(json.dumps(asdict(point)))
        finally:
            process.kill()
    return process.returncode, told


def _canonical(value: Any) -> Any:
    if isinstance(value, list):
        return [_canonical(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
