"""One tidy table of a sweep, a row for each claim of each point or one for a point without claims, and a page of it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd

from kbe.book import sources
from kbe.book.page import as_html
from kbe.book.stores import FAILED_NOTEBOOK, NOTEBOOK, TABLE, Store
from kbe.book.sweep_page import sweep_page
from kbe.checks import checked

_CLAIM = {"claim": "claim", "verdict": "verdict", "estimate": "estimate", "low": "low", "high": "high",
          "members": "claim_members", "left_out": "claim_left_out"}  # fmt: skip
_NUMBERS = ("estimate", "low", "high")
_ENDS = ("error", "seconds", "host", "inputs", "versions")
_VERSIONS = ("python", "torch", "numpy", "scipy", "xarray", "numba")  # in the table; a point's record has all
_OTHERS = {"chapter", "key", *_CLAIM.values(), *_ENDS}


@checked
def collect(folder: str | Path) -> list[str]:
    """Write the table of all points in a sweep's folder as CSV and Parquet, and a page; the files' names are returned.

    Raises
    ------
    ValueError
        If there are no points.
    """
    store = Store(str(folder))
    table, swept = _table(store)
    parquet = io.BytesIO()
    table.to_parquet(parquet, index=False)
    with store.held(TABLE):
        shown = sweep_page(table, swept, {key: link for key in table.key.unique() if (link := _page(store, key))})
        written = {f"{TABLE}.csv": table.to_csv(index=False).encode(), f"{TABLE}.parquet": parquet.getvalue(),
                   "index.html": shown.encode()}  # fmt: skip
        for name, content in written.items():
            store.write(name, content)
    return [f"{store.root}/{name}" for name in written]


def _page(store: Store, key: str) -> str:
    """Where a point's notebook is as a page, which is made if it is missing; empty if there is no notebook."""
    for name in (NOTEBOOK, FAILED_NOTEBOOK):
        link = f"{key}/{name.replace('.ipynb', '.html')}"
        if store.has(link):
            return link
        if found := store.read(f"{key}/{name}"):
            store.write(link, as_html(nbformat.reads(found.decode(), 4), key).encode())
            return link
    return ""


def _table(store: Store) -> tuple[pd.DataFrame, list[str]]:
    """The table, in the order of the parameters that differ between points, and the columns of these.

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
    swept = [name for name in names if table[name].nunique(dropna=False) > 1]
    return table.sort_values(["chapter", *swept], kind="stable", ignore_index=True), swept


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
