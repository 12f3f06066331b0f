"""The dimension of a feature space: over how many directions the hidden layer spreads its inputs."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kbe import checks


def spectrum(features: ArrayLike, *, centred: bool = True) -> np.ndarray:
    r"""The eigenvalues of the features' Gram matrix, as shares of their sum.

    .. math:: G_{ij} = \phi(x_i) \cdot \phi(x_j), \qquad p_k = \lambda_k / \sum_l \lambda_l

    Parameters
    ----------
    features : array, shape (..., n, width)
        The hidden layer at n inputs.
    centred : bool
        Whether the mean over the inputs is taken off first. What all inputs share carries no information, but
        uncentred it is the largest direction of all.

    Returns
    -------
    numpy.ndarray, shape (..., min(n, width))
        The shares, falling; NaN where the features are not finite or all the same, so that there is no direction.

    Raises
    ------
    ValueError
        If the features have no two dimensions or the flag is none.
    """
    values = checks.array("features", features, finite=False)
    checks.flag("centred", centred)
    if values.ndim < 2:
        raise ValueError(f"features has shape {values.shape}: it must be (..., n, width).")
    finite = np.isfinite(values).all((-2, -1), keepdims=True)
    values = np.where(finite, values, 0.0)
    largest = np.abs(values).max((-2, -1), keepdims=True)
    if centred:
        values = values - values.mean(-2, keepdims=True)
    values = np.where(np.abs(values) > 1e-12 * largest, values, 0.0)  # what only rounding leaves is no direction
    squares = np.linalg.svd(values, compute_uv=False) ** 2
    with np.errstate(invalid="ignore"):
        return squares / squares.sum(-1, keepdims=True)


def participation_ratio(features: ArrayLike, *, centred: bool = True) -> np.ndarray:
    r"""The dimension as a participation ratio of the spectrum.

    .. math:: \frac{(\sum_k \lambda_k)^2}{\sum_k \lambda_k^2}

    It is r for r equal eigenvalues, and hardly sees small ones.

    Parameters
    ----------
    features : array, shape (..., n, width)
        The hidden layer at n inputs.
    centred : bool
        As for `spectrum`.

    Returns
    -------
    numpy.ndarray, shape (...)
        From 1 to min(n, width).

    Raises
    ------
    ValueError
        As for `spectrum`.
    """
    return 1 / (spectrum(features, centred=centred) ** 2).sum(-1)


def effective_rank(features: ArrayLike, *, centred: bool = True) -> np.ndarray:
    r"""The dimension as the exponential of the spectrum's entropy (Roy and Vetterli 2007).

    .. math:: \exp\Big(-\sum_k p_k \log p_k\Big)

    It is r for r equal eigenvalues, and never below the participation ratio. Roy and Vetterli take the singular
    values for p; with the eigenvalues of the Gram matrix, their squares, both dimensions here rest on one spectrum.

    Parameters
    ----------
    features : array, shape (..., n, width)
        The hidden layer at n inputs.
    centred : bool
        As for `spectrum`.

    Returns
    -------
    numpy.ndarray, shape (...)
        From 1 to min(n, width).

    Raises
    ------
    ValueError
        As for `spectrum`.
    """
    shares = spectrum(features, centred=centred)
    return np.exp(-(shares * np.log(np.where(shares > 0, shares, 1.0))).sum(-1))
