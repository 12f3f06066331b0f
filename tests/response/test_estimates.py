"""Trace, diagonal and largest eigenvalues from products, against the matrix itself."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import diags_array
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from kbe.data.encoding import all_inputs
from kbe.networks import VarianceNetwork
from kbe.response.estimates import diagonal_estimate, largest_eigenpairs, trace_estimate
from kbe.response.operators import kernel_diagonal, kernel_operator


def symmetric(rows: int, seed: int = 0) -> np.ndarray:
    matrix = np.random.default_rng(seed).normal(size=(rows, rows))
    return matrix + matrix.T


def with_eigenvalues(values: np.ndarray) -> np.ndarray:
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(len(values),) * 2))[0]
    return rotation * values @ rotation.T


@pytest.mark.parametrize("sketch", [0, 3])
def test_the_trace_is_within_its_error_as_often_as_that_says(sketch):
    """Over 400 seeds: in 95 % within 1.96 standard errors, and on average right."""
    matrix = symmetric(20)
    found = [trace_estimate(aslinearoperator(matrix), 40, seed, sketch=sketch) for seed in range(400)]
    apart = np.array([(one.value - np.trace(matrix)) / one.error for one in found])
    assert abs(np.mean(np.abs(apart) < 1.96) - 0.95) < 0.03
    assert abs(apart.mean()) < 3 / np.sqrt(400)


def test_the_diagonal_is_within_its_error_as_often_as_that_says():
    matrix = symmetric(20)
    found = [diagonal_estimate(aslinearoperator(matrix), 60, seed) for seed in range(100)]
    apart = np.array([(one.value - np.diag(matrix)) / one.error for one in found])
    assert abs(np.mean(np.abs(apart) < 1.96) - 0.95) < 0.02
    assert abs(apart.mean()) < 3 / np.sqrt(2000)


def test_the_variance_of_the_trace_is_that_of_hutchinson():
    """Twice the sum of the squares beside the diagonal, for a symmetric matrix, a probe."""
    matrix = symmetric(20)
    error = trace_estimate(aslinearoperator(matrix), 20_000).error
    off = matrix - np.diag(np.diag(matrix))
    np.testing.assert_allclose(error, np.sqrt(2 * np.sum(off**2) / 20_000), rtol=0.03)


def test_a_sketch_leaves_little_to_estimate_where_few_eigenvalues_are_large():
    operator = aslinearoperator(with_eigenvalues(0.5 ** np.arange(60)))
    plain, sketched = trace_estimate(operator, 30), trace_estimate(operator, 30, sketch=10)
    assert sketched.error < 0.01 * plain.error
    assert abs(sketched.value - (2 - 0.5**59)) < 4 * sketched.error
    whole = trace_estimate(operator, 2, sketch=100)  # more than there are rows
    np.testing.assert_allclose(whole.value, 2 - 0.5**59, rtol=1e-12)


def test_more_numbers_than_fit_into_memory_at_once_are_probed_in_pieces():
    rows = 2**22 // 2  # two probes at once
    identity = LinearOperator((rows, rows), matmat=lambda v: 2 * v, matvec=lambda v: 2 * v, dtype=float)
    found = trace_estimate(identity, 3)
    assert found.value == 2 * rows and found.error == 0


def test_eq3_trace_and_diagonal_of_the_training_response():
    module = VarianceNetwork(bits=4, layers=2, channels=2)
    operator, exact = kernel_operator(module, all_inputs(4)), kernel_diagonal(module, all_inputs(4)).ravel()
    for sketch in (0, 5):
        trace = trace_estimate(operator, 200, sketch=sketch)
        assert abs(trace.value - exact.sum()) < 4 * trace.error
    diagonal = diagonal_estimate(operator, 500)
    assert (np.abs(diagonal.value - exact) < 5 * diagonal.error).all()


@pytest.mark.parametrize("rows", [7, 600])
@pytest.mark.parametrize("count", [1, 4])
def test_largest_eigenvalues_are_those_of_numpy(rows, count):
    matrix = symmetric(rows) - 2 * np.eye(rows) * np.sqrt(rows)  # the one farthest from zero is below it
    found = largest_eigenpairs(aslinearoperator(matrix), count)
    values, vectors = np.linalg.eigh(matrix)
    np.testing.assert_allclose(found.value, values[::-1][:count], rtol=1e-10)
    overlap = np.abs(np.sum(found.vector.values * vectors.T[::-1][:count], 1))
    np.testing.assert_allclose(overlap, 1, rtol=1e-10)
    residual = np.linalg.norm(matrix @ found.vector.values.T - found.value.values * found.vector.values.T, axis=0)
    np.testing.assert_allclose(found.residual, residual, atol=1e-11)
    assert (found.residual < 1e-8 * np.abs(found.value)).all()


def test_the_same_seed_gives_the_same_bits():
    operator = aslinearoperator(symmetric(600))
    for estimate in (largest_eigenpairs, trace_estimate, diagonal_estimate):
        assert estimate(operator, 2, seed=3).identical(estimate(operator, 2, seed=3))
        assert not estimate(operator, 2, seed=3).equals(estimate(operator, 2, seed=4))


def test_a_loose_tolerance_is_told_by_the_residual():
    operator = aslinearoperator(symmetric(600))
    loose, tight = (largest_eigenpairs(operator, tolerance=tolerance) for tolerance in (1e-2, 1e-12))
    assert loose.residual > 1e3 * tight.residual
    assert abs(loose.value - tight.value) <= loose.residual


def test_a_matrix_of_zeros_has_no_other_eigenvalue():
    found = largest_eigenpairs(aslinearoperator(np.zeros((600, 600))), 2)
    np.testing.assert_array_equal(found.value, [0, 0])
    np.testing.assert_array_equal(found.vector @ found.vector.rename(pair="other"), np.eye(2))


MATRIX = symmetric(600)


@pytest.mark.parametrize(("call", "sentence"), [
    (lambda: trace_estimate(MATRIX), "operator is array"),
    (lambda: trace_estimate(aslinearoperator(MATRIX[:3])), r"operator has shape \(3, 600\): it must be square"),
    (lambda: diagonal_estimate(aslinearoperator(MATRIX[:3])), r"operator has shape \(3, 600\): it must be square"),
    (lambda: largest_eigenpairs(aslinearoperator(MATRIX[:3])), r"operator has shape \(3, 600\): it must be square"),
    (lambda: trace_estimate(aslinearoperator(MATRIX), 1), "probes is 1: it must be an integer of at least 2"),
    (lambda: diagonal_estimate(aslinearoperator(MATRIX), seed=-1), "seed is -1"),
    (lambda: trace_estimate(aslinearoperator(MATRIX), sketch=-1), "sketch is -1"),
    (lambda: largest_eigenpairs(aslinearoperator(MATRIX), 601), "count is 601: it must be at most 600"),
    (lambda: largest_eigenpairs(aslinearoperator(MATRIX), tolerance=0), "tolerance is 0"),
    (lambda: largest_eigenpairs(aslinearoperator(np.nan * MATRIX)), "operator gives products that hold NaN"),
    (lambda: largest_eigenpairs(aslinearoperator(np.triu(MATRIX))), "operator is not symmetric"),
    (lambda: largest_eigenpairs(aslinearoperator(diags_array(np.cos(np.linspace(0, np.pi, 20_000))))),
     "operator: 0 of 1 eigenvalues came within a tolerance of 3.7e-11 in 300 restarts of Lanczos: take a greater"),
])  # fmt: skip
def test_what_does_not_fit_is_refused_in_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}"):
        call()
