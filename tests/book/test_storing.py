"""What is stored of an execution: text and claims, and a change of a claim only when it is named."""

from __future__ import annotations

from dataclasses import asdict

import nbformat
import pytest

from kbe.book import storing
from kbe.book.claims import Claim, Judged

MIME = "application/vnd.kbe.claims+json"
TEXT = "# Title\n\nThe scale grows by 0.512 in most networks.\n\n- The claim `one:grows` is in this item.\n"


@pytest.fixture
def book(one_page):
    one_page.write(TEXT)
    return one_page


def judged(name="grows", estimate=0.512, low=0.4, high=0.6):
    return Judged(Claim(name, "It grows.", "III", "share", above=0.0), estimate, low, high, 100)


def executed(book, *measured, printed="3\n"):
    """The page's execution, kept as if it had run and measured this."""
    table = {"text/plain": "table", MIME: {"claims": [asdict(one) for one in measured]}}
    stream = nbformat.v4.new_output("stream", name="stdout", text=printed)
    return book.executed(stream, nbformat.v4.new_output("display_data", table))


def test_text_and_claims_are_stored_and_pictures_progress_and_traces_of_the_run_are_not(book):
    data = {"text/plain": "t", "text/html": "<b>", "image/png": "x", MIME: {"claims": []}}
    shown = nbformat.v4.new_output("display_data", data, metadata={"image/png": {"width": 3}})
    progress = nbformat.v4.new_output("stream", name="stderr", text="50 %")
    assert storing.store_outputs([book.executed(progress, shown)]) == [book.stored]
    kept = nbformat.read(book.stored, 4)
    (output,) = kept.cells[-1].outputs
    assert set(output.data) == {"text/plain", MIME} and output.metadata == {}
    assert kept.metadata.kbe == {"seconds": 10} and kept.metadata.language_info == {"name": "python"}


def test_a_flipped_verdict_is_stored_only_when_it_is_named(book, capsys):
    assert storing.store_outputs([executed(book, judged())]) == [book.stored]
    assert storing.store_outputs([executed(book, judged())]) == []  # it is right already
    before = book.stored.read_bytes()
    capsys.readouterr()

    flipped = executed(book, judged(estimate=-0.2, low=-0.3, high=-0.1))
    with pytest.raises(RuntimeError, match='ACCEPT="one:grows"'):
        storing.store_outputs([flipped])
    told = capsys.readouterr().out
    assert book.stored.read_bytes() == before
    assert (
        "| one:grows | holds: 0.512 (0.4 to 0.6), 100 | does not hold: -0.2 (-0.3 to -0.1), 100 | another verdict |"
        in told
    )
    assert "one.md:9: The scale grows by 0.512 in most networks." in told and "one.md:11" in told

    with pytest.raises(ValueError, match="ACCEPT is 'one:rises': it must name a claim that needs it, one:grows"):
        storing.store_outputs([flipped], ["one:rises"])
    assert storing.store_outputs([flipped], ["one:grows"]) == [book.stored] and book.stored.read_bytes() != before


def test_accepting_one_claim_accepts_no_other(book):
    storing.store_outputs([executed(book, judged(), judged("rises"))])
    before = book.stored.read_bytes()
    flipped = executed(book, judged(low=-1), judged("rises", low=-1))
    with pytest.raises(RuntimeError, match='ACCEPT="one:grows one:rises"'):
        storing.store_outputs([flipped], ["one:grows"])
    assert book.stored.read_bytes() == before


def test_numbers_that_stay_in_their_interval_are_told_and_stored(book, capsys):
    storing.store_outputs([executed(book, judged())])
    capsys.readouterr()
    assert storing.store_outputs([executed(book, judged(estimate=0.55), printed="4\n")])
    told = capsys.readouterr().out
    assert "moved within its interval" in told and "| one, cell 2 | 3 | 4 | prints otherwise |" in told
