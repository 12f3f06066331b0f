"""What the repository keeps of the executions: the notebooks beside their text, with their text outputs.

Pictures and HTML are not stored: they add their whole size to the history at every change, and the pages are built
from the executions. A verdict that flips, an estimate that leaves its interval and a claim that is gone are stored
only when they are named.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import nbformat

from kbe.book import contents, files, report
from kbe.book.chapter import GLUED
from kbe.book.executions import Execution
from kbe.book.moving import Move, claims_moved, printed_moved, sentences
from kbe.book.tables import Table

_KEPT = re.compile(rf"({GLUED})?(text/(plain|markdown|latex)|application/vnd\.kbe\..*)")


def store_outputs(executions: Sequence[Execution], accepted: Sequence[str] = ()) -> list[Path]:
    """Store what executions print, after saying what moved; returned are the notebooks that were written.

    Parameters
    ----------
    executions
        Pages that have been executed.
    accepted
        The claims, `chapter:name`, whose change is meant.

    Raises
    ------
    ValueError
        If a name is accepted that needs no accepting.
    RuntimeError
        If a change was not accepted; the other pages are stored.
    """
    moves = {one.name: _moved(one) for one in executions}
    flat = [move for found in moves.values() for move in found]
    needing = [move.name for move in flat if move.needs_accepting]
    for name in accepted:
        if name not in needing:
            wanted = ", ".join(needing) or "which none does"
            raise ValueError(f"ACCEPT is {name!r}: it must name a claim that needs it, {wanted}.")
    if flat:
        print(Table(("What", "Before", "After", ""), [(m.name, m.before, m.after, m.what) for m in flat]))
    for one in executions:
        _tell_sentences(one, moves[one.name])
    refused = [move.name for move in flat if move.needs_accepting and move.name not in accepted]
    pages = {name.partition(":")[0] for name in refused}
    written = [path for one in executions if one.name not in pages if (path := _store(one))]
    print(*written, sep="\n")
    if refused:
        kept_back = ", ".join(sorted(pages))
        wanted = " ".join(name for name in needing if name.partition(":")[0] in pages)
        raise RuntimeError(f'Not stored: {kept_back}; if it is meant, `make notebooks ACCEPT="{wanted}"`.')
    return written


def _moved(execution: Execution) -> list[Move]:
    """What an execution gives otherwise than what is stored of the page, claims first; nothing if none is stored."""
    notebook = execution.page.with_suffix(".ipynb")
    if not notebook.is_file():
        return []
    before, after = report.stored(notebook), report.stored(execution.path)
    stored, ran = nbformat.read(notebook, 4), execution.executed()
    return claims_moved(execution.name, before, after) + printed_moved(execution.name, stored, ran, [*before, *after])


def _store(execution: Execution) -> Path | None:
    """Write the page's notebook with its text outputs only, unless it is right already."""
    path = execution.page.with_suffix(".ipynb")
    made = contents.without_progress(execution.executed())
    for output in (output for cell in contents.code(made) for output in cell.outputs):
        output.get("metadata", {}).clear()
        for mime in [mime for mime in output.get("data", {}) if not _KEPT.fullmatch(mime)]:
            del output["data"][mime]
    seconds = made.metadata.kbe.seconds
    before = nbformat.read(path, 4).metadata.get("kbe", {}).get("seconds") if path.is_file() else None
    made.metadata["kbe"] = {"seconds": before if before and before / 2 < seconds < 2 * before else _coarse(seconds)}
    text = nbformat.writes(made) + "\n"
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return None
    files.write(text, path)
    return path


def _coarse(seconds: float) -> int:
    """One digit: it tells the order in which pages run, on a machine that has not run them yet."""
    return max(1, int(float(f"{seconds:.1g}")))


def _tell_sentences(execution: Execution, moves: Sequence[Move]) -> None:
    text = contents.text(execution.page)
    for move in moves:
        if move.needs_accepting and move.judged:
            print(f"{move.name} ({move.what}); look again at:")
            for line, sentence in sentences(text, move.judged, move.name):
                print(f"  {execution.page}:{line}: {sentence[:200]}")
            sys.stdout.flush()
