"""A variance network's loss, its rates under a constant response kernel, and their balance (equations 21 to 24).

Shapes and time are those of `average_network`; here mu and sigma move together.
"""

from __future__ import annotations

import inspect
from typing import Annotated, Any

import numpy as np
import xarray as xr

from kbe.checks import Count, Gram, NonNegative, Points, PointVector, Positive, Real, Shaped, checked
from kbe.theory.average_network import kernel_average, rate_local, response_rate
from kbe.theory.heads import HEAD_FUNCTIONS, LINEAR, HeadNames


def _nonzero(name: str, value: Any, sizes: dict[str, Any]) -> np.ndarray:
    values = Shaped("... points", broadcast=True)(name, value, sizes)
    if not values.all():
        raise ValueError(f"{name} holds 0: the loss and its slopes need every sigma to differ from 0.")
    return values


States = Annotated[np.ndarray, Shaped("... points", finite=False, broadcast=True)]
NonZero = Annotated[np.ndarray, _nonzero]

_respond = inspect.unwrap(response_rate)  # a network in training may turn non-finite, and then stays so


@checked
def variance_loss(targets: States, mean: States, deviation: States) -> np.ndarray:
    r"""The negative log-likelihood summed over the points, Eq. (8).

    .. math:: L = \sum_i \log \sigma_i + \frac12 \Big(\frac{y_i - \mu_i}{\sigma_i}\Big)^2 + \frac12 \log 2\pi

    with y the `targets`, mu the `mean` and sigma the `deviation`, which broadcast, the points last. In nats; NaN
    where a sigma is not positive or a value is not finite.
    """
    with np.errstate(all="ignore"):
        terms = np.log(deviation) + 0.5 * ((targets - mean) / deviation) ** 2 + 0.5 * np.log(2 * np.pi)
        return np.where(np.isfinite(terms), terms, np.nan).sum(-1)


@checked
def curvature(targets: States, mean: States, deviation: States, heads: HeadNames = LINEAR) -> np.ndarray:
    r"""The second derivatives of equation 8 at each point, in what enters the mean head, v, and the deviation head, u.

    With linear heads and :math:`r = y - \mu`,

    .. math::
        H_i = \begin{pmatrix} 1 / \sigma^2 & 2 r / \sigma^3 \\ 2 r / \sigma^3 & 3 r^2 / \sigma^4 - 1 / \sigma^2
        \end{pmatrix}

    The loss is a sum over points, so the full matrix is diagonal in the points.

    Parameters
    ----------
    targets, mean, deviation
        y, mu and sigma, which broadcast.
    heads
        The activations of the mean and the deviation head, names in `heads.HEAD_FUNCTIONS`.

    Returns
    -------
    numpy.ndarray, shape (2, 2, ..., points)
        In the order mean, deviation; NaN or infinite where an argument is.
    """
    on_mean, on_deviation = (HEAD_FUNCTIONS[name] for name in heads)
    ratio = (targets - mean) / deviation
    first, second = on_mean.slope(mean) / deviation, on_deviation.slope(deviation) / deviation
    both = 2 * ratio * first * second
    of_mean = first**2 - ratio * (on_mean.bend(mean) / deviation)
    of_deviation = second**2 * (3 * ratio**2 - 1) + (on_deviation.bend(deviation) / deviation) * (1 - ratio**2)
    return np.stack([np.stack([of_mean, both]), np.stack([both, of_deviation])])


@checked
def variance_rates(
    gram: Gram,
    targets: Points,
    mean: Points,
    deviation: NonZero,
    *,
    deviation_gram: Gram | None = None,
    mean_factor: Positive = 1.0,
    heads: HeadNames = LINEAR,
) -> np.ndarray:
    r"""The rates of a variance network, Eq. (21), (23).

    .. math::
        \frac{d\mu_i}{dt} = c \sum_j \frac{K_{ij}}{\sigma_j^2} (y_j - \mu_j), \qquad
        \frac{d\sigma_i}{dt} = \sum_j \frac{K_{ij}}{\sigma_j^3} \big((y_j - \mu_j)^2 - \sigma_j^2\big)

    They are equation 12 with the slopes of equation 8. With other heads than linear ones the kernel acts on what
    enters the activations, v and u, as in a network: the slopes are then those in v and u, by the factors
    :math:`\mu'(v_j)` and :math:`\sigma'(u_j)`, and so are the rates.

    Parameters
    ----------
    gram
        K of the mean head.
    targets, mean, deviation
        y, mu and sigma.
    deviation_gram
        K of the deviation head; None for the same as the mean's.
    mean_factor
        c. Equation 8 gives 1; equation 21 as printed has 1/2.
    heads
        The activations of the mean and the deviation head, names in `heads.HEAD_FUNCTIONS`.

    Returns
    -------
    numpy.ndarray, shape (2, ..., points)
        The rates of mu and of sigma, or of v and of u.
    """
    on_mean, on_deviation = (HEAD_FUNCTIONS[name] for name in heads)
    ratio = (targets - mean) / deviation  # powers of sigma would underflow long before sigma does
    to_mean = ratio * (on_mean.slope(mean) / deviation)
    to_deviation = (ratio**2 - 1) * (on_deviation.slope(deviation) / deviation)
    other = gram if deviation_gram is None else deviation_gram
    rates = mean_factor * _respond(gram, to_mean), _respond(other, to_deviation)
    return np.stack(np.broadcast_arrays(*rates))


