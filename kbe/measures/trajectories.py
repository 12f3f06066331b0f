"""Where outputs go on the gradient field of the loss (Fig. 1, 6, 7)."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import xarray as xr

from kbe.checks import Holds, Shaped, checked
from kbe.measures.onsets import at_lags
from kbe.training.record import target_spread

Jumped = Annotated[
    xr.Dataset,
    Holds("mu(member epoch point) y(member point) onset(member)", "what ensemble.train returns", "jump"),
]
Trained = Annotated[
    xr.Dataset,
    Holds(
        "mu(member epoch point) sigma(member epoch point) y(member point) onset(member)",
        "what ensemble.train returns for two heads",
    ),
]


@checked
def gradient_field(
    error: Annotated[np.ndarray, Shaped("errors", low=0)],
    deviation: Annotated[np.ndarray, Shaped("deviations", above=0)],
    *,
    misprinted: bool = False,
) -> xr.Dataset:
    r"""The direction in which the loss of one point (equation 8) falls fastest, and how steeply.

    .. math::
        -\frac{\partial L}{\partial r} = -\frac{r}{\sigma^2}, \qquad
        -\frac{\partial L}{\partial \sigma} = \frac{r^2}{\sigma^3} - \frac{1}{\sigma}
        \quad \text{with } r = |y - \mu|

    with r the `error` and :math:`\sigma` the `deviation`. In the loss of equation 14 as printed, which is taken if
    `misprinted`, the last term is 1 instead.

    Returns
    -------
    xarray.Dataset
        `to_error` and `to_deviation`, the direction as a unit vector, 0 where the slope is 0, and
        `steepness`, the slope's length; dims (deviation, error).
    """
    along, up = _slopes(error, deviation[:, None], misprinted)
    steepness = np.hypot(along, up)
    unit = np.where(steepness > 0, steepness, 1.0)
    dims = ("deviation", "error")
    return xr.Dataset(
        {"to_error": (dims, along / unit), "to_deviation": (dims, up / unit), "steepness": (dims, steepness)},
        coords={"error": error, "deviation": deviation},
        attrs={"misprinted": int(misprinted)},
    )


@checked
def paths(run: Trained) -> xr.Dataset:
    """The trajectories of Fig. 1 and 6: each point's error and standard deviation through training.

    Returns
    -------
    xarray.Dataset
        `error`, |y - mu|, and `sigma` (member, epoch, point), `onset` (member), and `stable` (member, epoch),
        whether the epoch comes before the onset.
    """
    error = abs(run.y - run.mu).transpose(*run.mu.dims)
    stable = (run.epoch < run.onset).transpose("member", "epoch")
    return xr.Dataset({"error": error, "sigma": run.sigma, "onset": run.onset, "stable": stable})


@checked
def alignment(run: Trained, *, misprinted: bool = False) -> xr.DataArray:
    r"""How much of the way of (|y - mu|, sigma) before the onset goes along the gradient field.

    Each step between recorded epochs is projected on the direction of `gradient_field` at its start. The sum of the
    projections over the sum of the steps' lengths is the mean cosine, weighted by length: what the eye sees in Fig. 1.

    Returns
    -------
    xarray.DataArray, dims (member)
        From -1 to 1, over all points of a member; NaN without a step before the onset.
    """
    path = paths(run).transpose("member", "epoch", ..., "point")
    error, sigma = path.error.values, path.sigma.values
    used = path.stable.values[:, 1:, None] & np.isfinite(sigma[:, 1:])
    with np.errstate(all="ignore"):
        slopes = _slopes(error[:, :-1], sigma[:, :-1], misprinted)
        steps = np.diff([error, sigma], axis=2)
        steepness = np.hypot(*slopes)
        length = np.where(used & np.isfinite(steepness), np.hypot(*steps), 0.0)
        forward = np.where(length > 0, (steps * slopes).sum(0) / steepness, 0.0)
        return xr.DataArray(forward.sum((1, 2)) / length.sum((1, 2)), dims="member", name="alignment")


@checked
def first_to_jump(run: Jumped) -> xr.DataArray:
    """The points at which an output changes by more than the run's `jump`, times the spread of targets, at the onset.

    Returns
    -------
    xarray.DataArray of float, dims (member, point)
        1 for a point that jumps (or turns non-finite), 0 for one that does not yet, NaN for a member
        whose onset, or the epoch before it, was not recorded.
    """
    heads = [name for name in ("mu", "sigma") if name in run]
    outputs = (
        at_lags(run[[*heads, "onset"]], np.array([1, 0]))[heads].to_array("head").transpose(..., "member", "point")
    )
    before, after = (outputs.sel(lag=lag, drop=True) for lag in (1, 0))
    spread = xr.DataArray(target_spread(run.y.values), dims="member")
    jumps = ~(abs(after - before) <= run.attrs["jump"] * spread)
    recorded = run.onset.isin(run.epoch) & (run.onset - 1).isin(run.epoch)
    known = recorded & (abs(before.sel(head="mu", drop=True)) < np.inf).all("point")
    return jumps.any("head").astype(float).where(known)


def _slopes(error: np.ndarray, deviation: np.ndarray, misprinted: bool) -> np.ndarray:
    """Minus the slopes of the loss in |y - mu| and in sigma."""
    with np.errstate(divide="ignore"):
        ratio, inverse = error / deviation, 1 / deviation
        return np.stack([-ratio * inverse, (ratio**2 - 1) * inverse + (inverse - 1 if misprinted else 0.0)])
