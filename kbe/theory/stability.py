"""Where the variance dynamics ends and where its steps turn unstable: identities and bounds from equation 8."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from kbe.checks import Array, Finite, PointVector, Positive, Shaped, SymmetricGram, checked
from kbe.theory.heads import LINEAR, HeadNames
from kbe.theory.variance_dynamics import SymmetricGrams
from kbe.theory.variance_network import States, curvature


@checked
def collapse_bound(
    gram: SymmetricGram,
    targets: PointVector,
    mean: PointVector,
    deviation: Annotated[np.ndarray, Shaped("points", above=0)],
    *,
    deviation_gram: SymmetricGram | None = None,
    mean_factor: Positive = 1.0,
) -> float:
    r"""A time by which sigma = 0 is reached under equations 21 and 23 with linear heads.

    Let y be the mean of an input's own targets, s their standard deviation, 0 where all are one, and m their number.
    Over distinct inputs i, with :math:`r = y - \mu`,

    .. math:: \frac{d}{dt} \big( r^T (cK)^{-1} r + (\sigma - s)^T K^{-1} (\sigma - s) \big) =
        -2 \sum_i m_i \frac{s_i r_i^2 + (\sigma_i - s_i)^2 (\sigma_i + s_i)}{\sigma_i^3} .

    No term is negative, and an input of one target gives its m. With :math:`N_1` points at such inputs the bracket
    falls by :math:`2 N_1` a unit time at least. It cannot turn negative, so the flow has to leave sigma > 0 by the time
    bracket / 2 N_1. Where no two targets of an input differ the fall is 2N throughout; for one point the
    bound is the time itself. If K is singular on distinct inputs, as that of a model with fewer weights than inputs
    is, this needs r and sigma - s in its range; elsewhere there is no bound, and the flow may rest.

    Parameters
    ----------
    gram, deviation_gram, mean_factor
        As for `variance_network.variance_rates`; positive semidefinite. Points with equal rows are points of one input.
    targets, mean, deviation
        y, and mu and sigma at time 0.

    Returns
    -------
    float
        The time; infinite where there is no bound.
    """
    other = gram if deviation_gram is None else deviation_gram
    rows = np.concatenate([gram, other], 1)
    _, first, same, copies = np.unique(rows, axis=0, return_index=True, return_inverse=True, return_counts=True)
    same = same.ravel()
    settled = np.bincount(same, targets != targets[first][same]) == 0  # inputs of one target
    if not settled.any() or not (
        np.allclose(mean, mean[first][same]) and np.allclose(deviation, deviation[first][same])
    ):
        return np.inf
    own_mean = np.bincount(same, targets) / copies
    spread = np.sqrt(np.bincount(same, (targets - own_mean[same]) ** 2) / copies)
    of_means = _inverse_form(gram[np.ix_(first, first)], own_mean - mean[first]) / mean_factor
    of_deviations = _inverse_form(other[np.ix_(first, first)], deviation[first] - spread)
    return float((of_means + of_deviations) / (2 * copies[settled].sum()))


@checked
def one_point_path(
    error: Array, start_error: Finite, start_deviation: Positive, *, mean_factor: Positive = 1.0
) -> np.ndarray:
    r"""The sigma of one point at each error on its way, equations 21 and 23 with linear heads in closed form.

    With :math:`A = (y - \mu)^2` and :math:`S = \sigma^2` the two equations are :math:`\dot A = -2 c K A / S` and
    :math:`\dot S = 2 K (A - S) / S`, c being the factor of equation 21, so :math:`dS / dA = (S / A - 1) / c` and, for
    any K,

    .. math:: \frac SA = \frac{S_0}{A_0} + \log \frac{A_0}{A} \quad (c = 1), \qquad
        \frac SA = q + \Big( \frac{S_0}{A_0} - q \Big) \Big( \frac A{A_0} \Big)^{1/c - 1}, \quad q = \frac1{1 - c} .

    Both reach 0 together. With c = 1 the error is in the end infinitely smaller than sigma; with the printed
    c = 1/2 sigma over the error tends to the root of 2.

    >>> one_point_path([0.5, 0.05, 0.0005], 0.5, 0.5).round(4)
    array([0.5   , 0.1184, 0.0019])

    Parameters
    ----------
    error
        y - mu, of the sign of `start_error`, not 0 and not farther from 0.
    start_error, start_deviation
        y - mu and sigma at time 0.
    mean_factor
        c.

    Raises
    ------
    ValueError
        If an error lies off the way.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        share = error / start_error
    if not ((share > 0) & (share <= 1)).all():
        raise ValueError(f"error must lie between 0 and start_error, {start_error}, without 0.")
    start = np.square(start_deviation / start_error)
    if mean_factor == 1:
        ratio = start - 2 * np.log(share)
    else:
        end = 1 / (1 - mean_factor)
        ratio = end + (start - end) * share ** (2 / mean_factor - 2)
    return np.abs(error) * np.sqrt(ratio)


