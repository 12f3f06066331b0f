"""A chapter over a grid of parameters: Dask distributes the points, the folder knows which are done."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import distributed
import nbformat

from kbe.book import kinds, points
from kbe.book.parameters import declared, find_notebook, suiting
from kbe.book.points import Point, Store
from kbe.checks import checked
from kbe.refusals import shown

_CONNECTING = 5.0  # seconds to wait for a scheduler and its first worker
_LOOPBACK = "127.0.0.1"
_A_LINE = 60.0  # seconds between lines of progress where there is no terminal


@checked
def sweep(
    chapter: str | Path,
    grid: Mapping[str, Sequence[Any]],
    folder: str | Path,
    *,
    workers: int = 2,
    scheduler: str | None = None,
    retry_failed: bool = False,
    timeout: float | None = None,
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
        If some points failed or the scheduler was lost; the others are done.
    """
    if workers < 1:
        raise ValueError(f"workers is {workers}: it must be at least 1.")
    threads = 1 if scheduler else max(1, (os.cpu_count() or 1) // workers)
    wanted = [replace(one, threads=threads, timeout=timeout) for one in _planned(chapter, grid, str(folder))]
    store = Store(wanted[0].folder)
    store.check()
    done = {one.key for one in wanted if store.read(f"{one.key}/{points.DONE}")}
    before = {one.key: store.read(f"{one.key}/{points.FAILED}") for one in wanted if one.key not in done}
    failed = {key: record for key, record in before.items() if record}
    todo = [one for one in wanted if one.key in before and (one.key in failed) == retry_failed]
    if retry_failed:
        failed = {}
    if todo:
        with _client(workers, scheduler) as client:
            out.write(f"{len(wanted)} points, {len(done)} done; dashboard at {client.dashboard_link}\n")
            failed |= _run(client, todo, len(done), out)
    if failed:
        told = "; ".join(f"{_label(one['parameters'], grid)} ({one['error'].rstrip('.')})" for one in failed.values())
        raise RuntimeError(f"{len(failed)} of {len(wanted)} points failed: {told}. --retry-failed tries them again.")
    return [one.key for one in wanted]


def _planned(chapter: str | Path, grid: Any, folder: str) -> list[Point]:
    """Every point of a grid, with all the values that the chapter runs with."""
    if not isinstance(grid, Mapping) or not grid:
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
    reads = points.inputs(nbformat.read(path, 4))
    planned = [Point(str(path), one, reads, address) for one in values]
    seen: dict[str, Point] = {}
    for one in planned:
        if one.key in seen:
            raise ValueError(f"grid has the point {_label(one.values, grid)} twice: each must be there once.")
        seen[one.key] = one
    return planned


@contextlib.contextmanager
def _client(workers: int, scheduler: str | None) -> Iterator[distributed.Client]:
    """A Dask client of a cluster on this machine, for it alone, or of a scheduler elsewhere."""
    if scheduler is None:
        with (
            distributed.LocalCluster(n_workers=workers, threads_per_worker=1, processes=True, host=_LOOPBACK,
                                     dashboard_address=f"{_LOOPBACK}:0", worker_dashboard_address=f"{_LOOPBACK}:0",
                                     silence_logs=50) as cluster,
            distributed.Client(cluster) as client,
        ):  # fmt: skip
            yield client
        return
    try:
        client = distributed.Client(scheduler, timeout=_CONNECTING)
        client.wait_for_workers(1, timeout=_CONNECTING)
    except Exception as error:  # of sockets, of TLS, of an address that is none
        raise ValueError(f"scheduler is {scheduler!r}: it must be one with workers that can be reached.") from error
    with client:
        if others := _other_versions(client.get_versions()):
            raise ValueError(f"scheduler is {scheduler!r}: it and its workers must have this version of {others}.")
        yield client


def _other_versions(told: Any) -> str:
    """What the scheduler or a worker has in another version than this process."""
    mine, others = told["client"], [told["scheduler"], *told["workers"].values()]
    for name in ("distributed", "dask", "msgpack", "cloudpickle"):
        if any(one["packages"][name] != mine["packages"][name] for one in others):
            return f"{name}, {mine['packages'][name]}"
    return "" if all(one["host"]["python"] == mine["host"]["python"] for one in others) else "Python"


def _run(client: distributed.Client, todo: Sequence[Point], done: int, out: Any) -> dict[str, dict[str, Any]]:
    """Run points; returned is what is known of those that failed."""
    failed: dict[str, dict[str, Any]] = {}
    start = told = time.monotonic()
    futures = client.map(points.run_point, todo, pure=False, key=[f"point-{one.key}" for one in todo])
    waiting, finished = dict(zip(futures, todo, strict=True)), 0
    del futures
    while waiting:
        with contextlib.suppress(distributed.TimeoutError):
            distributed.wait(list(waiting), timeout=1, return_when="FIRST_COMPLETED")
        if client.status != "running":
            raise RuntimeError("The scheduler was lost; the same command goes on with what is left.")
        for future in [future for future in waiting if future.done()]:
            point, finished = waiting.pop(future), finished + 1
            error = future.exception()
            if error is not None:  # the worker was lost, time and again
                failed[point.key] = points.record_of(point) | {"error": " ".join(str(error).split())}
            elif "error" in (record := future.result()):
                failed[point.key] = record
        if out.isatty() or not waiting or time.monotonic() - told >= _A_LINE:
            told = time.monotonic()
            at_once = min(len(waiting), sum(client.nthreads().values()))
            left = (told - start) / finished * len(waiting) if finished else float("nan")
            _tell(out, f"done {done + finished - len(failed)} · running {at_once} · failed {len(failed)} · "
                       f"left {len(waiting) - at_once} · about {left:.0f} s to go", last=not waiting)  # fmt: skip
    return failed


def _tell(out: Any, text: str, last: bool) -> None:
    if out.isatty():
        text = "\r\033[K" + text[: shutil.get_terminal_size().columns - 1]
    out.write(text + ("\n" if last or not out.isatty() else ""))
    out.flush()


def _label(values: Mapping[str, Any], grid: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={values[name]}" for name in grid)
