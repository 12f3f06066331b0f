"""Equations 21 and 23 in time and in steps: invariants, limits, and where steps turn unstable."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from kbe.data.encoding import hamming_distance, random_encoding
from kbe.theory.kernels import exponential_kernel
from kbe.theory.stability import collapse_bound, one_point_path, response_curvature
from kbe.theory.variance_dynamics import variance_flow, variance_map
from kbe.theory.variance_network import variance_rates

SIGMOID = ("sigmoid", "sigmoid")
ONE, HALF = np.ones((1, 1)), np.full(1, 0.5)


def problem(points=12, scale=0.7):
    data = random_encoding(points, 8)
    strings = data.x.values[0]
    return exponential_kernel(hamming_distance(strings, strings), scale), data.y.values[0]


def start(points, seed=1):
    return np.random.default_rng(seed).uniform(0.3, 0.7, (2, points))


@pytest.mark.parametrize("heads", [("linear", "linear"), SIGMOID])
def test_eq8_never_increases_along_the_flow_at_the_rate_of_the_squared_slope(heads):
    gram, targets = problem()
    mean, deviation = start(12)
    flow = variance_flow(gram, targets, mean, deviation, np.linspace(0, 1, 400), heads=heads, deviation_gram=2 * gram)
    assert (np.diff(flow.loss) < 0).all()
    pull = variance_rates(np.eye(12), targets, mean, deviation, heads=heads)
    slope = -(pull[0] @ gram @ pull[0] + 2 * pull[1] @ gram @ pull[1])
    early = variance_flow(
        gram, targets, mean, deviation, np.array([1e-6, 2e-6]), heads=heads, deviation_gram=2 * gram, tolerance=1e-12
    )
    assert_allclose(np.diff(early.loss)[0] / 1e-6, slope, rtol=1e-3)


@pytest.mark.parametrize("mean_factor", [1.0, 0.5])
def test_eq21_eq23_quadratic_form_falls_by_two_a_point_and_unit_time(mean_factor):
    gram, targets = problem(20)
    other = problem(20, 1.5)[0]
    mean, deviation = start(20)
    options = {"deviation_gram": other, "mean_factor": mean_factor}
    bound = collapse_bound(gram, targets, mean, deviation, **options)
    flow = variance_flow(gram, targets, mean, deviation, np.linspace(0, bound, 40), **options)
    error = targets - flow.mu.values
    form = np.einsum("ti,ij,tj->t", error, np.linalg.inv(mean_factor * gram), error)
    form += np.einsum("ti,ij,tj->t", flow.sigma.values, np.linalg.inv(other), flow.sigma.values)
    assert_allclose(form, form[0] - 40 * flow.time.values, atol=1e-4)
    assert flow.collapse_time < bound
    assert_allclose(form[0] / 40, bound)


def test_eq21_eq23_one_point_reaches_zero_at_the_bound_exactly():
    """A + S falls by 2 a unit time and both vanish together, so for one point the bound is the time."""
    for factor in (1.0, 0.5):
        start_at = np.array([0.2]), np.array([0.7])
        bound = collapse_bound(ONE, np.ones(1), *start_at, mean_factor=factor)
        assert_allclose(bound, (0.64 / factor + 0.49) / 2)
        flow = variance_flow(ONE, np.ones(1), *start_at, np.linspace(0, 2, 9), mean_factor=factor, floor=1e-5)
        assert_allclose(flow.collapse_time, bound, rtol=1e-6)
        late = variance_flow(ONE, np.ones(1), *start_at, np.array([2.0]), mean_factor=factor, floor=1e-5)
        assert_allclose(late.time, [bound], rtol=1e-6)


@pytest.mark.parametrize(("strength", "factor"), [(1.0, 1.0), (3.0, 1.0), (1.0, 0.5), (3.0, 2.0)])
def test_eq21_eq23_one_point_closed_path(strength, factor):
    end = 0.95 * collapse_bound(strength * ONE, np.ones(1), HALF, HALF, mean_factor=factor)
    flow = variance_flow(strength * ONE, np.ones(1), HALF, HALF, np.linspace(end / 20, end, 20), mean_factor=factor)
    error = 1 - flow.mu.values.ravel()
    assert_allclose(flow.sigma.values.ravel(), one_point_path(error, 0.5, 0.5, mean_factor=factor), rtol=1e-5)


def test_eq21_eq23_rest_at_the_local_deviation_where_inputs_repeat_with_conflict():
    gram, targets = np.ones((4, 4)), np.array([0.0, 0.0, 0.0, 1.0])
    mean, deviation = np.full(4, 0.5), np.full(4, 0.3)
    assert collapse_bound(gram, targets, mean, deviation) == np.inf
    flow = variance_flow(gram, targets, mean, deviation, np.array([50.0]))
    assert flow.collapse_time == np.inf
    assert_allclose(flow.mu[-1], targets.mean(), rtol=1e-6)
    assert_allclose(flow.sigma[-1], targets.std(), rtol=1e-6)


def test_eq21_eq23_one_input_of_one_target_collapses_among_inputs_that_rest():
    """The others hardly feel it, so the time is the bound; that counts the points of that input alone."""
    same = np.array([0, 1, 1, 2, 2, 2, 2])
    gram = exponential_kernel(8.0 * (np.arange(3)[:, None] != np.arange(3)), 1.0)[np.ix_(same, same)]
    targets, mean, deviation = np.array([1.0, 0, 1, 0, 1, 0, 1]), np.full(7, 0.5), np.array([0.4] + 6 * [0.5])
    bound = collapse_bound(gram, targets, mean, deviation)
    flow = variance_flow(gram, targets, mean, deviation, np.array([2 * bound]), floor=1e-5)
    assert 0.99 * bound < flow.collapse_time < bound
    rest = variance_flow(gram[1:, 1:], targets[1:], mean[1:], deviation[1:], np.array([50.0]))
    assert rest.collapse_time == np.inf == collapse_bound(gram[1:, 1:], targets[1:], mean[1:], deviation[1:])


@pytest.mark.parametrize(("points", "ends"), [(8, True), (128, False)])
def test_eq21_eq23_distinct_inputs_can_rest_where_the_kernel_has_too_low_a_rank(points, ends):
    """The kernel of a linear model of eight bits and a bias has rank nine: positive definite on few inputs alone."""
    data = random_encoding(points, 8)
    features = np.column_stack([np.ones(points), 2 * data.x.values[0] - 1])
    gram, half = features @ features.T / 9, np.full(points, 0.5)
    bound = collapse_bound(gram, data.y.values[0], half, 0.8 * half)
    flow = variance_flow(gram, data.y.values[0], half, 0.8 * half, np.array([100.0, 200.0]))
    assert np.isfinite(bound) == np.isfinite(flow.collapse_time) == ends
    if ends:
        assert flow.collapse_time < bound
    else:
        assert_allclose(flow.sigma[-1], flow.sigma[0], rtol=1e-4)
        assert flow.sigma.min() > 0.3


@pytest.mark.parametrize(("of_mean", "of_deviation"), [(1.0, 1.0), (3.0, 1.0), (1.0, 3.0)])
def test_eq21_eq23_sigmoid_heads_collapse_exponentially_in_infinite_time(of_mean, of_deviation):
    """One point: (y - mu)^2 / sigma^2 tends to k_s / (k_m + k_s), the rate of log sigma to - k_m k_s / (k_m + k_s)."""
    times, grams = np.array([18.0, 20.0]), {"gram": of_mean * ONE, "deviation_gram": of_deviation * ONE}
    flow = variance_flow(
        targets=np.ones(1), mean=HALF, deviation=HALF, times=times, heads=SIGMOID, floor=1e-9, tolerance=1e-10, **grams
    )
    total = of_mean + of_deviation
    assert flow.collapse_time == np.inf
    assert_allclose(((1 - flow.mu[-1]) / flow.sigma[-1]) ** 2, of_deviation / total, rtol=2e-3)
    assert_allclose(np.diff(np.log(flow.sigma.values[:, 0])) / 2, -of_mean * of_deviation / total, rtol=2e-3)
    last = flow.isel(time=-1)
    sharpness = response_curvature(targets=np.ones(1), mean=last.mu, deviation=last.sigma, heads=SIGMOID, **grams)
    assert_allclose(sharpness, 2 * of_deviation, rtol=1e-2)


def test_eq21_eq23_sigmoid_map_of_one_point_becomes_the_ricker_map():
    """x = q (k_m + k_s) / k_s obeys x' = x exp(2 eta k_s (1 - x)), steady below eta k_s = 1 and not above."""
    for strength, steady in ((9.5, True), (10.5, False)):
        run = variance_map(strength * ONE, np.ones(1), HALF, HALF, 60, 0.1, heads=SIGMOID)
        ratio = 2 * (((1 - run.mu) / run.sigma) ** 2).values.ravel()
        late = ratio[20:30]
        assert_allclose(late[1:], late[:-1] * np.exp(2 * 0.1 * strength * (1 - late[:-1])), rtol=1e-3)
        assert (np.abs(ratio[38:41] - 1).max() < np.abs(ratio[26:29] - 1).max()) == steady


