"""How constant a measured response kernel is in training, and how far a constant one predicts it (equations 5, 12, 13).

The paper replaces the training response by a constant kernel. What that leaves out is measured here on
real networks, through the weights that `ensemble.train(..., keep_parameters=True)` stores.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from torch import nn

from kbe import checks, dynamics, profiles, response

_KERNEL_NUMBERS = 2**24  # in the kernels held at once: 128 MiB


def profile_in_training(module: nn.Module, run: xr.Dataset, inputs: ArrayLike, distance: ArrayLike) -> xr.Dataset:
    """Each output's response to its own training over distance, at every recorded epoch, the left side of Eq. (5).

    Parameters
    ----------
    module : torch.nn.Module
        The architecture; its own weights do not matter.
    run : xarray.Dataset
        What `ensemble.train` returns, with `parameters` (member, epoch, parameter). Choose epochs with `run.sel`.
    inputs : array, shape (n, ...)
        The inputs between which the response is taken, the same for every member.
    distance : array, shape (n, n)
        Their distances.

    Returns
    -------
    xarray.Dataset
        As `response_profile` makes it: `mean` and `spread` (member, epoch, head, distance), `pairs` (distance).

    Raises
    ------
    ValueError
        If an argument is not as described.
    """
    weights = _weights(run)
    where = checks.array("distance", distance, 2)
    several = max(1, _KERNEL_NUMBERS // (4 * where.size))
    groups = []
    for start in range(0, weights.sizes["member"], several):
        some = weights.isel(member=slice(start, start + several))
        kernels = (response.ensemble_kernel(module, some.sel(epoch=epoch), inputs) for epoch in some["epoch"])
        rows = [profiles.response_profile(_own_heads(kernel), where).rename(epoch="head") for kernel in kernels]
        groups.append(xr.concat(rows, weights["epoch"], data_vars=["mean", "spread"]))
    result = xr.concat(groups, "member", data_vars=["mean", "spread"])
    return result.transpose("member", "epoch", "head", "distance").assign_coords(member=weights["member"])


def drift_in_training(module: nn.Module, run: xr.Dataset, inputs: ArrayLike | None = None) -> xr.Dataset:
    """How far the kernel has moved from its start, in size and in shape, at every recorded epoch, Eq. (5), (12).

    Parameters
    ----------
    module : torch.nn.Module
        The architecture.
    run : xarray.Dataset
        What `ensemble.train` returns, with `parameters`; its first recorded epoch is what the others are
        compared with.
    inputs : array, shape (n, ...), or None
        The inputs between which the response is taken; None means each member's own training inputs.

    Returns
    -------
    xarray.Dataset
        `size` and `shape` (member, epoch, head), as `kernel_drift` defines them, of each output's response
        to its own training; NaN once a member's weights are not finite.

    Raises
    ------
    ValueError
        If an argument is not as described.
    """
    own = inputs is None
    weights = _weights(run, *(["x"] if own else []))
    at = run["x"].to_numpy() if inputs is None else inputs
    kernels = [
        _own_heads(response.ensemble_kernel(module, now, at, own_inputs=own)) for now in weights.transpose("epoch", ...)
    ]
    rows = [profiles.kernel_drift(kernels[0], kernel).rename(epoch="head") for kernel in kernels]
    result = xr.concat(rows, weights["epoch"]).transpose("member", "epoch", "head")
    return result.assign_coords(member=weights["member"])


def last_before(values: xr.DataArray, limit: xr.DataArray) -> xr.DataArray:
    """Each member's value at the last recorded epoch before a limit of its own, such as a share of its onset.

    Parameters
    ----------
    values : xarray.DataArray
        Over member, epoch and whatever else.
    limit : xarray.DataArray, shape (member,)
        Epochs; a member without a recorded epoch before its limit, or whose limit is later than the epoch after
        the last recorded one, or NaN, gives NaN.

    Returns
    -------
    xarray.DataArray
        The values, without the dimension epoch.

    Raises
    ------
    ValueError
        If the dimensions are not as described.
    """
    if not {"member", "epoch"} <= set(values.dims) or limit.dims != ("member",):
        raise ValueError(
            f"values has dimensions {values.dims} and limit {limit.dims}: they must be member, epoch, ... and member."
        )
    before = (values["epoch"] < limit).sum("epoch")
    chosen = values.isel(epoch=(before - 1).clip(0))
    return chosen.where((limit <= float(values["epoch"][-1]) + 1) & (before > 0)).drop_vars("epoch")


def explained_by_distance(profile: xr.Dataset) -> xr.DataArray:
    """The share of a kernel's variation over pairs of inputs that their distance explains, Eq. (5).

    Parameters
    ----------
    profile : xarray.Dataset
        `mean`, `spread` and `pairs`, as `response_profile` makes them.

    Returns
    -------
    xarray.DataArray
        Over the leading dimensions: 1 for a function of the distance alone, 0 where distance says nothing;
        NaN for a kernel that does not vary or is not finite.

    Raises
    ------
    ValueError
        If the profile is not as described.
    """
    if not isinstance(profile, xr.Dataset) or not {"mean", "spread", "pairs"} <= set(profile):
        raise ValueError("profile must be a Dataset with mean, spread and pairs, as response_profile makes it.")
    share = profile["pairs"] / profile["pairs"].sum()
    within = (share * profile["spread"] ** 2).sum("distance", skipna=False)
    average = (share * profile["mean"]).sum("distance", skipna=False)
    between = (share * (profile["mean"] - average) ** 2).sum("distance", skipna=False)
    return (between / (between + within).where(between + within > 0)).rename("explained")


def cross_response(kernel: ArrayLike) -> np.ndarray:
    r"""How strongly one output answers to the training of the other, beside each one's answer to its own.

    .. math:: \frac{|\Theta_{01}|}{\sqrt{|\Theta_{00}|\,|\Theta_{11}|}}

    with the Frobenius norm over pairs of inputs. The paper's dynamics for two outputs, Eq. (21) and (23), leave
    this out; it is 0 where the two heads share nothing.

    Parameters
    ----------
    kernel : array, shape (..., n, m, 2, 2)
        Theta of a network with two outputs.

    Returns
    -------
    numpy.ndarray, shape (...)
        The ratio; NaN where a kernel is not finite.

    Raises
    ------
    ValueError
        If the kernel has another shape.
    """
    theta = checks.array("kernel", kernel, finite=False)
    if theta.ndim < 4 or theta.shape[-2:] != (2, 2):
        raise ValueError(f"kernel has shape {theta.shape}: it must be (..., n, m, 2, 2).")
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        norm = np.sqrt((theta**2).sum((-4, -3)))
        return norm[..., 0, 1] / np.sqrt(norm[..., 0, 0] * norm[..., 1, 1])


def constant_kernel_prediction(module: nn.Module, run: xr.Dataset) -> xr.Dataset:
    r"""What a kernel frozen at the start predicts of an average network's training, Eq. (12), (13).

    .. math:: \mu(t) = y + e^{-K_0 t} (\mu(0) - y)

    K_0 is each member's own tangent kernel on its own inputs at the first recorded epoch; the time is the
    learning rate times the epochs, over N if the loss is a mean.

    Parameters
    ----------
    module : torch.nn.Module
        The architecture.
    run : xarray.Dataset
        What `ensemble.train` returns for the squared error on the full batch, with `parameters`.

    Returns
    -------
    xarray.Dataset
        `mu` (member, epoch, point), the prediction; `error` (member, epoch), the distance between prediction
        and network as a share of the distance that the network has moved, NaN at the start; `leading`
        (member), the epoch by which the kernel's first mode has decayed by a factor e.

    Raises
    ------
    ValueError
        If the run lacks its weights or was not trained so.
    """
    weights = _weights(run, "x", "y", "mu")
    if run.attrs.get("loss") != "squared_error" or run.attrs.get("batch_size") != run.sizes["point"]:
        raise ValueError("run must come from training on the squared error with the full batch.")
    kernels = response.ensemble_kernel(module, weights[:, 0], run["x"].to_numpy(), own_inputs=True)[..., 0, 0]
    rate = run.attrs["learning_rate"] / (run.sizes["point"] if run.attrs["reduction"] == "mean" else 1)
    epochs = run["epoch"].to_numpy()
    times = rate * (epochs - epochs[0])
    targets, mean = run["y"].to_numpy(), run["mu"].transpose("member", "epoch", "point")
    predicted = [
        dynamics.linear_response((kernel + kernel.T) / 2, y, start, times)["mu"]
        for kernel, y, start in zip(kernels, targets, mean.to_numpy()[:, 0], strict=True)
    ]
    mu = mean.copy(data=np.stack(predicted))
    moved = ((mean - mean[:, 0]) ** 2).sum("point") ** 0.5
    missed = ((mu - mean) ** 2).sum("point") ** 0.5
    leading = 1 / (rate * np.linalg.eigvalsh(kernels)[:, -1])
    return xr.Dataset({"mu": mu, "error": missed / moved.where(moved > 0), "leading": ("member", leading)})


def _own_heads(kernel: np.ndarray) -> np.ndarray:
    """Theta (member, n, m, heads, heads) of each output to its own training, (member, head, n, m)."""
    return np.moveaxis(np.diagonal(kernel, axis1=-2, axis2=-1), -1, 1)


def _weights(run: xr.Dataset, *needed: str) -> xr.DataArray:
    missing = [name for name in ("parameters", *needed) if not isinstance(run, xr.Dataset) or name not in run]
    if missing or run["parameters"].ndim != 3:
        raise ValueError(
            f"run lacks {' and '.join(missing) or 'epochs'}: it must be what ensemble.train returns "
            "with keep_parameters=True."
        )
    return run["parameters"].transpose("member", "epoch", "parameter")
