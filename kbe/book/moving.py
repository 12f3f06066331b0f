"""What has moved between two runs of a chapter: verdicts, estimates beyond their tolerance, and what cells print."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import nbformat

from kbe.book import contents
from kbe.book.chapter import GLUED, NUMBERS_MIME
from kbe.book.claims import FAILS, HOLDS, UNDECIDED, Judged

_OF_WIDTH = 0.1  # of an interval's width, the tolerance of its estimate and its ends
_OF_DISTANCE = 1e-3  # of the distance to the criterion, where an interval is narrower: rounding, as a rule
_RELATIVE = 0.01  # for numbers without an interval
NEW = "new"
_CHECKED = "nbval-check-output"
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w.]*\w)")


@dataclass(frozen=True)
class Move:
    """Something that is not as it was.

    Parameters
    ----------
    name
        A claim, `chapter:name`, or a cell of a chapter.
    before, after
        What it was and what it is.
    what
        What kind of change it is.
    needs_accepting
        Whether it is stored only when it is named.
    judged
        The claim as it was, if there was one.
    """

    name: str
    before: str
    after: str
    what: str
    needs_accepting: bool = False
    judged: Judged | None = None


def claims_moved(chapter: str, before: Sequence[Judged], after: Sequence[Judged]) -> list[Move]:
    """The claims whose verdict is another, or whose numbers moved by more than their tolerance.

    The tolerance is a tenth of the interval's width or, if that is more, a thousandth of the distance to the criterion.
    A verdict that flips, an estimate that leaves its interval, another criterion or sentence and a claim that is gone
    need accepting; of the numbers of a claim about times nothing is compared.

    Raises
    ------
    ValueError
        If two claims of a run have the same name.
    """
    old, new = ({one.claim.name: one for one in judged} for judged in (before, after))
    for judged in (before, after):
        if len({one.claim.name for one in judged}) < len(judged):
            raise ValueError(f"{chapter} has two claims of one name: each needs a name of its own.")
    moves = [_claim_moved(f"{chapter}:{name}", old.get(name), new.get(name)) for name in {**old, **new}]
    return [move for move in moves if move]


def _claim_moved(name: str, old: Judged | None, new: Judged | None) -> Move | None:
    if old is None or new is None:
        what = NEW if old is None else "gone"
        return Move(name, _result(old), _result(new), what, needs_accepting=new is None, judged=old)
    if old.verdict != new.verdict:
        return Move(name, _result(old), _result(new), "another verdict", needs_accepting=True, judged=old)
    was, now = (one.claim.criterion + ", of a time" * one.claim.timing for one in (old, new))
    if was != now:
        return Move(name, was, now, "another criterion", needs_accepting=True, judged=old)
    was, now = (f"{c.source}, {c.place}: {c.statement} {c.measure}" for c in (old.claim, new.claim))
    if was != now:
        return Move(name, was, now, "another sentence", needs_accepting=True, judged=old)
    if new.claim.timing:
        return None
    tolerance = _tolerance(old)
    pairs = [(old.estimate, new.estimate), (old.low, new.low), (old.high, new.high)]
    if all(_close(a, b, tolerance) for a, b in pairs) and _counts(old) == _counts(new):
        return None
    near = _close(old.estimate, new.estimate, tolerance)
    inside = near or (old.low <= new.estimate <= old.high and new.low <= old.estimate <= new.high)
    what = "moved within its interval" if inside else "left its interval"
    return Move(name, _result(old), _result(new), what, needs_accepting=not inside, judged=old)


def printed_moved(
    chapter: str, before: nbformat.NotebookNode, after: nbformat.NotebookNode, judged: Sequence[Judged] = ()
) -> list[Move]:
    """What the cells of a chapter print otherwise than before, apart from the verdicts of its claims, the `judged`.

    Of compared cells these are lines, of other cells the first number that differs by more than a hundredth.
    """
    old, new = contents.code(before), contents.code(after)
    if [cell.source for cell in old] != [cell.source for cell in new]:  # so cells cannot be told by their numbers
        was, now = (_checked_text(cells) for cells in (old, new))
        return [Move(f"{chapter}, with other code", a, b, "prints otherwise") for a, b in _lines(was, now, judged)]
    moves: list[Move] = []
    for number, (cell, other) in enumerate(zip(old, new, strict=True), 1):
        was, now = _text(cell), _text(other)
        pairs = _lines(was, now, judged) if _is_checked(other) else _numbers(was, now)
        moves += [Move(f"{chapter}, cell {number}", a, b, "prints otherwise") for a, b in pairs]
    return moves


def sentences(text: str, judged: Judged, name: str) -> list[tuple[int, str]]:
    """The sentences, captions and descriptions of a page's text that name a claim in full or hold its number as it was.

    Each comes with the number of the line where it begins.
    """
    sought = [re.escape(name), re.escape(judged.claim.statement), *map(_as_number, _forms(judged.estimate))]
    pattern = re.compile("|".join(sought))
    return [(line, sentence) for line, sentence in _sentences(text) if pattern.search(sentence)]


def _forms(estimate: float) -> set[str]:
    """How a sentence may write a number: with two or three digits, as a share in per cent, with thousands apart."""
    if not math.isfinite(estimate):
        return set()
    forms = {f"{estimate:.3g}", f"{estimate:.2g}", f"{estimate:,.0f}" if abs(estimate) >= 1000 else ""}
    if 0 <= estimate <= 1:
        forms.add(f"{100 * estimate:.0f} %")
    return {form for form in forms if sum(map(str.isdigit, form.lstrip("-0."))) >= 2}


def _as_number(form: str) -> str:
    return rf"(?<![\d.]){re.escape(form)}(?![\d]|\.\d)"


def _sentences(text: str) -> Iterator[tuple[int, str]]:
    """Sentences with the line in which they begin; a blank line, an item of a list and a line of code end one too."""
    start, words, in_code = 1, "", False
    for number, line in enumerate([*text.splitlines(), ""], 1):
        in_code = line.startswith("```{code-cell}") or (in_code and not line.startswith("```"))
        if in_code or not line.strip() or line.lstrip().startswith(("- ", "* ", "|", "#", "```")):
            yield from ([(start, words)] if words else [])
            words = ""
        for part in re.split(r"(?<=[.!?]) +(?=[A-Z{`*])", line.strip()):
            if words and re.search(r"[.!?]$", words):
                yield start, words
                words = ""
            if part:
                start, words = (start, f"{words} {part}") if words else (number, part)


def _tolerance(one: Judged) -> float:
    """How much of a claim's numbers may be another computer's rounding or a member more or less."""
    bounds = [bound for bound in (one.claim.above, one.claim.below) if bound is not None]
    wide = [_OF_WIDTH * (one.high - one.low), *(_OF_DISTANCE * abs(one.estimate - bound) for bound in bounds)]
    return max((value for value in wide if math.isfinite(value)), default=0.0)


def _close(a: float, b: float, tolerance: float) -> bool:
    same = a == b or (math.isnan(a) and math.isnan(b))
    return same or abs(a - b) <= max(tolerance, 1e-9 * max(abs(a), abs(b)))


def _counts(one: Judged) -> tuple[int, int]:
    return one.members, one.left_out


def _result(one: Judged | None) -> str:
    if one is None:
        return "–"
    left = f", {one.left_out} left out" if one.left_out else ""
    return f"{one.verdict}: {one.estimate:.4g} ({one.low:.4g} to {one.high:.4g}), {one.members}{left}"


def _is_checked(cell: nbformat.NotebookNode) -> bool:
    return _CHECKED in cell.metadata.get("tags", [])


def _checked_text(cells: Sequence[nbformat.NotebookNode]) -> str:
    return "\n".join(_text(cell) for cell in cells if _is_checked(cell))


def _text(cell: nbformat.NotebookNode) -> str:
    """What a cell prints, shows in words, and hands to the prose."""
    return "\n".join(_text_of(output) for output in cell.outputs if output.get("name") != "stderr")


def _text_of(output: nbformat.NotebookNode) -> str:
    data = output.get("data", {})
    handed = [f"{name} = {value}" for name, value in data.get(NUMBERS_MIME, {}).items()]
    return "\n".join([output.get("text") or data.get("text/plain") or data.get(f"{GLUED}text/plain", ""), *handed])


def _lines(before: str, after: str, judged: Sequence[Judged]) -> list[tuple[str, str]]:
    """Lines that differ, side by side; verdicts of claims are compared as such."""
    verdicts = {f"{verdict}: {one.claim.statement}" for one in judged for verdict in (HOLDS, FAILS, UNDECIDED)}
    old, new = ([line for line in text.splitlines() if line.partition(" [about")[0] not in verdicts]
                for text in (before, after))  # fmt: skip
    found: list[tuple[str, str]] = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            was, now = old[a:b], new[c:d]
            longest = max(len(was), len(now))
            found += list(zip(was + ["–"] * (longest - len(was)), now + ["–"] * (longest - len(now)), strict=True))
    return found


def _numbers(before: str, after: str) -> list[tuple[str, str]]:
    """The first number that moved by more than a hundredth, with a word on how many did."""
    old, new = _NUMBER.findall(before), _NUMBER.findall(after)
    if len(old) != len(new):
        return [(f"{len(old)} numbers", f"{len(new)} numbers")]
    near = [math.isclose(float(a), float(b), rel_tol=_RELATIVE) for a, b in zip(old, new, strict=True)]
    if all(near):
        return []
    first, more = near.index(False), near.count(False) - 1
    return [(old[first] + f" (and {more} more)" * (more > 0), new[first])]
