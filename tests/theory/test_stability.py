"""Bounds from equation 8: the time to the collapse, and the curvature that the response kernel sees."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from kbe.data.encoding import hamming_distance, random_encoding
from kbe.theory.kernels import exponential_kernel
from kbe.theory.stability import collapse_bound, one_point_path, response_curvature
from kbe.theory.variance_network import curvature, variance_rates

STRINGS = random_encoding(5, 8)
GRAM = exponential_kernel(hamming_distance(STRINGS.x.values[0], STRINGS.x.values[0]), 0.7)
Y = STRINGS.y.values[0]
MEAN, DEVIATION = np.random.default_rng(1).uniform(0.3, 0.7, (2, 5))


def test_collapse_bound_stays_finite_where_inputs_repeat_without_conflict():
    bound = collapse_bound(np.ones((3, 3)), np.ones(3), np.full(3, 0.5), np.full(3, 0.5))
    assert_allclose(bound, (0.25 + 0.25) / 6)  # three equal points: one point whose loss counts three times


REPEATED = np.array([0, 0, 1, 1, 1, 2, 3, 3])  # the input of each point
CONFLICT = np.array([0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0])  # inputs 2 and 3 have one target


@pytest.mark.parametrize("factor", [1.0, 0.5])
def test_eq21_eq23_the_bracket_falls_as_the_docstring_says_where_inputs_repeat(factor):
    distance = hamming_distance(STRINGS.x.values[0], STRINGS.x.values[0])[:4, :4]
    inputs, other = (exponential_kernel(distance, scale) for scale in (0.7, 1.5))
    both = [gram[np.ix_(REPEATED, REPEATED)] for gram in (inputs, other)]
    mean, deviation = MEAN[:4], DEVIATION[:4]
    copies = np.bincount(REPEATED)
    own = np.bincount(REPEATED, CONFLICT) / copies
    spread = np.sqrt(own * (1 - own))  # of targets 0 and 1
    options = {"deviation_gram": both[1], "mean_factor": factor}
    rates = variance_rates(both[0], CONFLICT, mean[REPEATED], deviation[REPEATED], **options)
    moved, grown = (rate[[0, 2, 5, 6]] for rate in rates)
    error, excess = own - mean, deviation - spread
    fall = -2 * error @ np.linalg.solve(factor * inputs, moved) + 2 * excess @ np.linalg.solve(other, grown)
    terms = copies * (spread * error**2 + excess**2 * (deviation + spread)) / deviation**3
    assert_allclose(terms[2:], copies[2:])
    assert_allclose(fall, -2 * terms.sum())
    bracket = error @ np.linalg.solve(factor * inputs, error) + excess @ np.linalg.solve(other, excess)
    bound = collapse_bound(both[0], CONFLICT, mean[REPEATED], deviation[REPEATED], **options)
    assert_allclose(bound, bracket / (2 * 3))  # three points at inputs of one target


def test_collapse_bound_is_lost_where_every_input_conflicts_or_copies_start_apart():
    apart = np.linspace(0.4, 0.5, 4)
    assert collapse_bound(np.ones((4, 4)), np.array([0.0, 1, 0, 1]), np.full(4, 0.5), np.full(4, 0.5)) == np.inf
    assert collapse_bound(np.ones((4, 4)), np.ones(4), apart, np.full(4, 0.5)) == np.inf
    assert collapse_bound(np.ones((4, 4)), np.ones(4), np.full(4, 0.5), apart) == np.inf


def test_one_point_path_ends_on_the_axis_with_factor_one_and_on_the_root_of_two_with_the_printed_half():
    tiny = np.array([1e-30, 1e-100])
    assert (one_point_path(tiny, 0.5, 0.5) / tiny > [11, 21]).all()
    assert_allclose(one_point_path(tiny, 0.5, 0.5, mean_factor=0.5) / tiny, np.sqrt(2))


def test_response_curvature_one_point_formula_and_dense_independent():
    error, deviation = np.array([0.3]), np.array([0.4])
    ratio = (error / deviation) ** 2
    formula = (3 * ratio + np.sqrt(9 * ratio**2 + 4 * ratio + 4)) / (2 * deviation**2)
    assert_allclose(response_curvature([[2.0]], np.ones(1), 1 - error, deviation), 2 * formula[0])
    bend = curvature(Y, MEAN, DEVIATION)
    dense = np.block([[(1 + a) * GRAM @ np.diag(bend[a, b]) for b in (0, 1)] for a in (0, 1)])
    found = response_curvature(GRAM, Y, MEAN, DEVIATION, deviation_gram=2 * GRAM)
    assert_allclose(found, np.linalg.eigvals(dense).real.max())
    assert np.isnan(response_curvature(GRAM, Y, np.full(5, np.nan), DEVIATION))


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("deviation", lambda: collapse_bound(GRAM, Y, MEAN, np.zeros(5))),
        ("gram", lambda: collapse_bound(GRAM[:3], Y, MEAN, DEVIATION)),
        ("mean_factor", lambda: collapse_bound(GRAM, Y, MEAN, DEVIATION, mean_factor=0)),
        ("error", lambda: one_point_path(np.array([0.7]), 0.5, 0.5)),
        ("error", lambda: one_point_path(np.array([-0.1]), 0.5, 0.5)),
        ("error", lambda: one_point_path(np.array([0.1]), 0.0, 0.5)),
        ("start_deviation", lambda: one_point_path(np.array([0.1]), 0.5, 0.0)),
        ("mean_factor", lambda: one_point_path(np.array([0.1]), 0.5, 0.5, mean_factor=0)),
        ("gram", lambda: response_curvature(np.triu(GRAM), Y, MEAN, DEVIATION)),
        ("mean", lambda: response_curvature(GRAM, Y, MEAN[:3], DEVIATION)),
    ],
)
def test_bad_input_is_refused_with_a_sentence(name, call):
    with pytest.raises(ValueError, match=rf"\b{name}\b.*\.$"):
        call()
