"""What is missing is executed: pages side by side, one thread each, the longest first.

Each page runs in a process of its own (`kbe.book.running`). A page that fails says so at once while the others go on;
what has been executed stays, whatever happens to the rest.
"""

from __future__ import annotations

import contextlib
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
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import nbformat

from kbe.book import files
from kbe.book.executions import FOLDER, Execution, environment
from kbe.book.staging import stage

KEPT_OF_A_PAGE = 8  # executions; older ones are dropped
TRACEBACK_LINES = 15
WORKING = "running-"  # how the folder begins in which a page runs; the number of its process follows


@dataclass
class Run:
    """A page while it runs.

    Parameters
    ----------
    execution : Execution
        What runs.
    """

    execution: Execution
    started: float = field(default_factory=time.monotonic)
    process: subprocess.Popen | None = None
    waiting: bool = False

    @property
    def seconds(self) -> float:
        """How long it has been running."""
        return time.monotonic() - self.started


def execute(wanted: Sequence[Execution], workers: int | None = None, out: TextIO = sys.stderr) -> dict[str, str]:
    """Execute those pages of which there is no execution yet, after those that they read the results of.

    Parameters
    ----------
    wanted : sequence of Execution
        As planned.
    workers : int or None
        How many run at the same time; None takes the number of cores.
    out : file
        Where progress and failures are told.

    Returns
    -------
    dict
        What went wrong, in one sentence for each page that failed; empty if all is well.
    """
    _clear(wanted)
    needed = {one.name: one for page in wanted for one in (*page.needs, page)}
    missing = [one for one in needed.values() if not one.is_kept()]
    return _Pool(missing, workers or len(os.sched_getaffinity(0)), out).run() if missing else {}


class _Pool:
    """Pages side by side, and the line that tells how far they are."""

    def __init__(self, missing: Sequence[Execution], workers: int, out: TextIO) -> None:
        self._expected = {one.name: one.seconds() for one in missing}
        self._left = sorted(missing, key=lambda one: self._expected[one.name], reverse=True)
        self._workers, self._out, self._count = workers, out, len(missing)
        self._running: dict[Future, Run] = {}
        self._failures: dict[str, str] = {}
        self._taken: dict[str, float] = {}

    def run(self) -> dict[str, str]:
        """Until all have been executed or have failed."""
        with ThreadPoolExecutor(self._workers) as threads:
            try:
                self._start(threads)
                while self._running:
                    done, _ = wait(self._running, timeout=1, return_when=FIRST_COMPLETED)
                    finished = [self._finish(self._running.pop(future), future) for future in done]
                    self._start(threads)
                    self._tell(finished)
            except BaseException:
                self._stop()
                raise
        return self._failures

    def _start(self, threads: ThreadPoolExecutor) -> None:
        unfinished = {one.name for one in self._left} | {run.execution.name for run in self._running.values()}
        for one in list(self._left):
            waits_for = [need.name for need in one.needs if need.name in unfinished]
            lacks = [need.name for need in one.needs if need.name in self._failures]
            if lacks:
                self._left.remove(one)
                self._fail(one.name, f"{one.name} was not executed, because it reads {' and '.join(lacks)}.")
            elif not waits_for and len(self._running) < self._workers:
                self._left.remove(one)
                run = Run(one)
                self._running[threads.submit(_run, run)] = run

    def _finish(self, run: Run, future: Future) -> str:
        self._taken[run.execution.name] = run.seconds
        try:
            failure, traceback = future.result()
        except OSError as error:
            failure, traceback = f"{error.filename} cannot be used: {error.strerror}.", ""
        if failure:
            self._fail(run.execution.name, failure, traceback)
        return f"{run.execution.name} {'failed after' if failure else 'took'} {_time(run.seconds)}"

    def _fail(self, name: str, failure: str, traceback: str = "") -> None:
        self._failures[name] = failure
        self._print(f"FAILED {failure}\n{traceback}")

    def _stop(self) -> None:
        self._left.clear()
        for run in self._running.values():
            if run.process is not None and run.process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    run.process.send_signal(signal.SIGTERM)

    def _to_go(self) -> float:
        """Seconds until the last page is done, from how long they took the last time and how that has held so far."""
        done = sum(self._expected[name] for name in self._taken)
        pace = sum(self._taken.values()) / done if done else 1.0
        running = [max(0.0, pace * self._expected[r.execution.name] - r.seconds) for r in self._running.values()]
        left = [pace * self._expected[one.name] for one in self._left]
        return max([*running, *left, (sum(running) + sum(left)) / self._workers], default=0.0)

    def _tell(self, finished: Sequence[str]) -> None:
        """One line; on a terminal it is written over, elsewhere it appears whenever a page is done."""
        if not (finished or self._out.isatty()):
            return
        told = [f"{len(self._taken)} of {self._count} executed", *finished]
        if self._running:
            told.append(f"running {', '.join(map(_state, self._running.values()))}")
            told.append(f"{len(self._left)} left, about {_time(self._to_go())} to go")
        self._print(" · ".join(told), last=not self._running)

    def _print(self, text: str, last: bool = True) -> None:
        if self._out.isatty():
            width = shutil.get_terminal_size().columns
            self._out.write("\r\033[K" + (text + "\n" if last else text[: width - 1]))
        else:
            self._out.write(text.rstrip() + "\n")
        self._out.flush()


def _run(run: Run) -> tuple[str, str]:
    """Execute one page; returns what failed, in a sentence, and the traceback."""
    one = run.execution
    lock, run.waiting = one.lock(), True
    with lock, _working_folder(one) as notebook, tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        run.waiting, run.started = False, time.monotonic()
        if one.is_kept():  # by another command, meanwhile
            return "", ""
        root = str(one.root.resolve())
        paths = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        around = os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": environment()["OMP_NUM_THREADS"]}
        command = [sys.executable, "-m", "kbe.book.running", str(notebook), str(one.path.resolve())]
        run.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True, cwd=root, env=around,
                                       start_new_session=True)  # fmt: skip
        assert run.process.stdout is not None
        events = [json.loads(line) for line in run.process.stdout]
        status = run.process.wait()
        if status == 0 and one.is_kept():
            for old in one.kept_before()[KEPT_OF_A_PAGE:]:
                old.unlink(missing_ok=True)
            return "", ""
        said.seek(0)
        return _failure(one.name, events, said.read(), status)


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
    return "\n".join(f"    {line}" for line in plain.splitlines()[-TRACEBACK_LINES:])


@contextlib.contextmanager
def _working_folder(one: Execution) -> Iterator[Path]:
    """A folder like the book's with the notebook in it, and the executed pages that it reads."""
    folder = Path(tempfile.mkdtemp(prefix=f"{WORKING}{os.getpid()}-", dir=one.root / FOLDER))
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


def _clear(wanted: Sequence[Execution]) -> None:
    """Remove the working folders of commands that were killed."""
    for root in {one.root for one in wanted}:
        for folder in (root / FOLDER).glob(f"{WORKING}*"):
            try:
                os.kill(int(folder.name.removeprefix(WORKING).partition("-")[0]), 0)
            except (ProcessLookupError, ValueError):
                shutil.rmtree(folder, ignore_errors=True)
            except PermissionError:  # it lives, and is somebody else's
                continue


def _state(run: Run) -> str:
    return f"{run.execution.name} ({'waits for another command' if run.waiting else _time(run.seconds)})"


def _time(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02} s"
