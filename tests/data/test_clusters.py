"""Clusters of points: what is drawn is what was asked for; times on cases known by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kbe.data import clusters, encoding
from kbe.measures import progress

COUNTS = [1, 1, 4, 4, 0]


@pytest.mark.parametrize("radius", [0, 1])
def test_points_lie_at_their_centres_and_centres_lie_apart(radius):
    data = clusters.draw(COUNTS, members=3, radius=radius, seed=5)
    assert data.x.shape == (3, 10, 8) and data["count"].values.tolist() == [COUNTS] * 3
    for member in range(3):
        one = data.isel(member=member)
        to_centres = encoding.hamming_distance(one.x.values, one.centre.values)
        assert (to_centres[np.arange(10), one.cluster.values] <= radius).all()
        between = encoding.hamming_distance(one.centre.values, one.centre.values)
        assert between[~np.eye(5, dtype=bool)].min() >= 4
        assert np.bincount(one.cluster.values, minlength=5).tolist() == COUNTS
        np.testing.assert_array_equal(one.y.values, one.cluster.values % 2)
    assert (data.centre.values[0] != data.centre.values[1]).any()


def test_a_radius_of_one_draws_many_strings_and_a_radius_of_none_a_single_one():
    many, one = (clusters.draw([300], members=1, radius=radius).x.values[0] for radius in (1, 0))
    assert len(np.unique(many, axis=0)) == 9 and len(np.unique(one, axis=0)) == 1


def test_other_counts_leave_the_centres_and_other_members_alone():
    first = clusters.draw(COUNTS, members=2, seed=1)
    second = clusters.draw([COUNTS[::-1], COUNTS], members=2, seed=1)
    np.testing.assert_array_equal(first.centre, second.centre)
    np.testing.assert_array_equal(first.x.isel(member=1), second.x.isel(member=1))
    assert (first.x.isel(member=0) != second.x.isel(member=0)).any()


@given(st.lists(st.integers(0, 50), min_size=1, max_size=8).filter(any), st.integers(0, 100))
@settings(max_examples=25, deadline=None)
def test_allotted_points_add_up_and_no_share_is_off_by_a_whole_point(shares, points):
    allotted = clusters.allot(shares, points)
    assert allotted.sum() == points
    assert (np.abs(allotted - points * np.array(shares) / sum(shares)) < 1).all()


def test_the_time_to_learn_an_exponential_is_the_logarithm_over_its_rate():
    epochs, rates = np.arange(2001.0), np.array([0.01, 0.002])
    error = -3 * np.exp(-epochs[:, None] * rates)  # of either sign
    np.testing.assert_allclose(progress.time_to_learn(error, epochs), np.log(2) / rates, rtol=1e-4)
    np.testing.assert_allclose(progress.time_to_learn(error[None], epochs, 0.1)[0], np.log(10) / rates, rtol=1e-4)


def test_what_is_never_learnt_takes_for_ever():
    error = np.array([[1.0, 0.0, 1.0], [0.6, 0.0, np.nan]])
    assert np.isinf(progress.time_to_learn(error, np.array([0, 1]))).all()


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: clusters.draw([1, -1]), "counts"),
        (lambda: clusters.draw([1, 0.5]), "counts"),
        (lambda: clusters.draw([[1, 1], [1, 2]], members=2), "counts"),
        (lambda: clusters.draw([[1, 1]], members=2), "counts"),
        (lambda: clusters.draw([1] * 40), "counts"),
        (lambda: clusters.draw([0, 0]), "counts"),
        (lambda: clusters.draw([[[1]]]), "counts"),
        (lambda: clusters.draw([1], radius=2), "radius"),
        (lambda: clusters.draw([1], radius=9, separation=19), "radius"),
        (lambda: clusters.allot([-1, 2], 3), "shares"),
        (lambda: clusters.allot([0, 0], 3), "shares"),
        (lambda: progress.time_to_learn(np.ones((3, 2)), [0, 1]), "error"),
        (lambda: progress.time_to_learn(np.ones((2, 2)), [0, 1], 1.5), "level"),
    ],
)
def test_bad_input_is_named(call, named):
    with pytest.raises(ValueError, match=f"^{named}"):
        call()
