"""The mean-field model of learning that the training response law makes (equations 5 and 13), and its rivals.

Every model here is the response kernel dynamics with some kernel between a member's points, given at the recorded
epochs: its own, its own as it was at the start, an average over other members, or a factor of time times a kernel
of the distance. What they leave out tells how much of the learning each approximation keeps.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from kbe import checks


def factorised(response: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    r"""The factor of time and the kernel of the distance that are closest to a response, Eq. (5).

    .. math:: \min_{a, K} \sum_{t, d} \big( \Theta(t, d) - a(t)\, K(d) \big)^2

    Parameters
    ----------
    response : array, shape (epoch, distance)
        Theta, averaged over members and pairs.

    Returns
    -------
    tuple of numpy.ndarray, shapes (epoch,) and (distance,)
        a(t), which is 1 at the first epoch, and K(d).

    Raises
    ------
    ValueError
        If it is not a matrix, or its closest product vanishes at the first epoch.
    """
    matrix = checks.array("response", response, 2)
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    if abs(left[0, 0]) * values[0] <= 1e-12 * np.abs(matrix).max():
        raise ValueError("response has no size at the first epoch: a factor of time cannot be 1 there.")
    return left[:, 0] / left[0, 0], left[0, 0] * values[0] * right[0]


def on_pairs(law: ArrayLike, distance: ArrayLike) -> np.ndarray:
    """A response over time and distance as a kernel between points, Eq. (5), (13).

    Parameters
    ----------
    law : array, shape (epoch, distances)
        The response at the Hamming distances 0, 1, 2, ...
    distance : array, shape (member, watched, point)
        The distances between inputs.

    Returns
    -------
    numpy.ndarray, shape (member, epoch, watched, point)
        The kernel of each member at each epoch.

    Raises
    ------
    ValueError
        If a distance is not a whole number for which there is a response.
    """
    values, where = checks.array("law", law, 2), checks.array("distance", distance, 3)
    if (where != np.round(where)).any() or where.min() < 0 or where.max() >= values.shape[1]:
        raise ValueError(f"distance must hold whole numbers from 0 to {values.shape[1] - 1}, the distances of the law.")
    return np.moveaxis(values[:, where.astype(int)], 0, 1)


def follow(kernel: ArrayLike, targets: ArrayLike, start: ArrayLike, times: ArrayLike) -> np.ndarray:
    r"""The outputs of average networks whose kernel is given at some times, Eq. (13).

    .. math:: \frac{d\mu(\mathbf x)}{dt} = \sum_j K_t(\mathbf x, \mathbf x_j)\,(y_j - \mu_j)

    From each time to the next the kernel is the mean of its two values there, and the step is exact for it. Of the part
    between trained points the symmetric part counts, without its negative eigenvalues: averages over members have some
    small ones, which would let an error grow.

    Parameters
    ----------
    kernel : array, shape (member, time, watched, point)
        K between watched and trained inputs; the first watched inputs are the trained ones, in order. With one
        time only, the kernel is constant.
    targets : array, shape (member, point)
        y.
    start : array, shape (member, watched)
        mu at the first time.
    times : array, shape (time,)
        Increasing times: the learning rate times the epoch, over N if the loss is a mean.

    Returns
    -------
    numpy.ndarray, shape (member, time, watched)
        mu.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    gram, y = checks.array("kernel", kernel, 4), checks.array("targets", targets, 2)
    mu, clock = checks.array("start", start, 2), checks.array("times", times, 1)
    members, points = y.shape
    if gram.shape[1] not in (1, len(clock)) or gram.shape[::3] != y.shape or gram.shape[2] < points:
        raise ValueError(
            f"kernel has shape {gram.shape}: it must be ({members}, 1 or {len(clock)}, watched, {points})."
        )
    if mu.shape != (members, gram.shape[2]) or (np.diff(clock) <= 0).any():
        raise ValueError(f"start has shape {mu.shape}, and times must increase: one value a watched input is needed.")
    outputs, now = [mu], mu
    for step, span in enumerate(np.diff(clock)):
        between = gram[:, 0] if gram.shape[1] == 1 else (gram[:, step] + gram[:, step + 1]) / 2
        own = between[:, :points]
        values, vectors = np.linalg.eigh((own + own.swapaxes(1, 2)) / 2)
        error = np.einsum("mji,mj->mi", vectors, y - now[:, :points])
        positive = np.maximum(values, 1e-15)
        pulled = np.einsum("mij,mj->mi", vectors, -np.expm1(-positive * span) / positive * error)
        moved = np.einsum("mwj,mj->mw", between, pulled)
        decayed = np.exp(-np.maximum(values, 0) * span) * error
        moved[:, :points] = y - np.einsum("mij,mj->mi", vectors, decayed) - now[:, :points]
        now = now + moved
        outputs.append(now)
    return np.stack(outputs, 1)


def explained(network: xr.DataArray, model: xr.DataArray, pattern: bool = False) -> xr.DataArray:
    r"""The share of what a network's outputs have moved since the start that a model explains.

    .. math:: 1 - \frac{\sum_i (\mu_i^{\text{model}} - \mu_i)^2}{\sum_i (\mu_i - \mu_i(0))^2}

    Parameters
    ----------
    network, model : xarray.DataArray, shape (member, epoch, point)
        Outputs; the first epoch is the start.
    pattern : bool
        Take the mean over points away first: what tells the points apart is left.

    Returns
    -------
    xarray.DataArray, shape (member, epoch)
        1 for a perfect model, 0 for one that is as good as no movement, negative for worse; NaN at the start.

    Raises
    ------
    ValueError
        If the dimensions are not as described.
    """
    checks.flag("pattern", pattern)
    for name, one in {"network": network, "model": model}.items():
        if not isinstance(one, xr.DataArray) or set(one.dims) != {"member", "epoch", "point"}:
            raise ValueError(f"{name} must be a DataArray over member, epoch and point.")
    both = [one - one.mean("point") if pattern else one for one in (network, model)]
    moved = ((both[0] - both[0].isel(epoch=0)) ** 2).sum("point")
    return 1 - ((both[0] - both[1]) ** 2).sum("point") / moved.where(moved > 0)
