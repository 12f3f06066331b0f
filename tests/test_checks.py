"""Annotated types of arguments, and the decorator that enforces them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from kbe import checks


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
        ({"steps": 0}, "steps is 0: it must be an integer from 1 to 1000000"),
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
        (checks.Holds("x, y", "data"), xr.Dataset({"x": 0, "y": 1}), xr.Dataset({"x": 0}), "lacks y: it must be data"),
        (
            checks.Holds("(member)", "one"),
            xr.DataArray([1], dims="member"),
            xr.DataArray([1], dims="a"),
            "lacks member",
        ),
        (checks.Holds("(member)", "one"), xr.DataArray([1], dims="member"), 3, "lacks member"),
    ],
)
def test_what_a_type_lets_through_and_refuses(check, good, bad, word):
    assert check("name", good, {}) is not None
    with pytest.raises(ValueError, match=f"^name .*{word}"):
        check("name", bad, {})


def test_dimensions_that_dots_stand_for_broadcast_where_they_must():
    @checks.checked
    def add(first: checks.Points, second: checks.Points, third: Annotated[np.ndarray, checks.Shaped("... points")]): ...

    add(np.ones((4, 3, 2)), np.ones((3, 2)), np.ones((5, 2)))
    with pytest.raises(ValueError, match=r"^second has shape \(5, 2\): \(5,\) must fit \(4, 3\) as in first\.$"):
        add(np.ones((4, 3, 2)), np.ones((5, 2)), np.ones(2))


RUN = xr.Dataset(
    {"mu": (("member", "epoch"), np.ones((2, 3))), "y": ("member", [1.0, 2.0])},
    {"member": [0, 1], "epoch": [0, 1, 2]},
    {"jump": 1},
)
LIMIT = xr.DataArray([1.0, 2.0], {"member": [0, 1]})


@checks.checked
def measured(
    run: Annotated[xr.Dataset, checks.Holds("mu(member epoch) y(... member)", "a run", "jump")],
    limit: Annotated[xr.DataArray, checks.Holds("(... member)", "a limit")],
    weights: checks.PerMember = None,
) -> xr.Dataset:
    return run


def test_labelled_data_arrive_with_their_dimensions_in_order():
    assert measured(RUN.transpose("epoch", "member"), LIMIT).mu.dims == ("member", "epoch")
    assert measured(RUN, LIMIT.expand_dims("fraction", -1).drop_vars("member"), [1, 2]) is RUN


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"run": RUN.drop_vars("mu")}, "run lacks mu: it must be a run"),
        ({"run": RUN.mu}, "run lacks mu, y: it must be a run"),
        ({"run": RUN.rename(epoch="time")}, r"run\.mu lacks epoch: it must be a run"),
        (
            {"run": RUN.expand_dims("head")},
            r"run\.mu has the dimensions \(head member epoch\): it must have \(member ep",
        ),
        ({"run": RUN.astype(str)}, r"run\.mu has shape \(2, 3\) and type .*: it must hold real numbers"),
        ({"run": RUN.isel(epoch=slice(0))}, r"run\.mu has shape \(2, 0\) and type .*: it must hold real numbers"),
        (
            {"run": RUN.isel(epoch=[1, 0])},
            r"run\.mu has the epochs array\(\[1, 0\]\): they must be numbers that increase",
        ),
        ({"run": RUN.drop_attrs()}, "run lacks the attributes jump: it must be a run"),
        ({"limit": LIMIT.values}, "limit lacks member: it must be a limit"),
        ({"limit": LIMIT[:1]}, "limit has 1 along member: it must have 2 as run has"),
        ({"limit": LIMIT[::-1]}, "limit has other labels along member than run: they must be the same"),
        ({"weights": [1, 2, 3]}, r"weights has shape \(3,\): it must be \(members,\) with members = 2 as in run"),
    ],
)
def test_labelled_data_of_another_kind_are_refused_in_one_sentence(change, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}.*\\.$"):
        measured(**{"run": RUN, "limit": LIMIT} | change)


def test_an_array_with_names_is_brought_into_the_order_of_its_type():
    @checks.checked
    def table(values: Annotated[np.ndarray, checks.Shaped("members epochs")]) -> np.ndarray:
        return values

    np.testing.assert_array_equal(table(RUN.mu.T * [[1], [2], [3]]), table(RUN.mu * [1, 2, 3]))


@checks.checked
def nested(
    pairs: Sequence[tuple[checks.Count, checks.Share]] = (),
    named: Mapping[str, checks.Vector] | None = None,
    either: checks.Count | Literal["all"] = "all",
    kind: Annotated[str, checks.OneOf({"elu": 1, "relu": 2})] = "elu",
) -> tuple:
    return pairs, named, either


def test_what_a_container_holds_arrives_as_its_types_make_it():
    pairs, named, either = nested(np.array([[1, 0], [2, 1]]), {"a": [1, 2], "b": [3]}, np.int8(3))
    assert pairs == [(1, 0.0), (2, 1.0)] and type(pairs[0][1]) is float and type(either) is int
    assert named["a"].dtype == np.float64 and nested(either="all")[2] == "all"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"pairs": [(1, 0.5), (0, 0.5)]}, r"pairs\[1\]\[0\] is 0: it must be an integer from 1 to 1000000"),
        ({"pairs": [(1, 0.5, 1)]}, r"pairs\[0\] is \(1, 0.5, 1\): it must be a list of 2"),
        ({"pairs": "ab"}, "pairs is 'ab': it must be a list of several"),
        ({"named": {}}, "named is {}: it must be a dictionary that is not empty"),
        ({"named": {1: [1]}}, "a name in named is 1: it must be a str"),
        ({"named": {"a": [[1]]}}, r"named\['a'\] has shape \(1, 1\): it must be \(elements,\)"),
        ({"either": "some"}, "either is 'some': it must be one of 'all'"),
        ({"kind": "tanh"}, "kind is 'tanh': it must be one of 'elu', 'relu'"),
    ],
)
def test_what_a_container_may_not_hold_is_named_with_its_place(given, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}"):
        nested(**given)


def test_an_array_that_runs_backwards_in_memory_is_one_that_torch_takes():
    torch.as_tensor(checks.Shaped()("name", np.arange(3.0)[::-1], {}))


def test_dots_at_the_end_stand_for_any_dimensions_after():
    @checks.checked
    def inputs(x: Annotated[np.ndarray, checks.Shaped("n ...")], distance: Annotated[np.ndarray, checks.Shaped("n n")]):
        return x.shape

    assert inputs(np.ones(2), np.eye(2)) == (2,)
    assert inputs(np.ones((2, 3, 1)), np.eye(2)) == (2, 3, 1)
    with pytest.raises(ValueError, match=r"^x has shape \(\): it must be \(n, \.\.\.\)\.$"):
        inputs(1.0, np.eye(2))
    with pytest.raises(ValueError, match=r"^distance has shape \(3, 3\): it must be \(n, n\) with n = 2 as in x\.$"):
        inputs(np.ones((2, 3)), np.eye(3))


@checks.checked
def rows(
    x: Annotated[np.ndarray, checks.Shaped("n ...")], run: Annotated[xr.Dataset, checks.Holds("x(n ...)", "a run")]
) -> tuple[np.ndarray, np.ndarray]:
    """The first row of each."""
    return x[0], run.x.values[0]


def test_dots_behind_a_name_stand_for_what_comes_after_it():
    turned = xr.DataArray([[1.0, 3.0], [2.0, 4.0]], dims=("bit", "n"))
    for row in rows(turned, xr.Dataset({"x": turned})):
        np.testing.assert_array_equal(row, [1, 2])
