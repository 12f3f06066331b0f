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

    Scaling all of :math:`r = y - \mu` and :math:`\sigma` by s adds :math:`N \log s` to equation 8, so
    :math:`r \cdot \partial L / \partial r + \sigma \cdot \partial L / \partial \sigma = N` everywhere, and

    .. math:: \frac{d}{dt} \big( r^T (cK)^{-1} r + \sigma^T K^{-1} \sigma \big) = -2N .

    The bracket cannot turn negative, so the flow has to leave sigma > 0 by the time bracket / 2N. For one
    point that is not a bound but the time itself. If K is singular the identity holds as long as r and
    sigma lie in its range; where inputs repeat with targets that conflict r never does: there is no bound.

    Parameters
    ----------
    gram, deviation_gram, mean_factor
        As for `variance_network.variance_rates`; positive semidefinite.
    targets, mean, deviation
        y, and mu and sigma at time 0.

    Returns
    -------
    float
        The time; infinite where there is no bound.
    """
    other = gram if deviation_gram is None else deviation_gram
    bracket = _inverse_form(gram, targets - mean) / mean_factor + _inverse_form(other, deviation)
    return float(bracket / (2 * len(targets)))


@checked
def one_point_path(error: Array, start_error: Finite, start_deviation: Positive) -> np.ndarray:
    r"""The sigma of one point at each error on its way, equations 21 and 23 with linear heads in closed form.

    With :math:`A = (y - \mu)^2` and :math:`S = \sigma^2` the two equations are :math:`\dot A = -2 K A / S` and
    :math:`\dot S = 2 K (A - S) / S`, so :math:`dS / dA = S / A - 1` and

    .. math:: \frac{\sigma^2}{(y - \mu)^2} = \frac{\sigma_0^2}{(y - \mu_0)^2} + 2 \log \frac{y - \mu_0}{y - \mu}

    for any K: both reach 0 together, and the error is then infinitely smaller than sigma.

    >>> one_point_path([0.5, 0.05, 0.0005], 0.5, 0.5).round(4)
    array([0.5   , 0.1184, 0.0019])

    Parameters
    ----------
    error
        y - mu, of the sign of `start_error`, not 0 and not farther from 0.
    start_error, start_deviation
        y - mu and sigma at time 0.

    Raises
    ------
    ValueError
        If an error lies off the way.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = error / start_error
    if not ((ratio > 0) & (ratio <= 1)).all():
        raise ValueError(f"error must lie between 0 and start_error, {start_error}, without 0.")
    return np.abs(error) * np.sqrt(np.square(start_deviation / start_error) - 2 * np.log(ratio))


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
