"""Where the variance dynamics ends and where its steps turn unstable: identities and bounds from equation 8."""

from __future__ import annotations

import numpy as np
import xarray as xr

from kbe import checks
from kbe.theory.heads import curvature


def collapse_bound(
    gram: np.ndarray,
    targets: np.ndarray,
    mean: np.ndarray,
    deviation: np.ndarray,
    *,
    deviation_gram: np.ndarray | None = None,
    mean_factor: float = 1.0,
) -> float:
    r"""A time by which sigma = 0 is reached under Eq. (21), (23) with linear heads.

    Scaling all of :math:`r = y - \mu` and :math:`\sigma` by s adds :math:`N \log s` to Eq. (8), so
    :math:`r \cdot \partial L / \partial r + \sigma \cdot \partial L / \partial \sigma = N` everywhere, and

    .. math:: \frac{d}{dt} \big( r^T (cK)^{-1} r + \sigma^T K^{-1} \sigma \big) = -2N .

    The bracket cannot turn negative, so the flow has to leave sigma > 0 by the time bracket / 2N. For one
    point that is not a bound but the time itself. If K is singular the identity holds as long as r and
    sigma lie in its range; where inputs repeat with targets that conflict r never does: there is no bound.

    Parameters
    ----------
    gram : array, shape (n, n)
        K of the mean head, symmetric, positive semidefinite.
    targets, mean, deviation : array, shape (n,)
        y, and mu and sigma at time 0.
    deviation_gram : array, shape (n, n), or None
        K of the deviation head; None for the same as the mean's.
    mean_factor : float
        c. Eq. (8) gives 1; the printed Eq. (21) has 1/2.

    Returns
    -------
    float
        The time; infinite where there is no bound.

    Raises
    ------
    ValueError
        If the shapes do not fit or a value is not allowed.
    """
    targets, mean, deviation = _points(targets, mean, deviation)
    mean_factor = checks.number("mean_factor", mean_factor, above=0)
    first = checks.symmetric("gram", checks.array("gram", gram, 2), len(targets))
    second = first
    if deviation_gram is not None:
        second = checks.symmetric("deviation_gram", checks.array("deviation_gram", deviation_gram, 2), len(targets))
    bracket = _inverse_form(first, targets - mean) / mean_factor + _inverse_form(second, deviation)
    return float(bracket / (2 * len(targets)))


