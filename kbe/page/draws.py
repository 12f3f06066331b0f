"""What the page needs of Python before it trains: data, initial weights and layouts for the seeds and sizes offered."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from kbe import losses
from kbe.data import encoding
from kbe.measures import trajectories
from kbe.networks import VarianceNetwork
from kbe.page import entry, packing
from kbe.training.compiled.activations import NAMES
from kbe.training.compiled.loss_derivatives import FORMS
from kbe.training.compiled.simd import WIDTH
from kbe.training.weights import flat_parameters, initial_modules

BITS = 8

# What the page offers: softplus and a loss with a power call the C library, which is not the same one in a browser.
HEADS = ("sigmoid", "linear", "exponential")

LOSSES = (losses.gaussian_nll, losses.gaussian_nll_misprinted, losses.laplace_nll)


class _Draws:
    """A table as a page holds it: a script of data that the page's own script reads.

    Parameters
    ----------
    table
        What can be written as JSON.
    """

    def __init__(self, table: dict[str, Any]) -> None:
        packed = json.dumps(table, separators=(",", ":")).encode()
        self.text = base64.b64encode(zlib.compress(packed, 9)).decode()

    def __repr__(self) -> str:
        return "the draws of the page's training, which only a page in a browser shows"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": f'<script type="text/plain" id="kbe-draws">{self.text}</script>'}


def table_of_draws(seeds: Iterable[int], sizes: Iterable[int]) -> _Draws:
    """The data, initial weights and layouts of sixteen variance networks for each seed and size of the data set.

    Examples
    --------
    >>> table_of_draws(range(2), (1, 2))
    the draws of the page's training, which only a page in a browser shows
    """
    layouts: dict[bytes, int] = {}
    made: list[dict[str, Any]] = []
    drawn = {}
    for seed in seeds:
        modules = initial_modules(VarianceNetwork, WIDTH, seed)
        weights = np.stack([flat_parameters(module) for module in modules], 1).astype(np.float32)
        of_sizes = {}
        for points in sizes:
            data = encoding.random_encoding(points, BITS, WIDTH, seed=seed)
            one = packing.packed(VarianceNetwork(), data.x.values, data.y.values)
            key = one.numbers.tobytes()
            if key not in layouts:
                layouts[key] = len(made)
                made.append({"numbers": _differences(one.numbers), "tables": one.tables, "rooms": one.rooms})
            inputs, there = (_digits(values) for values in (one.inputs, one.points))
            of_sizes[points] = {"layout": layouts[key], "inputs": inputs, "points": there}
        drawn[seed] = {"weights": base64.b64encode(weights.tobytes()).decode(), "sizes": of_sizes}
    return _Draws({"seeds": drawn, "layouts": made, **_names()})


def _differences(numbers: np.ndarray) -> list[int]:
    """The numbers, in the tables each row less the one before: so they are short."""
    short = numbers.copy()
    for first, rows, columns in numbers[: 3 * len(entry.TABLES)].reshape(-1, 3):
        table = numbers[first : first + rows * columns].reshape(rows, columns)
        short[first : first + rows * columns] = np.diff(table, axis=0, prepend=0).ravel()
    return short.tolist()


def _digits(values: np.ndarray) -> str:
    return "".join(map(str, values.ravel()))


def _names() -> dict[str, Any]:
    """The numbers that stand for heads, losses, tasks and measures, and the arrows of the gradient field."""
    ticks = np.linspace(0.05, 0.95, 10)
    field = trajectories.gradient_field(ticks, ticks)
    arrows = np.stack([field.to_error, field.to_deviation], -1).round(3)
    return {
        "heads": {name: NAMES[name] for name in HEADS},
        "losses": {loss.__name__: FORMS[loss][0] for loss in LOSSES},
        "tasks": {"forward": entry.FORWARD, "advance": entry.ADVANCE, "measure": entry.MEASURE},
        "measures": entry.MEASURES,
        "field": {"ticks": ticks.round(3).tolist(), "arrows": arrows.tolist()},
    }
