"""What README and the page on reading show as Python runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kbe.book import report
from kbe.book.claims import FAILS, HOLDS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "book" / "reading.md"]
SHOWN = [(page, code) for page in PAGES for code in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)]


@pytest.mark.parametrize(("page", "code"), SHOWN, ids=[f"{page.stem}-{k}" for k, (page, _) in enumerate(SHOWN)])
def test_code_that_is_shown_runs(page, code):
    exec(compile(code, str(page), "exec"), {})


def test_files_that_readme_names_are_there():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / "README.md").read_text()):
        assert (ROOT / target).exists(), target


# What README says in short, by the claims on which it rests and their verdicts.
SAID = {
    "On the paper's coin flips neither a Laplace nor a Student t distribution prevents the instability.": [
        ("robust_losses:laplace-insufficient", HOLDS), ("robust_losses:student-t-cures", FAILS)],
    "On data with noise\n  both do": [
        ("calibration:laplace-insufficient", FAILS), ("calibration:student-t-cures", HOLDS)],
    "A loss that is weighted by the variance helps on the coin flips.": [("robust_losses:beta-one-cures", HOLDS)],
    "cannot be read off two epochs of one network, not even with an average over neighbours.": [
        ("local_variance:single-residual-small", FAILS), ("local_variance:single-residual-large", FAILS),
        ("local_variance:averaged-residual", FAILS)],
    "averaged square of output minus target does tell it, though a variance head that is trained slowly does better.": [
        ("local_variance:averaged-with-targets", HOLDS), ("local_variance:slow-head-worse", FAILS)],
    "The scale of averaging does shrink.": [("scale:grows", HOLDS), ("scale:reduced", HOLDS)],
}  # fmt: skip


@pytest.mark.parametrize("sentence", SAID)
def test_what_readme_says_in_short_has_the_verdicts_that_it_rests_on(sentence):
    assert sentence in (ROOT / "README.md").read_text()
    for name, verdict in SAID[sentence]:
        page, _, claim = name.partition(":")
        found = {one.claim.name: one.verdict for one in report.stored(ROOT / "book" / f"{page}.ipynb")}
        assert found[claim] == verdict, name
