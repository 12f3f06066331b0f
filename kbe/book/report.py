"""The table that a chapter ends with, the lines that regression compares, and the report of all chapters."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from kbe.book.claims import FAILS, HOLDS, UNDECIDED, Claim, Judged
from kbe.book.tables import Table
from kbe.refusals import shown
from kbe.statistics import share_interval

_MIME = "application/vnd.kbe.claims+json"
_NOT_MEASURED = {"estimate": math.nan, "low": math.nan, "high": math.nan}
_HEAD = ("Verdict", "Claim", "Place", "Measured; it holds if", "Result")


def claim_table(judged: Sequence[Judged]) -> Table:
    """The table of claims, one a row; as a cell's last expression it is also what `report` collects.

    Raises
    ------
    ValueError
        If there is none, or two have the same name.
    """
    _needs_some(judged)
    twice = [name for name, times in Counter(one.claim.name for one in judged).items() if times > 1]
    if twice:
        raise ValueError(f"judged has more than one claim named {twice[0]!r}: each must have a name of its own.")
    return Table(_HEAD, [_row(one) for one in judged], {_MIME: {"claims": [as_data(one) for one in judged]}})


def verdicts(judged: Sequence[Judged]) -> None:
    """Print what regression compares, one line a claim."""
    _needs_some(judged)
    print("\n".join(one.line() for one in judged))


def stored(notebook: str | Path) -> list[Judged]:
    """The claims in the stored outputs of an `.ipynb`, in the order of its tables; none without such a table.

    Raises
    ------
    ValueError
        If the notebook does not exist, or its claims have no names.
    """
    path = Path(notebook) if isinstance(notebook, (str, Path)) else Path()
    if not path.is_file():
        raise ValueError(f"notebook is {shown(notebook)}: there is no such file.")
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"notebook is {str(path)!r}: it must be JSON with cells.") from error
    try:
        return claims_in(cells)
    except KeyError as error:
        told = "it was stored before claims had names; run `make notebooks`."
        raise ValueError(f"notebook is {str(path)!r}: {told}") from error


def claims_in(cells: Iterable[Mapping[str, Any]]) -> list[Judged]:
    """The claims in the outputs of executed cells; those that were stored without names are a KeyError."""
    bundles = [output.get("data", {}).get(_MIME, {}) for cell in cells for output in cell.get("outputs", [])]
    records = [record for bundle in bundles for record in bundle.get("claims", [])]
    return [
        Judged(**(_NOT_MEASURED | _without_none(record) | {"claim": Claim(**record["claim"])}))
        for record in records
        if record["claim"]["name"]
    ]


def report(chapters: Mapping[str, Sequence[Judged]]) -> Table:
    """The claims of many chapters in one table, each with its full name, `chapter:name`, and leading to its chapter."""
    rows = [
        [_leading(one, name), one.claim.statement, result(one), f"{one.claim.cited} `{name}:{one.claim.name}`"]
        for name, judged in chapters.items()
        for one in judged
    ]
    return Table(("Verdict", "Claim", "Result", "Place and name"), rows)


def counts(chapters: Mapping[str, Sequence[Judged]]) -> xr.DataArray:
    """How many claims hold, do not hold and are undecided: (chapter, source, verdict), the source paper or book."""
    labels = {"chapter": list(chapters), "source": ["paper", "book"], "verdict": [HOLDS, FAILS, UNDECIDED]}
    found = xr.DataArray(np.zeros([len(one) for one in labels.values()], int), labels, list(labels))
    for name, judged in chapters.items():
        for one in judged:
            found.loc[name, one.claim.source, one.verdict] += 1
    return found


def _leading(one: Judged, chapter: str) -> str:
    """A verdict that leads to where it is measured, and to which that place leads."""
    where = f'href="{chapter}.html#claim-{one.claim.name}" id="{chapter}:{one.claim.name}"'
    return badge(one.verdict, where, "a")


def badge(verdict: str, attributes: str, tag: str) -> str:
    """A verdict as inline HTML, which Markdown passes on; where there is no HTML the word stays."""
    return f'<{tag} class="kbe-verdict kbe-{verdict.replace(" ", "-")}" {attributes}>{verdict}</{tag}>'


def as_data(one: Judged) -> dict[str, Any]:
    """A claim as data; what was not measured is None and what is infinite a text, because JSON has neither."""
    record = asdict(one)
    return record | {name: None if math.isnan(record[name]) else str(record[name])
                     for name in _NOT_MEASURED if not math.isfinite(record[name])}  # fmt: skip


def _without_none(record: dict[str, Any]) -> dict[str, Any]:
    present = {name: value for name, value in record.items() if value is not None}
    return present | {name: float(present[name]) for name in _NOT_MEASURED if name in present}


def _row(one: Judged) -> list[str]:
    claim = one.claim
    return [f"**{one.verdict}**", claim.statement, claim.cited, f"{claim.measure}; {claim.criterion}", result(one)]


def result(one: Judged) -> str:
    """The estimate with its interval or, where that has no width, with how many of the members gave the same."""
    left_out = f" ({one.left_out} left out)" * (one.left_out > 0)
    if one.low == one.high and one.alike:
        agree = f"all {one.members}" if one.alike == one.members else f"{one.alike} of {one.members}"
        low, high = share_interval(round(one.estimate * one.members), one.members) if one.share else (0, 0)
        wilson = f" (Wilson's interval: {low:.3g} to {high:.3g})" * one.share
        return f"{one.estimate:.3g}, {agree} members agree{wilson}{left_out}"
    interval = "no width" if one.low == one.high else f"{one.low:.3g} to {one.high:.3g}"
    return f"{one.estimate:.3g} ({interval}), {one.members} member{'s' * (one.members != 1)}{left_out}"


def _needs_some(judged: Sequence[Judged]) -> None:
    if not isinstance(judged, (list, tuple)) or not judged or not all(isinstance(one, Judged) for one in judged):
        raise ValueError(f"judged is {shown(judged)}: it must be a list of at least one judged claim.")
