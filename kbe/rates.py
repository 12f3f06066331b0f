"""The right-hand sides of the response kernel dynamics, exact and local (equations 12-13, 17-19, 21-24).

Arrays hold one value a point, shape (..., n), and Gram matrices have shape (..., n, n); leading
dimensions (members) broadcast. Rates are per unit of the paper's time t, one step of learning
rate eta being a time eta. The average network moves mu alone; the variance network mu and sigma.
"""

from __future__ import annotations

import numpy as np

from kbe import checks
from kbe.heads import pulls
from kbe.kernels import multi_scale_kernel


def response_rate(gram: np.ndarray, loss_slope: np.ndarray) -> np.ndarray:
    r"""The response kernel dynamics of any loss, Eq. (12).

    .. math:: \frac{d\mu_i}{dt} = -\sum_j K_{ij} \frac{dL}{d\mu_j}

    Parameters
    ----------
    gram : array, shape (..., n, n)
        K.
    loss_slope : array, shape (..., n)
        dL/dmu at each point.

    Returns
    -------
    numpy.ndarray, shape (..., n)
        The rate of mu.

    Raises
    ------
    ValueError
        If the shapes do not fit or a value is not finite.
    """
    (loss_slope,) = _points(loss_slope=loss_slope)
    return -_respond(_gram("gram", gram, loss_slope), loss_slope)


def rate_exact(gram: np.ndarray, targets: np.ndarray, mean: np.ndarray) -> np.ndarray:
    r"""The rate of an average network under the squared error, Eq. (13), (17).

    .. math:: \frac{d\mu_i}{dt} = \sum_j K_{ij} (y_j - \mu_j)

    Parameters
    ----------
    gram : array, shape (..., n, n)
        K.
    targets, mean : array, shape (..., n)
        y and mu.

    Returns
    -------
    numpy.ndarray, shape (..., n)
        The rate of mu.

    Raises
    ------
    ValueError
        If the shapes do not fit or a value is not finite.
    """
    targets, mean = _points(targets=targets, mean=mean)
    return _respond(_gram("gram", gram, mean), targets - mean)


def rate_local(gram: np.ndarray, targets: np.ndarray, mean: np.ndarray) -> np.ndarray:
    r"""The rate once mu_j is replaced by mu_i, Eq. (18).

    .. math:: \frac{d\mu_i}{dt} = \sum_j K_{ij} (y_j - \mu_i)

    Each point relaxes on its own to the local average with the fixed kernel K, at the rate
    :math:`\sum_j K_{ij}`, and the weights never narrow: that part of Eq. (17) is lost in the step.

    Parameters
    ----------
    gram : array, shape (..., n, n)
        K.
    targets, mean : array, shape (..., n)
        y and mu.

    Returns
    -------
    numpy.ndarray, shape (..., n)
        The rate of mu.

    Raises
    ------
    ValueError
        If the shapes do not fit or a value is not finite.
    """
    targets, mean = _points(targets=targets, mean=mean)
    gram = _gram("gram", gram, mean)
    return _respond(gram, targets) - gram.sum(-1) * mean


