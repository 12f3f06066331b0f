"""A chapter over a grid of parameters: Dask distributes the points, the folder knows which are done."""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
import time
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import distributed
from distributed.client import CancelledError

from kbe.book import cluster, kinds, points
from kbe.book.parameters import declared, find_notebook, suiting
from kbe.book.point_runs import clear_scratch
from kbe.book.points import Point
from kbe.book.progress import Progress, duration
from kbe.book.rerun import Seconds
from kbe.book.stores import Store
from kbe.checks import Count, checked
from kbe.refusals import shown


@checked
def sweep(
    chapter: str | Path,
    grid: Mapping[str, Sequence[Any]],
    folder: str | Path,
    *,
    workers: Count = 2,
    scheduler: str | None = None,
    retry_failed: bool = False,
    keep_failed: bool = False,
    timeout: Seconds | None = None,
    out: Any = sys.stderr,
) -> list[str]:
    """Execute a chapter at every point of a grid; what the folder already has is not run again.

    A point that fails does not stop the others.

    Parameters
    ----------
    chapter
        Its `.ipynb`, or its bare name if it lies in the folder `book`.
    grid
        The values of each parameter, by name.
    folder
        Where the points are kept, each in a folder of its own: a path, or any address that fsspec opens.
    workers
        How many points run at once, each in a process of its own, on this machine.
    scheduler
        The address of a Dask scheduler that runs elsewhere, whose workers run the points instead.
    retry_failed
        Run only those points again that have failed.
    keep_failed
        Keep the notebook of a point that fails, as far as it came.
    timeout
        Seconds that a cell may take; None sets no limit.
    out
        Where progress is told.

    Returns
    -------
    list of str
        The keys of the points, which are the names of their folders, in the order of the grid.

    Raises
    ------
    ValueError
        If a parameter is unknown, a value does not fit, two points are equal, or the folder or the scheduler is of no
        use; before anything runs.
    RuntimeError
        If some points failed, the scheduler was lost or a result cannot be kept; what is done is done.
    """
    threads = 1 if scheduler else cluster.threads_each(workers)
    wanted = [replace(one, threads=threads, timeout=timeout, again=retry_failed, keep_failed=keep_failed)
              for one in _planned(chapter, grid, str(folder))]  # fmt: skip
    store = Store(wanted[0].folder)
    store.check()
    left = [one for one in wanted if not store.done(one.key)]
    failed = {one.key: record for one in left if (record := store.failed(one.key))}
    todo = [one for one in left if (one.key in failed) == retry_failed]
    if retry_failed:
        failed = {}
    if todo:
        clear_scratch()
        with cluster.connected(workers, scheduler, todo[0]) as client:
            link = cluster.dashboard(client)
            told = f"{len(wanted)} points, {len(wanted) - len(left)} done"
            Progress(out).tell(f"{told}; dashboard at {link}" if link else told, keep=True)
            failed |= _Running(client, todo, len(wanted) - len(left), grid, out).run()
    if failed:
        told = "; ".join(f"{_label(one['parameters'], grid)} ({one['error'].rstrip('.')})" for one in failed.values())
        raise RuntimeError(f"{len(failed)} of {len(wanted)} points failed: {told}. --retry-failed tries them again.")
    return [one.key for one in wanted]


def _planned(chapter: str | Path, grid: Any, folder: str) -> list[Point]:
    """Every point of a grid, with all the values that the chapter runs with."""
    if not grid:
        raise ValueError(f"grid is {shown(grid)}: it must be a mapping from names to lists of values.")
    lists = {name: kinds.plain(values) for name, values in grid.items()}
    for name, values in lists.items():
        if not isinstance(values, Collection) or isinstance(values, (str, bytes, Mapping)) or not values:
            raise ValueError(f"{name} is {shown(values)}: it must be a list of values.")
    path = find_notebook(chapter)
    own = {one.name: one.value for one in declared(path)}
    address = folder if "://" in folder else os.path.abspath(folder)
    made = [dict(zip(lists, values, strict=True)) for values in itertools.product(*lists.values())]
    values = [own | suiting(path, one) for one in made]
    reads = points.inputs(path)
    planned: dict[str, Point] = {}
    for one in values:
        point = Point(str(path), one, reads, address)
        if point.key in planned:
            raise ValueError(f"grid has the point {_label(one, grid)} twice: each must be there once.")
        planned[point.key] = point
    return list(planned.values())


class _Running:
    """Points that run, and the line that tells how far they are."""

    def __init__(self, client: distributed.Client, todo: Sequence[Point], done: int, grid: Any, out: Any) -> None:
        self._client, self._todo, self._done, self._grid = client, todo, done, grid
        self._progress, self._start = Progress(out), time.monotonic()
        self._failed: dict[str, dict[str, Any]] = {}
        self._cells: dict[str, str] = {}  # of the points that run, which they have come to
        self._finished = 0

    def run(self) -> dict[str, dict[str, Any]]:
        """Until all are done or have failed; returned is what is known of those that failed."""
        try:
            self._run()
        except (CancelledError, OSError) as error:  # Dask's, of a connection
            raise RuntimeError("The scheduler was lost; the same command goes on with what is left.") from error
        return self._failed

    def _run(self) -> None:
        topic = f"kbe-{uuid.uuid4().hex}"  # the same points may run in another folder at the same scheduler
        self._client.subscribe_topic(topic, self._hear)
        tasks = [f"{topic}-{one.key}" for one in self._todo]
        futures = self._client.map(cluster.run_task, self._todo, tasks, topic=topic, pure=False, key=tasks)
        waiting = dict(zip(futures, self._todo, strict=True))
        del futures
        while waiting:
            with contextlib.suppress(distributed.TimeoutError):
                distributed.wait(list(waiting), timeout=1, return_when="FIRST_COMPLETED")
            if self._client.status != "running":
                raise CancelledError
            for future in [future for future in waiting if future.done()]:
                self._take(waiting.pop(future), future)
            self._tell(list(waiting.values()))

    def _take(self, point: Point, future: distributed.Future) -> None:
        error = future.exception()
        if isinstance(error, OSError):
            told = error.strerror or str(error)
            raise RuntimeError(
                f"What has run cannot be kept in {point.folder} ({told}); the same command goes on with what is left."
            ) from error
        if error is not None:  # the worker was lost, time and again
            record = {"parameters": point.values, "error": " ".join(str(error).split())}
        else:
            record = future.result()
        if "error" in record:
            self._failed[point.key] = record
        self._finished += 1

    def _hear(self, event: tuple[float, dict[str, Any]]) -> None:
        told = event[1]
        self._cells[told["key"]] = f"cell {told['cell']} of {told['cells']}"

    def _tell(self, waiting: Sequence[Point]) -> None:
        at_once, seconds = min(len(waiting), sum(self._client.nthreads().values())), time.monotonic() - self._start
        cells = [
            f"{_label(one.values, self._grid)}: {self._cells[one.key]}" for one in waiting if one.key in self._cells
        ]
        told = [
            f"done {self._done + self._finished - len(self._failed)}",
            f"running {at_once}" + (f" ({'; '.join(cells)})" if cells else ""),
            f"failed {len(self._failed)}",
            f"left {len(waiting) - at_once}",
        ]
        if self._finished and waiting:
            told.append(f"about {duration(seconds / self._finished * len(waiting))} to go")
        self._progress.tell(" · ".join(told), keep=not waiting)


def _label(values: Mapping[str, Any], grid: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={values[name]}" for name in grid)
