"""The process of one point of a sweep: it reads the point from its standard input and keeps what comes of it."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat

from kbe.book import lifeline, points, report
from kbe.book.rerun import rerun


def _run(point: points.Point) -> dict[str, Any]:
    """Execute a point and keep it; what went wrong is returned, empty if nothing did."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory(dir=".") as folder:
        try:
            made = rerun(point.chapter, point.values, Path(folder, points.NOTEBOOK).absolute(), timeout=point.timeout)
        except (ValueError, RuntimeError) as error:
            return {"cell": getattr(error.__cause__, "exec_count", None), "error": str(error)}
        now = points.inputs(nbformat.read(point.chapter, 4))
        if others := sorted(name for name in {*now, *point.inputs} if now.get(name) != point.inputs.get(name)):
            return {"cell": None, "error": f"{' and '.join(others[:3])} is another here than where the sweep started"}
        claims = [_row(one) for one in report.stored(made)]
        try:
            point.store.write(f"{point.key}/{points.NOTEBOOK}", made.read_bytes())
            record = points.record_of(point) | {"seconds": round(time.monotonic() - start, 2), "claims": claims}
            point.store.write(f"{point.key}/{points.DONE}", json.dumps(record, indent=1).encode())
        except OSError as error:
            return {"cell": None, "error": f"it cannot be kept ({error.strerror})"}
    return {}


def _row(one: report.Judged) -> dict[str, Any]:
    return {"claim": one.claim.name, "verdict": one.verdict, "estimate": one.estimate, "low": one.low, "high": one.high,
            "members": one.members, "left_out": one.left_out}  # fmt: skip


if __name__ == "__main__":
    lifeline.follow_parent()
    print("\n" + json.dumps(_run(points.Point(**json.load(sys.stdin)))))
