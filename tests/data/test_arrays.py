"""Arrays of one's own as a data set of every member."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kbe.data import arrays


@pytest.mark.parametrize("shape", [(3, 2), (3, 2, 4)])
def test_every_member_has_the_data(shape):
    x, y = np.random.default_rng(0).normal(size=shape), [1, 2, 3]
    data = arrays.repeated(torch.as_tensor(x), y, members=2)
    assert data.x.dims[:2] == data.y.dims == ("member", "point") and data.member.values.tolist() == [0, 1]
    for member in range(2):
        np.testing.assert_array_equal(data.x[member], x)
        np.testing.assert_array_equal(data.y[member], y)
    data.x[0] = 0  # members do not share memory
    assert (data.x[1] == x).all()


@pytest.mark.parametrize(("arguments", "sentence"), [
    (([1, 2, 3], [1, 2, 3]), r"x has shape \(3,\): it must be \(points, features, \.\.\.\)"),
    ((np.ones((2, 3)), [1, 2, 3]), r"y has shape \(3,\): it must be \(points,\) with points = 2 as in x"),
    ((np.ones((2, 3)), np.ones((2, 1))), r"y has shape \(2, 1\)"),
    ((np.ones((2, 3)), [1, np.nan]), "y holds NaN"),
    ((["a", "b"], [1, 2]), "x is "),
    ((np.ones((2, 3)), [1, 2], 0), "members is 0"),
])  # fmt: skip
def test_what_is_no_data_set_is_refused(arguments, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}"):
        arrays.repeated(*arguments)
