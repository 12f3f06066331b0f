"""The activations of the heads: their inverse and their range. Slope and bend are tested with the loss behind them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from kbe.theory.heads import HEAD_FUNCTIONS


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("linear", -np.inf, np.inf), ("sigmoid", 0, 1), ("exponential", 0, np.inf), ("softplus", 0, np.inf)],
)
def test_a_head_has_an_inverse_over_its_range(name, low, high):
    head, inputs = HEAD_FUNCTIONS[name], np.linspace(-4, 4, 9)
    assert_allclose(head.inverse(head.value(inputs)), inputs, atol=1e-12)
    assert (head.value(-np.inf), head.value(np.inf)) == (low, high)
