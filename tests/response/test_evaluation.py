"""Outputs at other inputs are those that the training itself recorded, and those of the module with these weights."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

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


def test_weights_that_do_not_fit_are_refused(run):
    with pytest.raises(ValueError, match="parameters"):
        evaluation.outputs_at(NETWORK, run.parameters.values[:, 0], run.x.values[0])
    with pytest.raises(ValueError, match="parameters"):
        evaluation.outputs_at(NETWORK, run.parameters.values[..., :-1], run.x.values[0])
