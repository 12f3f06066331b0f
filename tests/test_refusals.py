"""What one value may be: what is let through, what is refused, and in which words."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kbe import refusals

FEW = settings(max_examples=25, deadline=None)
NOT_NUMBERS = [None, "1", b"1", True, np.True_, [1], {}, 1j, Decimal(1), math.nan, math.inf, -math.inf, 10**400]


@FEW
@given(low=st.integers(-9, 9), width=st.integers(0, 9), value=st.integers(-30, 30))
def test_integer_lets_through_what_lies_within_its_bounds(low, width, value):
    high = low + width
    if low <= value <= high:
        assert refusals.integer("n", np.int32(value), low, high) == value
        assert type(refusals.integer("n", np.int32(value), low, high)) is int
    else:
        with pytest.raises(ValueError, match=rf"^n is {value}: it must be an integer from {low} to {high}\.$"):
            refusals.integer("n", value, low, high)


@pytest.mark.parametrize("value", [*NOT_NUMBERS[:-1], 1.0, Fraction(1, 2), np.float64(3)])
def test_integer_refuses_what_is_none(value):
    with pytest.raises(ValueError, match=r"^n is .*: it must be an integer\.$"):
        refusals.integer("n", value)


def test_messages_name_the_open_sides():
    with pytest.raises(ValueError, match=r"integer of at least 1\.$"):
        refusals.integer("n", 0, 1)
    with pytest.raises(ValueError, match=r"integer of at most 5\.$"):
        refusals.integer("n", 6, high=5)
    with pytest.raises(ValueError, match=r"finite number greater than 0\.$"):
        refusals.number("eta", 0, above=0)
    with pytest.raises(ValueError, match=r"finite number greater than 0 and at most 1\.$"):
        refusals.number("level", 2, high=1, above=0)
    with pytest.raises(ValueError, match=r"finite number from 0 to 1\.$"):
        refusals.number("share", 2, 0, 1)


@FEW
@given(value=st.floats(allow_nan=False, allow_infinity=False), bound=st.floats(-1e3, 1e3))
def test_number_lets_through_what_lies_within_its_bounds(value, bound):
    assert refusals.number("a", value) == value
    for arguments, allowed in [
        ({"low": bound}, value >= bound),
        ({"high": bound}, value <= bound),
        ({"above": bound}, value > bound),
    ]:
        if allowed:
            assert refusals.number("a", value, **arguments) == value
        else:
            with pytest.raises(ValueError, match=r"^a is"):
                refusals.number("a", value, **arguments)


@pytest.mark.parametrize("value", NOT_NUMBERS)
def test_number_refuses_what_is_none(value):
    with pytest.raises(ValueError, match=r"^a is .*: it must be a finite number\.$"):
        refusals.number("a", value)


def test_number_takes_every_kind_of_real_number():
    for value in (1, np.float32(1), np.int8(1), Fraction(1)):
        assert refusals.number("a", value) == 1
        assert type(refusals.number("a", value)) is float


@FEW
@given(value=st.one_of(st.text(), st.none(), st.integers(), st.lists(st.text())))
def test_choice(value):
    if value in ("mean", "sum"):
        assert refusals.choice("way", value, ("mean", "sum")) == value
    else:
        with pytest.raises(ValueError, match=r"it must be one of 'mean', 'sum'\.$"):
            refusals.choice("way", value, ("mean", "sum"))


@pytest.mark.parametrize("value", [[1, 2], (True, False), np.ones(2, np.float32), torch.ones(2), range(1, 3)])
def test_array_is_float64(value):
    result = refusals.array("x", value, 1)
    assert result.dtype == np.float64
    np.testing.assert_array_equal(result, np.asarray(value))


def test_array_that_fits_is_not_copied():
    value = np.ones(3)
    assert refusals.array("x", value) is value


@pytest.mark.parametrize(
    "value", ["a", None, [[1], [1, 2]], [1j], ["1"], np.array(["2020"], "M8[Y]"), {1: 2}, [10**400], object()]
)
def test_array_refuses_what_is_not_made_of_real_numbers(value):
    with pytest.raises(ValueError, match=r"^x is .*: it must be an array of real numbers\.$"):
        refusals.array("x", value)


def test_array_refuses_a_tensor_that_requires_a_gradient_in_the_same_words():
    with pytest.raises(ValueError, match="it must be an array of real numbers"):
        refusals.array("x", torch.ones(2, requires_grad=True))


def test_array_counts_dimensions():
    assert refusals.array("x", [[1.0]], (1, 2)).ndim == 2
    with pytest.raises(ValueError, match=r"^x has shape \(1, 1\): it must have 1 dimension\.$"):
        refusals.array("x", [[1.0]], 1)
    with pytest.raises(ValueError, match=r"^x has shape \(\): it must have 1 or 2 dimensions\.$"):
        refusals.array("x", 1.0, (1, 2))


def test_array_refuses_empty_and_non_finite_unless_told():
    with pytest.raises(ValueError, match="at least one element"):
        refusals.array("x", [])
    assert refusals.array("x", [], empty=True).size == 0
    for bad in (math.nan, math.inf, -math.inf):
        with pytest.raises(ValueError, match="holds NaN or infinity"):
            refusals.array("x", [1.0, bad])
        assert refusals.array("x", [1.0, bad], finite=False).size == 2


def test_messages_stay_short():
    with pytest.raises(ValueError, match="must be an array") as caught:
        refusals.array("x", ["word"] * 1000)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("value", [np.zeros((4, 4)), "a\nb", object(), {"a": [1] * 99}])
def test_what_was_given_is_shown_in_one_short_line(value):
    assert "\n" not in refusals.shown(value) and len(refusals.shown(value)) <= 80
    for check in (refusals.integer, refusals.number, refusals.flag):
        with pytest.raises(ValueError, match="it must be") as raised:
            check("n", value)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("value", [None, "no", 2, -1, 0.0, [], np.ones(3)])
def test_a_flag_is_true_or_false(value):
    assert refusals.flag("f", np.True_) and not refusals.flag("f", 0)
    with pytest.raises(ValueError, match=r"f is .*: it must be True or False"):
        refusals.flag("f", value)


def test_a_whole_number_beyond_the_floats_is_refused():
    assert refusals.integer("n", 2**53, 0) == 2**53
    with pytest.raises(ValueError, match=f"from 0 to {2**53}"):
        refusals.integer("n", 2**70, 0)


def test_an_error_is_told_in_one_sentence_and_a_sentence_stays():
    with pytest.raises(ValueError, match=r"^it fails: RuntimeError\('boom'\).$"), refusals.told("it fails"):
        raise RuntimeError("boom")
    with pytest.raises(ValueError, match=r"^a sentence$"), refusals.told("it fails"):
        raise ValueError("a sentence")
