"""A sweep as a page: its claims over one or two parameters that differ, each point leading to its notebook."""

from __future__ import annotations

import html
import io
from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kbe.book.claims import FAILS, HOLDS, UNDECIDED
from kbe.book.page import page

_SIGNS = {HOLDS: ("✓", "#1b7837"), FAILS: ("✗", "#b2182b"), UNDECIDED: ("?", "#666666")}
_A_ROW = 3  # plots


def sweep_page(table: pd.DataFrame, swept: Sequence[str], links: dict[str, str]) -> str:
    """The page.

    Parameters
    ----------
    table
        As `collect` makes it.
    swept
        The columns of the parameters that differ; plots are drawn over the first two.
    links
        Where each point's notebook is as a page, by key; those that have none are not linked.
    """
    claims = list(table.claim.dropna().unique())
    said = f"{table.key.nunique()} points, {table.error.notna().sum()} failed."
    if len(swept) > 2:
        said += f" The plots are drawn over {' and '.join(swept[:2])}; {', '.join(swept[2:])} differs too."
    legend = ", ".join(f'<b style="color: {colour}">{sign}</b> {verdict}' for verdict, (sign, colour) in _SIGNS.items())
    plots = _plots(table, claims, swept[:2], links) if claims and swept else ""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in [*swept, *claims, "notebook"])
    rows = "".join(_row(one, claims, swept, links) for _, one in table.groupby("key", sort=False))
    name = ", ".join(table.chapter.unique())
    text = f"<h1>A sweep of {html.escape(name)}</h1><p>{said} Signs: {legend}.</p>"
    body = f"{text}{plots}<table><tr>{head}</tr>{rows}</table>"
    return page(f"Sweep of {name}", body)


def _plots(table: pd.DataFrame, claims: Sequence[str], swept: Sequence[str], links: dict[str, str]) -> str:
    """A plot for each claim, as SVG."""
    rows = -(-len(claims) // _A_ROW)
    figure = Figure(figsize=(11, 3.2 * rows), layout="constrained")
    for axes, claim in zip(figure.subplots(rows, _A_ROW, squeeze=False).flat, claims, strict=False):
        _plot(axes, table[table.claim == claim], swept, links)
        axes.set(title=claim, xlabel=swept[0], ylabel=swept[1] if len(swept) == 2 else "estimate")
    for axes in figure.axes[len(claims) :]:
        axes.remove()
    written = io.StringIO()
    figure.savefig(written, format="svg")
    return written.getvalue()[written.getvalue().index("<svg") :]


def _plot(axes: Axes, points: pd.DataFrame, swept: Sequence[str], links: dict[str, str]) -> None:
    xs, ys = _places(axes.xaxis, points[swept[0]]), points.estimate
    if len(swept) == 2:
        ys = _places(axes.yaxis, points[swept[1]])
    else:
        axes.vlines(xs, points.low, points.high, color="#bbbbbb")
    axes.plot(xs, ys, linestyle="none", marker="o", markersize=13, color="white", zorder=2)
    for x, y, key, verdict in zip(xs, ys, points.key, points.verdict, strict=True):
        if y == y:  # what was not measured has no place
            sign, colour = _SIGNS[verdict]
            axes.text(x, y, sign, color=colour, ha="center", va="center", size=14, weight="bold", url=links.get(key))
    axes.margins(0.15)


def _places(axis: Any, values: pd.Series) -> Sequence[float]:
    """Where values stand on an axis: numbers at their place, others side by side."""
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return list(values)
    names = list(dict.fromkeys(map(str, values)))
    axis.set_ticks(range(len(names)), labels=names)
    return [names.index(str(value)) for value in values]


def _row(point: pd.DataFrame, claims: Sequence[str], swept: Sequence[str], links: dict[str, str]) -> str:
    first, found = point.iloc[0], point.set_index("claim")
    cells = [html.escape(str(first[name])) for name in swept]
    for claim in claims:
        if claim in found.index:
            sign, colour = _SIGNS[found.verdict[claim]]
            cells.append(
                f'<b style="color: {colour}" title="{found.verdict[claim]}">{sign}</b> {found.estimate[claim]:.3g}'
            )
        else:
            cells.append("")
    told = html.escape(first.error) if isinstance(first.error, str) else "notebook"
    cells.append(f'<a href="{links[first.key]}">{told}</a>' if first.key in links else told)
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
