"""What the products of a matrix with vectors tell of it: trace, diagonal, largest eigenvalues, each with its error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np
import torch
import xarray as xr
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from kbe.checks import Count, Natural, Positive, Seed, Whole, checked

DENSE = 512  # rows; a smaller matrix is built from its products, because Lanczos would need as many
PROBED_NUMBERS = 2**22  # in the probes that are multiplied at once
RESTARTS = 300  # of Lanczos, each of some 20 products, before it is given up

Probes = Annotated[int, Whole(2)]


@checked
def trace_estimate(
    operator: LinearOperator, probes: Probes = 100, seed: Seed = 0, *, sketch: Natural = 0
) -> xr.Dataset:
    r"""The trace of a square matrix from its products with random signs (Hutchinson 1989).

    .. math:: \operatorname{tr} A = E\, v^\top A v, \qquad v_i = \pm 1

    The error falls with the root of the number of probes. Where few large eigenvalues make up the trace, as for the
    training response, a sketch lowers it much further (Meyer et al. 2021): the trace is taken exactly on the space Q
    that A makes of so many random vectors, and estimated on the rest of the space alone.

    .. math:: \operatorname{tr} A = \operatorname{tr} Q^\top A Q + E\, v^\top (1 - Q Q^\top) A (1 - Q Q^\top) v

    For Theta with few inputs `kernel_diagonal` is exact.

    Parameters
    ----------
    operator
        A.
    probes
        The number of vectors v, each of which costs a product.
    seed
        Of the random numbers.
    sketch
        The dimension of Q, each of which costs two products and memory for one vector; 0 is Hutchinson's estimate.

    Returns
    -------
    xarray.Dataset
        `value`, and `error`, its standard error over the probes.

    Raises
    ------
    ValueError
        If the matrix is not square.

    Examples
    --------
    >>> from scipy.sparse.linalg import aslinearoperator
    >>> found = trace_estimate(aslinearoperator(np.array([[2.0, 1.0], [1.0, 3.0]])))
    >>> abs(float(found.value) - 5) < 3 * float(found.error)
    True
    """
    rows, generator = _rows(operator), np.random.default_rng(seed)
    basis = np.linalg.qr(operator @ _signs(generator, rows, min(sketch, rows)))[0] if sketch else np.zeros((rows, 0))
    exact = np.sum(basis * (operator @ basis)) if sketch else 0.0
    samples = []
    for probe in _probes(generator, rows, probes):
        rest = probe - basis @ (basis.T @ probe)
        samples.append(np.sum(rest * (operator @ rest), 0))
    return _estimate(np.concatenate(samples)[None]).isel(element=0) + xr.Dataset({"value": exact, "error": 0.0})


@checked
def diagonal_estimate(operator: LinearOperator, probes: Probes = 100, seed: Seed = 0) -> xr.Dataset:
    r"""The diagonal of a square matrix from its products with random signs (Bekas et al. 2007).

    .. math:: A_{ii} = E\, v_i (A v)_i, \qquad v_i = \pm 1

    The variance of a single probe is the sum of the squares of the row's other elements: this is for matrices whose
    diagonal stands out. For Theta `kernel_diagonal` is exact.

    Parameters
    ----------
    operator
        A.
    probes
        The number of vectors v, each of which costs a product.
    seed
        Of the random numbers.

    Returns
    -------
    xarray.Dataset
        `value` (element) and `error` (element), its standard error over the probes.

    Raises
    ------
    ValueError
        If the matrix is not square.

    Examples
    --------
    A diagonal matrix is seen at once, without an error.

    >>> from scipy.sparse.linalg import aslinearoperator
    >>> diagonal_estimate(aslinearoperator(np.diag([2.0, 3.0])), probes=2).value.values
    array([2., 3.])
    """
    rows, generator = _rows(operator), np.random.default_rng(seed)
    return _estimate(np.concatenate([v * (operator @ v) for v in _probes(generator, rows, probes)], 1))


@checked
def largest_eigenpairs(
    operator: LinearOperator, count: Count = 1, *, tolerance: Positive | None = None, seed: Seed = 0
) -> xr.Dataset:
    r"""The largest eigenvalues of a symmetric matrix with their vectors.

    .. math:: A u_k = \lambda_k u_k, \qquad \lambda_1 \ge \lambda_2 \ge \dots

    Largest means greatest on the real line: 1 comes before -2. They come from Lanczos iterations, which restart when 20
    vectors are held (or twice `count` and one, if that is more), by ARPACK, of which SciPy's `eigsh` is the door. It
    takes some tens of products where the largest eigenvalues stand apart, many more where they crowd, and
    may miss a copy of one that comes several times. Up to 512 rows the matrix is built instead, which is faster then.

    Parameters
    ----------
    operator
        A.
    count
        The number of eigenvalues.
    tolerance
        What a residual may be, relative to its eigenvalue, before the iterations end; None takes the precision of the
        computation to the power 2/3, which is 4e-11 in float64. An eigenvalue is off by no more than its residual, and
        where it stands apart by about its square.
    seed
        Of the vector from which the iterations start.

    Returns
    -------
    xarray.Dataset
        `value` (pair), from the largest down; `vector` (pair, element), of length 1; `residual` (pair), the length of
        A u - lambda u.

    Raises
    ------
    ValueError
        If the matrix is not square or symmetric, has fewer rows than eigenvalues are wanted, or gives what is not
        finite, or if the iterations do not converge.

    Examples
    --------
    >>> from scipy.sparse.linalg import aslinearoperator
    >>> found = largest_eigenpairs(aslinearoperator(np.diag([1.0, -2.0, 3.0])), 2)
    >>> found.value.values
    array([3., 1.])
    """
    rows, generator = _rows(operator), np.random.default_rng(seed)
    if count > rows:
        raise ValueError(f"count is {count}: it must be at most {rows}, the rows of operator.")
    rounding = float(getattr(operator, "precision", torch.finfo(torch.float64).eps))
    if not _trial(operator, generator, rounding).any():  # on a matrix that is zero ARPACK fails
        values, vectors = np.zeros(count), np.eye(rows, count)
    elif rows <= max(DENSE, 2 * count):
        values, vectors = (found[..., -count:] for found in np.linalg.eigh(operator @ np.eye(rows)))
    else:
        start = generator.normal(size=rows)
        values, vectors = _by_lanczos(operator, count, tolerance or rounding ** (2 / 3), start)
    residuals = np.linalg.norm(operator @ vectors - values * vectors, axis=0)
    variables = {"value": ("pair", values), "vector": (("pair", "element"), vectors.T), "residual": ("pair", residuals)}
    return xr.Dataset(variables).isel(pair=slice(None, None, -1))


def _by_lanczos(
    operator: LinearOperator, count: int, tolerance: float, start: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    start = start.astype(operator.dtype)
    try:
        values, vectors = eigsh(operator, count, which="LA", v0=start, tol=tolerance, maxiter=RESTARTS)
    except ArpackNoConvergence as error:
        hint = "take a greater tolerance, or a higher precision of the operator"
        what = f"{len(error.eigenvalues)} of {count} eigenvalues came within a tolerance of {tolerance:.2g}"
        raise ValueError(f"operator: {what} in {RESTARTS} restarts of Lanczos: {hint}.") from error
    order = np.argsort(values)
    return values[order], vectors[:, order]


def _trial(operator: LinearOperator, generator: np.random.Generator, rounding: float) -> np.ndarray:
    """The products with two random vectors, if they are finite and those of a symmetric matrix."""
    vectors = generator.normal(size=(operator.shape[0], 2))
    products = operator @ vectors
    if not np.isfinite(products).all():
        raise ValueError("operator gives products that hold NaN or infinity: every element must be finite.")
    (_, first), (second, _) = vectors.T @ products
    if abs(first - second) > np.sqrt(rounding) * np.linalg.norm(products):
        raise ValueError("operator is not symmetric: for all vectors u and v, u'Av must equal v'Au.")
    return products


def _rows(operator: LinearOperator) -> int:
    if operator.shape[0] != operator.shape[1]:
        raise ValueError(f"operator has shape {operator.shape}: it must be square.")
    return operator.shape[0]


def _signs(generator: np.random.Generator, rows: int, count: int) -> np.ndarray:
    return 2.0 * generator.integers(2, size=(count, rows)).T - 1


def _probes(generator: np.random.Generator, rows: int, probes: int) -> Iterator[np.ndarray]:
    """Vectors of random signs as columns (rows, some), in as many pieces as memory asks for."""
    most = max(1, PROBED_NUMBERS // rows)
    return (_signs(generator, rows, min(most, probes - start)) for start in range(0, probes, most))


def _estimate(samples: np.ndarray) -> xr.Dataset:
    error = samples.std(1, ddof=1) / np.sqrt(samples.shape[1])
    return xr.Dataset({"value": ("element", samples.mean(1)), "error": ("element", error)})
