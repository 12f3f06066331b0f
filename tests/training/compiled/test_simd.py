"""Sixteen lanes: each holds what plain float64 arithmetic gives."""

from __future__ import annotations

import operator
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from kbe.training.compiled.simd import (
    WIDTH,
    add_to,
    as_held,
    borrowed,
    in_all,
    lane,
    load,
    load_three,
    store,
    store_three,
    where_at_most,
    where_equal,
    where_greater,
    with_lane,
)

FEW = settings(max_examples=25, deadline=None)
NUMBERS = st.lists(st.floats(allow_subnormal=True), min_size=WIDTH, max_size=WIDTH)
SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 5e-324, -5e-324, 2.2250738585072014e-308,
                    1.7976931348623157e308, -1.7976931348623157e308, 1e-310, 0.1, 1 / 3, -708.5])  # fmt: skip

compiled = njit(error_model="numpy")


@compiled
def arithmetic(x, y, out):
    a, b = load(x, 0), load(y, 0)
    store(out, 0, a + b)
    store(out, 1, a - b)
    store(out, 2, a * b)
    store(out, 3, a / b)
    store(out, 4, a * b + a)
    store(out, 5, 2.5 - a)
    store(out, 6, a * 3)
    add_to(out, 6, b)


@compiled
def choices(x, y, out):
    a, b = load(x, 0), load(y, 0)
    store(out, 0, where_greater(a, b, 1.0, 0.0))
    store(out, 1, where_equal(a, b, a, b))
    store(out, 2, with_lane(a, 3, lane(b, 5)))
    store(out, 3, where_at_most(a, b, 1.0, 0.0))


def same(first: np.ndarray, second: np.ndarray) -> bool:
    """Bit for bit, any NaN being as good as another."""
    signs = np.where(np.isnan(first), False, np.signbit(first) != np.signbit(second))
    return np.array_equal(first, second, equal_nan=True) and not signs.any()


@FEW
@given(x=NUMBERS, y=NUMBERS)
def test_arithmetic_is_that_of_plain_numbers_bit_for_bit(x, y):
    x, y = np.array([x]), np.array([y])
    out = np.empty((7, WIDTH))
    arithmetic(x, y, out)
    with np.errstate(all="ignore"):
        for row, operation in enumerate((operator.add, operator.sub, operator.mul, operator.truediv)):
            assert same(out[row], operation(x, y)[0])
        assert same(out[4], (x * y + x)[0])  # two roundings: no fused operation has one
        assert same(out[5], (2.5 - x)[0])
        assert same(out[6], (x * 3 + y)[0])


def test_a_product_and_a_sum_are_not_fused():
    x, out = np.full((1, WIDTH), 1 + 2.0**-30), np.empty((7, WIDTH))
    arithmetic(x, -x, out)
    assert (out[4] == -(1 + 2.0**-29) + 1 + 2.0**-30).all()  # fused, the last bits of the square would stay


@pytest.mark.parametrize("shift", range(3))
def test_choices_follow_each_lane_and_nan_fails_every_comparison(shift):
    x, y = SPECIAL[None], np.roll(SPECIAL, shift)[None].copy()
    out = np.empty((4, WIDTH))
    choices(x, y, out)
    assert same(out[0], (x > y)[0].astype(float))
    assert same(out[1], np.where(x == y, x, y)[0])
    assert same(np.delete(out[2], 3), np.delete(x[0], 3))
    assert same(out[2][3:4], y[0][5:6])
    assert same(out[3], (x <= y)[0].astype(float))


def test_float32_rows_are_read_exactly_and_stored_rounded():
    x = np.linspace(-2, 2, WIDTH, dtype=np.float32)[None]
    out = np.empty((7, WIDTH), np.float32)
    arithmetic(x, np.full_like(x, 3), out)
    assert (out[3] == (x.astype(float) / 3).astype(np.float32)).all()


@compiled
def threes(arrays):
    source, target = borrowed(arrays)
    x, y, z = load_three(source, 4, 0, 4)
    store_three(target, 1, 3, 1, x, y + in_all(0.5), z)


def test_three_rows_are_loaded_and_stored_in_their_order():
    source, target = np.arange(5.0 * WIDTH).reshape(5, WIDTH), np.zeros((4, WIDTH))
    threes((source, target))
    assert (target[1] == source[4]).all() and (target[3] == source[0] + 0.5).all()
    assert (target[[0, 2]] == 0).all()


def test_borrowed_arrays_are_given_back():
    source, target = np.zeros((5, WIDTH)), np.zeros((4, WIDTH))
    before = sys.getrefcount(source), sys.getrefcount(target)
    for _ in range(5):
        threes((source, target))
    assert (sys.getrefcount(source), sys.getrefcount(target)) == before


@compiled
def sums(x, holder, out):
    total = load(x, 0)
    for row in range(1, x.shape[0]):
        total = as_held(holder, total + load(x, row))
    store(out, 0, total)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_sum_in_a_register_is_rounded_as_one_in_the_array(dtype):
    x, out = np.random.default_rng(0).random((50, WIDTH)), np.empty((1, WIDTH))
    sums(x, np.empty((1, WIDTH), dtype), out)
    total = x[0]
    for row in x[1:]:
        total = (total + row).astype(dtype).astype(float)
    assert (out[0] == total).all()
