"""Initial modules, and weights as vectors."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kbe.networks import VarianceNetwork
from kbe.training.weights import flat_parameters, initial_modules, with_parameters

FEW = settings(max_examples=25, deadline=None)
MAKE = functools.partial(VarianceNetwork, bits=5)


def test_a_members_first_module_is_its_own_whatever_the_number_and_the_global_stream():
    before = torch.random.get_rng_state()
    first, second = initial_modules(MAKE, 2, seed=5), initial_modules(MAKE, 4, seed=5)
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.get_default_dtype() == torch.float32
    for a, b in zip(first, second, strict=False):
        assert np.array_equal(flat_parameters(a), flat_parameters(b))
    assert not np.array_equal(flat_parameters(second[0]), flat_parameters(second[1]))
    assert not np.array_equal(*(flat_parameters(initial_modules(MAKE, 1, s)[0]) for s in (0, 1)))


@FEW
@given(count=st.integers(0, 200), dimensions=st.integers(1, 2))
def test_parameters_of_another_length_are_refused(count, dimensions):
    module = VarianceNetwork(bits=5)
    needed = len(flat_parameters(module))
    if count != needed or dimensions != 1:
        with pytest.raises(ValueError, match=f"the module has {needed} parameters"):
            with_parameters(module, np.zeros((count,) * dimensions))


def test_parameters_go_round():
    module = VarianceNetwork(bits=5).double()
    values = np.linspace(-1, 1, len(flat_parameters(module)))
    assert np.array_equal(flat_parameters(with_parameters(module, values)), values)
    assert not np.array_equal(flat_parameters(module), values)