@checked
def response_curvature(
    gram: SymmetricGrams,
    targets: States,
    mean: States,
    deviation: States,
    *,
    deviation_gram: SymmetricGrams | None = None,
    mean_factor: Positive = 1.0,
    heads: HeadNames = LINEAR,
) -> np.ndarray:
    r"""The largest curvature of the loss of equation 8 as the response kernel sees it.

    .. math:: \lambda_{\max}\big( P^{1/2} H P^{1/2} \big), \qquad P = \begin{pmatrix} cK & 0 \\ 0 & K \end{pmatrix}

    with H the second derivatives in what enters the two heads. A step of learning rate eta at rest is stable
    if and only if eta times this is below 2; away from rest that is no sharp border. For one point with linear heads
    it is :math:`K (3q + \sqrt{9 q^2 + 4 q + 4}) / (2 \sigma^2)`, where :math:`q = (y - \mu)^2 / \sigma^2`:

    >>> response_curvature([[1.0]], [1.0], [[0.9], [1.0]], [[0.1], [0.1]]).round(1)
    array([356.2, 100. ])

    Parameters
    ----------
    gram, deviation_gram, mean_factor, heads
        As for `variance_network.variance_rates`; positive semidefinite.
    targets, mean, deviation
        y, mu and sigma.

    Returns
    -------
    numpy.ndarray, shape (...)
        The largest curvature; NaN where mu or sigma is not finite.
    """
    with np.errstate(all="ignore"):
        bend = curvature(targets, mean, deviation, heads)
    roots = [np.sqrt(mean_factor) * _root(gram), _root(gram if deviation_gram is None else deviation_gram)]
    parts = np.broadcast_arrays(*[roots[a] @ (bend[a, b][..., None] * roots[b]) for a in (0, 1) for b in (0, 1)])
    matrix = np.concatenate([np.concatenate(parts[:2], -1), np.concatenate(parts[2:], -1)], -2)
    fine = np.isfinite(matrix).all((-2, -1))
    largest = np.linalg.eigvalsh(np.where(fine[..., None, None], matrix, 0.0))[..., -1]
    return np.where(fine, largest, np.nan)


def _inverse_form(gram: np.ndarray, vector: np.ndarray) -> float:
    """vector^T gram^-1 vector; infinite if the vector has a part outside of the matrix's range."""
    values, vectors = np.linalg.eigh(gram)
    parts = vectors.T @ vector
    null = values <= len(values) * np.finfo(float).eps * values[-1]
    outside = np.linalg.norm(parts[null]) > 1e-9 * np.linalg.norm(vector)
    return np.inf if outside else float(np.sum(parts[~null] ** 2 / values[~null]))


def _root(gram: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(gram)
    return (vectors * np.sqrt(np.clip(values, 0, None))[..., None, :]) @ np.swapaxes(vectors, -1, -2)
