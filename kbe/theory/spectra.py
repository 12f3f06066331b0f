"""Eigenvalues and eigenvectors of response kernels, computed and in closed form, and the power law (Fig. 5)."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

import numpy as np
import scipy
import xarray as xr

from kbe.checks import Count, NonNegative, Positive, Shaped, SymmetricGram, Vector, Whole, checked


@checked
def spectrum(gram: SymmetricGram) -> xr.Dataset:
    """Eigenvalues and eigenvectors of a kernel matrix, the largest first (Fig. 5).

    Returns
    -------
    xarray.Dataset
        `eigenvalue` (mode) and `eigenvector` (mode, point), of unit length, the largest element positive.
    """
    values, vectors = scipy.linalg.eigh(gram)
    values, vectors = values[::-1], vectors.T[::-1]
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(1, keepdims=True), 1)
    return xr.Dataset(
        {"eigenvalue": ("mode", values), "eigenvector": (("mode", "point"), vectors * np.sign(largest))},
        coords={"mode": np.arange(1, len(values) + 1)},
    )


@checked
def line_spectrum(scale: Positive, modes: Count, points: Vector | None = None) -> xr.Dataset:
    r"""The spectrum of the exponential kernel on the unit interval, uniformly filled, in closed form.

    .. math::
        \int_0^1 e^{-\beta |x - x'|} \varphi_k(x')\, dx' = \kappa_k\, \varphi_k(x), \qquad
        \kappa_k = \frac{2 \beta}{\beta^2 + \omega_k^2}, \qquad
        \omega_k + 2 \arctan(\omega_k / \beta) = k \pi

    The condition on the frequency joins the two usual ones, :math:`\omega \tan(\omega / 2) = \beta` for
    the even and :math:`\omega = -\beta \tan(\omega / 2)` for the odd functions about the middle. The
    eigenfunctions are cosines and sines over the whole interval, not wave packets. The matrix on n random
    points has eigenvalues near n times these, for modes far below n.

    Parameters
    ----------
    scale
        beta, an inverse length.
    modes
        How many, the largest eigenvalues first.
    points
        Positions from 0 to 1 at which to evaluate the eigenfunctions; None for none.

    Returns
    -------
    xarray.Dataset
        `eigenvalue`, `frequency` (mode), in radians per unit length, and `eigenfunction` (mode, point), of
        unit square integral, if points are given.

    Raises
    ------
    ValueError
        If a point lies outside of the interval.
    """
    mode = np.arange(1, modes + 1)
    frequency = np.array([_line_frequency(scale, k) for k in range(1, modes + 1)])
    result = xr.Dataset(
        {"eigenvalue": ("mode", 2 / (scale + frequency * (frequency / scale))), "frequency": ("mode", frequency)},
        coords={"mode": mode},
        attrs={"scale": scale},
    )
    if points is not None:
        if points.min() < 0 or points.max() > 1:
            raise ValueError(f"points run from {points.min():g} to {points.max():g}: they must lie between 0 and 1.")
        result["eigenfunction"] = ("mode", "point"), _line_waves(frequency, points)
    return result


@checked
def hypercube_spectrum(bits: Annotated[int, Whole(1, 20)], scale: NonNegative) -> xr.Dataset:
    r"""The spectrum of the exponential kernel on all bit strings under the Hamming distance, in closed form.

    .. math:: \kappa_k = (1 + e^{-\beta})^{b-k} (1 - e^{-\beta})^{k}, \quad \binom{b}{k} \text{ times each}

    with b the `bits` and beta the `scale`. The kernel is a product over bits, so the Walsh functions of order k are
    its eigenvectors.

    Returns
    -------
    xarray.Dataset
        `eigenvalue` and `multiplicity` (order), order from 0 to bits.
    """
    order = np.arange(bits + 1)
    weight = np.exp(-scale)
    values = (1 + weight) ** (bits - order) * (1 - weight) ** order
    count = scipy.special.comb(bits, order).round().astype(int)
    variables = {"eigenvalue": ("order", values), "multiplicity": ("order", count)}
    return xr.Dataset(variables, coords={"order": order}, attrs={"bits": bits, "scale": scale})


@checked
def power_law_exponent(eigenvalues: Vector, first: Count, last: Count) -> xr.Dataset:
    """The exponent p of eigenvalues that fall like rank**p, by regression on logarithms (Fig. 5).

    The standard error takes the residuals as independent; along one spectrum they are not.

    Parameters
    ----------
    eigenvalues
        In descending order.
    first, last
        The ranks of the fit, both included, counted from 1.

    Returns
    -------
    xarray.Dataset
        `exponent`, `standard_error` and `log_rms`, the residual in natural logarithm; the ranks as attributes.

    Raises
    ------
    ValueError
        If the ranks are fewer than three or outside of the spectrum, or an eigenvalue there is not positive.
    """
    if not first + 2 <= last <= len(eigenvalues):
        raise ValueError(f"last is {last}: it must be from {first + 2}, two above first, to {len(eigenvalues)}.")
    chosen = eigenvalues[first - 1 : last]
    if chosen.min() <= 0:
        raise ValueError(f"eigenvalues holds {chosen.min():g} between the ranks: all there must be greater than 0.")
    rank, value = np.log(np.arange(first, last + 1)), np.log(chosen)
    fit = scipy.stats.linregress(rank, value)
    rms = np.sqrt(np.mean((value - fit.intercept - fit.slope * rank) ** 2))
    return xr.Dataset(
        {"exponent": fit.slope, "standard_error": fit.stderr, "log_rms": rms}, attrs={"first": first, "last": last}
    )


@checked
def local_exponents(eigenvalues: Annotated[np.ndarray, Shaped("members ranks")]) -> xr.Dataset:
    """The exponents of a power law in three parts of each spectrum, which one power law would make equal (Fig. 5).

    Parameters
    ----------
    eigenvalues
        In descending order, greater than 0.

    Returns
    -------
    xarray.Dataset
        `exponent` (member, part) for the ranks from 2 to the square root of their number n, on to n / 2, and on to n,
        with `first` and `last` (part).

    Raises
    ------
    ValueError
        If there are fewer than 16 eigenvalues or one is not positive.
    """
    n = eigenvalues.shape[1]
    if n < 16:
        raise ValueError(f"eigenvalues has shape {eigenvalues.shape}: it must have 16 ranks at least.")
    ends = [2, round(np.sqrt(n)), n // 2, n]
    parts = list(pairwise(ends))
    slopes = [[float(power_law_exponent(one, *part).exponent) for part in parts] for one in eigenvalues]
    return xr.Dataset(
        {"exponent": (("member", "part"), slopes), "first": ("part", ends[:-1]), "last": ("part", ends[1:])}
    )


def _line_waves(frequency: np.ndarray, points: np.ndarray) -> np.ndarray:
    even = (np.arange(len(frequency)) % 2 == 0)[:, None]
    phase = frequency[:, None] * (points - 0.5)
    power = 0.5 + np.where(even, 0.5, -0.5) * np.sinc(frequency / np.pi)[:, None]
    return np.where(even, np.cos(phase), np.sin(phase)) / np.sqrt(power)


def _line_frequency(scale: float, mode: int) -> float:
    low, high = (mode - 1) * np.pi, mode * np.pi
    return scipy.optimize.brentq(lambda w: w + 2 * np.arctan(w / scale) - high, low, high, xtol=1e-13)
