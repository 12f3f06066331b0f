"""How a response kernel changes in training, in size, in shape and over distance (equations 5, 12).

The paper replaces the training response by a constant kernel. What that leaves out is measured here on
real networks, through the weights that `ensemble.train(..., keep_parameters=True)` stores.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from torch import nn

from kbe import checks
from kbe.response import tangent_kernel
from kbe.response.profiles import LEADING, response_profile

_KERNEL_NUMBERS = 2**24  # in the kernels held at once: 128 MiB


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
        _own_heads(tangent_kernel.ensemble_kernel(module, now, at, own_inputs=own))
        for now in weights.transpose("epoch", ...)
    ]
    rows = [kernel_drift(kernels[0], kernel).rename(epoch="head") for kernel in kernels]
    result = xr.concat(rows, weights["epoch"]).transpose("member", "epoch", "head")
    return result.assign_coords(member=weights["member"])


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


def kernel_drift(initial: ArrayLike, current: ArrayLike) -> xr.Dataset:
    r"""How far a kernel has moved in training, in size and in shape; both are constant where Eq. (12) holds.

    .. math:: \text{size} = \frac{|K_t|}{|K_0|}, \qquad
        \text{shape} = 1 - \frac{\langle K_0, K_t \rangle}{|K_0|\,|K_t|}

    with the Frobenius norm. Aging that is nothing but a factor, as in Eq. (5), changes the size alone.

    Parameters
    ----------
    initial : array, shape (..., n, m)
        The kernel before, such as `theta[..., 0, 0]` or a `gram_matrix`.
    current : array, shape (..., n, m)
        The kernel after; its leading dimensions may be more than those of the initial one, which is repeated.

    Returns
    -------
    xarray.Dataset
        `size` and `shape` over the leading dimensions, which are called member and epoch. Both are NaN
        where a kernel is not finite or zero everywhere.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    before = checks.array("initial", initial, (2, 3, 4), finite=False)
    after = checks.array("current", current, (2, 3, 4), finite=False)
    try:
        leading = (
            np.broadcast_shapes(before.shape, after.shape) == after.shape and before.shape[-2:] == after.shape[-2:]
        )
    except ValueError:
        leading = False
    if not leading:
        raise ValueError(f"initial has shape {before.shape} and current {after.shape}: they must fit.")
    with np.errstate(invalid="ignore", over="ignore"):
        norms = [np.sqrt(np.einsum("...ij,...ij->...", k, k)) for k in (before, after)]
        norms = [np.where((norm > 0) & np.isfinite(norm), norm, np.nan) for norm in norms]
        overlap = np.einsum("...ij,...ij->...", before, after) / norms[0] / norms[1]
        dims = LEADING[after.ndim - 2]
        return xr.Dataset({"size": (dims, norms[1] / norms[0]), "shape": (dims, 1 - overlap)})


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


PAIRS = ("trained, trained", "unseen, trained", "unseen, unseen")


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
        kernels = (tangent_kernel.ensemble_kernel(module, some.sel(epoch=epoch), inputs) for epoch in some["epoch"])
        rows = [response_profile(_own_heads(kernel), where).rename(epoch="head") for kernel in kernels]
        groups.append(xr.concat(rows, weights["epoch"], data_vars=["mean", "spread"]))
    result = xr.concat(groups, "member", data_vars=["mean", "spread"])
    return result.transpose("member", "epoch", "head", "distance").assign_coords(member=weights["member"])


def pair_responses(module: nn.Module, run: xr.Dataset, unseen: ArrayLike) -> xr.Dataset:
    """Size and profile of the first output's response through training, for each kind of pairs, Eq. (5).

    Parameters
    ----------
    module : torch.nn.Module
        The architecture; its own weights do not matter.
    run : xarray.Dataset
        What `ensemble.train` returns with `keep_parameters=True`, on bit strings.
    unseen : array, shape (member, n, bits)
        Inputs of each member that it is not trained on.

    Returns
    -------
    xarray.Dataset
        `size` (pairs, member, epoch), the root mean square; `mean` (pairs, member, epoch, distance), the mean
        over the pairs at each Hamming distance, NaN where a member has none.

    Raises
    ------
    ValueError
        If the run lacks its weights or the inputs do not fit.
    """
    if not isinstance(run, xr.Dataset) or "parameters" not in run:
        raise ValueError("run lacks parameters: it must be what ensemble.train returns with keep_parameters=True.")
    trained, other = run["x"].to_numpy(), checks.array("unseen", unseen, 3)
    if other.shape[::2] != trained.shape[::2]:
        raise ValueError(f"unseen has shape {other.shape}: it must be ({len(trained)}, n, {trained.shape[2]}).")
    x, points = np.concatenate([trained, other], 1), trained.shape[1]
    distance = np.abs(x[:, :, None] - x[:, None]).sum(-1).astype(int)
    seen, rest = slice(0, points), slice(points, None)
    blocks = ((seen, seen), (rest, seen), (rest, rest))
    cells = [_Cells(distance[:, rows, columns], trained.shape[2] + 1) for rows, columns in blocks]
    sizes, means = [], []
    for weights in run["parameters"].transpose("epoch", "member", "parameter").to_numpy():
        kernel = tangent_kernel.ensemble_kernel(module, weights, x, own_inputs=True)[..., 0, 0]
        parts = [kernel[:, rows, columns] for rows, columns in blocks]
        sizes.append([np.sqrt((part**2).mean((1, 2))) for part in parts])
        means.append([cell.mean(part) for cell, part in zip(cells, parts, strict=True)])
    dims = ("epoch", "pairs", "member")
    result = xr.Dataset({"size": (dims, np.array(sizes)), "mean": ((*dims, "distance"), np.array(means))})
    coords = {"epoch": run["epoch"], "pairs": list(PAIRS), "distance": np.arange(trained.shape[2] + 1)}
    return result.assign_coords(coords).transpose("pairs", "member", "epoch", "distance")


class _Cells:
    """The pairs of each member sorted by distance, for means over many kernels."""

    def __init__(self, distance: np.ndarray, distances: int) -> None:
        members = len(distance)
        self.shape = (members, distances)
        self.cell = (distance + distances * np.arange(members)[:, None, None]).ravel()
        self.count = np.bincount(self.cell, minlength=members * distances).reshape(self.shape)

    def mean(self, values: np.ndarray) -> np.ndarray:
        total = np.bincount(self.cell, values.ravel(), self.count.size).reshape(self.shape)
        return np.divide(total, self.count, out=np.full(self.shape, np.nan), where=self.count > 0)
