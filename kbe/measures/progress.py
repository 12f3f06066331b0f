"""How far a training has come, by the fall of its loss."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kbe import checks

STAGES = ("start", "fall", "plateau")


def time_to_learn(error: np.ndarray, epochs: np.ndarray, level: float = 0.5) -> np.ndarray:
    """The first epoch at which an error has fallen below a share of its start.

    Parameters
    ----------
    error : array, shape (..., epoch, clusters)
        Errors of either sign, the start of training first; their sizes count.
    epochs : array, shape (epoch,)
        The recorded epochs, increasing; between two of them the error is taken as linear in the epoch.
    level : float
        The share, between 0 and 1.

    Returns
    -------
    numpy.ndarray, shape (..., clusters)
        Epochs; infinite where it never falls so far, or where there is no error at the start.

    Raises
    ------
    ValueError
        If the shapes do not fit or the level is out of range.
    """
    size = np.abs(checks.array("error", error, finite=False))
    epochs = checks.array("epochs", epochs, 1)
    checks.number("level", level, above=0, high=1 - 1e-9)
    if size.ndim < 2 or size.shape[-2] != len(epochs) or (np.diff(epochs) <= 0).any():
        raise ValueError(f"error has shape {size.shape}: it must be (..., {len(epochs)}, clusters), epochs increasing.")
    wanted = level * size[..., :1, :]
    below = size < wanted
    after = below.argmax(-2)[..., None, :]
    before = np.maximum(after - 1, 0)
    high, low = np.take_along_axis(size, before, -2), np.take_along_axis(size, after, -2)
    part = np.divide(high - wanted, high - low, out=np.ones_like(high), where=high > low)
    reached = epochs[before] + part * (epochs[after] - epochs[before])
    return np.where(below.any(-2), reached[..., 0, :], np.inf)


def stages(loss: ArrayLike, begins: float = 0.1, ends: float = 0.9) -> np.ndarray:
    """Which stage of training each recorded epoch belongs to.

    Parameters
    ----------
    loss : array, shape (epochs,)
        The loss in the order of training, the first value being the start; what is not finite has not fallen.
    begins, ends : float
        The shares of the whole fall, from the first to the lowest loss, between which the loss falls fast.

    Returns
    -------
    numpy.ndarray of str, shape (epochs,)
        "start" until the first share is reached, "fall" until the second is, "plateau" from then on.

    Raises
    ------
    ValueError
        If the first loss is not finite or the shares are not in order within 0 and 1.
    """
    values = checks.array("loss", loss, 1, finite=False)
    if not np.isfinite(values[0]):
        raise ValueError(f"loss starts at {values[0]}: its first value must be finite.")
    values = np.where(np.isfinite(values), values, values[0])
    checks.number("ends", ends, high=1, above=checks.number("begins", begins, 0))
    fallen = np.maximum.accumulate(values[0] - values)
    share = fallen / fallen[-1] if fallen[-1] > 0 else np.zeros_like(fallen)
    return np.select([share < begins, share < ends], STAGES[:2], STAGES[2])


def at_losses(loss: ArrayLike, values: ArrayLike, levels: ArrayLike) -> np.ndarray:
    """A quantity at the moment at which the loss first reaches given levels, so that equally trained networks compare.

    Between two recorded epochs it is taken on the straight line over the logarithm of the loss.

    Parameters
    ----------
    loss : array, shape (members, epochs)
        The loss of each member, positive.
    values : array, shape (members, epochs)
        The quantity.
    levels : array, shape (levels,)
        The levels, positive.

    Returns
    -------
    numpy.ndarray, shape (members, levels)
        The values; NaN for a level that is not reached, or reached before the second epoch.

    Raises
    ------
    ValueError
        If the shapes do not fit or a level is not positive.
    """
    losses, kept = checks.array("loss", loss, 2, finite=False), checks.array("values", values, 2, finite=False)
    checks.same_shape(loss=losses, values=kept)
    wanted = checks.array("levels", levels, 1)
    if (wanted <= 0).any():
        raise ValueError(f"levels is {checks.shown(levels)}: every level must be positive.")
    result = np.full((len(losses), len(wanted)), np.nan)
    for member, row in enumerate(losses):
        for k, level in enumerate(wanted):
            after = int(np.argmax(row <= level))
            if after and row[after] <= level:
                steep = np.log(row[after - 1] / np.maximum(row[after], np.finfo(float).tiny))
                share = np.log(row[after - 1] / level) / steep
                result[member, k] = (1 - share) * kept[member, after - 1] + share * kept[member, after]
    return result
