"""The table of the page: data and initial weights are those that the package draws."""

from __future__ import annotations

import base64
import json
import zlib

import numpy as np

from kbe import networks
from kbe.data import encoding
from kbe.page import draws, packing
from kbe.training.weights import flat_parameters, initial_modules


def test_the_table_holds_the_packages_own_draws_and_layouts():
    shown = draws.table_of_draws((0, 4), (1, 20, 64))
    table = json.loads(zlib.decompress(base64.b64decode(shown.text)))
    drawn = table["seeds"]["4"]
    weights = np.frombuffer(base64.b64decode(drawn["weights"]), np.float32).reshape(-1, 16)
    modules = initial_modules(networks.VarianceNetwork, 16, 4)
    assert np.array_equal(weights.T, [flat_parameters(module) for module in modules])
    for points in (1, 20, 64):
        data = encoding.random_encoding(points, 8, 16, seed=4)
        wanted, size = packing.packed(modules[0], data.x.values, data.y.values), drawn["sizes"][str(points)]
        layout = table["layouts"][size["layout"]]
        numbers = np.array(layout["numbers"])
        for first, rows, columns in numbers[: 3 * len(layout["tables"])].reshape(-1, 3):
            numbers[first : first + rows * columns] = (
                numbers[first : first + rows * columns].reshape(rows, columns).cumsum(0).ravel()
            )
        assert np.array_equal(numbers, wanted.numbers)
        assert size["points"] == "".join(map(str, wanted.points.ravel()))
        assert size["inputs"] == "".join(map(str, wanted.inputs.ravel()))
    assert len(table["layouts"]) == 4  # without merged windows a layout does not depend on the seed