@checked
def variance_rates_local(
    gram: Gram, targets: Points, mean: Points, deviation: NonZero, *, mean_factor: Positive = 1.0
) -> np.ndarray:
    r"""The rates of a variance network once mu_j and sigma_j^2 are replaced by mu_i and sigma_i^2, Eq. (22), (24).

    .. math::
        \frac{d\mu_i}{dt} = c \sum_j K_{ij} \frac{y_j - \mu_i}{\sigma_j^2}, \qquad
        \frac{d\sigma_i}{dt} = \sum_j K_{ij} \frac{(y_j - \mu_i)^2 - \sigma_i^2}{\sigma_j^3}

    with K the `gram`, y the `targets`, mu the `mean`, sigma the `deviation` and c the `mean_factor`: equation 8 gives
    1, equation 22 as printed has 1/2. The sigma_j of the denominators stays. The paper's K is a sum over scales: give
    `kernels.multi_scale_kernel`.

    Returns
    -------
    numpy.ndarray, shape (2, ..., points)
        The rates of mu and of sigma.
    """
    first, second = gram / deviation[..., None, :] ** 2, gram / deviation[..., None, :] ** 3
    squares = (targets[..., None, :] - mean[..., :, None]) ** 2 - deviation[..., :, None] ** 2
    return np.stack([mean_factor * rate_local(first, targets, mean), (second * squares).sum(-1)])


@checked
def variance_balance(
    gram: Annotated[np.ndarray, Shaped("points points", low=0, symmetric=True)],
    targets: PointVector,
    start_deviation: Annotated[np.ndarray, Shaped("points", above=0)] | None = None,
    *,
    steps: Count = 2000,
    damping: Annotated[float, Real(0, 0.999)] = 0.5,
    tolerance: NonNegative = 1e-10,
    floor: Positive = 1e-6,
) -> xr.Dataset:
    r"""The local mean and standard deviation in balance, where equations 22 and 24 rest, by damped iteration.

    .. math::
        \mu_i = \frac{\sum_j K_{ij} \sigma_j^{-2} y_j}{\sum_j K_{ij} \sigma_j^{-2}}, \qquad
        \sigma_i^2 = \frac{\sum_j K_{ij} \sigma_j^{-3} (y_j - \mu_i)^2}{\sum_j K_{ij} \sigma_j^{-3}}

    A point with a small sigma weighs heavily everywhere, itself included, so a balance with all sigma
    above 0 need not exist, and one that exists may repel: look at `collapsed` and `converged`. With a positive
    definite K between distinct inputs equations 21 and 23 rest only where every input has targets that differ.

    >>> gram, targets = np.exp(-0.3 * abs(np.arange(4)[:, None] - np.arange(4))), [0, 0, 0, 1]
    >>> rest = variance_balance(gram, targets)
    >>> rest.mu.values.round(2), rest.sigma.values.round(2)
    (array([0.06, 0.08, 0.12, 0.21]), array([0.2 , 0.23, 0.28, 0.35]))
    >>> abs(variance_rates_local(gram, targets, rest.mu, rest.sigma)).max().round(6)
    np.float64(0.0)

    Parameters
    ----------
    gram
        K, with a positive diagonal.
    targets
        y.
    start_deviation
        sigma to begin with; None for the standard deviation that equal sigma give.
    steps
        The largest number of iterations.
    damping
        The share of the old value that is kept in each, in log sigma.
    tolerance
        The largest change of log sigma at which it counts as converged.
    floor
        The sigma at which it counts as collapsed.

    Returns
    -------
    xarray.Dataset
        `mu`, `sigma` (point), `converged`, `collapsed` and `iterations`.

    Raises
    ------
    ValueError
        If the diagonal of the matrix is not positive.
    """
    if not np.diagonal(gram).all():
        raise ValueError("gram holds 0 on its diagonal: every point must count for itself.")
    deviation = _balance(gram, targets, np.ones_like(targets))[1] if start_deviation is None else start_deviation
    converged, iteration = False, 0
    while not converged and iteration < steps and deviation.min() > floor:
        with np.errstate(divide="ignore"):
            change = (1 - damping) * (np.log(_balance(gram, targets, deviation)[1]) - np.log(deviation))
        deviation, iteration = deviation * np.exp(change), iteration + 1
        converged = bool(np.abs(change).max() < tolerance)
    mean = _balance(gram, targets, np.maximum(deviation, floor))[0]
    return xr.Dataset(
        {
            "mu": ("point", mean),
            "sigma": ("point", deviation),
            "converged": converged,
            "collapsed": bool(deviation.min() <= floor),
            "iterations": iteration,
        }
    )


def _balance(gram: np.ndarray, targets: np.ndarray, deviation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One step: the mean that the deviations give, and the deviations around it."""
    relative = deviation / deviation.min()
    second, third = gram / relative**2, gram / relative**3
    mean = kernel_average(second, targets)
    square = (third * (targets - mean[:, None]) ** 2).sum(1) / third.sum(1)
    return mean, np.sqrt(square)
