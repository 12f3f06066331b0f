"""Fig. 5: spectra of response kernels, computed and in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import linalg

from kbe.data.encoding import all_inputs, hamming_distance
from kbe.theory.kernels import exponential_kernel, line_distance
from kbe.theory.spectra import hypercube_spectrum, line_spectrum, local_exponents, power_law_exponent, spectrum

EVEN = (np.arange(100) + 0.5) / 100


def line_gram(points, scale=1.0):
    return exponential_kernel(line_distance(points, points), scale)


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


def test_fig5_local_exponents_of_a_power_law_are_equal():
    found = local_exponents(np.arange(1.0, 101.0)[None] ** -2)
    assert_allclose(found.exponent, [[-2, -2, -2]])
    assert found.first.values.tolist() == [2, 10, 50]


@pytest.mark.parametrize(("bits", "scale"), [(3, 0.7), (6, 0.2)])
def test_hypercube_spectrum_and_its_eigenvectors_the_walsh_functions(bits, scale):
    strings = all_inputs(bits)
    gram = exponential_kernel(hamming_distance(strings, strings), scale)
    closed, functions = hypercube_spectrum(bits, scale), linalg.hadamard(2**bits)
    assert_allclose(spectrum(gram).eigenvalue, np.repeat(closed.eigenvalue, closed.multiplicity), rtol=1e-10)
    order = strings.sum(1).astype(int)
    assert_allclose(gram @ functions.T, functions.T * closed.eigenvalue.values[order], atol=1e-10)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("gram", lambda: spectrum(np.array([[1.0, 2.0], [0.0, 1.0]]))),
        ("gram", lambda: spectrum(np.ones((2, 3)))),
        ("scale", lambda: line_spectrum(0.0, 3)),
        ("points", lambda: line_spectrum(1.0, 3, np.array([1.5]))),
        ("bits", lambda: hypercube_spectrum(0, 1.0)),
        ("last", lambda: power_law_exponent(np.ones(5), 4, 5)),
        ("last", lambda: power_law_exponent(np.ones(5), 1, 6)),
        ("eigenvalues", lambda: power_law_exponent(-np.ones(5), 1, 5)),
        ("eigenvalues", lambda: local_exponents(np.ones((1, 15)))),
    ],
)
def test_bad_input_is_refused_with_a_sentence(name, call):
    with pytest.raises(ValueError, match=rf"\b{name}\b.*\.$"):
        call()