def test_eq21_map_follows_the_flow_to_first_order_in_the_step():
    gram, targets = problem()
    mean, deviation = start(12)
    exact = variance_flow(gram, targets, mean, deviation, np.array([0.02]), tolerance=1e-11).sigma.values[-1]
    rates = 0.02 / np.array([40, 80, 160, 320])
    errors = [
        np.abs(variance_map(gram, targets, mean, deviation, round(0.02 / r), r).sigma.values[-1] - exact).max()
        for r in rates
    ]
    assert_allclose(np.polyfit(np.log(rates), np.log(errors), 1)[0], 1, atol=0.05)


@pytest.mark.parametrize("members", [2, 3])
def test_eq21_map_of_members_with_one_kernel_a_head_is_that_of_each_alone(members):
    gram, targets = problem()
    mean, deviation = np.moveaxis([start(12, seed) for seed in range(members)], 1, 0)
    options = {"deviation_gram": problem(scale=1.5)[0], "mean_factor": 0.5}
    both = variance_map(gram, np.stack([targets] * members), mean, deviation, 20, 1e-3, **options)
    for member in range(members):
        alone = variance_map(gram, targets, mean[member], deviation[member], 20, 1e-3, **options)
        assert_allclose(both.sigma[member], alone.sigma, rtol=1e-12)
        assert_allclose(both.loss[member], alone.loss, rtol=1e-12)


