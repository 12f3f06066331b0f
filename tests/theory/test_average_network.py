"""Equations 12, 13, 15, 17 to 20: rates of an average network, its solution, and the average at rest."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy import integrate

from kbe import losses
from kbe.data.encoding import hamming_distance, random_encoding
from kbe.theory.average_network import (
    effective_weights,
    kernel_average,
    linear_map,
    linear_response,
    local_average,
    rate_exact,
    rate_local,
    response_rate,
)
from kbe.theory.kernels import (
    expand_kernel,
    exponential_kernel,
    gaussian_kernel,
    line_distance,
    measured_kernel,
    multi_scale_kernel,
    rational_quadratic_kernel,
)

SCALES, WEIGHTS = np.array([0.1, 0.5, 2.0]), np.array([0.6, 0.3, 0.1])
KERNELS = [
    exponential_kernel,
    gaussian_kernel,
    partial(rational_quadratic_kernel, shape=2.0),
    measured_kernel(np.arange(9.0), np.linspace(1, 0, 9) ** 3),
]


def problem(points=20, seed=0):
    data = random_encoding(points, 8, seed=seed)
    strings = data.x.values[0]
    return hamming_distance(strings, strings), data.y.values[0]


DISTANCE, Y = problem()
GRAM = exponential_kernel(DISTANCE, 0.7)
START = np.random.default_rng(1).uniform(0.3, 0.7, 20)


# Equation 20


def test_eq20_by_hand():
    distance, targets = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([0.0, 1.0])
    half = np.log(2)  # the neighbour weighs one half
    assert_allclose(kernel_average([[1, 0.5], [0.5, 1]], targets), [1 / 3, 2 / 3])
    assert_allclose(kernel_average([[1, 0.5]], [[0, 1], [1, 0]]), [[1 / 3, 2 / 3]])
    assert_allclose(local_average(distance, targets, half), [1 / 3, 2 / 3])
    assert_allclose(local_average(distance, targets, half, "count"), [1 / 4, 1 / 2])


def test_eq20_of_sums_over_points_at_one_distance_is_that_of_the_points():
    at_each = DISTANCE[0] == np.arange(9)[:, None]
    weights = exponential_kernel(np.arange(9.0), 0.7)[None]
    grouped = kernel_average(weights, at_each @ Y, weights @ at_each.sum(1))
    assert_allclose(grouped, kernel_average(GRAM[:1], Y))


@pytest.mark.parametrize("kernel", KERNELS)
def test_eq20_limits_of_wide_and_narrow(kernel):
    narrow = 1e9 if kernel is not KERNELS[-1] else 8.0  # a measured profile has an end
    assert_allclose(local_average(DISTANCE, Y, 0.0, kernel=kernel), Y.mean())
    assert_allclose(local_average(DISTANCE, Y, narrow, kernel=kernel), Y, atol=1e-15)
    assert_allclose(local_average(DISTANCE, Y, narrow, "count", kernel=kernel), Y / 20, atol=1e-15)


@pytest.mark.parametrize("kernel", KERNELS)
def test_eq20_constant_is_kept_and_the_printed_count_does_not_keep_it(kernel):
    assert_allclose(local_average(DISTANCE, np.full(20, 0.3), 0.7, kernel=kernel), 0.3)
    assert local_average(DISTANCE, np.full(20, 0.3), 0.7, "count", kernel=kernel).max() < 0.15


def test_eq20_of_many_sets_and_at_other_places():
    distance, targets = np.stack([DISTANCE, 2 * DISTANCE]), np.stack([Y, 1 - Y])
    each = [local_average(d, y, 0.7) for d, y in zip(distance, targets, strict=True)]
    assert_allclose(local_average(distance, targets, 0.7), each)
    assert_allclose(local_average(DISTANCE[:3], Y, 0.7), each[0][:3])


# Equations 12, 13, 18, 19


def test_eq12_with_squared_error_is_eq13():
    mean = torch.tensor(START, requires_grad=True)
    losses.squared_error(mean[:, None], torch.tensor(Y)).sum().backward()
    assert_allclose(response_rate(GRAM, -mean.grad.numpy()), rate_exact(GRAM, Y, START))
    assert_allclose(rate_exact(np.array([[2.0, 1.0], [1.0, 3.0]]), np.ones(2), np.array([0.0, 3.0])), [0, -5])


@pytest.mark.parametrize("kernel", KERNELS)
def test_eq18_flow_rests_at_eq20_and_eq17_at_the_targets(kernel):
    gram = kernel(DISTANCE, 0.5)
    flow = integrate.solve_ivp(lambda _, mu: rate_local(gram, Y, mu), (0, 30), np.full(20, 0.5), rtol=1e-9, atol=1e-9)
    assert_allclose(flow.y[:, -1], local_average(DISTANCE, Y, 0.5, kernel=kernel), atol=1e-6)
    assert_allclose(rate_exact(gram, Y, Y), 0, atol=1e-14)
    assert np.abs(rate_local(gram, Y, Y)).max() > 0.5


def test_eq18_is_eq17_exactly_where_the_mean_is_uniform_and_differs_by_the_graph_laplacian():
    assert_allclose(rate_local(GRAM, Y, np.full(20, 0.4)), rate_exact(GRAM, Y, np.full(20, 0.4)))
    laplacian = np.diag(GRAM.sum(1)) - GRAM
    assert_allclose(rate_exact(GRAM, Y, START) - rate_local(GRAM, Y, START), laplacian @ START)


def test_eq19_is_the_sum_over_scales_and_eq18_where_the_expansion_is_exact():
    by_scale = [w * rate_local(np.exp(-s * DISTANCE), Y, START) for s, w in zip(SCALES, WEIGHTS, strict=True)]
    assert_allclose(rate_local(multi_scale_kernel(DISTANCE, SCALES, WEIGHTS), Y, START), np.sum(by_scale, 0))
    kernel, ladder = 1 / (1 + DISTANCE), np.geomspace(0.01, 20, 40)
    expansion = multi_scale_kernel(DISTANCE, ladder, expand_kernel(DISTANCE, kernel, ladder).weight)
    assert_allclose(rate_local(expansion, Y, START), rate_local(kernel, Y, START), atol=1e-4)


def test_eq19_rests_at_the_average_of_eq20_with_the_sum_of_kernels():
    gram = multi_scale_kernel(DISTANCE, SCALES, WEIGHTS)
    assert_allclose(rate_local(gram, Y, kernel_average(gram, Y)), 0, atol=1e-12)
    single = multi_scale_kernel(DISTANCE, np.array([0.7]), np.array([3.0]))
    assert_allclose(kernel_average(single, Y), local_average(DISTANCE, Y, 0.7))


# Equations 13, 15, 17 solved


def test_eq17_closed_form_against_an_integrator_and_its_limits():
    flow = integrate.solve_ivp(lambda _, mu: GRAM @ (Y - mu), (0, 2), START, "DOP853", rtol=1e-11, atol=1e-12)
    closed = linear_response(GRAM, Y, START, np.array([0.0, 2.0, 1e4])).mu.values
    assert_allclose(closed[0], START, atol=1e-13)
    assert_allclose(closed[1], flow.y[:, -1], atol=1e-9)
    assert_allclose(closed[2], Y, atol=1e-10)


def test_eq15_printed_sign_drives_every_mode_away():
    times = np.array([0.0, 0.5, 1.0])
    values, vectors = np.linalg.eigh(GRAM)
    errors = np.abs((linear_response(GRAM, Y, START, times, misprinted=True).mu.values - Y) @ vectors)
    assert_allclose(errors[2] / errors[1], np.exp(0.5 * values), rtol=1e-8)
    errors = np.abs((linear_response(GRAM, Y, START, times).mu.values - Y) @ vectors)
    assert_allclose(errors[2] / errors[1], np.exp(-0.5 * values), rtol=1e-7)


def test_eq13_map_against_iteration_and_first_order_in_the_step():
    by_hand = START
    for _ in range(5):
        by_hand = by_hand + 0.1 * GRAM @ (Y - by_hand)
    assert_allclose(linear_map(GRAM, Y, START, 5, 0.1).mu[-1], by_hand)
    exact = linear_response(GRAM, Y, START, np.array([1.0])).mu.values[0]
    rates = np.array([1e-2, 5e-3, 2.5e-3, 1.25e-3])
    errors = [np.abs(linear_map(GRAM, Y, START, round(1 / eta), eta).mu.values[-1] - exact).max() for eta in rates]
    assert_allclose(np.polyfit(np.log(rates), np.log(errors), 1)[0], 1, atol=0.05)


@pytest.mark.parametrize(("factor", "stable"), [(0.99, True), (1.01, False)])
def test_eq13_map_is_stable_below_two_over_the_largest_eigenvalue(factor, stable):
    rate = factor * 2 / np.linalg.eigvalsh(GRAM)[-1]
    errors = np.linalg.norm(linear_map(GRAM, Y, START, 2000, rate).mu.values - Y, axis=1)
    assert (errors[-1] < errors[0]) == stable


def test_eq17_effective_weights_are_no_average():
    """Without the weight of the start their rows do not sum to one, and some weights are negative."""
    place = np.linspace(0, 1, 12)
    weights = effective_weights(exponential_kernel(line_distance(place, place), 2.0), 1.0)
    assert np.ptp(weights.sum(1)) > 0.1 and weights.min() < -1e-3


def test_eq17_effective_weights_make_the_mean_and_start_as_the_kernel():
    weights = effective_weights(GRAM, 0.8)
    closed = linear_response(GRAM, Y, START, np.array([0.8])).mu.values[0]
    assert_allclose(weights @ Y + (np.eye(20) - weights) @ START, closed)
    assert_allclose(effective_weights(GRAM, 1e-6) / 1e-6, GRAM, atol=1e-4)
    assert_allclose(effective_weights(GRAM, 1e5), np.eye(20), atol=1e-10)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("targets", lambda: kernel_average(np.ones((2, 3)), np.ones(2))),
        ("targets", lambda: kernel_average(np.ones((2, 3)), np.ones((2, 3)))),
        ("weights", lambda: kernel_average(np.ones(3), np.ones(3))),
        ("targets", lambda: local_average(np.ones((2, 3)), np.ones(2), 1.0)),
        ("targets", lambda: local_average(np.ones((2, 2)), np.array([1.0, np.nan]), 1.0)),
        ("distance", lambda: local_average(-np.ones((2, 2)), np.ones(2), 1.0)),
        ("scale", lambda: local_average(np.ones((2, 2)), np.ones(2), -1.0)),
        ("normalise", lambda: local_average(np.ones((2, 2)), np.ones(2), 1.0, "sum")),
        ("kernel", lambda: local_average(np.ones((2, 2)), np.ones(2), 1.0, kernel=np.ones((2, 2)))),
        ("targets", lambda: rate_local(np.ones((3, 3)), np.ones(2), np.ones(2))),
        ("mean", lambda: rate_exact(GRAM, Y, START[:3])),
        ("gram", lambda: rate_exact(GRAM[:3], Y, START)),
        ("negative_slope", lambda: response_rate(GRAM, np.full(20, np.nan))),
        ("times", lambda: linear_response(GRAM, Y, START, np.array([-1.0]))),
        ("start", lambda: linear_response(GRAM, Y, START[:3], np.array([1.0]))),
        ("gram", lambda: linear_response(GRAM[:3], Y, START, np.array([1.0]))),
        ("steps", lambda: linear_map(GRAM, Y, START, -1, 0.1)),
        ("gram", lambda: effective_weights(np.array([[0.0, 1.0], [2.0, 0.0]]), 1.0)),
    ],
)
def test_bad_input_is_refused_with_a_sentence(name, call):
    with pytest.raises(ValueError, match=rf"\b{name}\b.*\.$"):
        call()
