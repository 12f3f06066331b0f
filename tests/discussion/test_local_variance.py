"""The variance from residuals: theory against drawn noise, parts that add up, scores known by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from kbe.discussion import local_variance
from kbe.theory import average_network, kernels

LINE = np.linspace(0, 1, 12)
GRAM = kernels.exponential_kernel(kernels.line_distance(LINE, LINE), 5.0)


def test_eq17_the_expected_square_is_the_mean_over_drawn_noise():
    variance, offset, start = 0.02 + 0.1 * LINE, np.sin(3 * LINE), np.full(12, 0.3)
    expected = local_variance.expected_square(GRAM, 1.5, variance, offset)
    draws = np.random.default_rng(0).standard_normal((20000, 12)) * np.sqrt(variance)
    weights = average_network.effective_weights(GRAM, 1.5)
    mean = start + offset
    outputs = (mean + draws) @ weights.T + (np.eye(12) - weights) @ start
    np.testing.assert_allclose(((mean + draws - outputs) ** 2).mean(0), expected.square, rtol=0.05)
    np.testing.assert_allclose(((outputs - mean) ** 2).mean(0), expected.error, rtol=0.05)
    np.testing.assert_allclose((draws * (draws @ weights.T)).mean(0), expected.covariance, rtol=0.05)


def test_eq17_the_square_is_a_noncentral_chi_squared_of_all_variances():
    """v_i and b_i of the errata: with variances that differ the one of equal variances misses."""
    variance, offset = np.where(np.arange(12) % 3, 0.01, 0.5), np.sin(3 * LINE)
    weights = average_network.effective_weights(GRAM, 1.5)
    left = np.eye(12) - weights
    spread, bias = left**2 @ variance, left @ offset
    noise = np.random.default_rng(0).standard_normal((20000, 12)) * np.sqrt(variance)
    square = ((noise + offset) @ left.T) ** 2
    laws = [stats.ncx2(1, bias[i] ** 2 / v, scale=v) for i, v in enumerate(spread)]
    assert min(stats.kstest(square[:, i], law.cdf).pvalue for i, law in enumerate(laws)) > 1e-3
    own = (left**2).sum(1) * variance  # as if all had this variance
    equal = [stats.ncx2(1, bias[i] ** 2 / v, scale=v) for i, v in enumerate(own)]
    assert max(stats.kstest(square[:, i], law.cdf).statistic for i, law in enumerate(equal)) > 0.2


def test_eq17_it_begins_as_the_start_and_ends_at_nothing():
    variance, offset = np.full(12, 0.1), np.ones(12)
    first, last = (local_variance.expected_square(GRAM, time, variance, offset).square for time in (0, 1e6))
    np.testing.assert_allclose(first, 1.1)
    np.testing.assert_allclose(last, 0, atol=1e-9)


def test_measured_parts_add_up_to_the_square():
    rng = np.random.default_rng(1)
    targets, mean, output = rng.random((2, 5)), rng.random((2, 5)), rng.random((2, 3, 5))
    parts = local_variance.measured_parts(output, targets, mean, np.full((2, 5), 0.2))
    np.testing.assert_allclose(parts.square, parts.noise + parts.error - 2 * parts.covariance)
    np.testing.assert_allclose(parts.square[1, 2], np.mean((targets[1] - output[1, 2]) ** 2) / 0.2)


def test_scores_of_the_truth_of_twice_it_and_of_a_constant():
    truth = np.array([[0.1, 0.2, 0.4, np.nan]])
    estimates = np.stack([truth[0], 2 * truth[0], np.full(4, 0.7 / 3)])[:, None]
    estimates[..., 3] = 5  # where the truth is NaN the estimate does not count
    found = local_variance.scores(estimates, truth)
    np.testing.assert_allclose(found["rank"][:, 0], [1, 1, 0])
    np.testing.assert_allclose(found.ratio[:, 0], [1, 2, 1])
    np.testing.assert_allclose(found.slope[:, 0], [1, 2, 0], atol=1e-12)
    np.testing.assert_allclose(found.skill[[0, 2], 0], [1, 0], atol=1e-12)
    np.testing.assert_allclose(found.factor[:2, 0], [1, 2])
    assert np.isnan(local_variance.scores(np.full((1, 4), np.inf), truth)["rank"]).all()


def test_the_squared_noise_is_right_on_average_and_off_by_the_median_of_chi_squared():
    variance = np.exp(np.random.default_rng(2).uniform(-3, 0, (4, 4000)))
    found = local_variance.noise_ceiling(variance, draws=2)
    np.testing.assert_allclose(found.ratio, 1, atol=0.1)
    np.testing.assert_allclose(found.slope, 1, atol=0.2)
    draws = np.abs(np.log(np.random.default_rng(3).standard_normal(100_000) ** 2))
    np.testing.assert_allclose(found.factor, np.exp(np.median(draws)), rtol=0.1)
    assert (found["rank"] < 0.6).all() and (found["rank"] > 0.2).all()


def test_the_choice_of_one_half_is_the_best_of_the_other():
    score = np.zeros((4, 3))
    score[::2, 1], score[1::2, 2], score[1, 0] = 1, 1, np.nan
    assert local_variance.cross_validated_choice(score).tolist() == [2, 1, 2, 1]
    assert local_variance.cross_validated_choice(score[:1]).tolist() == [1]


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: local_variance.expected_square(GRAM, 1, -np.ones(12), np.ones(12)), "variance"),
        (lambda: local_variance.expected_square(GRAM, 1, np.ones(11), np.ones(11)), "variance"),
        (lambda: local_variance.measured_parts(np.ones((2, 3, 4)), *[np.ones((2, 5))] * 3), "targets"),
        (lambda: local_variance.scores(np.ones((2, 2)), np.ones((2, 2))), "variance"),
        (lambda: local_variance.scores(np.ones((2, 4)), np.ones((2, 5))), "variance"),
        (lambda: local_variance.cross_validated_choice(np.ones(3)), "score"),
        (lambda: local_variance.scores(np.ones((2, 4)), np.ones((3, 4))), "variance"),
        (lambda: local_variance.noise_ceiling(np.ones((2, 4)), 0), "draws"),
    ],
)
def test_bad_input_is_named(call, named):
    with pytest.raises(ValueError, match=f"^{named} "):
        call()