def test_eq21_map_keeps_non_finite_values_to_their_member():
    gram, targets = problem()
    mean, deviation = start(12)
    wild = np.stack([deviation, np.full(12, 1e-200)])
    both = variance_map(gram, np.stack([targets] * 2), np.stack([mean] * 2), wild, 40, 1e-3)
    alone = variance_map(gram, targets, mean, deviation, 40, 1e-3)
    assert np.isfinite(alone.sigma).all()
    assert_allclose(both.sigma[0], alone.sigma, rtol=1e-12)
    assert not np.isfinite(both.sigma[1, -1]).any()


@pytest.mark.parametrize("heads", [("linear", "linear"), SIGMOID])
@pytest.mark.parametrize(("factor", "stable"), [(0.99, True), (1.01, False)])
def test_eq23_map_is_stable_up_to_the_classical_bound(heads, factor, stable):
    """At a true rest, two points on one input with both targets: eta times the curvature at 2."""
    gram, targets = np.ones((2, 2)), np.array([0.0, 1.0])
    rest = HALF.repeat(2)
    rate = float(factor * 2 / response_curvature(gram, targets, rest, rest, heads=heads))
    run = variance_map(gram, targets, rest + 1e-7, rest + 1e-7, 1500, rate, heads=heads)
    away = np.abs(np.stack([run.mu[-1], run.sigma[-1]]) - 0.5).max()
    assert (away < 1e-7) == stable
    assert (rate * response_curvature(gram, targets, run.mu, run.sigma, heads=heads) <= 2).all() == stable


@pytest.mark.parametrize("rate", [0.01, 0.03])
def test_eq23_map_of_one_point_raises_its_loss_first_where_the_classical_bound_is_passed(rate):
    run = variance_map(ONE, np.ones(1), HALF, HALF, 200, rate)
    passed = ~(rate * response_curvature(ONE, np.ones(1), run.mu, run.sigma) <= 2)
    assert passed.argmax() == np.flatnonzero(~(np.diff(run.loss) <= 0))[0]


GRAM, Y = problem(4)
M = np.full(4, 0.5)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("deviation", lambda: variance_flow(GRAM, Y, M, -M, np.array([1.0]))),
        ("deviation_gram", lambda: variance_flow(GRAM, Y, M, M, np.array([1.0]), deviation_gram=GRAM[:2])),
        ("times", lambda: variance_flow(GRAM, Y, M, M, np.array([1.0, 0.5]))),
        ("times", lambda: variance_flow(GRAM, Y, M, M, np.array([0.0]))),
        ("floor", lambda: variance_flow(GRAM, Y, M, M, np.array([1.0]), floor=0.6)),
        ("tolerance", lambda: variance_flow(GRAM, Y, M, M, np.array([1.0]), tolerance=0.2)),
        ("mean", lambda: variance_flow(GRAM, Y, M + 1, M, np.array([1.0]), heads=SIGMOID)),
        ("method", lambda: variance_flow(GRAM, Y, M, M, np.array([1.0]), method="Euler")),
        ("gram", lambda: variance_map(np.stack([GRAM] * 3), Y, M, M, 3, 0.1)),
        ("targets", lambda: variance_map(GRAM, np.stack([Y] * 3), M, M, 3, 0.1)),
        ("deviation", lambda: variance_map(GRAM, Y, M, M * 0, 3, 0.1)),
        ("steps", lambda: variance_map(GRAM, Y, M, M, -1, 0.1)),
    ],
)
def test_bad_input_is_refused_with_a_sentence(name, call):
    with pytest.raises(ValueError, match=rf"\b{name}\b.*\.$"):
        call()


@settings(max_examples=25, deadline=None)
@given(rate=st.one_of(st.sampled_from([np.nan, np.inf, True, "a", None]), st.floats(max_value=0.0)))
def test_eq23_map_bad_learning_rate(rate):
    with pytest.raises(ValueError, match="learning_rate is"):
        variance_map(GRAM, Y, M, M, 3, rate)
