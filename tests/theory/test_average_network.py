"""Equations 18, 19, 20, 22, 24 and the scale alpha of section III.B."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import integrate, optimize

from kbe.data.encoding import hamming_distance, random_encoding
from kbe.measures.scales import prediction_scale, run_scale
from kbe.theory.average_network import (
    linear_response,
    local_average,
    multi_scale_average,
    rate_exact,
    rate_local,
    rate_multi_scale,
)
from kbe.theory.kernels import expand_kernel, exponential_kernel, line_distance, multi_scale_kernel
from kbe.theory.variance_network import variance_balance, variance_rates, variance_rates_local

SCALES, WEIGHTS = np.array([0.1, 0.5, 2.0]), np.array([0.6, 0.3, 0.1])


def problem(points=20, seed=0, members=None):
    data = random_encoding(points, 8, members or 1, seed=seed)
    distance = np.stack([hamming_distance(x, x) for x in data.x.values])
    return (distance, data.y.values) if members else (distance[0], data.y.values[0])


# Equations 18, 19, 20


def test_eq20_by_hand():
    distance, targets = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([0.0, 1.0])
    half = np.log(2)  # the neighbour weighs one half
    assert_allclose(local_average(distance, targets, half), [1 / 3, 2 / 3])
    assert_allclose(local_average(distance, targets, half, "count"), [1 / 4, 1 / 2])


def test_eq20_limits_of_wide_and_narrow():
    distance, targets = problem()
    assert_allclose(local_average(distance, targets, 0.0), targets.mean())
    assert_allclose(local_average(distance, targets, 50.0), targets, atol=1e-15)
    assert_allclose(local_average(distance, targets, 50.0, "count"), targets / 20, atol=1e-15)


def test_eq20_constant_is_kept_and_the_printed_count_does_not_keep_it():
    distance, _ = problem()
    assert_allclose(local_average(distance, np.full(20, 0.3), 0.7), 0.3)
    assert local_average(distance, np.full(20, 0.3), 0.7, "count").max() < 0.15


def test_eq18_flow_rests_at_eq20_and_eq17_at_the_targets():
    distance, targets = problem()
    gram = exponential_kernel(distance, 0.5)
    local = integrate.solve_ivp(lambda _, mu: rate_local(gram, targets, mu), (0, 30), np.full(20, 0.5), rtol=1e-9)
    assert_allclose(local.y[:, -1], local_average(distance, targets, 0.5), atol=1e-6)
    assert_allclose(rate_exact(gram, targets, targets), 0, atol=1e-14)
    assert np.abs(rate_local(gram, targets, targets)).max() > 0.5


def test_eq18_is_eq17_exactly_where_the_mean_is_uniform_and_differs_by_the_graph_laplacian():
    distance, targets = problem()
    gram, mean = exponential_kernel(distance, 0.5), np.random.default_rng(0).random(20)
    assert_allclose(rate_local(gram, targets, np.full(20, 0.4)), rate_exact(gram, targets, np.full(20, 0.4)))
    laplacian = np.diag(gram.sum(1)) - gram
    assert_allclose(rate_exact(gram, targets, mean) - rate_local(gram, targets, mean), laplacian @ mean)


def test_eq19_is_the_sum_over_scales_and_eq18_where_the_expansion_is_exact():
    distance, targets = problem()
    mean = np.random.default_rng(0).random(20)
    by_scale = [
        weight * rate_local(np.exp(-scale * distance), targets, mean)
        for scale, weight in zip(SCALES, WEIGHTS, strict=True)
    ]
    assert_allclose(rate_multi_scale(distance, targets, mean, SCALES, WEIGHTS), np.sum(by_scale, 0))
    kernel = 1 / (1 + distance)
    weights = expand_kernel(distance, kernel, np.geomspace(0.01, 20, 40)).weight.values
    expanded = rate_multi_scale(distance, targets, mean, np.geomspace(0.01, 20, 40), weights)
    assert_allclose(expanded, rate_local(kernel, targets, mean), atol=1e-4)


def test_eq19_rests_at_the_multi_scale_average():
    distance, targets = problem()
    rest = multi_scale_average(distance, targets, SCALES, WEIGHTS)
    assert_allclose(rate_multi_scale(distance, targets, rest, SCALES, WEIGHTS), 0, atol=1e-12)
    assert_allclose(multi_scale_average(distance, targets, np.array([0.7]), np.array([3.0])),
                    local_average(distance, targets, 0.7))  # fmt: skip


# Equations 22, 24


def test_eq22_eq24_by_hand():
    gram = np.array([[1.0, 0.5], [0.5, 1.0]])
    rates = variance_rates_local(gram, np.array([1.0, 0.0]), np.array([0.5, 0.25]), np.array([0.5, 1.0]))
    first = [2.0 - 0.25, 0.5 * 0.75 / 0.25 - 0.25]
    second = [8 * 0.0 + 0.5 * 0.0, 0.5 * 8 * (0.5625 - 1) + (0.0625 - 1)]
    assert_allclose(rates, [first, second])


def test_eq22_eq24_are_eq21_eq23_where_mean_and_deviation_are_uniform():
    distance, targets = problem()
    gram, mean, deviation = exponential_kernel(distance, 0.5), np.full(20, 0.4), np.full(20, 0.6)
    assert_allclose(
        variance_rates_local(gram, targets, mean, deviation), variance_rates(gram, targets, mean, deviation)
    )
    mean, deviation = np.random.default_rng(0).uniform(0.3, 0.7, (2, 20))
    gap = variance_rates_local(gram, targets, mean, deviation) - variance_rates(gram, targets, mean, deviation)
    assert np.abs(gap).max() > 1


@pytest.mark.parametrize("scale", [0.1, 0.3, 0.5])
def test_eq22_eq24_balance_is_their_rest_and_not_that_of_eq21_eq23(scale):
    distance, targets = problem()
    gram = exponential_kernel(distance, scale)
    rest = variance_balance(gram, targets)
    assert rest.converged and not rest.collapsed
    at = targets, rest.mu.values, rest.sigma.values
    assert_allclose(variance_rates_local(gram, *at), 0, atol=1e-7)
    assert np.abs(variance_rates(gram, *at)).max() > 0.1


def test_eq22_eq24_balance_without_distance_is_the_mean_and_deviation_of_all():
    _, targets = problem()
    rest = variance_balance(np.ones((20, 20)), targets)
    assert_allclose(rest.mu, targets.mean())
    assert_allclose(rest.sigma, targets.std())


def test_eq22_eq24_balance_collapses_where_the_kernel_is_narrow():
    distance, targets = problem()
    rest = variance_balance(exponential_kernel(distance, 3.0), targets)
    assert rest.collapsed and not rest.converged


# The prediction scale, section III.B


@pytest.mark.parametrize("normalise", ["weights", "count"])
@pytest.mark.parametrize("alpha", [0.05, 0.3, 1.0, 4.0])
def test_alpha_of_eq20_is_recovered_from_its_own_averages(normalise, alpha):
    distance, targets = problem(members=3)
    outputs = np.stack([local_average(d, y, alpha, normalise) for d, y in zip(distance, targets, strict=True)])
    fit = prediction_scale(distance, targets, outputs, normalise=normalise)
    assert_allclose(fit.alpha, alpha, rtol=1e-5)
    assert_allclose(fit.rms, 0, atol=1e-6)
    assert_allclose(fit.explained, 1, atol=1e-6)
    assert not fit.at_bound.any()


@pytest.mark.parametrize("normalise", ["weights", "count"])
def test_alpha_is_the_minimum_that_an_independent_search_finds(normalise):
    distance, targets = problem()
    outputs = local_average(distance, targets, 0.8) + 0.1 * np.random.default_rng(0).standard_normal(20)
    fit = prediction_scale(distance, targets, outputs, normalise=normalise)

    def rms(alpha):
        return np.sqrt(np.mean((local_average(distance, targets, alpha, normalise) - outputs) ** 2))

    search = optimize.shgo(lambda a: rms(a[0]), [(0, 13)], n=60, sampling_method="sobol")
    assert fit.rms <= search.fun + 1e-12
    assert_allclose(fit.rms, rms(float(fit.alpha)))
    assert_allclose(fit.alpha, search.x[0], rtol=1e-3)


def test_alpha_on_the_line_where_every_distance_is_its_own():
    points = np.random.default_rng(0).random(30)
    distance, targets = line_distance(points, points), np.random.default_rng(1).random(30)
    fit = prediction_scale(distance, targets, local_average(distance, targets, 7.0))
    assert_allclose(fit.alpha, 7.0, rtol=1e-5)


def test_alpha_flags_its_bounds_and_is_nan_where_it_does_not_matter():
    distance, targets = problem()
    assert_allclose(prediction_scale(distance, targets, np.full(20, targets.mean())).alpha, 0)
    assert prediction_scale(distance, targets, np.full(20, targets.mean())).at_bound == -1
    exact = prediction_scale(distance, targets, targets)
    assert exact.at_bound == 1
    assert_allclose(exact.alpha, -np.log(1e-6))
    assert prediction_scale(distance, targets, targets, highest=3.0).alpha == 3.0
    assert np.isnan(prediction_scale(distance, np.ones(20), np.full(20, 0.5)).alpha)
    assert np.isnan(prediction_scale(np.zeros((1, 1)), np.ones(1), np.full(1, 0.5)).alpha)


@pytest.mark.parametrize("power", [1.0, 0.5])
def test_the_scale_of_a_run_whose_outputs_are_local_averages_is_theirs(power):
    data = random_encoding(20, 8, 3, seed=1)
    wanted = np.array([0.3, 1.0])
    outputs = np.zeros((3, 2, 20))
    for member, (x, y) in enumerate(zip(data.x.values, data.y.values, strict=True)):
        for k, alpha in enumerate(wanted):
            outputs[member, k] = local_average(hamming_distance(x, x) ** power, y, alpha)
    run = data.assign(mu=(("member", "epoch", "point"), outputs)).assign_coords(epoch=[5, 9])
    fit = run_scale(run, power=power)
    assert_allclose(fit.alpha, np.tile(wanted, (3, 1)), rtol=1e-6)
    assert fit.epoch.values.tolist() == [5, 9]
    with pytest.raises(ValueError, match=r"^power is 0: "):
        run_scale(run, power=0)


def test_alpha_shapes_dims_and_non_finite_outputs():
    distance, targets = problem(members=3)
    outputs = np.random.default_rng(0).random((3, 4, 20))
    whole = prediction_scale(distance, targets, outputs)
    outputs[1, 2, 7], outputs[2, 0, 0] = np.nan, np.inf
    fit = prediction_scale(distance, targets, xr.DataArray(outputs, dims=("member", "epoch", "point")))
    assert fit.alpha.dims == ("member", "epoch")
    lost = np.zeros((3, 4), bool)
    lost[1, 2] = lost[2, 0] = True
    assert (np.isnan(fit.alpha) == lost).all() and (np.isnan(fit.rms) == lost).all()
    assert_allclose(fit.alpha.values[~lost], whole.alpha.values[~lost], rtol=1e-6)


def test_alpha_grows_along_eq17_with_the_weights_sum_and_does_not_with_the_printed_count():
    distance, targets = problem(members=20)
    times = np.geomspace(0.1, 100, 7)
    mean = [
        linear_response(exponential_kernel(d, 0.5), y, np.full(20, 0.5), times).mu.values
        for d, y in zip(distance, targets, strict=True)
    ]
    grown = prediction_scale(distance, targets, np.array(mean)).alpha.median("axis_0")
    assert (np.diff(grown) > 0).all() and grown[-1] > 10 * grown[0]
    printed = prediction_scale(distance, targets, np.array(mean), normalise="count")
    assert printed.alpha.median("axis_0").max() < 0.05
    assert printed.rms.median("axis_0")[-1] > 0.4


@pytest.mark.parametrize(
    "call",
    [
        lambda: local_average(np.ones((2, 3)), np.ones(2), 1.0),
        lambda: local_average(np.ones((2, 2)), np.ones(2), -1.0),
        lambda: local_average(np.ones((2, 2)), np.ones(2), 1.0, "sum"),
        lambda: local_average(np.ones((2, 2)), np.array([1.0, np.nan]), 1.0),
        lambda: multi_scale_average(np.ones((2, 2)), np.ones(2), np.ones(1), np.zeros(1)),
        lambda: rate_local(np.ones((3, 3)), np.ones(2), np.ones(2)),
        lambda: rate_multi_scale(np.ones((2, 2)), np.ones(2), np.ones(2), np.ones(2), np.ones(3)),
        lambda: variance_rates_local(np.ones((2, 2)), np.ones(2), np.ones(2), np.array([1.0, 0.0])),
        lambda: variance_balance(-np.ones((2, 2)), np.ones(2)),
        lambda: variance_balance(np.ones((2, 2)), np.ones(2), np.zeros(2)),
        lambda: variance_balance(np.ones((2, 2)), np.ones(2), steps=0),
        lambda: prediction_scale(np.ones((3, 3)), np.ones(2), np.ones(2)),
        lambda: prediction_scale(-np.ones((2, 2)), np.ones(2), np.ones(2)),
        lambda: prediction_scale(np.ones((2, 2)), np.ones(2), np.ones(2), normalise="N"),
        lambda: prediction_scale(np.ones((2, 2)), np.ones(2), np.ones(2), highest=np.inf),
        lambda: prediction_scale(np.ones((2, 2)), np.ones(2), np.ones(2), grid=2),
        lambda: multi_scale_kernel(np.ones(2), np.array([np.inf]), np.ones(1)),
    ],
)
def test_bad_input_is_refused_with_a_sentence(call):
    with pytest.raises(ValueError, match=r"\.$"):
        call()


@settings(max_examples=25, deadline=None)
@given(shape=st.lists(st.integers(0, 3), max_size=3))
def test_alpha_bad_shapes(shape):
    if tuple(shape) != (2,):
        with pytest.raises(ValueError, match=r"\.$"):
            prediction_scale(np.ones((2, 2)), np.ones(shape), np.ones((2,)))


@pytest.mark.parametrize("bad", [{"tolerance": "x"}, {"tolerance": np.nan}, {"steps": 0}, {"targets": np.zeros(3)}])
def test_bad_settings_of_the_balance_are_refused(bad):
    with pytest.raises(ValueError, match=r"tolerance is|steps is|gram has shape"):
        variance_balance(**{"gram": np.eye(4), "targets": np.zeros(4)} | bad)
