"""The claims of two runs of a chapter, side by side, and what keeps a run from deciding."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from kbe.book import report
from kbe.book.claims import Judged
from kbe.book.tables import Table
from kbe.checks import checked

_HEAD = ("Claim", "First run", "Second run", "")


@checked
def compare(first: str | Path, second: str | Path) -> Table:
    """The claims of two executed notebooks; those that differ beyond sampling error are marked.

    Two estimates do where they are further apart than the root of the sum of the squares of the halves of their
    intervals that face each other, which is right for runs with different seeds.

    Raises
    ------
    ValueError
        If a notebook is none, or neither has claims.
    """
    ran = [{one.claim.name: one for one in report.stored(path)} for path in (first, second)]
    names = list(ran[0] | ran[1])
    if not names:
        raise ValueError(f"{Path(first).name} and {Path(second).name} have no claims: at least one must have some.")
    rows = [[name, *(_result(run.get(name)) for run in ran), _difference(*(run.get(name) for run in ran))]
            for name in names]  # fmt: skip
    return Table(_HEAD, rows)


def needed(judged: Sequence[Judged], members: int) -> str:
    """The claims that a run of so many members cannot decide, and how many each needs; empty if there are none."""
    few = [f"{one.claim.name} {one.claim.members}" for one in judged if one.claim.members > members]
    levels = {one.claim.members: sum(other.claim.members <= one.claim.members for other in judged) for one in judged}
    offered = ", ".join(f"{level} members can decide {levels[level]}" for level in sorted(levels) if level > members)
    told = (
        f"With {members} members {len(few)} of {len(judged)} claims stay undecided; members needed: "
        f"{', '.join(few)}. A first look: {offered}."
    )
    return told if few else ""


def _result(one: Judged | None) -> str:
    return "not there" if one is None else f"{one.verdict}: {report.result(one)}"


def _difference(first: Judged | None, second: Judged | None) -> str:
    if first is None or second is None:
        return ""
    lower, upper = sorted((first, second), key=lambda one: one.estimate)
    differs = upper.estimate - lower.estimate > math.hypot(lower.high - lower.estimate, upper.estimate - upper.low)
    few = [one for one in (first, second) if one.members < one.claim.members]
    if few:
        verdict = f"{few[0].members} of {few[0].claim.members} members"
    else:
        verdict = "another verdict" if first.verdict != second.verdict else ""
    return ", ".join(told for told in (verdict, "**differs**" if differs else "") if told)
