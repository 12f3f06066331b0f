"""Figures that a slider moves: the page holds the numbers that were given, and print shows some of the frames."""

from __future__ import annotations

import functools
import json
import re
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from IPython.core.formatters import format_display_data

from kbe.figures import style
from kbe.figures.moving import MovingFigure
from kbe.figures.panels import Curve, Panel

ROOT = Path(__file__).parents[2]
TIMES = np.linspace(0, 3, 7)
RATES = np.array([0.5, 1, 2, 4])
FALL = Curve("fall", TIMES, np.exp(-RATES[:, None] * TIMES))
DOTS = Curve("dots", [0.0, 1, 2], [1.0, np.nan, 3e-9], markers=True, gaps=True)
PANEL = Panel("A <fall>", "t", "left", [Curve("", [0, 3], [0, 1]), FALL, DOTS], ylim=(0, 1))
SAID = [f'Rate {rate}: "quoted" </script> & more.' for rate in RATES]
FIGURE = MovingFigure("rate & k", [f"{rate} per s" for rate in RATES], SAID, [PANEL], start=2)


@functools.cache
def own() -> dict:
    """What the page gets of the figure, whose frames are drawn once."""
    return bundle(FIGURE)


def bundle(figure: MovingFigure) -> dict:
    return format_display_data(figure)[0]


def in_page(made: dict) -> dict:
    (text,) = re.findall(r'<script type="application/json">(.*?)</script>', made["text/html"], re.DOTALL)
    return json.loads(text)


def test_the_page_holds_the_given_numbers_and_words():
    page = in_page(own())
    assert page["said"] == SAID and page["values"][3] == "4.0 per s"
    (panel,) = page["panels"]
    assert panel["ends"] == [[0, 3], [0, 1]] and panel["labels"] == ["t", "left"] and panel["title"] == "A <fall>"
    faint, fall, dots = panel["curves"]
    np.testing.assert_allclose(fall["y"], FALL.y, rtol=5e-4)
    np.testing.assert_allclose(fall["x"], TIMES)
    assert dots["y"] == [1, None, 3e-9] and dots["marker"] == "s" and "marker" not in fall
    assert [one["look"] for one in (faint, fall, dots)] == [None, 0, 1]


def test_words_cannot_break_out_of_the_page():
    text = own()["text/html"]
    assert "rate &amp; k" in text and text.count("</script>") == 1 and "<fall>" not in text


def test_the_slider_is_native_and_says_where_it_stands():
    text = own()["text/html"]
    (slider,) = re.findall(r"<input[^>]*>", text)
    for part in ('type="range"', 'min="0"', 'max="3"', 'value="2"', 'step="1"', 'aria-valuetext="2.0 per s"'):
        assert part in slider
    assert 'role="status" aria-live="polite">Rate 2.0' in text and 'class="kbe-live" hidden' in text


def test_print_shows_the_first_the_middle_and_the_last_frame_and_says_so():
    assert own()["image/png"].startswith(b"\x89PNG")
    assert own()["text/plain"] == repr(FIGURE)
    kept = [k for k in range(4) if SAID[k] in repr(FIGURE)]
    assert kept == [0, 2, 3] and "A <fall>. rate & k, 0.5 per s: Rate 0.5" in repr(FIGURE)
    assert SAID[1] in repr(replace(FIGURE, stills=[1])) and SAID[0] not in repr(replace(FIGURE, stills=[1]))


def test_print_and_page_draw_from_the_same_numbers(monkeypatch):
    drawn = []
    monkeypatch.setattr(plt, "close", drawn.append)
    bundle(replace(FIGURE, stills=[1, 3]))
    axes = drawn[0].axes
    assert [one.get_title() for one in axes] == ["1.0 per s", "4.0 per s"] and axes[0].get_ylim() == (0, 1)
    for one, frame in zip(axes, (1, 3), strict=True):
        np.testing.assert_array_equal(one.lines[1].get_data(), [TIMES, FALL.y[frame]])
        assert one.lines[2].get_linestyle() == "None" and one.lines[1].get_label() == "fall"
    monkeypatch.undo()
    plt.close("all")


def test_a_name_has_one_look_in_all_panels():
    other = Panel("other", "x", "y", [DOTS, FALL])
    first, second = in_page(bundle(replace(FIGURE, panels=[PANEL, other])))["panels"]
    assert {c["label"]: c["look"] for c in first["curves"][1:]} == {c["label"]: c["look"] for c in second["curves"]}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: replace(FIGURE, values=[]), "values has no frames: it must have one at least."),
        (
            lambda: replace(FIGURE, panels=[replace(PANEL, follows=[1, 2])]),
            "follows of 'A <fall>' has 2 frames: it must have 4 as values has.",
        ),
        (lambda: replace(FIGURE, said=SAID[1:]), "said has 3 frames: it must have 4 as values has."),
        (
            lambda: replace(FIGURE, values=["a", "b"], said=SAID[:2]),
            "y of 'fall' has 4 frames: it must have 2 as values has.",
        ),
        (lambda: replace(FIGURE, start=4), "start or a still is 4: it must be an integer from 0 to 3."),
        (lambda: replace(FIGURE, stills=[9]), "start or a still is 9: it must be an integer from 0 to 3."),
        (
            lambda: replace(FIGURE, panels=[Panel("p", "x", "y", [Curve("c", np.arange(9e4) / 7, np.arange(9e4))])]),
            r"A frame has \d+ bytes: it must have at most 20000.",
        ),
    ],
)
def test_bad_input_is_refused_in_one_sentence(make, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        make()


def test_the_page_has_the_colours_of_the_other_figures():
    css = (ROOT / "book" / "_static" / "book.css").read_text()
    rules = re.findall(r"^(?:html\[data-theme=\"dark\"\] )?\.kbe-moving \{(.*?)\}", css, re.DOTALL | re.MULTILINE)
    for mode, rule in zip(("light", "dark"), rules[:2], strict=True):
        assert tuple(re.findall(r"--kbe-c\d: (#\w+)", rule)) == style.PALETTE[mode]
        assert re.search(r"--kbe-ink: (#\w+)", rule)[1] == style.INK[mode]
