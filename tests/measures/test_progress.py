"""Stages of training, equal losses, and rank correlations with controls."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from kbe import statistics
from kbe.measures import progress


def test_stages_by_hand():
    found = list(progress.stages([1.0, 0.95, 0.875, 0.5, 0.6, 0.05, 0.0]))
    assert found == ["start"] * 2 + ["fall"] * 3 + ["plateau"] * 2
    assert list(progress.stages([1.0, 1.0, 1.0])) == ["start"] * 3
    assert list(progress.stages([1.0, np.nan, np.inf, 0.0])) == ["start"] * 3 + ["plateau"]
    assert list(progress.stages([1.0, 0.75, 0.0], 0.25, 0.5)) == ["start", "fall", "plateau"]
    assert list(progress.stages([1.0, 1.5, 0.0], 0.25, 0.5)) == ["start", "start", "plateau"]


@pytest.mark.parametrize("arguments", [([np.nan],), ([1.0], 0.9, 0.1), ([1.0], -0.1), ([1.0], 0.1, 1.5)])
def test_bad_stages_are_refused(arguments):
    with pytest.raises(ValueError):
        progress.stages(*arguments)


def test_a_quantity_at_equal_loss_by_hand():
    loss = np.array([[1.0, 0.5, 0.125], [1.0, 0.9, 0.8]])
    values = np.array([[0.0, 10, 20], [1.0, 2, 3]])
    found = progress.at_losses(loss, values, [0.5, 0.25, 0.125, 0.01])
    np.testing.assert_allclose(found[0], [10, 15, 20, np.nan])  # a quarter is half way on the logarithm
    assert np.isnan(found[1]).all()
    assert np.isnan(progress.at_losses(loss, values, [2.0])).all()  # reached from the start: no way there was seen
    with pytest.raises(ValueError, match="level"):
        progress.at_losses(loss, values, [0.0])
    with pytest.raises(ValueError, match="loss"):
        progress.at_losses(loss, values[:1], [0.5])


def test_without_a_control_it_is_spearmans():
    first, second = np.random.default_rng(1).random((2, 40))
    second += first
    expected = stats.spearmanr(first, second).statistic
    assert statistics.partial_rank_correlation(first, second) == pytest.approx(expected)


def test_a_common_cause_is_taken_off_and_a_direct_one_stays():
    generator = np.random.default_rng(2)
    cause, noise, other = generator.standard_normal((3, 2000))
    first = cause + noise
    assert statistics.partial_rank_correlation(first, cause + other) > 0.4
    assert abs(statistics.partial_rank_correlation(first, cause + other, cause)) < 0.06
    assert statistics.partial_rank_correlation(first, noise + other, cause) > 0.5


def test_the_partial_correlation_follows_the_formula_for_one_control():
    a, b, c = np.random.default_rng(3).random((3, 25))
    b, c = b + a, c + a
    ab, ac, bc = (stats.spearmanr(*pair).statistic for pair in ((a, b), (a, c), (b, c)))
    expected = (ab - ac * bc) / np.sqrt((1 - ac**2) * (1 - bc**2))
    assert statistics.partial_rank_correlation(a, b, c) == pytest.approx(expected)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from([0.0, 1.0, 2.0, np.nan, np.inf]), min_size=1, max_size=8))
def test_any_members_give_a_correlation_or_nan(values):
    found = statistics.partial_rank_correlation(values, values)
    assert np.isnan(found) or found == pytest.approx(1)


def test_bad_shapes_are_refused():
    with pytest.raises(ValueError, match="same"):
        statistics.partial_rank_correlation([1.0, 2], [1.0, 2, 3])
