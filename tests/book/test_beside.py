"""Two runs side by side."""

from __future__ import annotations

import nbformat
import pytest

from kbe.book import beside, report
from kbe.book.claims import Claim


def run(path, *found, members=60):
    """A notebook whose claims have these estimates, each within one tenth."""
    made = [Claim(f"c{n}", "It grows.", "III", "growth", above=0).judge_value(x, (x - 0.1, x + 0.1), members)
            for n, x in enumerate(found)]  # fmt: skip
    data = report.claim_table(made)._repr_mimebundle_()
    cell = nbformat.v4.new_code_cell("t", outputs=[nbformat.v4.new_output("display_data", data)])
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    return path


def test_what_differs_beyond_sampling_error_is_marked(tmp_path):
    """Two intervals of half-width 0.1 allow 0.1 times the root of 2 between the estimates."""
    first = run(tmp_path / "a.ipynb", 0.5, 0.5, 0.5)
    second = run(tmp_path / "b.ipynb", 0.64, 0.65, -0.5)
    marks = [line.split("|")[4].strip() for line in repr(beside.compare(first, second)).splitlines()[2:]]
    assert marks == ["", "**differs**", "another verdict, **differs**"]


def test_a_run_too_small_says_how_many_members_each_claim_needs(tmp_path):
    judged = report.stored(run(tmp_path / "a.ipynb", 0.5))
    told = beside.needed(judged, 8)
    assert told.startswith("With 8 members 1 of 1 claims stay undecided; members needed: c0 50.")
    assert told.endswith("A first look: 50 members can decide 1.")
    assert beside.needed(judged, 50) == ""


def test_a_run_too_small_to_decide_is_not_taken_for_another_verdict(tmp_path):
    first, second = run(tmp_path / "a.ipynb", 0.5), run(tmp_path / "b.ipynb", 0.55, members=8)
    assert repr(beside.compare(first, second)).splitlines()[2].split("|")[4].strip() == "8 of 50 members"


def test_runs_without_claims_are_refused(tmp_path):
    empty = run(tmp_path / "a.ipynb", 0.5)
    nbformat.write(nbformat.v4.new_notebook(), empty)
    with pytest.raises(ValueError, match="have no claims"):
        beside.compare(empty, empty)
