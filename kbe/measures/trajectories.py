"""Where outputs go on the gradient field of the loss (Fig. 1, 6, 7)."""

from __future__ import annotations

import numpy as np
import xarray as xr

from kbe import checks
from kbe.measures.onsets import lagged


def gradient_field(error: np.ndarray, deviation: np.ndarray, *, misprinted: bool = False) -> xr.Dataset:
    r"""The direction in which one point's loss, Eq. (8), falls fastest, and how steeply.

    .. math::
        -\frac{\partial L}{\partial r} = -\frac{r}{\sigma^2}, \qquad
        -\frac{\partial L}{\partial \sigma} = \frac{r^2}{\sigma^3} - \frac{1}{\sigma}
        \quad \text{with } r = |y - \mu|

    Parameters
    ----------
    error : array, shape (m,)
        |y - mu|, at least 0.
    deviation : array, shape (n,)
        sigma, greater than 0.
    misprinted : bool
        The loss of Eq. (14) as printed, in which the last term is 1 instead.

    Returns
    -------
    xarray.Dataset
        `to_error` and `to_deviation`, the direction as a unit vector, 0 where the slope is 0, and
        `steepness`, the slope's length; dims (deviation, error).

    Raises
    ------
    ValueError
        If an error is negative or a deviation not greater than 0.
    """
    error, deviation = checks.array("error", error, 1), checks.array("deviation", deviation, 1)
    if error.min() < 0 or deviation.min() <= 0:
        raise ValueError("error must be at least 0 and deviation greater than 0 everywhere.")
    across, over = np.meshgrid(error, deviation)
    along, up = _slopes(across, over, misprinted)
    steepness = np.hypot(along, up)
    unit = np.where(steepness > 0, steepness, 1.0)
    dims = ("deviation", "error")
    return xr.Dataset(
        {"to_error": (dims, along / unit), "to_deviation": (dims, up / unit), "steepness": (dims, steepness)},
        coords={"error": error, "deviation": deviation},
        attrs={"misprinted": int(misprinted)},
    )


def paths(run: xr.Dataset) -> xr.Dataset:
    """The trajectories of Fig. 1 and 6: each point's error and standard deviation through training.

    Parameters
    ----------
    run : xarray.Dataset
        What `ensemble.train` returns for a network with two heads.

    Returns
    -------
    xarray.Dataset
        `error`, |y - mu|, and `sigma` (member, epoch, point), `onset` (member), and `stable` (member, epoch),
        whether the epoch comes before the onset.

    Raises
    ------
    ValueError
        If the run lacks one of the variables.
    """
    missing = [name for name in ("mu", "sigma", "y", "onset") if name not in run]
    if missing:
        raise ValueError(f"run lacks {', '.join(missing)}: it must be what ensemble.train returns for two heads.")
    error = abs(run.y - run.mu).transpose(*run.mu.dims)
    result = xr.Dataset({"error": error, "sigma": run.sigma, "onset": run.onset})
    return result.assign(stable=(run.epoch < run.onset).transpose("member", "epoch"))


def alignment(run: xr.Dataset, *, misprinted: bool = False) -> xr.DataArray:
    r"""How much of the way of (|y - mu|, sigma) before the onset goes along the gradient field.

    Each step between recorded epochs is projected on the field's direction at its start. The sum of the projections
    over the sum of the steps' lengths is the mean cosine, weighted by length: what the eye sees in Fig. 1.

    Parameters
    ----------
    run : xarray.Dataset
        What `ensemble.train` returns for a network with two heads.
    misprinted : bool
        Take the field of Eq. (14) as printed.

    Returns
    -------
    xarray.DataArray, dims (member)
        From -1 to 1, over all points of a member; NaN without a step before the onset.

    Raises
    ------
    ValueError
        If the run lacks one of the variables.
    """
    path = paths(run).transpose("member", "epoch", ..., "point")
    error, sigma = path.error.values, path.sigma.values
    used = path.stable.values[:, 1:, None] & np.isfinite(sigma[:, 1:])
    with np.errstate(all="ignore"):
        along, up = _slopes(error[:, :-1], sigma[:, :-1], misprinted)
        steepness = np.hypot(along, up)
        step = np.stack([np.diff(error, axis=1), np.diff(sigma, axis=1)])
        length = np.where(used & np.isfinite(steepness), np.hypot(*step), 0.0)
        forward = np.where(length > 0, (step[0] * along + step[1] * up) / steepness, 0.0)
        return xr.DataArray(forward.sum((1, 2)) / length.sum((1, 2)), dims="member", name="alignment")


def first_to_jump(run: xr.Dataset) -> xr.DataArray:
    """The points at which an output changes by more than the run's `jump` at the onset itself.

    Parameters
    ----------
    run : xarray.Dataset
        What `ensemble.train` returns, recorded at the epochs around the onsets.

    Returns
    -------
    xarray.DataArray of float, dims (member, point)
        1 for a point that jumps (or turns non-finite), 0 for one that does not yet, NaN for a member
        whose onset was not recorded.

    Raises
    ------
    ValueError
        If the run has no onset, or no `jump` among its attributes.
    """
    if "jump" not in getattr(run, "attrs", {}):
        raise ValueError("run has no attribute 'jump': it must be what ensemble.train returns.")
    step = lagged(run, [1, 0]).transpose("lag", "member", ..., "point")
    before = step.sel(lag=1)
    known = np.isfinite(before.mu).all("point")
    heads = [name for name in ("mu", "sigma") if name in step]
    kept = [~(abs(step[name].sel(lag=0) - before[name]) <= run.attrs["jump"]) for name in heads]
    return np.logical_or.reduce(kept) * xr.ones_like(before.mu.drop_vars("lag")).where(known)


def _slopes(error: np.ndarray, deviation: np.ndarray, misprinted: bool) -> np.ndarray:
    """Minus the slopes of the loss in |y - mu| and in sigma."""
    with np.errstate(divide="ignore"):
        ratio, inverse = error / deviation, 1 / deviation
        return np.stack([-ratio * inverse, (ratio**2 - 1) * inverse + (inverse - 1 if misprinted else 0.0)])
