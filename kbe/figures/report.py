"""The figure of the report: how the claims of each chapter came out."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from kbe.figures.style import WIDTH, legend_below
from kbe.figures.words import described

_LOOKS: list[dict[str, Any]] = [{"color": "C2"}, {"color": "C1", "hatch": "///"}, {"color": "C3", "hatch": "..."}]


def verdicts_by_chapter(counts: xr.DataArray) -> Figure:
    """The number of claims with each verdict, a bar a chapter: `counts` (chapter, verdict)."""
    figure, axes = plt.subplots(figsize=(WIDTH, 0.8 + 0.26 * counts.sizes["chapter"]))
    places, left = np.arange(counts.sizes["chapter"]), np.zeros(counts.sizes["chapter"])
    for verdict, looks in zip(counts.verdict.values, _LOOKS, strict=True):
        widths = counts.sel(verdict=verdict).values
        axes.barh(places, widths, 0.7, left, label=str(verdict), edgecolor=axes.get_facecolor(), linewidth=0, **looks)
        left = left + widths
    axes.set(yticks=places, yticklabels=[str(name).replace("_", " ") for name in counts.chapter.values])
    axes.set(ylim=(len(places) - 0.5, -0.5), xlabel="claims")
    axes.tick_params(axis="y", length=0)
    legend_below(figure, 3)
    totals = ", ".join(f"{one} {int(counts.sel(verdict=one).sum())}" for one in counts.verdict.values)
    most = counts.isel(chapter=int(np.argmax(counts.isel(verdict=1).values)))
    return described(
        figure,
        f"A bar for each of {len(places)} chapters, parted by verdict. In all: {totals}. Most claims that do not hold "
        f"are in {str(most.chapter.values).replace('_', ' ')}, {int(most[1])} of {int(most.sum())}.",
    )
