"""Ensembles over sizes of the data set."""

from __future__ import annotations

import functools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kbe.data.encoding import random_encoding
from kbe.measures.variances import variances
from kbe.networks import VarianceNetwork
from kbe.training import ensemble
from kbe.training.sizes import over_sizes

FEW = settings(max_examples=25, deadline=None)
SMALL = functools.partial(VarianceNetwork, bits=4, layers=1)


def test_sizes_are_the_ensembles_one_by_one():
    found = over_sizes([2, 5], variances, members=3, bits=4, seed=6, network=SMALL, epochs=7, record=[0, 7])
    assert found.gap.dims == ("points", "member", "epoch")
    assert found.points.values.tolist() == [2, 5]
    for points in (2, 5):
        alone = variances(ensemble.train(SMALL, random_encoding(points, 4, 3, seed=6), epochs=7, record=[0, 7], seed=6))
        assert found.sel(points=points).gap.equals(alone.gap.assign_coords(points=points))
    assert found.attrs["epochs"] == 7
    assert "data_points" not in found.attrs


def test_sizes_keep_any_measurement():
    found = over_sizes([1, 3], lambda run: run[["onset"]], members=2, bits=4, network=SMALL, epochs=2)
    assert set(found.data_vars) == {"onset"}


@FEW
@given(bad=st.one_of(
    st.sampled_from([[], [3, 2], [2, 2], "all", [0], [17], [1.5], None]),
    st.lists(st.integers(-5, 0), min_size=1, max_size=1),
))  # fmt: skip
def test_sizes_that_cannot_be_are_refused(bad):
    with pytest.raises(ValueError, match=r"sizes|points"):
        over_sizes(bad, variances, members=1, bits=4, network=SMALL, epochs=0)
