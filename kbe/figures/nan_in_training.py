"""The figure of the page for whoever has a NaN."""

from __future__ import annotations

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.figure import Figure

from kbe.figures.bands import where_positive
from kbe.figures.style import WIDTH, look
from kbe.figures.words import described, last


def product_before_onset(product: xr.DataArray) -> Figure:
    """Learning rate times largest curvature (member, epoch) over the epochs, NaN from a member's onset on."""
    figure, axes = plt.subplots(figsize=(WIDTH, 3.3))
    for k, curve in enumerate(where_positive(product)):
        axes.plot(product.epoch, curve, **look(k), linewidth=1.2)
    axes.axhline(2, color="C5", linewidth=1)
    axes.annotate("2", (0.005, 2), xycoords=("axes fraction", "data"), va="bottom")
    axes.set(xlabel="epochs", ylabel=r"$\eta\,\lambda_{\max}$", yscale="log")
    ends = ", ".join(last(curve) for curve in product)
    crossed = int((product > 2).any("epoch").sum())
    return described(
        figure,
        f"Learning rate times largest curvature over the epochs, for {product.sizes['member']} networks, each until "
        f"its onset: {crossed} of them cross 2 before. The last values before the onset: {ends}.",
    )