def one_point_path(error: np.ndarray, start_error: float, start_deviation: float) -> np.ndarray:
    r"""The sigma of one point at each error on its way, Eq. (21), (23) with linear heads in closed form.

    With :math:`A = (y - \mu)^2` and :math:`S = \sigma^2` the two equations are :math:`\dot A = -2 K A / S` and
    :math:`\dot S = 2 K (A - S) / S`, so :math:`dS / dA = S / A - 1` and

    .. math:: \frac{\sigma^2}{(y - \mu)^2} = \frac{\sigma_0^2}{(y - \mu_0)^2} + 2 \log \frac{y - \mu_0}{y - \mu}

    for any K: both reach 0 together, and the error is then infinitely smaller than sigma.

    Parameters
    ----------
    error : array
        y - mu, of the sign of `start_error`, not 0 and not farther from 0.
    start_error, start_deviation : float
        y - mu and sigma at time 0.

    Returns
    -------
    numpy.ndarray, shape of `error`
        sigma.

    Raises
    ------
    ValueError
        If an error lies off the way.
    """
    error, start_error = checks.array("error", error), checks.number("start_error", start_error)
    start_deviation = checks.number("start_deviation", start_deviation, above=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = error / start_error
    if not ((ratio > 0) & (ratio <= 1)).all():
        raise ValueError(f"error must lie between 0 and start_error, {start_error}, without 0.")
    return np.abs(error) * np.sqrt((start_deviation / start_error) ** 2 - 2 * np.log(ratio))


def response_curvature(
    gram: np.ndarray,
    targets: np.ndarray,
    mean: np.ndarray,
    deviation: np.ndarray,
    *,
    deviation_gram: np.ndarray | None = None,
    mean_factor: float = 1.0,
    heads: tuple[str, str] = ("linear", "linear"),
) -> np.ndarray:
    r"""The largest curvature of Eq. (8) as the response kernel sees it.

    .. math:: \lambda_{\max}\big( P^{1/2} H P^{1/2} \big), \qquad P = \begin{pmatrix} cK & 0 \\ 0 & K \end{pmatrix}

    with H the second derivatives in what enters the two heads. A step of learning rate eta at rest is stable
    if and only if eta times this is below 2. For one point with linear heads it is
    :math:`K (3q + \sqrt{9 q^2 + 4 q + 4}) / (2 \sigma^2)`, where :math:`q = (y - \mu)^2 / \sigma^2`.

    Parameters
    ----------
    gram : array, shape (n, n) or (..., n, n)
        K of the mean head, symmetric, positive semidefinite.
    targets, mean, deviation : array, shape (..., n)
        y, mu and sigma.
    deviation_gram : array or None
        K of the deviation head; None for the same as the mean's.
    mean_factor : float
        c. Eq. (8) gives 1; the printed Eq. (21) has 1/2.
    heads : pair of str
        Activations of the mean and the deviation head, names in `heads.HEADS`.

    Returns
    -------
    numpy.ndarray, shape (...)
        The largest curvature; NaN where mu or sigma is not finite.

    Raises
    ------
    ValueError
        If the shapes do not fit or a value is not allowed.
    """
    with np.errstate(all="ignore"):
        bend = curvature(targets, mean, deviation, heads)
    lead, points = bend.shape[2:-1], bend.shape[-1]
    first = checks.symmetric("gram", gram, points)
    second = first if deviation_gram is None else checks.symmetric("deviation_gram", deviation_gram, points)
    factor = np.sqrt(checks.number("mean_factor", mean_factor, above=0))
    roots = [factor * _root(first), _root(second)]
    rows = [[roots[a] @ (bend[a, b][..., None] * roots[b]) for b in (0, 1)] for a in (0, 1)]
    matrix = np.concatenate([np.concatenate(row, -1) for row in rows], -2)
    fine = np.isfinite(matrix).all((-2, -1))
    largest = np.linalg.eigvalsh(np.where(fine[..., None, None], matrix, 0.0))[..., -1]
    return np.where(fine, largest, np.nan).reshape(lead)


def classical_onset(gram: np.ndarray, history: xr.Dataset, *, deviation_gram: np.ndarray | None = None) -> xr.DataArray:
    """The first step of a map at which the learning rate times the largest curvature exceeds 2.

    Away from rest it is no sharp border: the point must also stay there for some steps, and the direction
    must be one that the errors have. The loss may rise later than this, or in one large step before. A
    state that is not finite counts as beyond the bound.

    Parameters
    ----------
    gram : array, shape (n, n) or (members, n, n)
        K of the mean head, as given to the map.
    history : xarray.Dataset
        What `variance_network.variance_map` returned.
    deviation_gram : array or None
        K of the deviation head, as given to the map.

    Returns
    -------
    xarray.DataArray, dims ([member])
        The step; infinite where it never happens.

    Raises
    ------
    ValueError
        If the history is not one of a map or the shapes do not fit.
    """
    if not isinstance(history, xr.Dataset) or "step" not in history.dims or "learning_rate" not in history.attrs:
        raise ValueError("history must be the dataset of a map, with a dimension step and a learning rate.")
    members = [dim for dim in ("member",) if dim in history.dims]
    ordered = history.transpose("step", *members, "point")
    sharpness = response_curvature(
        gram,
        ordered["y"].values,
        ordered["mu"].values,
        ordered["sigma"].values,
        deviation_gram=deviation_gram,
        mean_factor=history.attrs["mean_factor"],
        heads=tuple(history.attrs["heads"]),
    )
    passed = ~(history.attrs["learning_rate"] * sharpness <= 2)
    return xr.DataArray(np.where(passed.any(0), passed.argmax(0), np.inf), dims=members, name="classical_onset")


def _points(*values: np.ndarray) -> list[np.ndarray]:
    names = ("targets", "mean", "deviation")
    arrays = {name: checks.array(name, value, 1) for name, value in zip(names, values, strict=True)}
    checks.same_shape(**arrays)
    if arrays["deviation"].min() <= 0:
        raise ValueError(f"deviation holds {arrays['deviation'].min():g}: every sigma must be greater than 0.")
    return list(arrays.values())


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
