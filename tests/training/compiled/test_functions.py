"""The magnitude, the power and the exponential of sixteen lanes."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from kbe.training.compiled.functions import exponential, magnitude, power
from kbe.training.compiled.simd import WIDTH, load, store

FEW = settings(max_examples=25, deadline=None)

compiled = njit(error_model="numpy")


@compiled
def exponentials(x, out):
    for row in range(x.shape[0]):
        store(out, row, exponential(load(x, row)))


@compiled
def powers(x, exponent, out):
    store(out, 0, power(load(x, 0), exponent))


@compiled
def magnitudes(x, out):
    store(out, 0, magnitude(load(x, 0)))


def exponential_of(values: np.ndarray) -> np.ndarray:
    rows = -(-len(values) // WIDTH)
    given = np.resize(values, (rows, WIDTH))
    out = np.empty_like(given)
    exponentials(given, out)
    return out.reshape(-1)[: len(values)]


def test_magnitude_is_that_of_plain_numbers():
    numbers = [0.0, -0.0, 1.5, -1.5, np.inf, -np.inf, np.nan, 5e-324, -5e-324, 1.7976931348623157e308]
    x, out = np.resize(numbers, (1, WIDTH)), np.empty((1, WIDTH))
    magnitudes(x, out)
    np.testing.assert_array_equal(out, np.abs(x))


def test_exponential_is_right_to_one_unit_in_the_last_place():
    values = np.concatenate([np.linspace(-708, 709, 997), np.geomspace(1e-300, 1, 200), -np.geomspace(1e-20, 1, 200)])
    result = exponential_of(values)
    with mpmath.workdps(40):
        exact = [mpmath.exp(mpmath.mpf(float(v))) for v in values]
        errors = [abs(mpmath.mpf(float(r)) - e) / math.ulp(float(e)) for r, e in zip(result, exact, strict=True)]
    assert max(errors) < 1
    assert exponential_of(np.zeros(1))[0] == 1


@FEW
@given(value=st.floats(-708, 709), step=st.floats(0, 1e-3))
def test_exponential_rises_to_rounding(value, step):
    low, high = exponential_of(np.array([value, min(709.0, value + step)]))
    assert high >= low * (1 - 2e-16)


def test_exponential_beyond_its_range_and_of_what_is_no_number():
    ends = exponential_of(np.array([709.5, np.inf, 1e300, -708.5, -np.inf, -1e300, np.nan, 5e-324]))
    assert (ends[:3] == np.inf).all()
    assert (ends[3:6] == 0).all()
    assert np.isnan(ends[6])
    assert ends[7] == 1


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, 2.0])
def test_power_is_the_power_of_plain_numbers(exponent):
    x, out = np.geomspace(1e-9, 1e9, WIDTH)[None], np.empty((1, WIDTH))
    powers(x, exponent, out)
    np.testing.assert_allclose(out, x**exponent, rtol=1e-15)
