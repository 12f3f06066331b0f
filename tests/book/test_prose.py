"""Numbers and verdicts in prose: put in where they are named, kept by name, and missed aloud."""

from __future__ import annotations

import json

import nbformat
import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter

from kbe.book import report
from kbe.book.chapter import NUMBERS_MIME
from kbe.book.claims import Claim
from kbe.book.prose import Prose


def executed(numbers, estimate=0.9, text="{number}`grows .1f` {claim}`grows`"):
    """A notebook with a claim, numbers, a figure and some text."""
    judged = Claim("grows", 'It "grows".', "III", "the median", above=0.5).judge(
        np.full(60, estimate) + np.arange(60) / 1e4
    )
    table = DisplayFormatter().format(report.claim_table([judged]))[0]
    outputs = [nbformat.v4.new_output("display_data", data) for data in (table, {NUMBERS_MIME: numbers})]
    figure = {"mystnb": {"figure": {"caption": "With {number}`points` points."}}}
    code = nbformat.v4.new_code_cell("1", outputs=outputs, metadata=figure)
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text), code])


def put(text, **numbers):
    prose = Prose(lambda name: {}[name])
    made = prose.in_notebook(executed({"points": 20, **numbers}, text=text), "scale")
    return made.cells[0].source, prose.faults


@pytest.mark.parametrize(
    ("named", "value", "said"),
    [
        ("x", 0.123456, "0.123"),
        ("x .1f", 0.16, "0.2"),
        ("x .2f", -0.5, "−0.50"),
        ("x ,d", 12345, "12,345"),
        ("x %", 0.518, "52\N{NO-BREAK SPACE}%"),
        ("x .1f%", 0.518, "51.8\N{NO-BREAK SPACE}%"),
        ("x .1e", 0.00012, "1.2 · 10⁻⁴"),
        ("x", 2000, "2000"),
        ("x", 12000000.0, "1.2 · 10⁷"),
        ("x .2f", "not measured", "not measured"),
    ],
)
def test_a_number_is_said_in_its_form(named, value, said):
    assert put(f"It is {{number}}`{named}`.", x=value) == (f"It is {said}.", [])


def test_a_verdict_leads_to_its_claim_and_says_what_it_rests_on():
    said, _ = put("{claim}`grows`")
    assert said.startswith('<a class="kbe-verdict kbe-holds" href="#claim-grows" title="It &quot;grows&quot;. 0.903')
    assert said.endswith(">holds</a>")


@pytest.mark.parametrize(("named", "said"), [("grows .2f", "0.90"), ("grows.members", "60")])
def test_a_number_of_a_claim_leads_there_too(named, said):
    text, faults = put(f"It is {{number}}`{named}`.")
    assert text.startswith('It is <a class="kbe-number" href="#claim-grows" title="It &quot;grows&quot;. 0.903')
    assert text.endswith(f'">{said}</a>.') and not faults


def test_captions_are_prose_and_the_executed_notebook_stays_as_it_is():
    given = executed({"points": 20})
    before = nbformat.writes(given)
    made = Prose(lambda name: {}[name]).in_notebook(given, "scale")
    assert made.cells[1].metadata.mystnb.figure.caption == "With 20 points."
    assert nbformat.writes(given) == before


def test_the_next_run_of_the_same_notebook_puts_in_its_own_numbers():
    first = Prose(lambda name: {}[name]).in_notebook(executed({"points": 20}), "scale")
    again = executed({"points": 20}, estimate=0.2)
    again.cells[0] = first.cells[0]
    second = Prose(lambda name: {}[name]).in_notebook(again, "scale")
    assert ">0.9</a> <a" in first.cells[0].source and ">0.2</a> <a" in second.cells[0].source
    assert "does not hold</a>" in second.cells[0].source


def test_another_page_is_named_before_its_numbers(tmp_path):
    path = tmp_path / "density.ipynb"
    path.write_text(json.dumps(executed({"slope": 2.5})))
    prose = Prose({"density": path}.__getitem__)
    text = prose.in_text("{number}`density:slope` {number}`density:grows.high .1f` {claim}`density:grows`", "intro")
    assert text.startswith('2.5 <a class="kbe-number" href="density.html#claim-grows" title=')
    assert '>0.9</a> <a class="kbe-verdict kbe-holds" href="density.html#claim-grows"' in text
    assert not prose.faults


@pytest.mark.parametrize(
    "named", ["{number}`none`", "{claim}`none`", "{claim}`points`", "{number}`far:x`", "{number}`x q`"]
)
def test_what_was_not_measured_is_a_fault_that_names_it(named):
    said, faults = put(f"It is {named}.", x=1.5)
    assert said == f"It is {named}." and len(faults) == 1 and faults[0].startswith(f"scale: {named} (")
