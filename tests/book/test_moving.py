"""What moved between two runs: verdicts, numbers and printed lines, by hand-made claims and cells."""

from __future__ import annotations

import math

import nbformat
import pytest

from kbe.book import moving
from kbe.book.claims import Claim, Judged

TEXT = """# Title

The scale grows by 0.512 in most networks. Another sentence about
something else, with 0.5123 and 10.512. It grows in 51 % of them.

- The claim `one:grows` is in this item.

```{code-cell}
:tags: [parameters]

n: int = 3  # how many
alt = "By 0.512, as one sees."
```
"""


def judged(
    name="grows", estimate=0.5, low=0.4, high=0.6, above=0.0, members=100, statement="It grows.", place="III", **options
):
    claim = Claim(name, statement, place, "share", above=above, **options)
    return Judged(claim, estimate, low, high, members)


def kinds(before, after):
    return [(move.name, move.what, move.needs_accepting) for move in moving.claims_moved("one", before, after)]


def test_what_did_not_move_is_not_told():
    nothing = Judged(Claim("none", "No.", "III", "share", above=0), math.nan, math.nan, math.nan, 0)
    infinite = judged("late", math.inf, 3, math.inf)
    assert kinds([judged(), nothing, infinite], [judged(), nothing, infinite]) == []
    assert kinds([judged()], [judged(estimate=0.519, low=0.42, high=0.6)]) == []  # a tenth of the width is 0.02


@pytest.mark.parametrize(
    ("after", "what", "needs"),
    [
        (judged(estimate=0.53), "moved within its interval", False),
        (judged(low=0.43), "moved within its interval", False),
        (judged(members=99), "moved within its interval", False),
        (judged(estimate=0.61, high=0.7), "left its interval", True),
        (judged(low=-0.1), "another verdict", True),
        (judged(above=0.1), "another criterion", True),
        (judged(statement="It shrinks."), "another sentence", True),
        (judged(place="this chapter"), "another sentence", True),
        (judged(source="book"), "another sentence", True),
    ],
)
def test_verdicts_and_numbers_beyond_their_tolerance_are_told(after, what, needs):
    assert kinds([judged()], [after]) == [("one:grows", what, needs)]


def test_an_interval_of_no_width_tolerates_rounding_alone():
    exact = {"low": 0.5, "high": 0.5}
    assert kinds([judged(**exact)], [judged(estimate=0.5 + 1e-14, low=0.5, high=0.5 + 1e-14)]) == []
    assert kinds([judged(**exact)], [judged(estimate=0.501, low=0.501, high=0.501)])[0][2]


def test_rounding_far_from_the_criterion_is_tolerated():
    small = [judged(estimate=x, low=x, high=x, above=None, below=1e-9) for x in (7e-15, 8e-15, 9e-12)]
    assert kinds(small[:1], small[1:2]) == [] and kinds(small[:1], small[2:])[0][2]


def test_a_claim_that_is_gone_needs_accepting_and_a_new_one_does_not():
    assert kinds([judged()], [judged("rises")]) == [("one:grows", "gone", True), ("one:rises", "new", False)]


def test_of_a_time_only_the_verdict_is_compared():
    assert kinds([judged(timing=True)], [judged(timing=True, estimate=5, low=4, high=6)]) == []
    assert kinds([judged(timing=True)], [judged(timing=True, low=-1)])[0][1] == "another verdict"


def cell(source, text, checked):
    output = nbformat.v4.new_output("stream", name="stdout", text=text)
    return nbformat.v4.new_code_cell(source, outputs=[output], metadata={"tags": ["nbval-check-output"] * checked})


def test_what_cells_print_is_compared_by_lines_or_by_numbers():
    before = nbformat.v4.new_notebook(
        cells=[cell("a", "x 1.000\nholds: It grows.\ny 2\n", True), cell("b", "v1.2 is 3.00 and 7", False)]
    )
    after = nbformat.v4.new_notebook(
        cells=[cell("a", "x 1.001\nundecided: It grows.\ny 2\n", True), cell("b", "v1.2 is 3.01 and 8", False)]
    )
    found = [(move.name, move.before, move.after) for move in moving.printed_moved("one", before, after, [judged()])]
    assert found == [("one, cell 1", "x 1.000", "x 1.001"), ("one, cell 2", "7", "8")]
    after.cells[1].source = "c"
    found = moving.printed_moved("one", before, after)
    assert [(move.name, move.after) for move in found] == [
        ("one, with other code", "x 1.001"),
        ("one, with other code", "undecided: It grows."),  # of no claim that is known, so shown as it stands
    ]


def test_sentences_that_hold_a_claims_name_or_number_are_found():
    found = moving.sentences(TEXT, judged(estimate=0.512), "one:grows")
    assert found == [
        (3, "The scale grows by 0.512 in most networks."),
        (4, "It grows in 51 % of them."),
        (6, "- The claim `one:grows` is in this item."),
        (12, 'alt = "By 0.512, as one sees."'),
    ]
