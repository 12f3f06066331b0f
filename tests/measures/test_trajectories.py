"""Trajectories: the gradient field, the alignment with it, and the points that jump first."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from kbe import losses
from kbe.data import encoding
from kbe.measures import trajectories
from kbe.networks import VarianceNetwork
from kbe.training import ensemble


def made(mu, sigma, onset, target=1.0, jump=0.25):
    """A run with given outputs, shape (member, epoch, point)."""
    mu, sigma = np.asarray(mu, float), np.asarray(sigma, float)
    dims = ("member", "epoch", "point")
    return xr.Dataset(
        {"mu": (dims, mu), "sigma": (dims, sigma), "onset": ("member", np.asarray(onset, float)),
         "y": (("member", "point"), np.full((len(mu), mu.shape[2]), target))},
        coords={"epoch": np.arange(mu.shape[1])}, attrs={"jump": jump},
    )  # fmt: skip


@pytest.mark.parametrize("misprinted", [False, True])
def test_eq8_eq14_field_is_minus_the_slope_of_the_loss_by_autograd(misprinted):
    loss = losses.gaussian_nll_misprinted if misprinted else losses.gaussian_nll
    field = trajectories.gradient_field([0.1, 0.6], [0.2, 0.9], misprinted=misprinted)
    for error in (0.1, 0.6):
        for deviation in (0.2, 0.9):
            output = torch.tensor([1 - error, deviation], dtype=torch.float64, requires_grad=True)
            loss(output, torch.tensor(1.0, dtype=torch.float64)).backward()
            slope = output.grad.numpy() * [-1, 1]  # the error shrinks as the mean grows
            at = field.sel(error=error, deviation=deviation)
            found = -float(at.steepness) * np.array([float(at.to_error), float(at.to_deviation)])
            np.testing.assert_allclose(found, slope, rtol=1e-12)


def test_eq8_field_points_to_the_ridge_where_sigma_is_the_error():
    field = trajectories.gradient_field([0.5], [0.4, 0.5, 0.6])
    np.testing.assert_allclose(np.sign(field.to_deviation.values[:, 0]), [1, 0, -1])


def test_eq14_field_as_printed_has_its_ridge_where_sigma_cubed_is_the_squared_error():
    field = trajectories.gradient_field([0.5], [0.62, 0.5 ** (2 / 3), 0.64], misprinted=True)
    found = field.to_deviation.values[:, 0]
    assert found[0] > 0 > found[2] and abs(found[1]) < 1e-12


def test_alignment_is_one_along_the_field_minus_one_against_and_zero_across():
    length, start = 1e-4, np.array([0.5, 0.4])
    along, up = -start[0] / start[1] ** 2, start[0] ** 2 / start[1] ** 3 - 1 / start[1]
    unit = np.array([along, up]) / np.hypot(along, up)
    for step, expected in ((unit, 1), (-unit, -1), (unit[::-1] * [1, -1], 0)):
        ends = np.array([start, start + length * step])
        run = made(1 - ends[None, :, :1], ends[None, :, 1:], [np.inf])
        np.testing.assert_allclose(trajectories.alignment(run), expected, atol=1e-9)


def test_alignment_ignores_what_comes_from_the_onset_on():
    run = made([[[0.5], [0.51], [0.0]]], [[[0.4], [0.402], [0.9]]], [2])
    short = made([[[0.5], [0.51]]], [[[0.4], [0.402]]], [np.inf])
    np.testing.assert_allclose(trajectories.alignment(run), trajectories.alignment(short))


def test_alignment_of_small_steps_of_two_free_outputs_is_one():
    """With heads that are themselves the weights the response is the identity, and a step is the gradient."""

    class Bare(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.outputs = torch.nn.Parameter(torch.tensor([0.45, 0.6]))

        def forward(self, x):
            return self.outputs.expand(len(x), 2)

    data = encoding.random_encoding(1, 8, 3)
    run = ensemble.train(Bare, data, learning_rate=1e-3, epochs=50, record=range(51))
    np.testing.assert_allclose(trajectories.alignment(run), 1, atol=1e-6)


def test_first_to_jump_finds_the_point_that_jumped_in_mean_or_deviation():
    mu = [[[0.5, 0.5, 0.5], [0.5, 0.9, 0.5]]]
    sigma = [[[0.5, 0.5, 0.5], [0.5, 0.5, np.nan]]]
    np.testing.assert_array_equal(trajectories.first_to_jump(made(mu, sigma, [1])), [[0, 1, 1]])


def test_first_to_jump_takes_the_spread_of_targets_for_its_unit():
    mu = [[[0.5, 0.5, 0.5], [0.5, 0.9, 1.6]]] * 2
    run = made(mu, np.ones((2, 2, 3)), [1, 1])
    run["y"] = run.y * [[0.0], [1.0]] + [[0.0, 2.0, 4.0], [0.0, 0.0, 0.0]]
    np.testing.assert_array_equal(trajectories.first_to_jump(run), [[0, 0, 1], [0, 1, 1]])


def test_first_to_jump_does_not_know_what_was_not_recorded():
    run = made(np.zeros((1, 3, 2)), np.ones((1, 3, 2)), [5]).assign_coords(epoch=[0, 4, 6])
    assert np.isnan(trajectories.first_to_jump(run)).all()


def test_first_to_jump_agrees_with_the_onset_that_training_noted():
    run = ensemble.train(VarianceNetwork, encoding.random_encoding(5, 8, 6), epochs=200, record=range(201))
    jumping = trajectories.first_to_jump(run)
    jumped = np.isfinite(run.onset)
    assert jumped.sum() >= 3 and (jumping[jumped].max("point") == 1).all()


@settings(max_examples=25, deadline=None)
@given(bad=st.floats(max_value=0, allow_nan=False, allow_infinity=False))
def test_field_refuses_deviations_that_are_not_positive(bad):
    with pytest.raises(ValueError, match="deviation"):
        trajectories.gradient_field([0.5], [bad])


def test_runs_that_lack_something_are_refused():
    run = made(np.zeros((1, 2, 1)), np.ones((1, 2, 1)), [1])
    for function in (trajectories.paths, trajectories.alignment):
        with pytest.raises(ValueError, match="run lacks sigma"):
            function(run.drop_vars("sigma"))
    with pytest.raises(ValueError, match="run lacks onset"):
        trajectories.first_to_jump(run.drop_vars("onset"))
    with pytest.raises(ValueError, match="jump"):
        trajectories.first_to_jump(run.drop_attrs())
