"""How every figure looks: one light and one dark style, and the function that shows a figure in both.

A figure function draws with matplotlib's current settings, describes it (`words`) and returns its Figure.
`show` calls it twice, under each style, so that the page can switch between the two pictures without redrawing.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
from cycler import cycler
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend

from kbe.refusals import shown

BACKGROUND = {"light": "#ffffff", "dark": "#121212"}

INK = {"light": "#1a1a1a", "dark": "#e6e6e6"}

# Near the hues of Okabe and Ito; chosen so that each stands out from its background and colour-blind
# readers tell any two apart. Text cannot name a colour: it differs between the two pages.
PALETTE = {
    "light": ("#0077bb", "#d55e00", "#117755", "#cc79a7", "#332288", "#222222"),
    "dark": ("#4aa3e0", "#ff8f4d", "#00c495", "#f0a3d0", "#f0e442", "#7a7a7a"),
}

WIDTH = 5.4  # inches; with letters of 11 points a figure can still be read on a phone

PICTURE_DPI = 160  # sharp on screens with two pixels a point

PAGE_DPI = 112  # the size at which a wide page shows it

SHORTEST_TEXT = 21

# so that lines can be told apart without their colours
STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))

MARKERS = "os^Dv"

_LAYOUT = {
    "figure.figsize": (WIDTH, 3.3),
    "figure.dpi": PICTURE_DPI,
    "figure.constrained_layout.use": True,
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.labelsize": 11,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "legend.fontsize": 10,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.6,
    "image.cmap": "viridis",
}

# Outside notebooks that know the page's theme, one picture of the two has to go.
_ONE_OF_TWO = (
    "<style>html:not([data-theme=dark]) .kbe-figure .only-dark{display:none}"
    "body[data-jp-theme-light=false] .kbe-figure .only-dark{display:inline}"
    "body[data-jp-theme-light=false] .kbe-figure .only-light{display:none}</style>"
)


def look(k: int) -> dict[str, Any]:
    """The colour and the line style of the k-th curve of a figure, counted from 0."""
    return {"color": f"C{k % 6}", "linestyle": STYLES[k % 6]}


def legend_below(figure: Figure, columns: int, **options: Any) -> Legend:
    """What the lines of all axes are called, each name once, under the figure."""
    named: dict[str, Artist] = {}
    for axes in figure.axes:
        for artist, name in zip(*axes.get_legend_handles_labels(), strict=True):
            named.setdefault(name, artist)
    return figure.legend(list(named.values()), list(named), loc="outside lower center", ncols=columns, **options)


class _Shown:
    """A figure as a notebook displays it: two pictures, as PNG, for the web page, one for print, its description."""

    def __init__(self, light: bytes, dark: bytes, alt: str) -> None:
        self.light, self.dark, self.alt = light, dark, alt

    def __repr__(self) -> str:
        """The description: what a stored notebook keeps of a figure."""
        return self.alt

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        # A PNG states its width in bytes 16 to 20.
        width = round(int.from_bytes(self.light[16:20], "big") * PAGE_DPI / PICTURE_DPI)
        pictures = "".join(
            f'<img class="only-{mode}" alt="{html.escape(self.alt)}" '
            f'style="width:{width}px;max-width:100%;height:auto" '
            f'src="data:image/png;base64,{base64.b64encode(picture).decode()}">'
            for mode, picture in (("light", self.light), ("dark", self.dark))
        )
        return {
            "text/html": f'<div class="kbe-figure">{_ONE_OF_TWO}{pictures}</div>',
            "image/png": self.light,
            "text/plain": self.alt,
        }


def show(draw: Callable[..., Figure], *data: Any, **options: Any) -> _Shown:
    """Draw a figure for light pages and for dark ones.

    Parameters
    ----------
    draw
        A figure function: takes `data` and `options`, draws with matplotlib's current settings,
        describes the Figure (`words.described`) and returns it.

    Returns
    -------
    _Shown
        What a notebook displays when it is a cell's last expression.

    Raises
    ------
    ValueError
        If the description is missing or too short to be one.
    """
    (light, words), (dark, _) = (_picture(draw, mode, *data, **options) for mode in ("light", "dark"))
    if len(words) < SHORTEST_TEXT:
        raise ValueError(
            f"draw describes its figure as {shown(words)}: it must say what is shown in at least "
            f"{SHORTEST_TEXT} characters, by words.described."
        )
    return _Shown(light, dark, words)


def _settings(mode: str) -> dict[str, Any]:
    """Matplotlib's settings for one of the two styles; colours "C0" to "C5" are the palette."""
    inked = ("text.color", "axes.labelcolor", "axes.titlecolor", "axes.edgecolor", "xtick.color", "ytick.color")
    paper = ("figure.facecolor", "axes.facecolor", "savefig.facecolor")
    return (
        _LAYOUT
        | dict.fromkeys(inked, INK[mode])
        | dict.fromkeys(paper, BACKGROUND[mode])
        | {"axes.prop_cycle": cycler(color=PALETTE[mode]), "grid.color": INK[mode], "grid.alpha": 0.15}
    )


def _picture(draw: Callable[..., Figure], mode: str, *data: Any, **options: Any) -> tuple[bytes, str]:
    """A figure as PNG, and its description."""
    # From matplotlib's defaults on, so that a reader's own matplotlibrc changes nothing.
    with plt.style.context(["default", _settings(mode)]):
        figure = draw(*data, **options)
        try:
            file = io.BytesIO()
            FigureCanvasAgg(figure).print_png(file)  # `savefig` would draw twice, once for the layout alone
        finally:
            plt.close(figure)
    return file.getvalue(), str(figure.get_label())
