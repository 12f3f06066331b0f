"""Equation 16, the other kernels, and sums of kernels (equation 19)."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import integrate, stats

from kbe.data.encoding import all_inputs, hamming_distance
from kbe.measures.scales import prediction_scale
from kbe.theory.average_network import kernel_average, local_average, rate_local
from kbe.theory.kernels import (
    expand_kernel,
    exponential_kernel,
    gaussian_kernel,
    line_distance,
    measured_kernel,
    multi_scale_kernel,
    rational_quadratic_kernel,
)
from kbe.theory.modes import line_draws

STRINGS = hamming_distance(all_inputs(6), all_inputs(6))


def test_line_distance_by_hand():
    assert_allclose(line_distance(np.array([0.0, 2.0]), np.array([1.0, -1.0, 2.0])), [[1, 1, 2], [1, 3, 0]])


def test_eq16_by_hand_and_as_a_semigroup():
    distance = np.array([[0.0, 2.0]])
    assert_allclose(exponential_kernel(distance, 0.5), [[1, np.exp(-1)]])
    along = exponential_kernel(np.array(0.3), 2.0) * exponential_kernel(np.array(0.4), 2.0)
    assert_allclose(along, exponential_kernel(np.array(0.7), 2.0))


def test_eq16_inverse_on_sorted_points_is_tridiagonal():
    """The Markov property that makes the oscillation theorem hold: off-diagonals negative, nothing beyond."""
    points = np.sort(np.random.default_rng(3).random(12))
    inverse = np.linalg.inv(exponential_kernel(line_distance(points, points), 1.0))
    beyond = np.triu(inverse, 2)
    assert np.abs(beyond).max() < 1e-9 * np.abs(inverse).max()
    assert (np.diagonal(inverse, 1) < 0).all()


@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0])
def test_eq16_is_positive_definite_on_distinct_inputs(scale):
    line = line_distance(np.linspace(0, 1, 100), np.linspace(0, 1, 100))
    for distance in (STRINGS, line):
        assert np.linalg.eigvalsh(exponential_kernel(distance, scale)).min() > 0


def test_gaussian_of_the_euclidean_distance_of_bit_strings_is_the_exponential_of_the_hamming_distance():
    assert_allclose(gaussian_kernel(np.sqrt(STRINGS), 0.8), exponential_kernel(STRINGS, 0.8**2 / 2))


def test_a_wide_gaussian_of_the_hamming_distance_itself_is_not_positive():
    assert np.linalg.eigvalsh(gaussian_kernel(STRINGS, 0.3)).min() < -1e-3


def test_rational_quadratic_is_a_gaussian_in_the_limit_and_the_mix_of_gaussians_that_it_is_said_to_be():
    distance = np.linspace(0, 5, 11)
    assert_allclose(rational_quadratic_kernel(distance, 0.7, shape=1e8), gaussian_kernel(distance, 0.7), rtol=1e-6)
    squared = stats.gamma(1.5, scale=0.7**2 / 1.5)  # of the scale, with its mean at 0.7 squared
    mixed = [integrate.quad(lambda s, d=d: squared.pdf(s) * np.exp(-s * d**2 / 2), 0, 20)[0] for d in distance]
    assert_allclose(rational_quadratic_kernel(distance, 0.7, shape=1.5), mixed, rtol=1e-6)


def test_measured_kernel_is_its_profile_and_between_and_beyond_what_is_nearest():
    kernel = measured_kernel(np.arange(7.0), exponential_kernel(np.arange(7.0), 0.4))
    assert_allclose(kernel(STRINGS, 1.0), exponential_kernel(STRINGS, 0.4))
    assert_allclose(kernel(STRINGS / 2, 2.0), kernel(STRINGS, 1.0))
    assert_allclose(kernel(np.array([0.5, 60]), 1.0), [(1 + np.exp(-0.4)) / 2, np.exp(-2.4)])


@pytest.mark.parametrize("kernel", [exponential_kernel, gaussian_kernel, partial(rational_quadratic_kernel, shape=2.0)])
def test_a_kernel_takes_many_scales_at_once(kernel):
    scales = np.array([[0.0], [0.3], [2.0]])
    assert_allclose(kernel(np.arange(4.0), scales), [kernel(np.arange(4.0), s) for s in (0.0, 0.3, 2.0)], rtol=1e-14)


def test_eq19_kernel_expansion_recovers_its_own_weights():
    distance = np.linspace(0, 8, 9)
    scales, weights = np.array([0.1, 0.7, 3.0]), np.array([0.5, 0.3, 0.2])
    for kernel in (exponential_kernel, gaussian_kernel):
        values = multi_scale_kernel(distance, scales, weights, kernel=kernel)
        fit = expand_kernel(distance, values, scales, kernel=kernel)
        assert_allclose(fit.weight, weights, atol=1e-12)
        assert fit.largest_error < 1e-12


def test_eq19_kernel_expansion_bernstein():
    """1 / (1 + d) is completely monotone and expands; a Gaussian is not and cannot, however many the scales."""
    distance, scales = np.linspace(0, 4, 41), np.geomspace(0.01, 100, 60)
    assert expand_kernel(distance, 1 / (1 + distance), scales).largest_error < 1e-3
    assert expand_kernel(distance, gaussian_kernel(distance, np.sqrt(2)), scales).largest_error > 0.1


def test_a_rational_quadratic_is_a_sum_of_gaussians():
    distance, scales = np.linspace(0, 4, 41), np.geomspace(0.01, 100, 60)
    values = rational_quadratic_kernel(distance, 1.0)
    assert expand_kernel(distance, values, scales, kernel=gaussian_kernel).largest_error < 1e-4


def test_a_new_kernel_is_one_function():
    """What takes a kernel asks nothing else of it."""

    def tent(distance, scale):
        return np.maximum(1 - scale * distance, 0)

    targets = np.random.default_rng(0).random(64)
    average = local_average(STRINGS, targets, 0.3, kernel=tent)
    fit = prediction_scale(STRINGS, targets, average, kernel=tent)
    assert_allclose(fit.alpha, 0.3, rtol=1e-5)
    gram = multi_scale_kernel(STRINGS, [0.3, 0.9], [0.5, 0.5], kernel=tent)
    assert_allclose(rate_local(gram, targets, kernel_average(gram, targets)), 0, atol=1e-12)
    assert expand_kernel(STRINGS, gram, [0.3, 0.9], kernel=tent).largest_error < 1e-12
    assert_allclose(line_draws(20, 2, 0.5, kernel=tent).eigenvalue.sum("mode"), 20)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("distance", lambda: exponential_kernel(np.array([-1.0]), 1.0)),
        ("distance", lambda: exponential_kernel(np.array([np.nan]), 1.0)),
        ("distance", lambda: exponential_kernel(np.array([]), 1.0)),
        ("scale", lambda: exponential_kernel(np.array([1.0]), -1.0)),
        ("scale", lambda: gaussian_kernel(np.array([1.0]), np.array([1.0, -1.0]))),
        ("shape", lambda: rational_quadratic_kernel(np.array([1.0]), 1.0, shape=0.0)),
        ("distance", lambda: measured_kernel([1.0, 0.0], [1.0, 0.5])),
        ("profile", lambda: measured_kernel([0.0, 1.0], [1.0])),
        ("first", lambda: line_distance(np.zeros((2, 2)), np.zeros(2))),
        ("weights", lambda: multi_scale_kernel(np.ones(3), np.ones(2), np.ones(3))),
        ("weights", lambda: multi_scale_kernel(np.ones(3), np.ones(2), -np.ones(2))),
        ("scales", lambda: multi_scale_kernel(np.ones(2), np.array([np.inf]), np.ones(1))),
        ("kernel", lambda: multi_scale_kernel(np.ones(2), np.ones(1), np.ones(1), kernel=np.eye(2))),
        ("values", lambda: expand_kernel(np.ones(3), np.ones(2), np.ones(2))),
    ],
)
def test_bad_input_is_refused_with_a_sentence(name, call):
    with pytest.raises(ValueError, match=rf"\b{name}\b.*\.$"):
        call()


@settings(max_examples=25, deadline=None)
@given(
    scale=st.one_of(st.just(np.nan), st.just(np.inf), st.floats(max_value=-1e-9), st.text(max_size=3), st.booleans())
)
def test_eq16_bad_scale(scale):
    with pytest.raises(ValueError, match="scale is"):
        exponential_kernel(np.ones(2), scale)
