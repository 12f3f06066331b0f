"""What is missing is executed: pages side by side, one thread each, the longest first.

Each page runs in a process of its own (`kbe.book.running`). A page that fails says so at once while the others go on;
what has been executed stays, whatever happens to the rest.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TextIO

from kbe.book.executions import Execution
from kbe.book.processes import Run, clear, run_page
from kbe.book.progress import Progress, duration

_NAMED_CHANGES = 3  # of what has changed for a page


def execute(wanted: Sequence[Execution], workers: int | None = None, out: TextIO = sys.stderr) -> dict[str, str]:
    """Execute those pages of which there is no execution yet, after those that they read the results of.

    Parameters
    ----------
    wanted
        As planned.
    workers
        How many run at the same time; None takes the number of cores.
    out
        Where progress and failures are told.

    Returns
    -------
    dict
        What went wrong, in one sentence for each page that failed; empty if all is well.
    """
    needed = {one.name: one for page in wanted for one in (*page.needs, page)}
    clear(list(needed.values()))
    missing = [one for one in needed.values() if not one.is_kept()]
    if not missing:
        return {}
    out.write(f"To be executed: {', '.join(map(_reason, missing))}.\n")
    return _Pool(missing, workers or _cores(), out).run()


class _Pool:
    """Pages side by side, and the line that tells how far they are."""

    def __init__(self, missing: Sequence[Execution], workers: int, out: TextIO) -> None:
        self._expected = {one.name: one.seconds() for one in missing}
        self._left = sorted(missing, key=lambda one: self._expected[one.name], reverse=True)
        self._workers, self._out, self._count = workers, out, len(missing)
        self._progress = Progress(out)
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
                self._running[threads.submit(run_page, run)] = run

    def _finish(self, run: Run, future: Future) -> str:
        self._taken[run.execution.name] = run.seconds
        try:
            failure, traceback = future.result()
        except OSError as error:
            failure, traceback = (
                f"{error.filename2 or error.filename or run.execution.path.parent} cannot be used: {error.strerror}.",
                "",
            )
        if failure:
            self._fail(run.execution.name, failure, traceback)
        return f"{run.execution.name} {'failed after' if failure else 'took'} {duration(run.seconds)}"

    def _fail(self, name: str, failure: str, traceback: str = "") -> None:
        self._failures[name] = failure
        self._progress.tell(f"FAILED {failure}\n{traceback}", keep=True)

    def _stop(self) -> None:
        self._left.clear()
        for run in self._running.values():
            run.stop()

    def _to_go(self) -> float:
        """Seconds until the last page is done, from how long they took the last time and how that has held so far."""
        done = sum(self._expected[name] for name in self._taken)
        pace = sum(self._taken.values()) / done if done else 1.0
        running = [max(0.0, pace * self._expected[r.execution.name] - r.seconds) for r in self._running.values()]
        left = [pace * self._expected[one.name] for one in self._left]
        return max([*running, *left, (sum(running) + sum(left)) / self._workers], default=0.0)

    def _tell(self, finished: Sequence[str]) -> None:
        """One line; elsewhere than on a terminal it appears whenever a page is done, too."""
        told = [f"{len(self._taken)} of {self._count} executed", *finished]
        if self._running:
            told.append(f"running {', '.join(map(_state, self._running.values()))}")
            told.append(f"{len(self._left)} left, about {duration(self._to_go())} to go")
        self._progress.tell(" · ".join(told), keep=not self._running or bool(finished and not self._out.isatty()))


def _cores() -> int:
    """The cores that this process may use, as far as the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _reason(one: Execution) -> str:
    """A page's name and, where it has been executed before, what of its inputs has changed."""
    changes = one.changes()
    more = f" and {len(changes) - _NAMED_CHANGES} more" if len(changes) > _NAMED_CHANGES else ""
    return one.name + (f" ({', '.join(changes[:_NAMED_CHANGES])}{more})" if changes else "")


def _state(run: Run) -> str:
    if run.waiting:
        return f"{run.execution.name} (waits for another command)"
    return f"{run.execution.name} (cell {run.cell} of {run.cells}, {duration(run.seconds)})"
