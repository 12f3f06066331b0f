"""The table of layers against numbers counted by hand (eq. 9 to 11)."""

from __future__ import annotations

import pytest
from torch import nn

from kbe import networks


def test_eq10_eq11_table_of_the_papers_variance_network():
    table = networks.layer_table(networks.VarianceNetwork())
    assert [row[1:] for row in table.rows] == [
        ["1 × 8", "3 × 8", 12, 3],
        ["3 × 8", "3 × 8", 30, 5],
        ["3 × 8", "3 × 8", 30, 7],
        [24, 1, 25, 8],
        [24, 1, 25, 8],
        [8, 2, 122, ""],
    ]


@pytest.mark.parametrize(("padding", "seen"), [("zeros", 5), ("circular", 5), ("valid", 5)])
def test_eq10_two_layers_of_three_see_five_bits(padding, seen):
    network = networks.AverageNetwork(layers=2, padding=padding)
    assert [networks.bits_seen(network, layer) for layer in (1, 2)] == [3, seen]


def test_eq10_windows_longer_than_the_string_see_all_of_it():
    assert networks.bits_seen(networks.AverageNetwork(bits=4, kernel_size=3, layers=3), 3) == 4


def test_table_shortens_with_valid_padding():
    table = networks.layer_table(networks.AverageNetwork(padding="valid"))
    assert [row[2] for row in table.rows[:3]] == ["3 × 6", "3 × 4", "3 × 2"] and table.rows[3][1] == 6


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="must be a BitNetwork"):
        networks.layer_table(nn.Linear(1, 1))
    for layer in (0, 4, "1", None):
        with pytest.raises(ValueError, match="layer is"):
            networks.bits_seen(networks.AverageNetwork(), layer)
