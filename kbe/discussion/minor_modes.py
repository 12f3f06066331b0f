"""When dense and sparse places are learnt (section IV)."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import scipy

from kbe.checks import Shaped, checked


@checked
def local_strength(gram: Annotated[np.ndarray, Shaped("... places places", finite=False)]) -> np.ndarray:
    r"""How much stronger a response is at a place itself than at the other places.

    .. math:: k = \frac1n \sum_i K_{ii} - \frac1{n(n-1)} \sum_{i \ne j} K_{ij}

    A kernel :math:`K_{ij} = k_0 + k \delta_{ij}` has exactly this k; its broad part :math:`k_0` moves all
    outputs together and cannot tell one place from another. NaN or infinite where the `gram` is.

    Raises
    ------
    ValueError
        If there is one place only.
    """
    n = gram.shape[-1]
    if n < 2:
        raise ValueError(f"gram has shape {gram.shape}: it must be that of two places at least.")
    own = np.trace(gram, axis1=-2, axis2=-1)
    return own / n - (gram.sum((-1, -2)) - own) / (n * (n - 1))


@checked
def rescaled_time(
    strength: Annotated[np.ndarray, Shaped("... epochs", finite=False)],
    epochs: Annotated[np.ndarray, Shaped("epochs", increasing=True)],
) -> np.ndarray:
    r"""The time by which a growing kernel acts as a constant one: :math:`\tau(t) = \int_0^t k(s)\, ds`.

    Where K keeps its shape and only its strength k changes, the dynamics of equation 13 in this time are
    those of a constant kernel. Between the `epochs`, the first of which is 0, k is taken as linear; from the first
    `strength` on that is NaN or infinite the time is so too.

    Raises
    ------
    ValueError
        If the epochs do not start from 0.
    """
    if epochs[0] != 0:
        raise ValueError(f"epochs starts from {epochs[0]:g}: it must start from 0.")
    return scipy.integrate.cumulative_trapezoid(strength, epochs, initial=0)
