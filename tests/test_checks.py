"""The checks of arguments: what they let through, what they refuse, and in which words."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from kbe import checks

FEW = settings(max_examples=25, deadline=None)
NOT_NUMBERS = [None, "1", b"1", True, np.True_, [1], {}, 1j, Decimal(1), math.nan, math.inf, -math.inf, 10**400]


@FEW
@given(low=st.integers(-9, 9), width=st.integers(0, 9), value=st.integers(-30, 30))
def test_integer_lets_through_what_lies_within_its_bounds(low, width, value):
    high = low + width
    if low <= value <= high:
        assert checks.integer("n", np.int32(value), low, high) == value
        assert type(checks.integer("n", np.int32(value), low, high)) is int
    else:
        with pytest.raises(ValueError, match=rf"^n is {value}: it must be an integer from {low} to {high}\.$"):
            checks.integer("n", value, low, high)


@pytest.mark.parametrize("value", [*NOT_NUMBERS[:-1], 1.0, Fraction(1, 2), np.float64(3)])
def test_integer_refuses_what_is_none(value):
    with pytest.raises(ValueError, match=r"^n is .*: it must be an integer\.$"):
        checks.integer("n", value)


def test_messages_name_the_open_sides():
    with pytest.raises(ValueError, match=r"integer of at least 1\.$"):
        checks.integer("n", 0, 1)
    with pytest.raises(ValueError, match=r"integer of at most 5\.$"):
        checks.integer("n", 6, high=5)
    with pytest.raises(ValueError, match=r"finite number greater than 0\.$"):
        checks.number("eta", 0, above=0)
    with pytest.raises(ValueError, match=r"finite number greater than 0 and at most 1\.$"):
        checks.number("level", 2, high=1, above=0)
    with pytest.raises(ValueError, match=r"finite number from 0 to 1\.$"):
        checks.number("share", 2, 0, 1)


@FEW
@given(value=st.floats(allow_nan=False, allow_infinity=False), bound=st.floats(-1e3, 1e3))
def test_number_lets_through_what_lies_within_its_bounds(value, bound):
    assert checks.number("a", value) == value
    for arguments, allowed in [
        ({"low": bound}, value >= bound),
        ({"high": bound}, value <= bound),
        ({"above": bound}, value > bound),
    ]:
        if allowed:
            assert checks.number("a", value, **arguments) == value
        else:
            with pytest.raises(ValueError, match=r"^a is"):
                checks.number("a", value, **arguments)


@pytest.mark.parametrize("value", NOT_NUMBERS)
def test_number_refuses_what_is_none(value):
    with pytest.raises(ValueError, match=r"^a is .*: it must be a finite number\.$"):
        checks.number("a", value)


def test_number_takes_every_kind_of_real_number():
    for value in (1, np.float32(1), np.int8(1), Fraction(1)):
        assert checks.number("a", value) == 1
        assert type(checks.number("a", value)) is float


@FEW
@given(value=st.one_of(st.text(), st.none(), st.integers(), st.lists(st.text())))
def test_choice(value):
    if value in ("mean", "sum"):
        assert checks.choice("way", value, ("mean", "sum")) == value
    else:
        with pytest.raises(ValueError, match=r"it must be one of 'mean', 'sum'\.$"):
            checks.choice("way", value, ("mean", "sum"))


@pytest.mark.parametrize("value", [[1, 2], (True, False), np.ones(2, np.float32), torch.ones(2), range(1, 3)])
def test_array_is_float64(value):
    result = checks.array("x", value, 1)
    assert result.dtype == np.float64
    np.testing.assert_array_equal(result, np.asarray(value))


def test_array_that_fits_is_not_copied():
    value = np.ones(3)
    assert checks.array("x", value) is value


@pytest.mark.parametrize(
    "value", ["a", None, [[1], [1, 2]], [1j], ["1"], np.array(["2020"], "M8[Y]"), {1: 2}, [10**400], object()]
)
def test_array_refuses_what_is_not_made_of_real_numbers(value):
    with pytest.raises(ValueError, match=r"^x is .*: it must be an array of real numbers\.$"):
        checks.array("x", value)


def test_array_refuses_a_tensor_that_requires_a_gradient_in_the_same_words():
    with pytest.raises(ValueError, match="it must be an array of real numbers"):
        checks.array("x", torch.ones(2, requires_grad=True))


def test_array_counts_dimensions():
    assert checks.array("x", [[1.0]], (1, 2)).ndim == 2
    with pytest.raises(ValueError, match=r"^x has shape \(1, 1\): it must have 1 dimension\.$"):
        checks.array("x", [[1.0]], 1)
    with pytest.raises(ValueError, match=r"^x has shape \(\): it must have 1 or 2 dimensions\.$"):
        checks.array("x", 1.0, (1, 2))


def test_array_refuses_empty_and_non_finite_unless_told():
    with pytest.raises(ValueError, match="at least one element"):
        checks.array("x", [])
    assert checks.array("x", [], empty=True).size == 0
    for bad in (math.nan, math.inf, -math.inf):
        with pytest.raises(ValueError, match="holds NaN or infinity"):
            checks.array("x", [1.0, bad])
        assert checks.array("x", [1.0, bad], finite=False).size == 2


def test_messages_stay_short():
    with pytest.raises(ValueError, match="must be an array") as caught:
        checks.array("x", ["word"] * 1000)
    assert len(str(caught.value)) < 200


def test_same_shape():
    checks.same_shape(a=np.ones(3), b=np.zeros(3))
    with pytest.raises(ValueError, match=r"^The shapes are a \(3,\), b \(4,\): they must be the same\.$"):
        checks.same_shape(a=np.ones(3), b=np.ones(4))


@pytest.mark.parametrize("value", [np.zeros((4, 4)), "a\nb", object(), {"a": [1] * 99}])
def test_what_was_given_is_shown_in_one_short_line(value):
    assert "\n" not in checks.shown(value) and len(checks.shown(value)) <= 80
    for check in (checks.integer, checks.number, checks.flag):
        with pytest.raises(ValueError, match="it must be") as raised:
            check("n", value)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("value", [None, "no", 2, -1, 0.0, [], np.ones(3)])
def test_a_flag_is_true_or_false(value):
    assert checks.flag("f", np.True_) and not checks.flag("f", 0)
    with pytest.raises(ValueError, match=r"f is .*: it must be True or False"):
        checks.flag("f", value)


def test_a_whole_number_beyond_the_floats_is_refused():
    assert checks.integer("n", 2**53, 0) == 2**53
    with pytest.raises(ValueError, match=f"from 0 to {2**53}"):
        checks.integer("n", 2**70, 0)


@checks.checked
def relaxed(
    gram: checks.Gram,
    targets: checks.Points,
    times: checks.Times,
    rate: checks.Positive = 0.1,
    *others: checks.Points,
    steps: checks.Count | None = None,
    divide: Literal["weights", "count"] = "weights",
    printed: bool = False,
    statistic: Callable = np.median,
    module: nn.Module | None = None,
    anything: Any = None,
    **factors: checks.Vector,
) -> tuple:
    return gram, targets, times, rate, others, steps, divide, printed, factors


GOOD = {"gram": np.eye(3), "targets": [1, 2, 3], "times": [0.0]}


def test_arguments_arrive_as_their_types_make_them():
    gram, targets, times, rate, others, steps, divide, printed, factors = relaxed(
        np.eye(3), [1, 2, 3], (0, 1), 1, torch.ones(2, 3), steps=np.int8(2), printed=np.True_, anything=3, width=[1, 2]
    )
    assert targets.dtype == times.dtype == others[0].dtype == factors["width"].dtype == np.float64
    assert (rate, steps, divide, printed) == (1.0, 2, "weights", True) and type(rate) is float and type(steps) is int
    assert gram.shape == (3, 3) and relaxed(np.ones((5, 3, 3)), np.ones(3), [0.0])[0].shape == (5, 3, 3)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"gram": np.eye(4)}, r"targets has shape \(3,\): it must be \(..., points\) with points = 4 as in gram\."),
        ({"gram": np.ones((2, 3))}, r"gram has shape \(2, 3\): it must be \(..., points, points\) with points = 2\."),
        ({"gram": [1.0]}, r"gram has shape \(1,\): it must be \(..., points, points\)\."),
        ({"targets": 1.0}, r"targets has shape \(\): it must be \(..., points\)\."),
        ({"targets": ["a"] * 3}, "targets is .*: it must be an array of real numbers"),
        ({"targets": [1, np.nan, 3]}, "targets holds NaN or infinity"),
        ({"times": [[0.0]]}, r"times has shape \(1, 1\): it must be \(times,\)\."),
        ({"times": [1, -2]}, "times holds -2: every element must be at least 0"),
        ({"rate": 0}, "rate is 0: it must be a finite number greater than 0.0?"),
        ({"steps": 0}, "steps is 0: it must be an integer of at least 1"),
        ({"steps": True}, "steps is True: it must be an integer"),
        ({"divide": "half"}, "divide is 'half': it must be one of 'weights', 'count'"),
        ({"printed": "no"}, "printed is 'no': it must be True or False"),
        ({"statistic": 3}, "statistic is 3: it must be a function"),
        ({"module": "m"}, "module is 'm': it must be a Module"),
        ({"width": [[1]]}, r"width has shape \(1, 1\): it must be \(elements,\)"),
    ],
)
def test_arguments_that_their_types_do_not_allow_are_refused_in_one_sentence(given, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}") as raised:
        relaxed(**GOOD | given)
    assert "\n" not in str(raised.value) and str(raised.value).endswith(".")


def test_each_of_several_arguments_is_named():
    with pytest.raises(ValueError, match="argument 2 of others has shape"):
        relaxed(np.eye(3), np.ones(3), [0.0], 1.0, np.ones(3), np.ones(4))


def test_arguments_that_do_not_fit_are_an_error_as_ever():
    @checks.checked
    def closed(steps: int) -> None: ...

    for call in (lambda: closed(steps=1, step=1), lambda: closed(), lambda: closed(1, 2)):
        with pytest.raises(TypeError, match=r"closed\(\)"):
            call()


@pytest.mark.parametrize(
    ("check", "good", "bad", "word"),
    [
        (checks.Shaped(above=0), [1e-300], [0.0], "greater than 0"),
        (
            checks.Shaped(low=0, finite=False),
            [np.nan, np.inf],
            [np.nan, -1.0],
            "holds -1: every element must be at least 0",
        ),
        (checks.Shaped("n", increasing=True), [1, 2, 4], [1, 1], "must increase"),
        (checks.Shaped("... n n", symmetric=True), [[1, 2], [2, 1]], [[1, 2], [2.1, 1]], "not symmetric"),
        (checks.Shaped("a a a"), np.ones((2, 2, 2)), np.ones((2, 2, 3)), "with a = 2"),
        (checks.Real(above=0, below=1), 0.5, 1.0, "greater than 0 and less than 1"),
        (checks.Real(below=1), -5, 1.0, "less than 1"),
        (checks.Real(0, 1), 1, 1.1, "from 0 to 1"),
        (checks.Whole(high=3), -7, 4, "of at most 3"),
        (checks.Holds("x y", "data"), xr.Dataset({"x": 0, "y": 1}), xr.Dataset({"x": 0}), "lacks y: it must be data"),
        (checks.Holds("member", "one"), xr.DataArray([1], dims="member"), xr.DataArray([1], dims="a"), "lacks member"),
        (checks.Holds("member", "one"), xr.DataArray([1], dims="member"), 3, "lacks member"),
    ],
)
def test_what_a_type_lets_through_and_refuses(check, good, bad, word):
    assert check("name", good, {}) is not None
    with pytest.raises(ValueError, match=f"^name .*{word}"):
        check("name", bad, {})
