"""How often the features of an input are made, and how many are held at once."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kbe.response import layerwise
from kbe.response.functional import PureNetwork
from kbe.response.layerwise import Features
from kbe.response.tangent_kernel import ensemble_kernel, neural_tangent_kernel
from kbe.training.weights import flat_parameters

X, Z = (np.random.default_rng(seed).normal(size=(size, 6)) for seed, size in ((0, 40), (1, 23)))


def module() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2)).double()


@pytest.fixture(params=[False, True], ids=["Jacobian", "layers"])
def passed(request, monkeypatch) -> list[int]:
    """How many inputs went through the module each time that features were made."""
    found, at = [], Features.at

    def counted(self: Features, weights: Tensor, x: Tensor, done) -> list[Tensor]:
        if done.__name__ == "update":  # else it is the trial
            found.append(x.shape[0] * x.shape[1])
        return at(self, weights, x, done)

    monkeypatch.setattr(Features, "at", counted)
    monkeypatch.setattr(layerwise, "WORTH", 0 if request.param else np.inf)
    return found


def test_each_input_is_passed_once_where_all_fit(passed):
    neural_tangent_kernel(module(), X)
    assert passed == [40]
    neural_tangent_kernel(module(), X, Z)
    assert passed[1:] == [40, 23]
    ensemble_kernel(module(), np.stack([flat_parameters(module())] * 3), X, Z)
    assert sum(passed[3:]) == 3 * 63


def test_what_is_mirrored_is_what_would_be_computed():
    """80 rows, more than are mirrored at once, against the same inputs given twice, where nothing is mirrored."""
    np.testing.assert_allclose(neural_tangent_kernel(module(), X), neural_tangent_kernel(module(), X, X), atol=1e-13)


@pytest.mark.parametrize("fitting", [2, 8, 12, 32, 39])
def test_where_not_the_second_inputs_are_passed_once_for_each_block_of_the_first(passed, fitting):
    """Three quarters of the memory hold a block of the first inputs; of a symmetric kernel, half is computed."""
    numbers = features().numbers
    rows = fitting - max(1, fitting // 4)
    blocks = math.ceil(40 / rows)
    neural_tangent_kernel(module(), X, Z, memory=8 * numbers * fitting)
    assert sum(passed) == 40 + blocks * 23
    del passed[:]
    neural_tangent_kernel(module(), X, memory=8 * numbers * fitting)
    assert sum(passed) == 40 + sum(40 - min(40, rows * (block + 1)) for block in range(blocks))
    assert sum(passed) <= 40 * (blocks + 1) / 2


def features() -> Features:
    network = PureNetwork(module())
    with network.settled():
        return layerwise.tangent_features(network, network.inputs("x", X), 2)


def test_no_more_features_are_held_than_the_memory_takes(passed, monkeypatch):
    """What two calls in a row give is held together."""
    held, at = [], Features.at

    def weighed(self: Features, *arguments) -> list[Tensor]:
        made = at(self, *arguments)
        if arguments[2].__name__ == "update":
            held.append(sum(one.numel() * one.itemsize for one in made))
        return made

    numbers = features().numbers
    monkeypatch.setattr(Features, "at", weighed)
    memory = 8 * numbers * 10
    whole, cut = neural_tangent_kernel(module(), X, Z), neural_tangent_kernel(module(), X, Z, memory=memory)
    np.testing.assert_allclose(cut, whole, atol=1e-13)
    sizes = sorted(set(held[2:]))  # of a block of the first inputs, of the second ones, of what is left of each
    assert sum(sizes[-2:]) <= memory < sum(held[:2])
