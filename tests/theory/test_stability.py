"""Bounds from equation 8: the time to the collapse, and the curvature that the response kernel sees."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from kbe.data.encoding import hamming_distance, random_encoding
from kbe.theory.kernels import exponential_kernel
from kbe.theory.stability import collapse_bound, one_point_path, response_curvature
from kbe.theory.variance_network import curvature

STRINGS = random_encoding(5, 8)
GRAM = exponential_kernel(hamming_distance(STRINGS.x.values[0], STRINGS.x.values[0]), 0.7)
Y = STRINGS.y.values[0]
MEAN, DEVIATION = np.random.default_rng(1).uniform(0.3, 0.7, (2, 5))


def test_collapse_bound_stays_finite_where_inputs_repeat_without_conflict():
    bound = collapse_bound(np.ones((3, 3)), np.ones(3), np.full(3, 0.5), np.full(3, 0.5))
    assert_allclose(bound, (0.25 + 0.25) / 6)  # three equal points: one point whose loss counts three times


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
        ("gram", lambda: response_curvature(np.triu(GRAM), Y, MEAN, DEVIATION)),
        ("mean", lambda: response_curvature(GRAM, Y, MEAN[:3], DEVIATION)),
    ],
)
def test_bad_input_is_refused_with_a_sentence(name, call):
    with pytest.raises(ValueError, match=rf"\b{name}\b.*\.$"):
        call()
