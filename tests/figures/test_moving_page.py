"""Figures that a slider moves, in a browser: from the disk and from a server, by pointer and by keyboard."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from browsers import needs_browser, served
from IPython.core.formatters import format_display_data

from kbe.figures.moving import MovingFigure
from kbe.figures.panels import Cells, Curve, Panel

ROOT = Path(__file__).parents[2]
pytestmark = needs_browser
HEIGHTS = np.array([0.2, 0.5, 0.8])
LEVEL = Curve("level", [0.0, 1], np.repeat(HEIGHTS[:, None], 2, 1))
DOT = Curve("dot", [0.5], HEIGHTS[:, None] / 2, markers=True)
PANELS = [Panel("Two", "x", "y", [LEVEL, DOT], (0, 1), (0, 1)), Panel("One", "x", "y", [LEVEL], (0, 1), (0, 1))]
VALUES, SAID = [f"{one} m" for one in HEIGHTS], [f"The level is {one} m." for one in HEIGHTS]
FIGURE = MovingFigure("height", VALUES, SAID, PANELS)
TRAIL = Curve("way", HEIGHTS[:, None], HEIGHTS[:, None], trail=True)
CELLS = Cells("cells", [0.25, 0.75], [0.25, 0.75], [[1, 1], [10, 10]], (1, 10))
MAP = Panel("Map", "x", "y", [TRAIL], (0, 1), (0, 1), cells=CELLS, follows=HEIGHTS)
OTHER = MovingFigure("place", VALUES, SAID, [MAP])


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Two figures on a page without the book around it; its own files lie where those of the book do."""
    made = tmp_path_factory.mktemp("pages")
    shutil.copytree(ROOT / "book" / "_static", made / "_static")
    figures = "".join(format_display_data(one)[0]["text/html"] for one in (FIGURE, OTHER))
    head = '<meta charset=utf-8><title>Two figures</title><link rel=icon href="data:,">'
    head += '<link rel=stylesheet href="../_static/book.css">'
    (made / "book").mkdir()
    text = f'<!doctype html><html data-theme="light">{head}<script src="../_static/moving.js"></script>{figures}'
    (made / "book" / "page.html").write_text(text)
    return made


@pytest.fixture(scope="module")
def server(folder):
    with served(folder) as address:
        yield address


@pytest.fixture
def tab(browser, folder):
    """The page in a tab; nothing may be asked of another place, and nothing may go wrong."""
    opened, asked, wrong = browser.new_page(), [], []
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("console", lambda message: message.type == "error" and wrong.append(message.text))
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.goto((folder / "book" / "page.html").as_uri())
    opened.wait_for_selector(".kbe-moves canvas")
    yield opened
    assert asked and all(url.startswith(f"{folder.as_uri()}/") or url == "data:," for url in asked) and not wrong
    opened.close()


def height_drawn(tab, panel: int = 0, colour: str = "--kbe-c0") -> float | None:
    """Where the middle of what has a colour lies, as a share of the axis from below."""
    return tab.evaluate(
        """([panel, colour]) => {
          const root = document.querySelector(".kbe-moving"), plot = document.querySelectorAll(".uplot")[panel];
          const canvas = plot.querySelector("canvas"), over = plot.querySelector(".u-over").getBoundingClientRect();
          const top = over.top - canvas.getBoundingClientRect().top, unit = devicePixelRatio;
          const wanted = getComputedStyle(root).getPropertyValue(colour).trim() || colour;
          const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          let sum = 0, count = 0;
          for (let k = 0; k < width * height; k++) {
            const near = (c) => Math.abs(data[4 * k + c] - parseInt(wanted.slice(1 + 2 * c, 3 + 2 * c), 16)) <= 1;
            if (data[4 * k + 3] === 255 && [0, 1, 2].every(near)) { sum += Math.floor(k / width); count += 1; }
          }
          return count ? 1 - (sum / count / unit - top) / over.height : null;
        }""",
        [panel, colour],
    )


