"""How constant kernels are in training: eq. 5 and 12 against networks whose kernel is known."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from kbe import losses, networks
from kbe.data import encoding
from kbe.response import drift, profiles, tangent_kernel
from kbe.training import ensemble, weights

DATA = encoding.random_encoding(6, 4, 3, seed=1)
SMALL = partial(networks.AverageNetwork, "sigmoid", bits=4, layers=1, channels=2)
TWO = partial(networks.VarianceNetwork, bits=4, layers=1, channels=2)
INPUTS = encoding.all_inputs(4)
DISTANCE = encoding.hamming_distance(INPUTS, INPUTS)


class Line(torch.nn.Module):
    """Linear in its weights: its kernel is x.x' and never changes."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x @ self.weight)[:, None]


def train(network, **settings):
    options = {"epochs": 40, "record": [0, 10, 40], "keep_parameters": True} | settings
    return ensemble.train(network, DATA, losses.squared_error, **options)


def test_eq12_kernel_of_a_linear_model_does_not_drift_and_that_of_a_network_does():
    still = drift.drift_in_training(Line(), train(Line, learning_rate=0.1))
    np.testing.assert_allclose(still["size"], 1)
    np.testing.assert_allclose(still["shape"], 0, atol=1e-12)
    run = train(SMALL, learning_rate=1.0, epochs=400, record=[0, 400])
    moving = drift.drift_in_training(SMALL(), run)
    assert (abs(moving["shape"][:, 0]) < 1e-12).all() and (moving["shape"][:, 1] > 1e-3).all()
    own, shared = moving["size"][0, 1, 0], drift.drift_in_training(SMALL(), run, DATA.x[0])["size"][0, 1, 0]
    assert float(own) == pytest.approx(float(shared)) and not np.isclose(
        own, drift.drift_in_training(SMALL(), run, INPUTS)["size"][0, 1, 0]
    )


def test_eq5_profiles_in_training_are_those_of_each_kernel_for_itself():
    run = ensemble.train(TWO, DATA, epochs=5, record=[0, 5], keep_parameters=True)
    found = drift.profile_in_training(TWO(), run, INPUTS, DISTANCE)
    module = weights.with_parameters(TWO(), run.parameters[1, 1].values)
    theta = tangent_kernel.neural_tangent_kernel(module, INPUTS)
    for head in (0, 1):
        expected = profiles.response_profile(theta[..., head, head], DISTANCE)
        np.testing.assert_allclose(found["mean"][1, 1, head], expected["mean"])
        np.testing.assert_allclose(found["spread"][1, 1, head], expected["spread"])


def test_eq5_profiles_in_training_do_not_depend_on_how_members_are_grouped(monkeypatch):
    run = train(SMALL)
    whole = drift.profile_in_training(SMALL(), run, INPUTS, DISTANCE)
    monkeypatch.setattr(drift, "_KERNEL_NUMBERS", 1)
    xr.testing.assert_allclose(whole, drift.profile_in_training(SMALL(), run, INPUTS, DISTANCE))


def test_eq5_distance_explains_all_of_an_exponential_kernel_and_none_of_one_that_ignores_it():
    exact = profiles.response_profile(np.exp(-DISTANCE), DISTANCE)
    assert float(profiles.explained_by_distance(exact)) == pytest.approx(1)
    striped = profiles.response_profile(DISTANCE * 0 + np.arange(16)[:, None], DISTANCE)
    assert float(profiles.explained_by_distance(striped)) == pytest.approx(0)
    half = profiles.response_profile(np.array([[0.0, 2.0], [4.0, 2.0]]), np.array([[0.0, 1.0], [1.0, 0.0]]))
    assert float(profiles.explained_by_distance(half)) == pytest.approx(1 / 2)  # by hand: means 1, 3; spreads 1


def test_eq21_cross_response_vanishes_for_heads_that_share_nothing_and_is_one_for_equal_heads():
    network = networks.VarianceNetwork(bits=4, layers=1, channels=2)
    equal, apart = (tangent_kernel.neural_tangent_kernel(network, INPUTS) for _ in range(2))
    equal[...] = equal[..., :1, :1]
    apart[..., 0, 1] = apart[..., 1, 0] = 0
    assert drift.cross_response(equal) == pytest.approx(1) and drift.cross_response(apart) == 0


def test_member_that_blew_up_has_no_drift_and_leaves_the_others_alone():
    run = train(SMALL)
    broken = run.copy(deep=True)
    broken.parameters[1, 2] = np.nan
    before, after = (drift.drift_in_training(SMALL(), one) for one in (run, broken))
    assert np.isnan(after["shape"][1, 2]).all() and float(after["size"][0, 2, 0]) == float(before["size"][0, 2, 0])


@settings(max_examples=25, deadline=None)
@given(st.one_of(st.none(), st.floats(), st.lists(st.floats(), max_size=3), st.just(xr.Dataset())))
def test_bad_runs_are_refused_in_one_sentence(run):
    calls = (
        lambda: drift.profile_in_training(SMALL(), run, INPUTS, DISTANCE),
        lambda: drift.drift_in_training(SMALL(), run),
        lambda: profiles.explained_by_distance(run),
    )
    for call in calls:
        with pytest.raises(ValueError, match=r"must .*\.$"):
            call()


def test_a_kernel_of_one_output_has_no_cross_response():
    with pytest.raises(ValueError, match="must be"):
        drift.cross_response(np.ones((2, 2, 1, 1)))
