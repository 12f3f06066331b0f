"""Values and texts against the annotation of a parameter."""

from __future__ import annotations

from fractions import Fraction
from typing import Optional

import numpy as np
import pytest

from kbe.book import kinds


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        ("int", "3", 3),
        ("int", "many", "many"),  # refused as what it seems to be
        ("int", "1e3", 1000.0),
        ("float", "0.1", 0.1),
        ("float", "0.1,0.2", (0.1, 0.2)),
        ("str", "relu", "relu"),
        ("str", "'relu'", "relu"),
        ("str", "1,2", "1,2"),
        ("str", "None", "None"),
        ("str | None", "None", None),
        ("bool", "True", True),
        ("list[int]", "1,2", (1, 2)),
        ("list[int]", "[1, 2]", [1, 2]),
        ("list[int]", "1,", (1,)),
        ("list[int]", "1", 1),
        ("list[int]", "1,many", "1,many"),
        ("list[str]", "relu,tanh", ["relu", "tanh"]),
        ("list[str]", "[relu, 'tanh']", "[relu, 'tanh']"),
        ("list[str]", "[relu, tanh]", ["relu", "tanh"]),
        ("list[str]", "1,2", ["1", "2"]),
        ("list[str]", "[]", []),
        ("list[str]", "relu,,tanh", "relu,,tanh"),
        ("list[int]", "(" * 1000, "(" * 1000),
    ],
)
def test_a_text_is_read_as_the_parameter_is_declared(annotation, text, value):
    read = kinds.typed("one", text, annotation)
    assert read == value and type(read) is type(value)


@pytest.mark.parametrize(
    ("annotation", "text", "values"),
    [
        ("int", "1,2", [1, 2]),
        ("int", "1,", [1]),
        ("int", "1,many", [1, "many"]),
        ("str", "1,relu", ["1", "relu"]),
        ("str", "'a,b','c'", ["a,b", "c"]),
        ("list[int]", "[1, 2],[3]", [[1, 2], [3]]),
        ("list[str]", "[relu,tanh],[elu]", [["relu", "tanh"], ["elu"]]),
        ("list[int]", "1,2", [1, 2]),  # refused: it could mean one list or two
    ],
)
def test_texts_of_a_grid_are_split_between_lists(annotation, text, values):
    assert kinds.typed_values("one", text, annotation) == values


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (np.int8(3), 3),
        (np.float32(0.5), 0.5),
        (Fraction(1, 2), 0.5),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        ((1, np.int64(2)), [1, 2]),
        (np.arange(2), [0, 1]),
        (10**400, 10**400),
        ("a", "a"),
        (None, None),
    ],
)
def test_a_value_is_written_as_pythons_own(value, written):
    plain = kinds.plain(value)
    assert plain == written and type(plain) is type(written)
    assert all(type(one) is int for one in plain) if isinstance(plain, list) else True


@pytest.mark.parametrize("annotation", ["Optional[int]", "'int | None'", "Union[int, None]", Optional[int]])  # noqa: UP045
def test_a_union_may_be_written_in_any_way(annotation):
    kinds.fitting("seed", 3, annotation)
    kinds.fitting("seed", None, annotation)
    with pytest.raises(ValueError, match=r"^seed is 'a': it must be of type "):
        kinds.fitting("seed", "a", annotation)


@pytest.mark.parametrize("annotation", ["dict[str, int]", "Literal['a']", "np.ndarray", "int[str]", dict[str, int]])
def test_an_annotation_that_means_no_parameter_is_refused(annotation):
    with pytest.raises(ValueError, match=r"^seed has the type .*: it must be made of int, float, str, bool, list"):
        kinds.fitting("seed", {}, annotation)
