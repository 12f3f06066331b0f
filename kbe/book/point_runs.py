"""A point of a sweep run in a process of its own, and what is kept of it."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import nbformat
import psutil

from kbe.book import lifeline, report
from kbe.book.point_process import EXECUTED
from kbe.book.points import Point, differing
from kbe.book.rerun import finished
from kbe.book.stores import NOTEBOOK, Store

_ATTEMPTS = 3  # at a point whose process or kernel is killed
_SECONDS = 1.0  # between two looks at it
_SCRATCH = "kbe-"  # how temporary folders begin; the process that made them follows
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
Heard = Callable[[dict[str, Any]], bool]


class _Unwanted(RuntimeError):
    """Whoever asked for a point is gone."""


def run_point(point: Point, hear: Heard = lambda event: True) -> dict[str, Any]:
    """Run a point unless it is done or has failed; what is kept of it is returned.

    It holds `error` if the point failed. `hear` gets the cell that runs, every second; if it returns False, the point
    is given up.

    Raises
    ------
    OSError
        If the result cannot be kept.
    RuntimeError
        If the point was given up.
    """
    store, key = Store(point.folder), point.key
    with store.held(key):
        if found := store.done(key) or ({} if point.again else store.failed(key)):  # by another sweep, meanwhile
            return found
        start = time.monotonic()
        with _scratch() as scratch:
            failure = _attempted(point, scratch, hear)
            record = {"key": key, "chapter": Path(point.chapter).stem, "parameters": point.values,
                      "host": platform.node(), "inputs": point.inputs,
                      "seconds": round(time.monotonic() - start, 2)}  # fmt: skip
            made = nbformat.read(path, 4) if (path := Path(scratch, EXECUTED)).is_file() else None
        if failure:
            unfinished = nbformat.writes(made).encode() if made and point.keep_failed else None
            return store.keep_failed(record | failure, unfinished)
        assert made is not None
        claims = [report.as_data(one) | {"claim": one.claim.name, "verdict": one.verdict}
                  for one in report.claims_in(made.cells)]  # fmt: skip
        text = finished(made, Path(point.chapter), Path(NOTEBOOK))
        return store.keep(record | {"claims": claims}, text.encode())


def clear_scratch() -> None:
    """Remove the temporary folders of processes that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_SCRATCH}[0-9]*-*"):
        if not psutil.pid_exists(int(folder.name.split("-")[1])):
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _scratch() -> Iterator[str]:
    """A folder whose path is short, as a socket's must be."""
    with tempfile.TemporaryDirectory(prefix=f"{_SCRATCH}{os.getpid()}-", ignore_cleanup_errors=True) as folder:
        yield folder


def _attempted(point: Point, scratch: str, hear: Heard) -> dict[str, Any]:
    """What failed, empty if nothing did; a process or a kernel that is killed is tried again."""
    told: dict[str, Any] = {}
    for _ in range(_ATTEMPTS):
        if changed := differing(point):
            return {"cell": None, "error": changed}
        told = _process(point, scratch, hear)
        if not told.get("died"):
            break
    if not told["error"] and (changed := differing(point)):
        return {"cell": None, "error": changed}
    return {"cell": told.get("cell"), "error": told["error"]} if told["error"] else {}


def _process(point: Point, scratch: str, hear: Heard) -> dict[str, Any]:
    """What the point's process tells last, with its `error`, empty if there is none, and whether it `died`."""
    asked = {"notebook": Path(point.chapter).read_text(encoding="utf-8"), "values": point.values,
             "folder": str(Path(point.chapter).parent), "timeout": point.timeout}  # fmt: skip
    asking, said, errors = (Path(scratch, name) for name in ("asked", "said", "errors"))
    asking.write_text(json.dumps(asked), encoding="utf-8")
    around = lifeline.surroundings() | dict.fromkeys(_THREADS, str(point.threads)) | {"TMPDIR": scratch}
    with asking.open("rb") as given, said.open("wb") as out, errors.open("wb") as wrong:
        process = subprocess.Popen([sys.executable, "-m", "kbe.book.point_process"], stdin=given, stdout=out,
                                   stderr=wrong, env=around, cwd=scratch, start_new_session=True)  # fmt: skip
    try:
        while process.poll() is None:
            if not hear(_last(said)):
                raise _Unwanted(point.key)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_SECONDS)
    finally:
        process.kill()
        process.wait()
    if "error" in (told := _last(said)):
        return told
    last = errors.read_text(errors="replace").strip().splitlines()[-1:] or ["nothing was said"]
    return {"error": f"its process ended with status {process.returncode} ({last[0]})", "died": True}


def _last(said: Path) -> dict[str, Any]:
    """The last whole line of JSON in a file."""
    for line in reversed(said.read_text(encoding="utf-8").splitlines()):
        with suppress(ValueError):
            if isinstance(told := json.loads(line), dict):
                return told
    return {}
