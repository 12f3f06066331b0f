"""What a kernel frozen at its start predicts of a training (equations 12, 13)."""

from __future__ import annotations

import numpy as np
import xarray as xr
from torch import nn

from kbe.response import tangent_kernel
from kbe.theory import average_network


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
    weights = run["parameters"].transpose("member", "epoch", "parameter")
    if run.attrs.get("loss") != "squared_error" or run.attrs.get("batch_size") != run.sizes["point"]:
        raise ValueError("run must come from training on the squared error with the full batch.")
    kernels = tangent_kernel.ensemble_kernel(module, weights[:, 0], run["x"].to_numpy(), own_inputs=True)[..., 0, 0]
    rate = run.attrs["learning_rate"] / (run.sizes["point"] if run.attrs["reduction"] == "mean" else 1)
    epochs = run["epoch"].to_numpy()
    times = rate * (epochs - epochs[0])
    targets, mean = run["y"].to_numpy(), run["mu"].transpose("member", "epoch", "point")
    predicted = [
        average_network.linear_response((kernel + kernel.T) / 2, y, start, times)["mu"]
        for kernel, y, start in zip(kernels, targets, mean.to_numpy()[:, 0], strict=True)
    ]
    mu = mean.copy(data=np.stack(predicted))
    moved = ((mean - mean[:, 0]) ** 2).sum("point") ** 0.5
    missed = ((mu - mean) ** 2).sum("point") ** 0.5
    leading = 1 / (rate * np.linalg.eigvalsh(kernels)[:, -1])
    return xr.Dataset({"mu": mu, "error": missed / moved.where(moved > 0), "leading": ("member", leading)})
