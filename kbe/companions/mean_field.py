"""The mean-field model of learning that the training response law makes (equations 5 and 13), and its rivals.

Every model here is the response kernel dynamics with some kernel between a member's points, given at the recorded
epochs: its own, its own as it was at the start, an average over other members, or a factor of time times a kernel
of the distance. What they leave out tells how much of the learning each approximation keeps.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import xarray as xr

from kbe.checks import Holds, Shaped, checked

ByDistance = Annotated[np.ndarray, Shaped("epochs distances")]
Outputs = Annotated[xr.DataArray, Holds("(member epoch point)", "outputs over member, epoch and point")]


@checked
def factorised(response: ByDistance) -> tuple[np.ndarray, np.ndarray]:
    r"""The factor of time and the kernel of the distance that are closest to a response, Eq. (5).

    .. math:: \min_{a, K} \sum_{t, d} \big( \Theta(t, d) - a(t)\, K(d) \big)^2

    with Theta the `response`, averaged over members and pairs.

    Returns
    -------
    tuple of numpy.ndarray
        a(t), which is 1 at the first epoch, and K(d).

    Raises
    ------
    ValueError
        If the closest product vanishes at the first epoch.
    """
    left, values, right = np.linalg.svd(response, full_matrices=False)
    if abs(left[0, 0]) * values[0] <= 1e-12 * np.abs(response).max():
        raise ValueError("response has no size at the first epoch: a factor of time cannot be 1 there.")
    return left[:, 0] / left[0, 0], left[0, 0] * values[0] * right[0]


@checked
def on_pairs(law: ByDistance, distance: Annotated[np.ndarray, Shaped("members watched points", low=0)]) -> np.ndarray:
    """A response over time and distance as a kernel between points, shape (members, epochs, watched, points).

    Parameters
    ----------
    law
        The response at the Hamming distances 0, 1, 2, ..., for example a(t) K(d) of equation 5.
    distance
        The distances between inputs.

    Raises
    ------
    ValueError
        If a distance is not a whole number for which there is a response.
    """
    if (distance % 1).any() or distance.max() >= law.shape[1]:
        raise ValueError(f"distance must hold whole numbers from 0 to {law.shape[1] - 1}, the distances of the law.")
    return np.moveaxis(law[:, distance.astype(int)], 0, 1)


@checked
def response_kernel_dynamics(
    kernel: Annotated[np.ndarray, Shaped("members kept watched points")],
    targets: Annotated[np.ndarray, Shaped("members points")],
    start: Annotated[np.ndarray, Shaped("members watched")],
    times: Annotated[np.ndarray, Shaped("times", increasing=True)],
) -> np.ndarray:
    r"""The outputs of average networks whose kernel is given at some times, Eq. (13).

    .. math:: \frac{d\mu(\mathbf x)}{dt} = \sum_j K_t(\mathbf x, \mathbf x_j)\,(y_j - \mu_j)

    From each time to the next the kernel is the mean of its two values there, and the step is exact for it. Of the part
    between trained points the symmetric part counts, without its negative eigenvalues: averages over members have some
    small ones, which would let an error grow.

    Parameters
    ----------
    kernel
        K between watched and trained inputs; the first watched inputs are the trained ones, in order. It is kept at
        every time, or once if it is constant.
    targets
        y.
    start
        mu at the first time.
    times
        The learning rate times the epoch, over N if the loss is a mean.

    Returns
    -------
    numpy.ndarray
        mu, shape (members, times, watched).

    Raises
    ------
    ValueError
        If the kernel is given at another number of times, or some trained input is not watched.
    """
    points = targets.shape[1]
    if kernel.shape[1] not in (1, len(times)) or kernel.shape[2] < points:
        raise ValueError(
            f"kernel has shape {kernel.shape}: it must be (members, 1 or {len(times)}, {points} or more, {points})."
        )
    outputs, now = [start], start
    for step, span in enumerate(np.diff(times)):
        between = kernel[:, 0] if kernel.shape[1] == 1 else (kernel[:, step] + kernel[:, step + 1]) / 2
        own = between[:, :points]
        values, vectors = np.linalg.eigh((own + own.swapaxes(1, 2)) / 2)
        error = np.einsum("mji,mj->mi", vectors, targets - now[:, :points])
        positive = np.maximum(values, 1e-15)
        pulled = np.einsum("mij,mj->mi", vectors, -np.expm1(-positive * span) / positive * error)
        moved = np.einsum("mwj,mj->mw", between, pulled)
        decayed = np.exp(-np.maximum(values, 0) * span) * error
        moved[:, :points] = targets - np.einsum("mij,mj->mi", vectors, decayed) - now[:, :points]
        now = now + moved
        outputs.append(now)
    return np.stack(outputs, 1)


@checked
def share_explained(network: Outputs, model: Outputs, pattern: bool = False) -> xr.DataArray:
    r"""The share of what a network's outputs have moved since the start that a model explains, over (member, epoch).

    .. math:: 1 - \frac{\sum_i (\mu_i^{\text{model}} - \mu_i)^2}{\sum_i (\mu_i - \mu_i(0))^2}

    It is 1 for a perfect model, 0 for one that is as good as no movement, negative for worse, and NaN at the start,
    which is the first epoch. With `pattern` the mean over points is taken away first: what tells the points apart
    is left.
    """
    if pattern:
        network, model = network - network.mean("point"), model - model.mean("point")
    moved = ((network - network.isel(epoch=0)) ** 2).sum("point")
    return 1 - ((network - model) ** 2).sum("point") / moved.where(moved > 0)
