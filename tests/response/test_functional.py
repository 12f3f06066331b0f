"""A module as a function of its weights: what it takes, and the threads that it borrows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from kbe.response.functional import PureNetwork, slices

SMALL = nn.Linear(4, 2)


def test_outputs_at_the_modules_own_weights_are_its_own():
    x = torch.randn(3, 4, dtype=torch.float64)
    network = PureNetwork(SMALL)
    expected = SMALL(x.float()).detach().numpy()
    np.testing.assert_allclose(network.outputs(network.weights, x), expected, rtol=1e-5)


def test_tensors_count_as_their_numbers_wherever_they_come_from():
    network, weights = PureNetwork(SMALL), torch.ones(2, 10, requires_grad=True)
    assert not network.stack("w", weights).requires_grad
    assert network.inputs("x", torch.ones(3, 4, requires_grad=True), 2).shape == (2, 3, 4)


def test_threads_are_given_back_even_after_an_error():
    before = torch.get_num_threads()
    with pytest.raises(RuntimeError, match="on purpose"), PureNetwork(SMALL).threads():
        assert torch.get_num_threads() == 1
        raise RuntimeError("on purpose")
    with PureNetwork(nn.Linear(100, 100)).threads():  # large enough for torch's own choice
        assert torch.get_num_threads() == before
    assert torch.get_num_threads() == before


def test_slices_cover_a_range_once():
    assert [list(range(9))[part] for part in slices(9, 4)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8]]


@pytest.mark.parametrize(
    ("module", "sentence"),
    [
        (lambda x: x, "module is .*: it must be a Module"),
        (nn.ReLU(), "nothing to train"),
        (nn.Linear(2, 1).requires_grad_(False), "nothing to train"),
        (nn.Sequential(nn.Linear(4, 4), nn.Unflatten(1, (2, 2))), "module .* must be"),
        (nn.Sequential(nn.Linear(4, 1), nn.Flatten(0), nn.Unflatten(0, (1, 2))), "module .* must be"),
        (nn.Linear(3, 1), "module cannot take inputs"),
    ],
)
def test_modules_that_are_no_function_from_inputs_to_heads_are_refused(module, sentence):
    with pytest.raises(ValueError, match=sentence):
        network = PureNetwork(module)
        network.heads(network.inputs("x", np.ones((2, 4))))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: PureNetwork(SMALL, torch.int64), "dtype is torch.int64: it must be a floating-point"),
        (lambda: PureNetwork(SMALL, "float"), "dtype is 'float'"),
        (
            lambda: PureNetwork(SMALL).stack("before", np.ones((2, 3))),
            "before has shape .* 10 as in module",
        ),
        (lambda: PureNetwork(SMALL).stack("before", np.ones(10)), r"before has shape \(10,\)"),
        (lambda: PureNetwork(SMALL).inputs("x", 1.0), r"x has shape \(\): it must be \(n, ...\)"),
        (lambda: PureNetwork(SMALL).inputs("x", np.ones((3, 4)), 2, own=True), r"must be \(2, n, ...\)"),
        (lambda: PureNetwork(SMALL).inputs("x", [np.nan]), "x holds NaN"),
        (lambda: slices(3, 0), "size is 0"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
