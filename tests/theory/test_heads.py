"""The activations of the heads: inverse, slope and bend, and their range."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from kbe.theory.heads import HEADS

TORCH = {
    "linear": lambda z: z,
    "sigmoid": torch.sigmoid,
    "exponential": torch.exp,
    "softplus": torch.nn.functional.softplus,
}


@pytest.mark.parametrize("name", HEADS)
def test_a_head_is_what_autograd_makes_of_it(name):
    inputs = torch.linspace(-4, 4, 9, dtype=torch.float64)
    head, value = HEADS[name], TORCH[name](inputs).numpy()
    slope, bend = (torch.func.vmap(d)(inputs).numpy() for d in (
        torch.func.grad(TORCH[name]), torch.func.grad(torch.func.grad(TORCH[name])),
    ))  # fmt: skip
    assert_allclose(head.value(inputs.numpy()), value)
    assert_allclose(head.inverse(value), inputs.numpy(), atol=1e-12)
    assert_allclose(head.slope(value), slope)
    assert_allclose(head.bend(value), bend, atol=1e-15)


def test_the_range_of_a_head_lies_between_its_values_at_infinity():
    ranges = {name: (float(head.value(-np.inf)), float(head.value(np.inf))) for name, head in HEADS.items()}
    positive = (0, np.inf)
    assert ranges == {
        "linear": (-np.inf, np.inf), "sigmoid": (0, 1), "exponential": positive, "softplus": positive,
    }  # fmt: skip
