"""One tidy table of a sweep: a row for each claim of each point, and one for a point that failed or has no claims."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from kbe.book import points
from kbe.book.points import Store
from kbe.checks import checked

TABLE = "table"


@checked
def collect(folder: str | Path) -> list[str]:
    """Write the table of all points in a sweep's folder, as CSV and Parquet; the files' names are returned.

    Raises
    ------
    ValueError
        If there are no points.
    RuntimeError
        If pyarrow is missing; the CSV is there.
    """
    store = Store(str(folder))
    rows = [row for name in (points.DONE, points.FAILED) for record in store.records(name) for row in _rows(record)]
    if not rows:
        raise ValueError(f"folder is {str(folder)!r}: it must be one that holds a sweep's points.")
    table = pd.DataFrame(rows)
    store.write(f"{TABLE}.csv", table.to_csv(index=False).encode())
    written = io.BytesIO()
    try:
        table.to_parquet(written, index=False)
    except ImportError as error:
        raise RuntimeError(f"{store.root}/{TABLE}.csv is there; for Parquet, pyarrow must be installed.") from error
    store.write(f"{TABLE}.parquet", written.getvalue())
    return [f"{store.root}/{TABLE}.csv", f"{store.root}/{TABLE}.parquet"]


def _rows(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    given = {name: json.dumps(value) if isinstance(value, list) else value
             for name, value in record["parameters"].items()}  # fmt: skip
    about = {"chapter": record["chapter"], "key": record["key"], "code": record["inputs"]["code"], **given}
    end = {"error": record.get("error"), "seconds": record["seconds"], "host": record["host"],
           "versions": json.dumps(record["inputs"])}  # fmt: skip
    for claim in record.get("claims") or [{"claim": None}]:
        yield about | claim | end
