"""How a response kernel changes in training, in size, in shape and over distance (equations 5, 12).

The paper replaces the training response by a constant kernel. What that leaves out is measured here on
real networks, through the weights that `ensemble.train(..., keep_parameters=True)` stores.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import xarray as xr
from torch import nn

from kbe.checks import Holds, KeptWeights, ModuleInputs, Shaped, checked
from kbe.data import encoding
from kbe.response import tangent_kernel
from kbe.response.profiles import Kernels, response_profile

KERNEL_NUMBERS = 2**24  # in the kernels held at once: 128 MiB
PAIRS = ("trained, trained", "unseen, trained", "unseen, unseen")


@checked
def kernel_drift(initial: Kernels, current: Kernels) -> xr.Dataset:
    r"""How far a kernel has moved in training, in size and in shape; both are constant where equation 12 holds.

    .. math:: \text{size} = \frac{|K_t|}{|K_0|}, \qquad
        \text{shape} = 1 - \frac{\langle K_0, K_t \rangle}{|K_0|\,|K_t|}

    with the Frobenius norm. Aging that is nothing but a factor, as in equation 5, changes the size alone.

    Parameters
    ----------
    initial
        The kernel before, K_0 (..., n, m), such as `theta[..., 0, 0]` or a `gram_matrix`.
    current
        The kernel after, K_t; its leading dimensions may be more than those of the initial one, which is then
        repeated, by place and not by name.

    Returns
    -------
    xarray.Dataset
        `size` and `shape` over the leading dimensions, which are called member and epoch where they have no name.
        Both are NaN where a kernel is not finite or zero everywhere.

    Raises
    ------
    ValueError
        If the initial kernel cannot be repeated to the leading dimensions of the current one.

    Examples
    --------
    >>> start = np.diag([3.0, 4.0])
    >>> drift = kernel_drift(start, [start / 2, start[::-1]])
    >>> drift["size"].values, drift["shape"].values
    (array([0.5, 1. ]), array([0., 1.]))
    """
    sides = zip(initial.shape[-3::-1], current.shape[-3::-1], strict=False)
    if initial.ndim > current.ndim or any(before not in (1, after) for before, after in sides):
        raise ValueError(f"initial has shape {initial.shape} and current {current.shape}: they must fit.")
    with np.errstate(invalid="ignore", over="ignore"):
        norms = [np.sqrt(np.einsum("...ij,...ij->...", k, k)) for k in (initial.values, current.values)]
        norms = [np.where((norm > 0) & np.isfinite(norm), norm, np.nan) for norm in norms]
        overlap = np.einsum("...ij,...ij->...", initial.values, current.values) / norms[0] / norms[1]
        dims = current.dims[:-2]
        return xr.Dataset({"size": (dims, norms[1] / norms[0]), "shape": (dims, 1 - overlap)})


@checked
def drift_in_training(module: nn.Module, run: KeptWeights, inputs: ModuleInputs | None = None) -> xr.Dataset:
    """How far the kernel has moved from its start, in size and in shape, at every recorded epoch.

    Parameters
    ----------
    module
        The architecture; its own weights do not matter.
    run
        `parameters` (member, epoch, parameter); its first recorded epoch is what the others are compared with.
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
        If the run has no epochs, or lacks the inputs.
    """
    if inputs is None and "x" not in run:
        raise ValueError("run lacks x: it must be what ensemble.train returns, or inputs must be given.")
    weights, where = run["parameters"], run["x"].to_numpy() if inputs is None else inputs
    kernels = [
        _own_heads(tangent_kernel.ensemble_kernel(module, now, where, own_inputs=inputs is None))
        for now in weights.transpose("epoch", ...)
    ]
    rows = [kernel_drift(kernels[0], kernel) for kernel in kernels]
    result = xr.concat(rows, weights["epoch"]).transpose("member", "epoch", "head")
    return result.assign_coords(member=weights["member"])


@checked
def profile_in_training(
    module: nn.Module, run: KeptWeights, inputs: ModuleInputs, distance: Annotated[np.ndarray, Shaped("n n")]
) -> xr.Dataset:
    """Each output's response to its own training over distance, at every recorded epoch, the left side of equation 5.

    Parameters
    ----------
    module
        The architecture; its own weights do not matter.
    run
        `parameters` (member, epoch, parameter). Choose epochs with `run.sel`.
    inputs : array, shape (n, ...)
        The inputs between which the response is taken, the same for every member.
    distance
        Their distances.

    Returns
    -------
    xarray.Dataset
        As `response_profile` makes it: `mean` and `spread` (member, epoch, head, distance), `pairs` (distance).
    """
    weights = run["parameters"]
    several = max(1, KERNEL_NUMBERS // (4 * distance.size))
    groups = []
    for start in range(0, weights.sizes["member"], several):
        some = weights.isel(member=slice(start, start + several))
        kernels = (tangent_kernel.ensemble_kernel(module, some.sel(epoch=epoch), inputs) for epoch in some["epoch"])
        rows = [response_profile(_own_heads(kernel), distance) for kernel in kernels]
        groups.append(xr.concat(rows, weights["epoch"], data_vars=["mean", "spread"]))
    result = xr.concat(groups, "member", data_vars=["mean", "spread"])
    return result.transpose("member", "epoch", "head", "distance").assign_coords(member=weights["member"])


@checked
def pair_responses(
    module: nn.Module,
    run: Annotated[
        xr.Dataset,
        Holds(
            "parameters(member epoch parameter) x(member point bit)",
            "what ensemble.train returns with keep_parameters=True",
        ),
    ],
    unseen: Annotated[np.ndarray, encoding.BitStrings("members n bits")],
) -> xr.Dataset:
    """Size and profile of the first output's response through training, for each kind of pairs.

    A head that saturates at the trained inputs ages their response alone. So the pairs of which both, one or
    none are trained are kept apart.

    Parameters
    ----------
    module
        The architecture; its own weights do not matter.
    run
        `parameters` and the bit strings `x` of the members' training.
    unseen
        Inputs of each member that it is not trained on.

    Returns
    -------
    xarray.Dataset
        `size` (pairs, member, epoch), the root mean square; `mean` (pairs, member, epoch, distance), the mean
        over the pairs at each Hamming distance, NaN where a member has none.

    Raises
    ------
    ValueError
        If the run has no epochs, or the inputs do not fit to its members and bits.
    """
    trained = encoding.BitStrings("members points bits")("run.x", run["x"].to_numpy(), {})
    members, points, bits = trained.shape
    if unseen.shape[::2] != (members, bits):
        raise ValueError(f"unseen has shape {unseen.shape}: it must be ({members}, n, {bits}).")
    x = np.concatenate([trained, unseen], 1)
    distance = np.abs(x[:, :, None] - x[:, None]).sum(-1).astype(int)
    seen, rest = slice(0, points), slice(points, None)
    blocks = ((seen, seen), (rest, seen), (rest, rest))
    sizes, means = [], []
    for weights in run["parameters"].transpose("epoch", ...):
        kernel = tangent_kernel.ensemble_kernel(module, weights, x, own_inputs=True)[..., 0, 0]
        parts = [kernel[:, rows, columns] for rows, columns in blocks]
        sizes.append([np.sqrt((part**2).mean((1, 2))) for part in parts])
        apart = [distance[:, rows, columns] for rows, columns in blocks]
        means.append([_mean_at(where, part, bits + 1) for where, part in zip(apart, parts, strict=True)])
    dims = ("epoch", "pairs", "member")
    result = xr.Dataset({"size": (dims, np.array(sizes)), "mean": ((*dims, "distance"), np.array(means))})
    coords = {"epoch": run["epoch"], "pairs": list(PAIRS), "distance": np.arange(bits + 1)}
    return result.assign_coords(coords).transpose("pairs", "member", "epoch", "distance")


def _weights(run: xr.Dataset) -> xr.DataArray:
    if run["parameters"].ndim != 3:
        raise ValueError("run lacks epochs: it must be what ensemble.train returns with keep_parameters=True.")
    return run["parameters"].transpose("member", "epoch", "parameter")


def _own_heads(kernel: np.ndarray) -> xr.DataArray:
    """Theta (member, n, m, heads, heads) of each output to its own training."""
    own = np.moveaxis(np.diagonal(kernel, axis1=-2, axis2=-1), -1, 1)
    return xr.DataArray(own, dims=("member", "head", "n", "m"))


def _mean_at(distance: np.ndarray, values: np.ndarray, distances: int) -> np.ndarray:
    """Each member's mean (member, distance) over its pairs (member, n, m) at every whole distance."""
    shape = (len(values), distances)
    cell = (distance + distances * np.arange(len(values))[:, None, None]).ravel()
    count, total = (np.bincount(cell, weights, np.prod(shape)).reshape(shape) for weights in (None, values.ravel()))
    return np.divide(total, count, out=np.full(shape, np.nan), where=count > 0)
