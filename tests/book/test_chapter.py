"""What a chapter says: claims that are declared, measured and listed, and the numbers in its prose."""

from __future__ import annotations

import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter

from kbe.book import chapter
from kbe.book.chapter import GLUED, NUMBERS_MIME, Claims

SAMPLES = np.linspace(0.8, 1.0, 101)


def display_of(value):
    return DisplayFormatter().format(value)[0]


@pytest.fixture
def shown(monkeypatch):
    """What is displayed, in order."""
    seen = []
    monkeypatch.setattr(chapter, "display", lambda value, **options: seen.append((value, options)))
    return seen


@pytest.fixture
def claims(shown):
    made = Claims("III.B")
    made.add("grows", "It grows.", "the median", above=0.5)
    made.add("agrees", "All agree.", "the share", above=0.9, place="IV", source="book")
    return made


def test_before_anything_is_measured_the_table_says_what_decides(claims):
    bundle = display_of(claims)
    assert bundle["text/plain"].splitlines()[2:] == [
        "| It grows. | III.B | the median; above 0.5 |",
        "| All agree. | IV (this book) | the share; above 0.9 |",
    ]
    assert len(bundle) == 2  # no results yet


def test_measuring_shows_the_verdict_where_links_lead_and_the_end_lists_all(claims, shown, capsys):
    claims.measure("grows", SAMPLES)
    claims.measure_share("agrees", np.ones(60, bool))
    (first, _), (second, _) = shown
    assert repr(first) == "holds: It grows. 0.9 (0.882 to 0.918), 101 members; above 0.5"
    marked = '**<span class="kbe-verdict kbe-holds" id="claim-grows">holds</span>** It grows. 0.9'
    assert display_of(first)["text/markdown"].startswith(marked)
    assert "60 members" in repr(second)
    claims.verdicts()
    assert capsys.readouterr().out == "holds: It grows.\nholds: All agree.\n"
    assert "application/vnd.kbe.claims+json" in display_of(claims)
    assert claims["grows"].estimate == pytest.approx(0.9)


def test_a_statistic_and_an_interval_of_ones_own_reach_the_claim(claims):
    claims.measure("grows", SAMPLES, np.min)
    claims.measure_value("agrees", 0.95, (0.92, 0.97), 60, left_out=3)
    assert (claims["grows"].estimate, claims["agrees"].low, claims["agrees"].left_out) == (0.8, 0.92, 3)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda c: c.add("grows", "Again.", "the median", above=1), "name is 'grows': there is a claim"),
        (lambda c: c.add("other", "It is.", "the median"), "above and below are both None"),
        (lambda c: c.measure("grow", SAMPLES), "name is 'grow': it must be one of grows, agrees."),
        (lambda c: c["grows"], "name is 'grows': it must be a claim that has been measured."),
        (lambda c: [c.measure("grows", SAMPLES) for _ in range(2)], "name is 'grows': it must be one of agrees."),
        (lambda c: [c.measure("grows", SAMPLES), c.verdicts()], "Not measured: agrees;"),
        (lambda c: [c.measure("grows", SAMPLES), repr(c)], "Not measured: agrees;"),
        (lambda c: chapter.numbers(x=[1, 2]), r"x is \[1, 2\]: it must be one number, or words."),
        (lambda c: chapter.numbers(x=True), "x is True: it must be"),
    ],
)
def test_what_does_not_fit_is_one_sentence(claims, call, said):
    with pytest.raises(ValueError, match=said):
        call(claims)


def test_numbers_are_handed_on_as_json_has_them_and_are_not_shown(shown):
    chapter.numbers(a=np.float64(0.5), b=np.array(3), c=np.nan, d=-np.inf, e="few", f=np.float32(2))
    ((bundle, options),) = shown
    assert options == {"raw": True} and set(bundle) == {NUMBERS_MIME}
    told = {"a": 0.5, "b": 3, "c": "not measured", "d": "−∞", "e": "few", "f": 2.0}
    assert bundle[NUMBERS_MIME] == told
    assert chapter.handed_on([{}, {"outputs": [{"text": "x"}, {"data": bundle}]}]) == told


def test_what_is_glued_is_kept_for_another_place(shown):
    chapter.glue("figure", 3)
    ((bundle, options),) = shown
    assert bundle == {f"{GLUED}text/plain": "3"}
    assert options["metadata"]["scrapbook"] == {"name": "figure", "mime_prefix": GLUED}
