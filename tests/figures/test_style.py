"""How figures are shown: two pictures and a description, in colours that every reader can tell apart."""

from __future__ import annotations

import base64
import io
import itertools
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from kbe.figures import style
from kbe.figures.style import show
from kbe.figures.words import described

ALT = "A straight line from zero to one."


def line(slope: float, width: float = 1, words: str = ALT) -> plt.Figure:
    figure, axes = plt.subplots()
    axes.plot([0, 1], [0, slope], linewidth=width)
    return described(figure, words)


def pixels(png: bytes) -> np.ndarray:
    return plt.imread(io.BytesIO(png))[..., :3]


def test_page_gets_both_pictures_and_print_the_light_one():
    bundle = show(line, 2, width=3)._repr_mimebundle_()
    pictures = re.findall(r'<img class="only-(\w+)" alt="([^"]+)".*?base64,([^"]+)">', bundle["text/html"])
    assert [(mode, alt) for mode, alt, _ in pictures] == [("light", ALT), ("dark", ALT)]
    light, dark = (pixels(base64.b64decode(data)) for *_, data in pictures)
    assert np.array_equal(light[0, 0], [1, 1, 1]) and dark[0, 0].max() < 0.1
    assert bundle["image/png"] == base64.b64decode(pictures[0][2]) and bundle["text/plain"] == ALT
    assert repr(show(line, 2)) == ALT  # what a stored notebook keeps


def test_description_cannot_break_out_of_its_attribute():
    html = show(line, 1, words='A "quoted" description <b>of</b> a line.')._repr_mimebundle_()["text/html"]
    assert "&quot;quoted&quot;" in html and "<b>" not in html


def test_no_figure_stays_open_and_settings_are_given_back():
    before = plt.rcParams["figure.facecolor"]
    show(line, 1)
    with pytest.raises(ZeroDivisionError):
        show(lambda: 1 / 0)
    assert plt.get_fignums() == [] and plt.rcParams["figure.facecolor"] == before


def test_picture_does_not_depend_on_the_readers_settings():
    plain = show(line, 1).light
    with plt.rc_context({"font.size": 40, "xtick.major.size": 20, "axes.grid": True}):
        assert show(line, 1).light == plain


@pytest.mark.parametrize("words", ["", "too short"])
def test_a_figure_without_description_is_refused(words):
    with pytest.raises(ValueError, match="must say what is shown"):
        show(line, 1, words=words)


def test_a_legend_below_names_the_lines_of_all_panels_once():
    figure, (left, right) = plt.subplots(1, 2)
    for axes, names in ((left, "ab"), (right, "bc")):
        for k, name in enumerate(names):
            axes.plot([0, 1], **style.look(k), label=name)
    legend = style.legend_below(figure, 2, title="all")
    plt.close(figure)
    assert [text.get_text() for text in legend.get_texts()] == [
        "a",
        "b",
        "c",
    ] and legend.get_title().get_text() == "all"
    colours = [drawn.get_color() for drawn in legend.get_lines()]
    assert colours == ["C0", "C1", "C1"]  # b looks as in the first panel


def test_a_page_has_as_many_looks_as_colours():
    looks = [tuple(style.look(k).values()) for k in range(7)]
    assert len(set(looks)) == 6 and looks[6] == looks[0]


def luminance(colour: str) -> float:
    return linear_rgb(colour) @ [0.2126, 0.7152, 0.0722]


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_every_colour_has_the_contrast_that_accessibility_asks_of_graphics(mode):
    for colour, least in [*((colour, 3) for colour in style.PALETTE[mode]), (style.INK[mode], 7)]:
        pair = sorted([luminance(colour), luminance(style.BACKGROUND[mode])])
        assert (pair[1] + 0.05) / (pair[0] + 0.05) >= least, colour


# Vienot, Brettel and Mollon 1999: what a reader without red or without green receptors sees, linear RGB.
BLIND = {
    "protan": [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
    "deutan": [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
}


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("reader", BLIND)
def test_colour_blind_readers_tell_the_palette_apart(mode, reader):
    seen = [lab(np.clip(np.array(BLIND[reader]) @ linear_rgb(colour), 0, 1)) for colour in style.PALETTE[mode]]
    distances = {pair: np.linalg.norm(seen[pair[0]] - seen[pair[1]]) for pair in itertools.combinations(range(6), 2)}
    assert min(distances.values()) > 10, min(distances, key=distances.get)  # 2.3 is just noticeable


def linear_rgb(colour: str) -> np.ndarray:
    rgb = np.array(to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(linear: np.ndarray) -> np.ndarray:
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(np.maximum(to_xyz @ linear / [0.9505, 1, 1.089], 0.0089))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])
