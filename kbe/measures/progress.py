"""How far a training has come, by the fall of its loss."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from kbe import refusals
from kbe.checks import NonNegative, Positive, Real, Samples, Shaped, Share, checked

STAGES = ("start", "fall", "plateau")

Losses = Annotated[np.ndarray, Shaped("members epochs", finite=False)]


@checked
def time_to_learn(
    error: Samples,
    epochs: Annotated[np.ndarray, Shaped("epochs", increasing=True)],
    level: Annotated[float, Real(above=0, below=1)] = 0.5,
    *,
    start: Positive | None = None,
    interpolate: bool = True,
    axis: int = -1,
) -> np.ndarray:
    """The first epoch at which an error has fallen below a share of its start; infinite where it never does.

    An array with labels keeps them in `error.reduce(time_to_learn, "epoch", epochs=...)`.

    Parameters
    ----------
    error
        Errors of either sign; their sizes count. From an infinite one the next epoch counts in full.
    epochs
        The epochs at which they are recorded.
    level
        The share.
    start
        The error of which the level is a share, such as that of a guess. None takes the first one recorded; where
        that is 0 there is nothing to learn, and the time is infinite.
    interpolate
        Take the error as linear in the epoch between two recorded ones; else the time is the first recorded one.
    axis
        That of the epochs.

    Raises
    ------
    ValueError
        If the error has another number of epochs.
    """
    size = np.abs(np.moveaxis(error, refusals.axis("axis", axis, "error", error), -1))
    if size.shape[-1] != len(epochs):
        raise ValueError(f"error has shape {error.shape}: it must have {len(epochs)} epochs along axis {axis}.")
    wanted = level * (size[..., :1] if start is None else start)
    below = size < wanted
    after = below.argmax(-1)[..., None]
    before = np.maximum(after - 1, 0) if interpolate else after
    high, low = np.take_along_axis(size, before, -1), np.take_along_axis(size, after, -1)
    part = np.divide(high - wanted, high - low, out=np.ones_like(high), where=(high > low) & np.isfinite(high))
    reached = epochs[before] + part * (epochs[after] - epochs[before])
    return np.where(below.any(-1), reached[..., 0], np.inf)


@checked
def stages(
    loss: Annotated[np.ndarray, Shaped("epochs", finite=False)], begins: NonNegative = 0.1, ends: Share = 0.9
) -> np.ndarray:
    """Which stage of training each recorded epoch belongs to.

    Parameters
    ----------
    loss
        In the order of training, the first value being the start; what is not finite has not fallen.
    begins, ends
        The shares of the whole fall, from the first to the lowest loss, between which the loss falls fast.

    Returns
    -------
    numpy.ndarray of str
        "start" until the first share is reached, "fall" until the second is, "plateau" from then on.

    Raises
    ------
    ValueError
        If the first loss is not finite or `begins` not less than `ends`.
    """
    if not np.isfinite(loss[0]):
        raise ValueError(f"loss starts at {loss[0]}: its first value must be finite.")
    if begins >= ends:
        raise ValueError(f"begins is {begins} and ends {ends}: begins must be the smaller.")
    fallen = np.maximum.accumulate(loss[0] - np.where(np.isfinite(loss), loss, loss[0]))
    share = fallen / fallen[-1] if fallen[-1] > 0 else np.zeros_like(fallen)
    return np.select([share < begins, share < ends], STAGES[:2], STAGES[2])


@checked
def at_losses(loss: Losses, values: Losses, levels: Annotated[np.ndarray, Shaped("levels", above=0)]) -> np.ndarray:
    """A quantity at the moment at which the loss first reaches given levels, so that equally trained networks compare.

    Between two recorded epochs it is taken on the straight line over the logarithm of the loss, which must be positive.

    Returns
    -------
    numpy.ndarray, shape (members, levels)
        The `values`; NaN for a level that is not reached, or reached before the second epoch.
    """
    after = (loss[:, None] <= levels[:, None]).argmax(-1)  # 0 where it is never reached, too
    before, member = np.maximum(after - 1, 0), np.arange(len(loss))[:, None]
    high, low = loss[member, before], np.maximum(loss[member, after], np.finfo(float).tiny)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.log(high / levels) / np.log(high / low)
        found = (1 - share) * values[member, before] + share * values[member, after]
    return np.where(after > 0, found, np.nan)
