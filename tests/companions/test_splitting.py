"""The splitting of the input space: numbers known by hand, and invariants."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from kbe import losses, networks
from kbe.companions import splitting
from kbe.data import encoding
from kbe.training import ensemble

INPUTS = encoding.all_inputs(5)
PARITY = INPUTS.sum(1) % 2 == 1
KNOWN = {
    "one side": (np.zeros(32, bool), 1, 0.0),
    "one bit": (INPUTS[:, 2] == 1, 2, 1 / 5),
    "two bits, and": (INPUTS[:, 1] * INPUTS[:, 4] == 1, 3, 1 / 5),  # each bit counts where the other is 1
    "parity": (PARITY, 32, 1.0),
    "one input": (np.arange(32) == 7, 6, 5 / 80),
}


@pytest.mark.parametrize("name", KNOWN)
def test_subspaces_and_boundary_by_hand(name):
    sides, number, density = KNOWN[name]
    assert splitting.subspaces(sides) == number
    assert splitting.boundary(sides).mean() == pytest.approx(density)


def test_neither_the_order_of_the_bits_nor_the_names_of_the_sides_matter():
    draw = np.random.default_rng(0)
    sides = draw.random((6, 32)) < 0.3
    turned = sides.reshape(6, *(2,) * 5).transpose(0, 3, 1, 5, 2, 4)[:, ::-1].reshape(6, 32)
    for other in (turned, ~sides):
        np.testing.assert_array_equal(splitting.subspaces(other), splitting.subspaces(sides))
        np.testing.assert_allclose(splitting.boundary(other).mean(1), splitting.boundary(sides).mean(1))


def test_subspaces_are_as_many_as_a_search_over_all_trees_finds():
    def fewest(cube: np.ndarray) -> int:
        if cube.all() or not cube.any():
            return 1
        halves = [(np.take(cube, 0, k), np.take(cube, 1, k)) for k in range(cube.ndim)]
        return min(fewest(low) + fewest(high) for low, high in halves)

    sides = np.random.default_rng(1).random((20, 16)) < 0.5
    found = [fewest(one.reshape((2,) * 4)) for one in sides]
    np.testing.assert_array_equal(splitting.subspaces(sides), found)


def test_leading_dimensions_are_kept_and_the_boundary_names_its_pairs():
    sides = np.zeros((2, 3, 32), bool)
    sides[1, 2] = INPUTS[:, 0] == 1
    assert splitting.subspaces(sides).tolist() == [[1, 1, 1], [1, 1, 2]]
    border = splitting.boundary(sides)
    assert border.shape == (2, 3, 80) and border[1, 2].nonzero()[0].tolist() == list(range(16))  # the first bit's pairs


def test_outputs_everywhere_are_the_modules_own():
    data = encoding.random_encoding(3, 4, 2, seed=2)
    make = lambda: networks.AverageNetwork(bits=4)  # noqa: E731
    run = ensemble.train(make, data, losses.squared_error, epochs=3, record=[0, 3], keep_parameters=True)
    found = splitting.outputs_everywhere(make(), run)
    codes = (data.x[1].to_numpy() @ [8, 4, 2, 1]).astype(int)
    np.testing.assert_allclose(found[1, :, codes], run.mu[1], rtol=1e-12)


@pytest.mark.parametrize("sides", [np.zeros(32), np.zeros(3, bool), np.zeros(1, bool), np.zeros(2**11, bool)])
def test_what_is_no_side_at_every_bit_string_is_refused(sides):
    with pytest.raises(ValueError, match="sides"):
        splitting.subspaces(sides)


def test_a_run_without_weights_is_refused():
    with pytest.raises(ValueError, match="run lacks parameters"):
        splitting.outputs_everywhere(networks.AverageNetwork(), xr.Dataset())
