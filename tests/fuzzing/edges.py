"""`python -m fuzzing.edges [CHAPTERS] [RUNS] [SEED]`: chapters with parameters at the edges of their bounds.

Each chapter is run with every parameter in turn at its least and greatest value, with all at their least, and then, up
to so many `RUNS` of all chapters, with some at their edges by chance. The others are small. Each run is checked as
`kbe rerun` checks its values, and must end well or with one sentence that names a parameter.
"""

from __future__ import annotations

import ast
import io
import random
import re
import signal
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import torch

from kbe.book import contents, executions, parameters

ROOT = Path(__file__).parents[2]
LONGEST = 120  # seconds of a run
SMALL = {
    "members": 3, "wide_members": 2, "learned_members": 2, "apart_members": 2, "fitted": 3, "followed": 2, "few": 5,
    "many": 30, "networks": 2, "known": 10, "unseen": 4, "sizes": [4, 20], "bits_tried": [6, 8],
    "channels_tried": [2, 3], "epochs": 64, "patience": 2, "method_epochs": 20, "variance_epochs": 50,
    "learned_epochs": 20, "few_epochs": 20, "horizon": 20, "learning_rate": 0.9, "levels": [0.06, 0.02], "repeats": 1,
    "draws": 3, "copies": 3, "densities": [1, 4, 16], "widths": [2, 4], "single": 0,
}  # fmt: skip
# Beyond these a run takes long or needs much memory: an edge that is farther away, or no edge, counts as this far.
FAR = {"bits": 10, "points": 128, "sizes": 128, "many": 128, "unseen": 32, "layers": 6, "widths": 32, "channels": 8,
       "densities": 32, "bits_tried": 12, "known": 128, "few": 100}  # fmt: skip


def edges(chapter: executions.Execution) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """A chapter's small values, and for each parameter the values at the edges of its bounds."""
    own = parameters.declared(ROOT / "book" / f"{chapter.name}.ipynb")
    cell = next(one.source for one in contents.code(chapter.notebook) if "parameters.check(" in one.source)
    names: dict[str, Any] = {one.name: one.value for one in own}
    small = {name: SMALL.get(name, value) for name, value in names.items()}
    bounds = _bounds(cell, small, contents.code(chapter.notebook))
    found = {}
    for one in own:
        wraps = (lambda value: [value]) if one.kind.startswith("list") else (lambda value: value)
        if one.kind == "bool":
            found[one.name] = [not one.value]
        elif (bound := bounds.get(one.name)) is None or one.name == "seed":
            continue
        elif isinstance(bound[0], str):
            found[one.name] = [wraps(value) for value in bound]
        else:
            low, high = bound
            high = min(high, FAR.get(one.name, high)) if high is not None else None
            found[one.name] = [wraps(value) for value in dict.fromkeys((low, high)) if value is not None]
    return small, found


def _bounds(cell: str, values: Mapping[str, Any], cells: list[Any]) -> dict[str, Any]:
    """What a chapter's cell says of the bounds, where the other parameters have these values."""
    found: dict[str, Any] = {}
    names = dict(values)
    for one in cells:  # the imports up to it
        exec("\n".join(line for line in one.source.splitlines() if line.startswith(("import", "from"))), names)
        if one.source == cell:
            break
    names["parameters"] = type("Stub", (), {"check": staticmethod(lambda _, **bounds: found.update(bounds))})
    calls = [one for one in ast.parse(cell).body if ast.unparse(one).startswith("parameters.check(")]
    exec(compile(ast.Module(calls, []), "bounds", "exec"), names)
    return found


def runs(count: int, only: str, seed: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Chapters and values, each once: first every edge alone, then all at their least, then some by chance."""
    chance, known = random.Random(seed), {}
    for chapter in executions.plan(ROOT):
        if chapter.page in contents.chapters(ROOT) and re.search(only, chapter.name):
            known[chapter.name] = edges(chapter)
    made = 0
    for name, (small, ends) in known.items():
        for values in (small | {one: value} for one, several in ends.items() for value in several):
            yield name, values
            made += 1
        yield name, small | {one: several[0] for one, several in ends.items()}
        made += 1
    while made < count:
        name, (small, ends) = chance.choice(list(known.items()))
        some = chance.sample(sorted(ends), min(3, len(ends)))
        yield name, small | {one: chance.choice(ends[one]) for one in some}
        made += 1


def came(name: str, values: Mapping[str, Any]) -> str:
    """What came of a run: nothing, the sentence that refused it, or what is wrong."""
    hidden, threads = io.StringIO(), torch.get_num_threads()
    before = signal.signal(signal.SIGALRM, _hangs)
    signal.alarm(LONGEST)
    try:
        suiting = parameters.suiting(ROOT / "book" / f"{name}.ipynb", values)
        (chapter,) = [one for one in executions.plan(ROOT, suiting) if one.name == name]
        with redirect_stdout(hidden), redirect_stderr(hidden), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            names: dict[str, Any] = {}
            for number, cell in enumerate(contents.code(chapter.notebook), 1):
                exec(compile(cell.source, f"{name}, code cell {number}", "exec"), names)
    except TimeoutError as error:
        return f"LONG {error}"
    except Exception as error:
        text = str(error)
        sentence = isinstance(error, (ValueError, AssertionError)) and "\n" not in text and text.endswith(".")
        if sentence and any(re.search(rf"\b{one}\b", text) for one in values):
            return f"refused: {text}"
        place = error.__traceback__
        while place.tb_next:
            place = place.tb_next
        return f"WRONG {type(error).__name__}: {text[:200]!r}, {place.tb_frame.f_code.co_filename}:{place.tb_lineno}"
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        torch.set_num_threads(threads)
        plt.close("all")
    return ""


def _hangs(*_: Any) -> None:
    raise TimeoutError(f"no end after {LONGEST} seconds")


def main(only: str = "", count: str = "200", seed: str = "0") -> int:
    """Make the runs, and say of each what came of it; how many went wrong."""
    outcomes = []
    for name, values in runs(int(count), only, int(seed)):
        start = time.perf_counter()
        outcome = came(name, values)
        changed = {one: value for one, value in values.items() if value != SMALL.get(one)}
        outcomes.append(outcome)
        print(f"{name} {changed} ({time.perf_counter() - start:.0f} s) {outcome}", flush=True)
    wrong = sum(one.startswith("WRONG") for one in outcomes)
    refused, long = (sum(one.startswith(word) for one in outcomes) for word in ("refused", "LONG"))
    ended = len(outcomes) - wrong - refused - long
    print(f"{len(outcomes)} runs: {ended} ended well, {refused} refused, {long} too long to see the end, {wrong} wrong")
    return wrong


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) > 0)
