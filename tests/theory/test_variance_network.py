"""Equations 12, 13, 15, 17, 21 and 23: response kernel dynamics, its invariants and its stability."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import integrate

from kbe import losses
from kbe.data.encoding import hamming_distance, random_encoding
from kbe.theory.average_network import effective_weights, linear_map, linear_response, rate_exact, response_rate
from kbe.theory.heads import curvature, pulls, variance_loss
from kbe.theory.kernels import exponential_kernel
from kbe.theory.stability import classical_onset, collapse_bound, one_point_path, response_curvature
from kbe.theory.variance_network import variance_flow, variance_map, variance_rates

SIGMOID = ("sigmoid", "sigmoid")
ONE, HALF = np.ones((1, 1)), np.full(1, 0.5)


def problem(points=12, scale=0.7, seed=0, **options):
    data = random_encoding(points, 8, seed=seed, **options)
    strings = data.x.values[0]
    return exponential_kernel(hamming_distance(strings, strings), scale), data.y.values[0]


def start(points, seed=1):
    return np.random.default_rng(seed).uniform(0.3, 0.7, (2, points))


# The average network: equations 12, 13, 15, 17


def test_eq12_with_squared_error_is_eq13():
    gram, targets = problem()
    mean = torch.tensor(start(12)[0], requires_grad=True)
    losses.squared_error(mean[:, None], torch.tensor(targets)).sum().backward()
    assert_allclose(response_rate(gram, mean.grad.numpy()), rate_exact(gram, targets, mean.detach().numpy()))
    assert_allclose(rate_exact(np.array([[2.0, 1.0], [1.0, 3.0]]), np.ones(2), np.array([0.0, 3.0])), [0, -5])


def test_eq17_closed_form_against_an_integrator_and_its_limits():
    gram, targets = problem()
    mean = start(12)[0]
    flow = integrate.solve_ivp(lambda _, mu: gram @ (targets - mu), (0, 2), mean, "DOP853", rtol=1e-11, atol=1e-12)
    closed = linear_response(gram, targets, mean, np.array([0.0, 2.0, 1e4])).mu.values
    assert_allclose(closed[0], mean, atol=1e-13)
    assert_allclose(closed[1], flow.y[:, -1], atol=1e-9)
    assert_allclose(closed[2], targets, atol=1e-10)


def test_eq15_printed_sign_drives_every_mode_away():
    gram, targets = problem()
    mean, times = start(12)[0], np.array([0.0, 1.0, 2.0])
    values, vectors = np.linalg.eigh(gram)
    errors = np.abs((linear_response(gram, targets, mean, times, misprinted=True).mu.values - targets) @ vectors)
    assert_allclose(errors[2] / errors[1], np.exp(values), rtol=1e-9)
    errors = np.abs((linear_response(gram, targets, mean, times).mu.values - targets) @ vectors)
    assert_allclose(errors[2] / errors[1], np.exp(-values), rtol=1e-7)


def test_eq13_map_against_iteration_and_first_order_in_the_step():
    gram, targets = problem()
    mean = start(12)[0]
    by_hand = mean
    for _ in range(5):
        by_hand = by_hand + 0.1 * gram @ (targets - by_hand)
    assert_allclose(linear_map(gram, targets, mean, 5, 0.1).mu[-1], by_hand)
    exact = linear_response(gram, targets, mean, np.array([1.0])).mu.values[0]
    rates = np.array([1e-2, 5e-3, 2.5e-3, 1.25e-3])
    errors = [np.abs(linear_map(gram, targets, mean, round(1 / eta), eta).mu.values[-1] - exact).max() for eta in rates]
    assert_allclose(np.polyfit(np.log(rates), np.log(errors), 1)[0], 1, atol=0.05)


@pytest.mark.parametrize(("factor", "stable"), [(0.99, True), (1.01, False)])
def test_eq13_map_is_stable_below_two_over_the_largest_eigenvalue(factor, stable):
    gram, targets = problem()
    rate = factor * 2 / np.linalg.eigvalsh(gram)[-1]
    errors = np.linalg.norm(linear_map(gram, targets, start(12)[0], 2000, rate).mu.values - targets, axis=1)
    assert (errors[-1] < errors[0]) == stable


def test_eq17_effective_weights_make_the_mean_and_start_as_the_kernel():
    gram, targets = problem()
    mean, weights = start(12)[0], effective_weights(gram, 0.8)
    assert_allclose(
        weights @ targets + (np.eye(12) - weights) @ mean,
        linear_response(gram, targets, mean, np.array([0.8])).mu.values[0],
    )
    assert_allclose(effective_weights(gram, 1e-6) / 1e-6, gram, atol=1e-4)
    assert_allclose(effective_weights(gram, 1e5), np.eye(12), atol=1e-10)


# The variance network: equations 8, 21, 23


def test_eq8_numpy_loss_is_the_torch_loss_and_pulls_are_its_slopes():
    _, targets = problem()
    mean, deviation = start(12)
    output = torch.tensor(np.stack([mean, deviation], -1), requires_grad=True)
    loss = losses.gaussian_nll(output, torch.tensor(targets)).sum()
    loss.backward()
    assert_allclose(variance_loss(targets, mean, deviation), loss.item())
    assert_allclose(pulls(targets, mean, deviation), -output.grad.numpy().T)


@pytest.mark.parametrize("heads", [("linear", "linear"), SIGMOID, ("linear", "exponential"), ("linear", "softplus")])
def test_eq8_pulls_and_curvature_in_head_inputs_by_autograd(heads):
    activations = {
        "linear": lambda z: z,
        "sigmoid": torch.sigmoid,
        "exponential": torch.exp,
        "softplus": torch.nn.functional.softplus,
    }
    inputs = torch.tensor([0.4, 0.6], dtype=torch.float64)

    def loss(z):
        outputs = torch.stack([activations[h](one) for h, one in zip(heads, z, strict=True)])
        return losses.gaussian_nll(outputs, torch.tensor(0.9, dtype=torch.float64))

    mean, deviation = (activations[h](one).numpy() for h, one in zip(heads, inputs, strict=True))
    assert_allclose(pulls(0.9, mean, deviation, heads), -torch.func.grad(loss)(inputs).numpy())
    assert_allclose(curvature(0.9, mean, deviation, heads), torch.func.hessian(loss)(inputs).numpy(), rtol=1e-10)


def test_eq21_eq23_by_hand_and_the_printed_half():
    gram = np.array([[1.0, 0.5], [0.5, 1.0]])
    rates = variance_rates(gram, np.array([1.0, 0.0]), np.array([0.5, 0.5]), np.array([0.5, 1.0]))
    assert_allclose(rates, [[2 - 0.25, 1 - 0.5], [0 - 0.375, 0 - 0.75]])
    printed = variance_rates(gram, np.array([1.0, 0.0]), HALF.repeat(2), np.array([0.5, 1.0]), mean_factor=0.5)
    assert_allclose(printed, [rates[0] / 2, rates[1]])


def test_eq21_eq23_scaling_identity_of_eq8():
    """Error and sigma scaled by s add N log s to the loss, so their product with its slope is N."""
    _, targets = problem()
    mean, deviation = start(12)
    pull = pulls(targets, mean, deviation)
    assert_allclose((targets - mean) @ pull[0] - deviation @ pull[1], 12)


@pytest.mark.parametrize("heads", [("linear", "linear"), SIGMOID])
def test_eq8_never_increases_along_the_flow_at_the_rate_of_the_squared_slope(heads):
    gram, targets = problem()
    mean, deviation = start(12)
    flow = variance_flow(gram, targets, mean, deviation, np.linspace(0, 1, 400), heads=heads, deviation_gram=2 * gram)
    assert (np.diff(flow.loss) < 0).all()
    pull = pulls(targets, mean, deviation, heads)
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


@pytest.mark.parametrize("strength", [1.0, 3.0])
def test_eq21_eq23_one_point_closed_path(strength):
    flow = variance_flow(strength * ONE, np.ones(1), HALF, HALF, np.linspace(0, 0.24 / strength, 20))
    error = 1 - flow.mu.values.ravel()
    assert_allclose(flow.sigma.values.ravel(), one_point_path(error, 0.5, 0.5), rtol=1e-5)


def test_eq21_eq23_rest_at_the_local_deviation_where_inputs_repeat_with_conflict():
    gram, targets = np.ones((4, 4)), np.array([0.0, 0.0, 0.0, 1.0])
    mean, deviation = np.full(4, 0.5), np.full(4, 0.3)
    assert collapse_bound(gram, targets, mean, deviation) == np.inf
    flow = variance_flow(gram, targets, mean, deviation, np.array([50.0]))
    assert flow.collapse_time == np.inf
    assert_allclose(flow.mu[-1], targets.mean(), rtol=1e-6)
    assert_allclose(flow.sigma[-1], targets.std(), rtol=1e-6)


def test_collapse_bound_stays_finite_where_inputs_repeat_without_conflict():
    bound = collapse_bound(np.ones((3, 3)), np.ones(3), HALF.repeat(3), HALF.repeat(3))
    assert_allclose(bound, (0.25 + 0.25) / 6)  # three equal points: one point whose loss counts three times


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
    rate = factor * 2 / response_curvature(gram, targets, rest, rest, heads=heads)
    run = variance_map(gram, targets, rest + 1e-7, rest + 1e-7, 1500, float(rate), heads=heads)
    away = np.abs(np.stack([run.mu[-1], run.sigma[-1]]) - 0.5).max()
    assert (away < 1e-7) == stable
    assert np.isinf(classical_onset(gram, run)) == stable


def test_classical_onset_is_where_the_loss_of_one_point_first_rises():
    for rate in (0.01, 0.03):
        run = variance_map(ONE, np.ones(1), HALF, HALF, 200, rate)
        rises = np.flatnonzero(~(np.diff(run.loss) <= 0))[0]
        assert classical_onset(ONE, run) == rises


def test_response_curvature_one_point_formula_and_dense_independent():
    error, deviation = np.array([0.3]), np.array([0.4])
    ratio = (error / deviation) ** 2
    formula = (3 * ratio + np.sqrt(9 * ratio**2 + 4 * ratio + 4)) / (2 * deviation**2)
    assert_allclose(response_curvature(2 * ONE, np.ones(1), 1 - error, deviation), 2 * formula[0])
    gram, targets = problem(5)
    mean, spread = start(5)
    bend = curvature(targets, mean, spread)
    dense = np.block([[gram @ np.diag(bend[a, b]) for b in (0, 1)] for a in (0, 1)])
    assert_allclose(response_curvature(gram, targets, mean, spread), np.linalg.eigvals(dense).real.max())
    assert np.isnan(response_curvature(gram, targets, np.full(5, np.nan), spread))


GRAM, Y = problem(4)
M = np.full(4, 0.5)


@pytest.mark.parametrize(
    "call",
    [
        lambda: linear_response(GRAM, Y, M, np.array([-1.0])),
        lambda: linear_response(GRAM, Y, M[:3], np.array([1.0])),
        lambda: linear_response(GRAM[:3], Y, M, np.array([1.0])),
        lambda: linear_map(GRAM, Y, M, -1, 0.1),
        lambda: effective_weights(np.array([[0.0, 1.0], [2.0, 0.0]]), 1.0),
        lambda: response_rate(GRAM, np.array([np.nan] * 4)),
        lambda: variance_rates(GRAM, Y, M, np.zeros(4)),
        lambda: variance_rates(GRAM, Y, M, M, mean_factor=0.0),
        lambda: pulls(Y, M, M, ("linear", "cubic")),
        lambda: pulls(Y, M, M, "linear"),
        lambda: variance_flow(GRAM, Y, M, -M, np.array([1.0])),
        lambda: variance_flow(GRAM, Y, M, M, np.array([1.0, 0.5])),
        lambda: variance_flow(GRAM, Y, M, M, np.array([1.0]), floor=0.6),
        lambda: variance_flow(GRAM, Y, M + 1, M, np.array([1.0]), heads=SIGMOID),
        lambda: variance_flow(GRAM, Y, M, M, np.array([1.0]), method="Euler"),
        lambda: variance_map(np.stack([GRAM] * 3), Y, M, M, 3, 0.1),
        lambda: collapse_bound(GRAM, Y, M, np.zeros(4)),
        lambda: one_point_path(np.array([0.7]), 0.5, 0.5),
        lambda: classical_onset(GRAM, linear_map(GRAM, Y, M, 3, 0.1)),
    ],
)
def test_bad_input_is_refused_with_a_sentence(call):
    with pytest.raises(ValueError, match=r"\.$"):
        call()


@settings(max_examples=25, deadline=None)
@given(rate=st.one_of(st.sampled_from([np.nan, np.inf, True, "a", None]), st.floats(max_value=0.0)))
def test_eq23_map_bad_learning_rate(rate):
    with pytest.raises(ValueError, match="learning_rate is"):
        variance_map(GRAM, Y, M, M, 3, rate)
