"""The slopes and curvature of Eq. (8) in what the two heads' activations take in.

The response kernel acts on what enters an activation, z, while the paper writes its dynamics in the
outputs mu and sigma. With linear heads the two are one; with sigmoid heads the chain rule comes between.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from kbe import checks


@dataclass(frozen=True)
class Head:
    """A head's activation p(z): its value, its inverse, and p' and p'' as functions of p itself."""

    value: Callable[[np.ndarray], np.ndarray]
    inverse: Callable[[np.ndarray], np.ndarray]
    slope: Callable[[np.ndarray], np.ndarray]
    bend: Callable[[np.ndarray], np.ndarray]
    low: float
    high: float


HEADS = {
    "linear": Head(lambda z: z, lambda p: p, np.ones_like, np.zeros_like, -np.inf, np.inf),
    "sigmoid": Head(special.expit, special.logit, lambda p: p * (1 - p), lambda p: p * (1 - p) * (1 - 2 * p), 0.0, 1.0),
    "exponential": Head(np.exp, np.log, lambda p: p, lambda p: p, 0.0, np.inf),
    "softplus": Head(
        lambda z: np.logaddexp(0, z),
        lambda p: p + np.log(-np.expm1(-p)),
        lambda p: -np.expm1(-p),
        lambda p: -np.exp(-p) * np.expm1(-p),
        0.0,
        np.inf,
    ),
}


def variance_loss(targets: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    r"""The negative log-likelihood summed over the points, Eq. (8).

    .. math:: L = \sum_i \log \sigma_i + \frac12 \Big(\frac{y_i - \mu_i}{\sigma_i}\Big)^2 + \frac12 \log 2\pi

    Parameters
    ----------
    targets, mean, deviation : array, shape (..., n)
        y, mu and sigma; they broadcast.

    Returns
    -------
    numpy.ndarray, shape (...)
        In nats; NaN where a sigma is not positive or a value is not finite.

    Raises
    ------
    ValueError
        If an argument is not an array of numbers.
    """
    targets, mean, deviation = _fields(targets, mean, deviation)
    with np.errstate(all="ignore"):
        terms = np.log(deviation) + 0.5 * ((targets - mean) / deviation) ** 2 + 0.5 * np.log(2 * np.pi)
        return np.where(np.isfinite(terms), terms, np.nan).sum(-1)


def pulls(
    targets: np.ndarray, mean: np.ndarray, deviation: np.ndarray, heads: tuple[str, str] = ("linear", "linear")
) -> np.ndarray:
    r"""Minus the slope of Eq. (8) in what enters the mean head, v, and the deviation head, u.

    .. math:: \frac{y - \mu}{\sigma^2}\, \mu'(v), \qquad \frac{(y - \mu)^2 - \sigma^2}{\sigma^3}\, \sigma'(u)

    Parameters
    ----------
    targets, mean, deviation : array, shape (..., n)
        y, mu and sigma; they broadcast. Values that are not finite give such a pull.
    heads : pair of str
        The activations of the mean and the deviation head, names in `HEADS`.

    Returns
    -------
    numpy.ndarray, shape (2, ..., n)
        The pull on v and on u.

    Raises
    ------
    ValueError
        If an argument is not an array of numbers or a head's name is unknown.
    """
    targets, mean, deviation = _fields(targets, mean, deviation)
    on_mean, on_deviation = head_pair(heads)
    ratio = (targets - mean) / deviation  # powers of sigma would underflow long before sigma does
    to_mean = ratio * (on_mean.slope(mean) / deviation)
    to_deviation = (ratio**2 - 1) * (on_deviation.slope(deviation) / deviation)
    return np.stack([to_mean, to_deviation])


def curvature(
    targets: np.ndarray, mean: np.ndarray, deviation: np.ndarray, heads: tuple[str, str] = ("linear", "linear")
) -> np.ndarray:
    r"""The second derivatives of Eq. (8) at each point, in v and u.

    With linear heads and :math:`r = y - \mu`,

    .. math::
        H_i = \begin{pmatrix} 1 / \sigma^2 & 2 r / \sigma^3 \\ 2 r / \sigma^3 & 3 r^2 / \sigma^4 - 1 / \sigma^2
        \end{pmatrix}

    The loss is a sum over points, so the full matrix is diagonal in the points.

    Parameters
    ----------
    targets, mean, deviation : array, shape (..., n)
        y, mu and sigma; they broadcast.
    heads : pair of str
        The activations of the mean and the deviation head, names in `HEADS`.

    Returns
    -------
    numpy.ndarray, shape (2, 2, ..., n)
        In the order mean, deviation.

    Raises
    ------
    ValueError
        If an argument is not an array of numbers or a head's name is unknown.
    """
    targets, mean, deviation = _fields(targets, mean, deviation)
    on_mean, on_deviation = head_pair(heads)
    ratio = (targets - mean) / deviation
    first, second = on_mean.slope(mean) / deviation, on_deviation.slope(deviation) / deviation
    both = 2 * ratio * first * second
    of_mean = first**2 - ratio * (on_mean.bend(mean) / deviation)
    of_deviation = second**2 * (3 * ratio**2 - 1) + (on_deviation.bend(deviation) / deviation) * (1 - ratio**2)
    return np.stack([np.stack([of_mean, both]), np.stack([both, of_deviation])])


def head_pair(heads: tuple[str, str]) -> tuple[Head, Head]:
    """The two activations by their names.

    Parameters
    ----------
    heads : pair of str
        Names in `HEADS`, the mean's first.

    Returns
    -------
    pair of Head
        The activations.

    Raises
    ------
    ValueError
        If it is not a pair of known names.
    """
    if not isinstance(heads, (tuple, list)) or len(heads) != 2:
        raise ValueError(f"heads is {checks.shown(heads)}: it must be two activations, the mean's and the deviation's.")
    mean, deviation = (HEADS[checks.choice("heads", name, HEADS)] for name in heads)
    return mean, deviation


def _fields(targets: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> tuple[np.ndarray, ...]:
    names = {"targets": targets, "mean": mean, "deviation": deviation}
    return tuple(np.broadcast_arrays(*(checks.array(name, value, finite=False) for name, value in names.items())))
