"""Dask, which distributes the points of a sweep: the cluster, what is asked of it first, and what its workers do."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
from collections.abc import Iterator
from typing import Any

import distributed
from distributed.core import Status

from kbe.book import points
from kbe.book.point_runs import run_point
from kbe.book.points import Point
from kbe.book.stores import Store

_CONNECTING = 5  # seconds to wait for a scheduler and its first worker
_LOOPBACK = "127.0.0.1"
_AT_WORK = (Status.running, Status.paused)


@contextlib.contextmanager
def connected(workers: int, scheduler: str | None, point: Point) -> Iterator[distributed.Client]:
    """Meanwhile there is a cluster on this machine, for its client alone, or a client of a scheduler elsewhere.

    Yields
    ------
    distributed.Client
        Whose workers can run the point.

    Raises
    ------
    ValueError
        If the scheduler cannot be reached, or its workers cannot do what this process could.
    """
    if scheduler is None:
        with (
            distributed.LocalCluster(n_workers=workers, threads_per_worker=1, processes=True, host=_LOOPBACK,
                                     dashboard_address=f"{_LOOPBACK}:0", worker_dashboard_address=f"{_LOOPBACK}:0",
                                     silence_logs=50) as cluster,
            distributed.Client(cluster) as client,
        ):  # fmt: skip
            yield client
        return
    client = None
    try:
        with _quiet():
            client = distributed.Client(scheduler, timeout=_CONNECTING)
            client.wait_for_workers(1, timeout=_CONNECTING)
    except Exception as error:  # of sockets, of TLS, of an address that is none
        if client is not None:
            client.close(0)
        told = " ".join(str(error).split()).rstrip(".")
        raise ValueError(
            f"scheduler is {scheduler!r}: it must be one with workers that can be reached ({told})."
        ) from error
    with _quiet(), client:
        if lacks := _other_versions(client.get_versions()) or _unfit(client, point):
            raise ValueError(f"scheduler is {scheduler!r}: its workers must be able to do what is done here; {lacks}.")
        yield client


def dashboard(client: distributed.Client) -> str:
    """Where Dask shows what it does; empty where it lacks bokeh, which draws that."""
    return client.dashboard_link if importlib.util.find_spec("bokeh") else ""


def threads_each(workers: int) -> int:
    """What each of so many points may use of this machine; OMP_NUM_THREADS has the last word."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdigit() and int(asked) else max(1, (os.cpu_count() or 1) // workers)


def run_task(point: Point, task: str, topic: str) -> dict[str, Any]:
    """Run a point as a Dask task, telling the topic which cell it has come to, until nobody waits for it any more."""
    worker = distributed.get_worker()
    last: dict[str, Any] = {}

    def hear(event: dict[str, Any]) -> bool:
        nonlocal last
        if event != last and "cells" in event:
            last = event
            worker.log_event(topic, {"key": point.key, **event})
        state = getattr(worker.state.tasks.get(task), "state", None)
        return worker.status in _AT_WORK and state == "executing"

    return run_point(point, hear)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Dask logs what is told here in one sentence."""
    log = logging.getLogger("distributed")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


def _other_versions(told: Any) -> str:
    """What the scheduler or a worker has in another version than this process."""
    mine, others = told["client"], [told["scheduler"], *told["workers"].values()]
    for name in ("distributed", "dask", "msgpack", "cloudpickle"):
        found = {str(one["packages"][name]) for one in others} - {str(mine["packages"][name])}
        if found:
            return f"{name} is {mine['packages'][name]} here and {' and '.join(sorted(found))} there"
    return "" if all(one["host"]["python"] == mine["host"]["python"] for one in others) else "Python is another there"


def _unfit(client: distributed.Client, point: Point) -> str:
    """Why some worker cannot run the point where this process sees it."""
    with Store(point.folder).marked() as name:
        try:
            told = client.run(_lacking, point, name)
        except Exception as error:  # such as a package that is not there
            return " ".join(str(error).split()).rstrip(".")
    return next((f"{lacks} ({worker})" for worker, lacks in told.items() if lacks), "")


def _lacking(point: Point, name: str) -> str:
    """What a worker lacks to run the point."""
    seen = Store(point.folder).has(name)
    return points.differing(point) if seen else f"{point.folder} is another folder there"
