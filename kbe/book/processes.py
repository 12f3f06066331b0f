"""A page's own process: the folder in which it runs, and what it says of its end."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib
import nbformat
from filelock import FileLock, Timeout

from kbe.book import contents, files
from kbe.book.executions import FOLDER, Execution, environment
from kbe.book.staging import stage

_KEPT_OF_A_PAGE = 8  # executions; older ones are dropped
_TRACEBACK_LINES = 15
_WORKING = "running-"  # how the folder begins in which a page runs; the page's name follows


@dataclass
class Run:
    """A page while it runs."""

    execution: Execution
    started: float = field(default_factory=time.monotonic)
    process: subprocess.Popen | None = None
    waiting: bool = False
    stopped: bool = False
    done: int = 0  # code cells

    @property
    def cells(self) -> int:
        """How many code cells it has."""
        return len(contents.code(self.execution.notebook))

    @property
    def cell(self) -> int:
        """The code cell that runs."""
        return min(self.done + 1, self.cells)

    @property
    def seconds(self) -> float:
        """How long it has been running."""
        return time.monotonic() - self.started

    def stop(self) -> None:
        """End the process, and its kernel with it, if it runs; else it does not start."""
        self.stopped = True
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGTERM)


def run_page(run: Run) -> tuple[str, str]:
    """Execute one page in a process of its own, and keep the execution.

    Returns
    -------
    (str, str)
        What failed, in one sentence, and the end of the traceback; both empty if nothing did.
    """
    one = run.execution
    with (
        _held(one.lock(), run),
        _working_folder(one) as notebook,
        tempfile.TemporaryFile("w+", encoding="utf-8") as said,
    ):
        if one.is_kept() or run.stopped:  # kept by another command, meanwhile
            return "", ""
        root = str(one.root.resolve())
        executed = notebook.with_name("executed.ipynb")
        command = [sys.executable, "-m", "kbe.book.running", str(notebook), str(executed)]
        run.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True, cwd=root,
                                       env=_surroundings(root, notebook.parent),
                                       start_new_session=True)  # fmt: skip
        assert run.process.stdout is not None
        if run.stopped:
            run.stop()
        events = []
        for line in run.process.stdout:
            events.append(event := json.loads(line))
            run.done = event.get("done", run.done)
        status = run.process.wait()
        if status == 0 and executed.is_file():
            return _keep(one, executed), ""
        said.seek(0)
        return _failure(one.name, events, said.read(), status)


@contextlib.contextmanager
def _held(lock: FileLock, run: Run) -> Iterator[None]:
    """The lock, waited for as long as nobody stops the run; a stopped run starts nothing and needs none."""
    run.waiting = True
    while not (run.stopped or lock.is_locked):
        with contextlib.suppress(Timeout):
            lock.acquire(timeout=0.2)
    run.waiting, run.started = False, time.monotonic()
    try:
        yield
    finally:
        lock.release()


def _surroundings(root: str, folder: Path) -> dict[str, str]:
    """The environment of a page: of what is somebody's own nothing that changes what it shows."""
    own = ("MPLBACKEND", "PYTHONPATH", "PYTHONSTARTUP")
    kept = {name: value for name, value in os.environ.items() if name not in own}
    return kept | {
        "PYTHONPATH": root,
        "OMP_NUM_THREADS": environment()["OMP_NUM_THREADS"],
        "IPYTHONDIR": str(folder / ".ipython"),
        "MATPLOTLIBRC": str(Path(matplotlib.get_data_path()) / "matplotlibrc"),
    }


def _keep(one: Execution, executed: Path) -> str:
    """Put an execution where its key says, unless what it has read may be something else."""
    if changed := one.changed_since():
        return f"{one.name}: {' and '.join(changed)} changed while it ran, so it runs again at the next command."
    os.replace(executed, one.path)
    for old in one.kept_before()[_KEPT_OF_A_PAGE:]:
        old.unlink(missing_ok=True)
    return ""


def _failure(name: str, events: list[dict[str, Any]], said: str, status: int) -> tuple[str, str]:
    """One sentence and a traceback from what a process told before it ended."""
    failed = next((event for event in events if "error" in event), None)
    if failed is None:
        return f"{name}: its process ended with status {status}.", _last_lines(said)
    error = " ".join(failed["error"].split()).rstrip(".")
    if "cell" not in failed:
        return f"{name}: {error}.", _last_lines(failed["traceback"])
    first = next((line for line in failed["source"].splitlines() if line.strip()), "")
    return f"{name}, code cell {failed['cell'] + 1} ({first.strip()[:60]}): {error}.", _last_lines(failed["traceback"])


def _last_lines(text: str) -> str:
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    return "\n".join(f"    {line}" for line in plain.splitlines()[-_TRACEBACK_LINES:])


@contextlib.contextmanager
def _working_folder(one: Execution) -> Iterator[Path]:
    """A folder like the book's with the notebook in it, and the executed pages that it reads."""
    folder = Path(tempfile.mkdtemp(prefix=f"{_WORKING}{one.name}-", dir=one.root / FOLDER))
    try:
        if one.needs:
            stage(one.root, folder, one.needs)
        made = nbformat.from_dict(one.notebook)
        made.metadata["kbe"] = {"inputs": one.inputs}
        notebook = folder / "book" / f"{one.name}.ipynb"
        files.write(nbformat.writes(made) + "\n", notebook)
        yield notebook.resolve()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def clear(planned: Sequence[Execution]) -> None:
    """Remove the working folders that killed commands left of these pages, where nobody holds the page's lock."""
    for one in planned:
        left = list((one.root / FOLDER).glob(f"{_WORKING}{glob.escape(one.name)}-*"))
        lock = one.lock() if left else None
        with contextlib.suppress(Timeout):
            for folder in left:
                assert lock is not None
                with lock.acquire(timeout=0):
                    shutil.rmtree(folder, ignore_errors=True)
