"""Outputs at other inputs are those that the training itself recorded, and those of the module with these weights."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from modules import Recurrent
from torch import nn

from kbe import losses
from kbe.data import encoding
from kbe.networks import VarianceNetwork
from kbe.response import evaluation
from kbe.training import ensemble, weights

NETWORK = partial(VarianceNetwork, bits=4, layers=2)


@pytest.fixture(scope="module")
def run():
    return ensemble.train(NETWORK, encoding.random_encoding(5, 4, 3), epochs=4, record=[0, 4], keep_parameters=True)


def test_at_the_data_they_are_the_recorded_outputs(run):
    found = evaluation.outputs_at(NETWORK, run.parameters.values, run.x.values, own_inputs=True)
    np.testing.assert_allclose(found, np.stack([run.mu, run.sigma], -1), rtol=1e-12)


@pytest.mark.parametrize("rows", [1, 16, 1000])
def test_elsewhere_they_are_the_modules_own_and_pieces_do_not_matter(run, rows, monkeypatch):
    monkeypatch.setattr(evaluation, "ROWS", rows)
    strings = encoding.all_inputs(4)
    found = evaluation.outputs_at(NETWORK, run.parameters.values, strings)
    assert found.shape == (3, 2, 16, 2)
    module = weights.with_parameters(NETWORK(), run.parameters.values[2, 1])
    np.testing.assert_allclose(found[2, 1], module(torch.as_tensor(strings)).detach().numpy(), rtol=1e-12)


class Fourier(nn.Module):
    """A random feature map that each member draws for itself, in a buffer, with a random order of the inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("map", torch.randn(4, 6))
        self.register_buffer("order", torch.randperm(4))
        self.layer = nn.Linear(6, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer((x[:, self.order] @ self.map).cos())


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("make", [Fourier, Recurrent])
def test_what_a_module_holds_besides_weights_is_kept_with_them(make, dtype):
    data = encoding.random_encoding(5, 4, 3)
    run = ensemble.train(make, data, losses.squared_error, epochs=9, keep_parameters=True, dtype=dtype)
    state = torch.random.get_rng_state()
    found = [evaluation.outputs_at(make, run.parameters.values, data.x.values, own_inputs=True) for _ in range(2)]
    np.testing.assert_array_equal(*found)
    np.testing.assert_allclose(found[0][..., 0], run.mu, atol=1e-14 if dtype == "float64" else 1e-6)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_weights_that_do_not_fit_are_refused(run):
    with pytest.raises(ValueError, match="parameters"):
        evaluation.outputs_at(NETWORK, run.parameters.values[:, 0], run.x.values[0])
    with pytest.raises(ValueError, match="parameters"):
        evaluation.outputs_at(NETWORK, run.parameters.values[..., :-1], run.x.values[0])


@pytest.mark.parametrize(("network", "sentence"), [
    (NETWORK(), "network is .* must be a callable"),
    (nn.Linear, "network fails when it is called without arguments"),
    (partial(VarianceNetwork, bits=5), "must be the 5 bits"),
    (lambda: nn.Sequential(nn.Linear(4, 1), nn.BatchNorm1d(1)), "changes 1.running_mean"),
])  # fmt: skip
def test_networks_that_do_not_fit_are_refused(network, sentence):
    weights = np.ones((1, 1, sum(t.numel() for t in network().state_dict().values()))) if sentence[:3] != "net" else []
    with pytest.raises(ValueError, match=sentence):
        evaluation.outputs_at(network, weights if len(weights) else np.ones((1, 1, 3)), np.ones((2, 4)))
