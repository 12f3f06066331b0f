"""When dense and sparse places are learnt (section IV)."""

from __future__ import annotations

import numpy as np

from kbe import checks


def local_strength(gram: np.ndarray) -> np.ndarray:
    r"""How much stronger a response is at a place itself than at the other places.

    .. math:: k = \frac1n \sum_i K_{ii} - \frac1{n(n-1)} \sum_{i \ne j} K_{ij}

    A kernel :math:`K_{ij} = k_0 + k \delta_{ij}` has exactly this k; its broad part :math:`k_0` moves all
    outputs together and cannot tell one place from another.

    Parameters
    ----------
    gram : array, shape (..., n, n)
        K between places, n at least 2.

    Returns
    -------
    numpy.ndarray, shape (...)
        k.

    Raises
    ------
    ValueError
        If the matrices are not square or there is one place only.
    """
    gram = checks.array("gram", gram, finite=False)
    if gram.ndim < 2 or gram.shape[-1] != gram.shape[-2] or gram.shape[-1] < 2:
        raise ValueError(f"gram has shape {gram.shape}: it must be (..., n, n) with n of at least 2.")
    n = gram.shape[-1]
    own = np.trace(gram, axis1=-2, axis2=-1)
    return own / n - (gram.sum((-1, -2)) - own) / (n * (n - 1))


def clock(strength: np.ndarray, epochs: np.ndarray) -> np.ndarray:
    r"""The time that a growing kernel tells: :math:`\tau(t) = \int_0^t k(s)\, ds`.

    Where K keeps its shape and only its strength k changes, the dynamics of Eq. (13) in this time are
    those of a constant kernel.

    Parameters
    ----------
    strength : array, shape (..., epoch)
        k at some epochs.
    epochs : array, shape (epoch,)
        These epochs, increasing from 0; in between, k is taken as linear.

    Returns
    -------
    numpy.ndarray, shape (..., epoch)
        tau, 0 at the start.

    Raises
    ------
    ValueError
        If the shapes do not fit or the epochs do not increase from 0.
    """
    strength, epochs = checks.array("strength", strength, finite=False), checks.array("epochs", epochs, 1)
    if strength.ndim < 1 or strength.shape[-1] != len(epochs) or epochs[0] != 0 or (np.diff(epochs) <= 0).any():
        raise ValueError(f"strength has shape {strength.shape}: its last dimension must be the epochs, rising from 0.")
    steps = np.diff(epochs) * (strength[..., 1:] + strength[..., :-1]) / 2
    return np.concatenate([np.zeros_like(strength[..., :1]), steps.cumsum(-1)], -1)