def rate_multi_scale(
    distance: np.ndarray, targets: np.ndarray, mean: np.ndarray, scales: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    r"""The rate with the kernel expanded in several scales, Eq. (19).

    .. math:: \frac{d\mu_i}{dt} = \sum_k \lambda_k \sum_j e^{-\beta_k |x_i - x_j|} (y_j - \mu_i)

    Where the expansion is exact this is Eq. (18) itself, not one approximation more.

    Parameters
    ----------
    distance : array, shape (..., n, n)
        Distances, at least 0.
    targets, mean : array, shape (..., n)
        y and mu.
    scales, weights : array, shape (k,)
        beta_k and lambda_k, at least 0.

    Returns
    -------
    numpy.ndarray, shape (..., n)
        The rate of mu.

    Raises
    ------
    ValueError
        If the shapes do not fit or a value is not allowed.
    """
    return rate_local(multi_scale_kernel(distance, scales, weights), targets, mean)


def variance_rates(
    gram: np.ndarray,
    targets: np.ndarray,
    mean: np.ndarray,
    deviation: np.ndarray,
    *,
    deviation_gram: np.ndarray | None = None,
    mean_factor: float = 1.0,
) -> np.ndarray:
    r"""The rates of a variance network whose heads are linear, Eq. (21), (23).

    .. math::
        \frac{d\mu_i}{dt} = c \sum_j \frac{K_{ij}}{\sigma_j^2} (y_j - \mu_j), \qquad
        \frac{d\sigma_i}{dt} = \sum_j \frac{K_{ij}}{\sigma_j^3} \big((y_j - \mu_j)^2 - \sigma_j^2\big)

    Parameters
    ----------
    gram : array, shape (..., n, n)
        K of the mean head.
    targets, mean, deviation : array, shape (..., n)
        y, mu and sigma; sigma is not 0.
    deviation_gram : array, shape (..., n, n), or None
        K of the deviation head; None for the same as the mean's.
    mean_factor : float
        c. Eq. (8) gives 1; the printed Eq. (21) has 1/2.

    Returns
    -------
    numpy.ndarray, shape (2, ..., n)
        The rates of mu and of sigma.

    Raises
    ------
    ValueError
        If the shapes do not fit or a value is not allowed.
    """
    targets, mean, deviation = _points(targets=targets, mean=mean, deviation=deviation)
    mean_factor = checks.number("mean_factor", mean_factor, above=0)
    first = _gram("gram", gram, mean)
    second = first if deviation_gram is None else _gram("deviation_gram", deviation_gram, mean)
    pull = pulls(targets, mean, deviation)
    return np.stack([mean_factor * _respond(first, pull[0]), _respond(second, pull[1])])


def variance_rates_local(
    gram: np.ndarray, targets: np.ndarray, mean: np.ndarray, deviation: np.ndarray, *, mean_factor: float = 1.0
) -> np.ndarray:
    r"""The rates of a variance network once mu_j and sigma_j^2 are replaced by mu_i and sigma_i^2, Eq. (22), (24).

    .. math::
        \frac{d\mu_i}{dt} = c \sum_j K_{ij} \frac{y_j - \mu_i}{\sigma_j^2}, \qquad
        \frac{d\sigma_i}{dt} = \sum_j K_{ij} \frac{(y_j - \mu_i)^2 - \sigma_i^2}{\sigma_j^3}

    The sigma_j of the denominators stays. The paper's K is a sum over scales: give `kernels.multi_scale_kernel`.

    Parameters
    ----------
    gram : array, shape (..., n, n)
        K.
    targets, mean, deviation : array, shape (..., n)
        y, mu and sigma; sigma is not 0.
    mean_factor : float
        c. Eq. (8) gives 1; the printed Eq. (22) has 1/2.

    Returns
    -------
    numpy.ndarray, shape (2, ..., n)
        The rates of mu and of sigma.

    Raises
    ------
    ValueError
        If the shapes do not fit or a value is not allowed.
    """
    targets, mean, deviation = _points(targets=targets, mean=mean, deviation=deviation)
    mean_factor = checks.number("mean_factor", mean_factor, above=0)
    gram = _gram("gram", gram, mean)
    first, second = gram / deviation[..., None, :] ** 2, gram / deviation[..., None, :] ** 3
    squares = (targets[..., None, :] - mean[..., :, None]) ** 2 - deviation[..., :, None] ** 2
    return np.stack([mean_factor * rate_local(first, targets, mean), (second * squares).sum(-1)])


def _respond(gram: np.ndarray, pull: np.ndarray) -> np.ndarray:
    return (gram @ pull[..., None])[..., 0]


def _gram(name: str, value: np.ndarray, like: np.ndarray) -> np.ndarray:
    result = checks.array(name, value)
    if result.shape[-2:] != (like.shape[-1],) * 2:
        raise ValueError(
            f"{name} has shape {result.shape}: its last two dimensions must be the {like.shape[-1]} points."
        )
    return result


def _points(**values: np.ndarray) -> list[np.ndarray]:
    arrays = {name: checks.array(name, value) for name, value in values.items()}
    if any(a.ndim == 0 for a in arrays.values()):
        raise ValueError(f"{', '.join(arrays)} cannot be one number: each must have a last dimension of points.")
    checks.same_shape(**arrays)
    if "deviation" in arrays and not arrays["deviation"].all():
        raise ValueError("deviation holds 0: the loss and its slopes need every sigma to differ from 0.")
    return list(arrays.values())