def shown(tab, number: int = 0) -> list[str]:
    figure = tab.locator(".kbe-moving").nth(number)
    said = [figure.locator("output").inner_text(), figure.locator("[role=status]").inner_text()]
    return [*said, figure.locator("input").get_attribute("aria-valuetext")]


def test_the_keys_move_what_is_drawn_and_what_is_said(tab):
    slider = tab.locator(".kbe-moving input").first
    slider.focus()
    for key, frame in (("ArrowRight", 1), ("End", 2), ("ArrowLeft", 1), ("Home", 0)):
        tab.keyboard.press(key)
        assert shown(tab) == [VALUES[frame], SAID[frame], VALUES[frame]]
        for panel in (0, 1):
            assert height_drawn(tab, panel) == pytest.approx(HEIGHTS[frame], abs=0.02)
        assert height_drawn(tab, 0, "--kbe-c1") == pytest.approx(HEIGHTS[frame] / 2, abs=0.02)


def test_a_figure_moves_alone_and_by_the_pointer_too(tab):
    slider = tab.locator(".kbe-moving input").first
    box = slider.bounding_box()
    tab.mouse.click(box["x"] + 0.98 * box["width"], box["y"] + box["height"] / 2)
    assert shown(tab)[0] == VALUES[2]
    assert tab.locator(".kbe-moving input").nth(1).input_value() == "0"


def test_the_frame_follows_the_pointer_over_a_map_and_a_trail_stays_behind(tab):
    plot = tab.locator(".u-over").nth(2)
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    for share, frame in ((0.1, 0), (0.9, 2), (0.55, 1)):
        tab.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
        assert shown(tab, 1) == [VALUES[frame], SAID[frame], VALUES[frame]]
    assert HEIGHTS[0] < height_drawn(tab, 2) < HEIGHTS[1]  # the marker, and the way to it
    assert height_drawn(tab, 2, "#fde725") == pytest.approx(0.75, abs=0.03)
    assert height_drawn(tab, 2, "#440154") == pytest.approx(0.25, abs=0.03)
    assert shown(tab, 0)[0] == VALUES[0]


def test_the_theme_and_the_width_may_change(tab):
    tab.evaluate("document.documentElement.dataset.theme = 'dark'")
    assert (
        tab.evaluate("getComputedStyle(document.querySelector('.kbe-moving')).getPropertyValue('--kbe-c0')")
        == "#4aa3e0"
    )
    tab.set_viewport_size({"width": 390, "height": 800})
    tab.wait_for_function("document.querySelector('.uplot').offsetWidth < 390")
    assert height_drawn(tab) == pytest.approx(HEIGHTS[0], abs=0.02)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390


def test_what_is_drawn_has_a_description_and_names_with_their_lines(tab):
    plot = tab.locator(".kbe-moving [role=img]").first
    assert plot.get_attribute("aria-label") == f"Two: {SAID[0]}"
    assert tab.locator(".kbe-legend").first.locator("span").all_inner_texts() == ["level", "dot"]


def test_the_frames_in_a_row_go_when_the_slider_comes_and_come_back_in_print(tab):
    row, slider = tab.locator(".kbe-still").first, tab.locator(".kbe-live").first
    assert slider.is_visible() and not row.is_visible()
    tab.emulate_media(media="print")
    assert row.is_visible() and not slider.is_visible()


def test_without_scripts_the_frames_stand_in_a_row(browser, folder):
    context = browser.new_context(java_script_enabled=False)
    still = context.new_page()
    still.goto((folder / "book" / "page.html").as_uri())
    row = still.locator(".kbe-still img.only-light").first
    assert row.is_visible() and SAID[1] in row.get_attribute("alt") and not still.locator("input").first.is_visible()
    context.close()


def test_a_server_is_asked_for_the_page_and_what_lies_beside_it_alone(browser, server):
    asked: list[str] = []
    opened = browser.new_page()
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(f"{server}/book/page.html")
    opened.wait_for_selector(".kbe-moves canvas")
    assert asked and all(url.startswith((server, "data:")) for url in asked)
    opened.close()
