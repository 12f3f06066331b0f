"""Plasticity: training goes on from given weights, times and speeds by hand and against the response (equation 4)."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
import xarray as xr

from kbe import losses, networks
from kbe.companions import plasticity
from kbe.data import encoding
from kbe.response import tangent_kernel
from kbe.training import ensemble
from kbe.training.weights import flat_parameters, with_parameters

DATA = encoding.random_encoding(5, 6, 3, seed=1)
MAKE = partial(networks.AverageNetwork, bits=6)


@pytest.fixture(scope="module")
def run() -> xr.Dataset:
    options = {"epochs": 40, "record": [0, 1, 20, 40], "keep_parameters": True}
    return ensemble.train(MAKE, DATA, losses.squared_error, **options)


@pytest.mark.parametrize("path", ["fast", "reference"])
def test_training_in_two_parts_is_training_in_one(run, path):
    half = run.parameters.sel(epoch=20).transpose("member", "parameter")
    again = ensemble.train(
        plasticity.resumed(MAKE(), half), DATA, losses.squared_error, epochs=20, record=[0, 20], path=path
    )
    np.testing.assert_allclose(again.mu.sel(epoch=20), run.mu.sel(epoch=40), atol=1e-6)  # single precision between
    assert not np.allclose(again.mu.sel(epoch=20), run.mu.sel(epoch=20), atol=1e-4)


def test_members_come_in_order_and_again(run):
    rows = run.parameters.sel(epoch=40).to_numpy()
    made = plasticity.resumed(MAKE(), rows)
    for row in (*rows, rows[0]):
        np.testing.assert_array_equal(flat_parameters(made()), row)


def test_a_shrunk_head_has_the_wanted_size_and_the_layers_of_before(run):
    rows, x = run.parameters.sel(epoch=40).to_numpy(), DATA.x.to_numpy()
    shrunk = plasticity.shrunk_heads(MAKE(), rows, x, 0.01)
    kept = sum(p.numel() for p in MAKE().convolutions.parameters())
    np.testing.assert_array_equal(shrunk[:, :kept], rows[:, :kept])
    for row, one in zip(shrunk, x, strict=True):
        module = with_parameters(MAKE(), row)
        entering = module.heads[0](module.features(torch.as_tensor(one))).detach().numpy()
        np.testing.assert_allclose(np.sqrt(np.mean(entering**2)), 0.01)
    np.testing.assert_array_equal(plasticity.shrunk_heads(MAKE(), rows, x, 1e3), rows)  # never made larger


def made_of(errors: list[list[float]], epochs: list[int]) -> xr.Dataset:
    values = np.sqrt(np.array(errors))[..., None]
    mu = xr.DataArray(values, dims=("member", "epoch", "point"), coords={"epoch": epochs})
    y, onset = np.zeros((len(errors), 1)), np.full(len(errors), np.inf)
    return xr.Dataset(
        {"mu": mu, "y": (("member", "point"), y), "onset": ("member", onset)}, attrs={"learning_rate": 0.5}
    )


def test_the_time_to_learn_by_hand():
    found = plasticity.time_to_learn(made_of([[0.3, 0.2, 0.1], [0.3, 0.3, 0.2], [0.1, 0.5, 0.5]], [0, 7, 20]))
    assert found.values.tolist() == [20, np.inf, 0]
    with pytest.raises(ValueError, match="error"):
        plasticity.time_to_learn(made_of([[1.0]], [0]), 0)
    with pytest.raises(ValueError, match="mu or y"):
        plasticity.time_to_learn(xr.Dataset())


def test_eq4_the_first_speed_is_that_of_the_response(run):
    weights = run.parameters.sel(epoch=0).transpose("member", "parameter").to_numpy()
    theta = tangent_kernel.ensemble_kernel(MAKE(), weights, DATA.x.to_numpy(), own_inputs=True)[..., 0, 0]
    error = (run.y - run.mu.sel(epoch=0)).to_numpy()
    expected = 2 / 5**2 * np.einsum("mi,mij,mj->m", error, theta, error)
    np.testing.assert_allclose(plasticity.first_speed(run), expected, rtol=0.05)
    np.testing.assert_allclose(plasticity.first_speed(made_of([[0.3, 0.2]], [0, 1])), [0.2])


ROWS = np.zeros((3, 97))


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: plasticity.resumed(networks.AverageNetwork(), ROWS[:, 1:]), "parameters"),
        (lambda: plasticity.resumed(networks.AverageNetwork(), ROWS * np.nan), "parameters"),
        (lambda: plasticity.shrunk_heads(networks.AverageNetwork(), ROWS, np.zeros((2, 4, 8))), "inputs"),
        (lambda: plasticity.shrunk_heads(networks.AverageNetwork(), ROWS, np.zeros((3, 4, 8)), 0), "size"),
        (lambda: plasticity.shrunk_heads(torch.nn.Linear(8, 1), ROWS, np.zeros((3, 4, 8))), "module"),
        (lambda: plasticity.first_speed(made_of([[0.3, 0.2]], [0, 2])), "run"),
        (lambda: plasticity.first_speed(xr.Dataset()), "run"),
    ],
)
def test_what_does_not_fit_is_refused(call, named):
    with pytest.raises(ValueError, match=f"^{named} "):
        call()
