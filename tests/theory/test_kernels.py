"""Equation 16, Fig. 5: the response kernel, its expansion in scales and its spectra."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from kbe.data.encoding import all_inputs, hamming_distance
from kbe.theory.kernels import expand_kernel, exponential_kernel, line_distance, multi_scale_kernel
from kbe.theory.spectra import (
    hypercube_spectrum,
    line_spectrum,
    participation_ratio,
    power_law_exponent,
    sign_changes,
    spectrum,
    walsh_functions,
)

EVEN = (np.arange(100) + 0.5) / 100


def line_gram(points, scale=1.0):
    return exponential_kernel(line_distance(points, points), scale)


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
    inverse = np.linalg.inv(line_gram(points))
    beyond = np.triu(inverse, 2)
    assert np.abs(beyond).max() < 1e-9 * np.abs(inverse).max()
    assert (np.diagonal(inverse, 1) < 0).all()


@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0])
def test_eq16_is_positive_definite_on_distinct_inputs(scale):
    strings = all_inputs(6)
    assert spectrum(exponential_kernel(hamming_distance(strings, strings), scale)).eigenvalue.min() > 0
    assert spectrum(line_gram(EVEN, scale)).eigenvalue.min() > 0


def test_eq19_kernel_expansion_recovers_its_own_weights():
    distance = np.linspace(0, 8, 9)
    scales, weights = np.array([0.1, 0.7, 3.0]), np.array([0.5, 0.3, 0.2])
    fit = expand_kernel(distance, multi_scale_kernel(distance, scales, weights), scales)
    assert_allclose(fit.weight, weights, atol=1e-12)
    assert fit.largest_error < 1e-12


def test_eq19_kernel_expansion_bernstein():
    """1 / (1 + d) is completely monotone and expands; a Gaussian is not and cannot, however many the scales."""
    distance, scales = np.linspace(0, 4, 41), np.geomspace(0.01, 100, 60)
    assert expand_kernel(distance, 1 / (1 + distance), scales).largest_error < 1e-3
    assert expand_kernel(distance, np.exp(-(distance**2)), scales).largest_error > 0.1


def test_spectrum_rebuilds_the_matrix_in_descending_order():
    gram = line_gram(np.random.default_rng(0).random(20))
    result = spectrum(gram)
    vectors = result.eigenvector.values
    assert_allclose((vectors.T * result.eigenvalue.values) @ vectors, gram, atol=1e-13)
    assert (np.diff(result.eigenvalue) < 0).all()
    assert (vectors.max(1) == np.abs(vectors).max(1)).all()


@pytest.mark.parametrize("scale", [0.3, 1.0, 5.0])
def test_fig5_line_spectrum_solves_the_integral_equation(scale):
    at = np.array([0.1, 0.37, 0.9])
    closed = line_spectrum(scale, 4, at)
    nodes, weights = np.polynomial.legendre.leggauss(40)
    for place, there in zip(at, closed.eigenfunction.values.T, strict=True):
        left = np.zeros(4)
        for low, high in ((0, place), (place, 1)):  # the kernel has a kink at the place
            x = low + (high - low) * (nodes + 1) / 2
            waves = line_spectrum(scale, 4, x).eigenfunction.values
            left += waves @ (weights * np.exp(-scale * np.abs(place - x))) * (high - low) / 2
        assert_allclose(left, closed.eigenvalue.values * there, rtol=1e-9, atol=1e-12)


def test_fig5_line_spectrum_trace_norm_and_even_points():
    closed = line_spectrum(1.0, 4000, EVEN)
    assert_allclose(closed.eigenvalue.sum(), 1, atol=2 / (np.pi**2 * 4000) * 1.1)  # trace K(x, x) = 1
    few = closed.eigenfunction.values[:8]
    assert_allclose(few @ few.T / 100, np.eye(8), atol=1e-2)
    matrix = spectrum(line_gram(EVEN))
    assert_allclose(matrix.eigenvalue[:5] / 100, closed.eigenvalue[:5], rtol=0.02)
    assert_allclose(np.abs(matrix.eigenvector.values[:5] @ few[:5].T / 10), np.eye(5), atol=1e-2)


def test_fig5_decay_tends_to_the_power_minus_two():
    closed = line_spectrum(1.0, 2000).eigenvalue.values
    for first, last in (
        (10, 100),
        (100, 2000),
    ):  # eigenvalue k is near 2 / (pi (k - 1))^2: a local slope of -2 k / (k - 1)
        assert 2 / last < -2 - power_law_exponent(closed, first, last).exponent < 2 / first
    exact = power_law_exponent(3.0 * np.arange(1, 30) ** -1.7, 2, 20)
    assert_allclose([exact.exponent, exact.standard_error, exact.log_rms], [-1.7, 0, 0], atol=1e-10)


def test_power_law_exponent_standard_error_covers():
    """Known noise of 0.1 in the logarithm: the stated error is the spread of the exponent over trials."""
    rng, rank = np.random.default_rng(1), np.arange(1, 31)
    fits = [power_law_exponent(rank**-2.0 * np.exp(0.1 * rng.standard_normal(30)), 1, 30) for _ in range(300)]
    spread = np.std([fit.exponent for fit in fits])
    assert_allclose(np.mean([fit.standard_error for fit in fits]), spread, rtol=0.15)


@pytest.mark.parametrize(("bits", "scale"), [(3, 0.7), (6, 0.2)])
def test_hypercube_spectrum_and_walsh_functions(bits, scale):
    strings = all_inputs(bits)
    gram = exponential_kernel(hamming_distance(strings, strings), scale)
    closed, walsh = hypercube_spectrum(bits, scale), walsh_functions(bits)
    assert_allclose(spectrum(gram).eigenvalue, np.repeat(closed.eigenvalue, closed.multiplicity), rtol=1e-10)
    functions = walsh.function.values
    assert_allclose(gram @ functions.T, functions.T * closed.eigenvalue.values[walsh.order.values], atol=1e-10)
    assert_allclose(functions @ functions.T, 2**bits * np.eye(2**bits))


def test_fig5_oscillation_theorem():
    assert_allclose(sign_changes(spectrum(line_gram(EVEN)).eigenvector.values), np.arange(100))
    points = np.sort(np.random.default_rng(0).random(100))
    assert_allclose(sign_changes(spectrum(line_gram(points)).eigenvector.values[:25]), np.arange(25))
    assert sign_changes(np.array([1.0, 0.0, 2.0, -1.0, 0.0, 3.0])) == 2


def test_participation_ratio_known_cases():
    places = (np.arange(4000) + 0.5) / 4000
    assert_allclose(participation_ratio(np.ones(7)), 1)
    assert_allclose(participation_ratio(np.eye(5)[2]), 1 / 5)
    assert_allclose(participation_ratio(np.sin(40 * np.pi * places)), 2 / 3, rtol=1e-6)
    packet = np.exp(-((places - 0.5) ** 2) / (4 * 0.03**2)) * np.cos(600 * places)
    assert_allclose(participation_ratio(packet), 4 / 3 * np.sqrt(np.pi) * 0.03, rtol=1e-3)


def test_fig5_minor_modes_are_wave_packets_on_random_points_alone():
    """Evenly spaced points: sines throughout. Random points: the minor modes are localised by the disorder."""
    even = participation_ratio(spectrum(line_gram(EVEN)).eigenvector.values)
    assert even[1:].min() > 0.66
    samples = [np.sort(np.random.default_rng(seed).random(100)) for seed in range(8)]
    random = np.mean([participation_ratio(spectrum(line_gram(x)).eigenvector.values) for x in samples], 0)
    assert random[1] > 0.6
    assert random[29] < 0.2
    assert random[-1] < 0.05


@pytest.mark.parametrize(
    "call",
    [
        lambda: exponential_kernel(np.array([-1.0]), 1.0),
        lambda: exponential_kernel(np.array([np.nan]), 1.0),
        lambda: exponential_kernel(np.array([1.0]), -1.0),
        lambda: exponential_kernel(np.array([]), 1.0),
        lambda: line_distance(np.zeros((2, 2)), np.zeros(2)),
        lambda: multi_scale_kernel(np.ones(3), np.ones(2), np.ones(3)),
        lambda: multi_scale_kernel(np.ones(3), np.ones(2), -np.ones(2)),
        lambda: expand_kernel(np.ones(3), np.ones(2), np.ones(2)),
        lambda: spectrum(np.array([[1.0, 2.0], [0.0, 1.0]])),
        lambda: spectrum(np.ones((2, 3))),
        lambda: line_spectrum(0.0, 3),
        lambda: line_spectrum(1.0, 3, np.array([1.5])),
        lambda: hypercube_spectrum(0, 1.0),
        lambda: walsh_functions(2.5),
        lambda: power_law_exponent(np.ones(5), 4, 5),
        lambda: power_law_exponent(-np.ones(5), 1, 5),
        lambda: participation_ratio(np.zeros(3)),
        lambda: sign_changes(np.array([np.inf])),
    ],
)
def test_bad_input_is_refused_with_a_sentence(call):
    with pytest.raises(ValueError, match=r"\.$"):
        call()


@settings(max_examples=25, deadline=None)
@given(
    scale=st.one_of(st.just(np.nan), st.just(np.inf), st.floats(max_value=-1e-9), st.text(max_size=3), st.booleans())
)
def test_eq16_bad_scale(scale):
    with pytest.raises(ValueError, match="scale is"):
        exponential_kernel(np.ones(2), scale)
