"""One tidy table of a sweep: a row for each claim of each point, and one for a point that failed or has no claims."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from kbe.book import sources
from kbe.book.stores import TABLE, Store
from kbe.checks import checked

_CLAIM = {"claim": "claim", "verdict": "verdict", "estimate": "estimate", "low": "low", "high": "high",
          "members": "claim_members", "left_out": "claim_left_out"}  # fmt: skip
_NUMBERS = ("estimate", "low", "high")
_ENDS = ("error", "seconds", "host", "inputs", "versions")
_VERSIONS = ("python", "torch", "numpy", "scipy", "xarray", "numba")  # in the table; a point's record has all
_OTHERS = {"chapter", "key", *_CLAIM.values(), *_ENDS}


@checked
def collect(folder: str | Path) -> list[str]:
    """Write the table of all points in a sweep's folder, as CSV and Parquet; the files' names are returned.

    Raises
    ------
    ValueError
        If there are no points.
    """
    store = Store(str(folder))
    table = _table(store)
    written = io.BytesIO()
    table.to_parquet(written, index=False)
    with store.held(TABLE):
        for ending, content in ((".csv", table.to_csv(index=False).encode()), (".parquet", written.getvalue())):
            store.write(f"{TABLE}{ending}", content)
    return [f"{store.root}/{TABLE}.csv", f"{store.root}/{TABLE}.parquet"]


def _table(store: Store) -> pd.DataFrame:
    """The table, in the order of the parameters that differ between points.

    Raises
    ------
    ValueError
        If there are no points.
    """
    records = list(store.records())
    if not records:
        raise ValueError(f"folder is {store.root!r}: it must be one that holds a sweep's points.")
    table = pd.DataFrame([row for record in records for row in _rows(record)])
    names = [_column(name) for name in dict.fromkeys(name for record in records for name in record["parameters"])]
    for name in [name for name in names if table[name].map(type).nunique() > 1 and table[name].dtype == object]:
        table[name] = table[name].map(json.dumps)  # a column of a file has one type
    return table.sort_values(["chapter", *(name for name in names if table[name].nunique() > 1)], kind="stable",
                             ignore_index=True)  # fmt: skip


def _rows(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    inputs = record["inputs"]
    versions = ", ".join(f"{name} {inputs[name]}" for name in _VERSIONS if name in inputs)
    given = {_column(name): json.dumps(value) if isinstance(value, list) else value
             for name, value in record["parameters"].items()}  # fmt: skip
    end = (record.get("error"), record["seconds"], record["host"], sources.digest(json.dumps(inputs, sort_keys=True)),
           versions)  # fmt: skip
    for claim in record.get("claims") or [{}]:
        found = {column: claim.get(name) for name, column in _CLAIM.items()}
        found |= {name: float("nan" if found[name] is None else found[name]) for name in _NUMBERS}
        yield {
            "chapter": record["chapter"],
            "key": record["key"],
            **given,
            **found,
            **dict(zip(_ENDS, end, strict=True)),
        }


def _column(parameter: str) -> str:
    """A parameter's column; none has the name of another column."""
    return f"parameter_{parameter}" if parameter in _OTHERS else parameter
