"""What a kernel frozen at its start predicts of a training (equations 12, 13)."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import xarray as xr
from torch import nn

from kbe.checks import Holds, checked
from kbe.response import tangent_kernel
from kbe.theory import average_network


@checked
def predict(
    module: nn.Module,
    run: Annotated[
        xr.Dataset,
        Holds(
            "parameters(member epoch parameter) x(member point ...) y(member point) mu(member epoch point)",
            "what ensemble.train returns with keep_parameters=True",
            "loss optimizer batch_size learning_rate reduction",
        ),
    ],
) -> xr.Dataset:
    r"""What the kernel of the start, held constant as in equation 12, predicts of an average network's training.

    .. math:: \mu(t) = y + e^{-K_0 t} (\mu(0) - y)

    K_0 is each member's own tangent kernel on its own inputs at the first recorded epoch; the time is the
    learning rate times the epochs, over N if the loss is a mean.

    Parameters
    ----------
    module
        The architecture.
    run
        Gradient descent on the squared error with the full batch.

    Returns
    -------
    xarray.Dataset
        `mu` (member, epoch, point), the prediction; `error` (member, epoch), the distance between prediction
        and network as a share of the distance that the network has moved, NaN at the start; `leading`
        (member), the epoch by which the kernel's first mode has decayed by a factor e, infinite if never. All
        are NaN where the weights at the start are not finite.

    Raises
    ------
    ValueError
        If the run was not trained so.
    """
    wanted = {"loss": "squared_error", "optimizer": "gradient descent", "batch_size": run.sizes["point"]}
    if any(run.attrs[name] != value for name, value in wanted.items()):
        raise ValueError("run must come from gradient descent on the squared error with the full batch.")
    mean, start = run.mu, run.parameters[:, 0]
    kernels = tangent_kernel.ensemble_kernel(module, start, run.x.to_numpy(), own_inputs=True)[..., 0, 0]
    rate = run.attrs["learning_rate"] / (run.sizes["point"] if run.attrs["reduction"] == "mean" else 1)
    times = rate * (run.epoch.to_numpy() - run.epoch.to_numpy()[0])
    finite = np.isfinite(kernels).all((1, 2))
    kernels = np.where(finite[:, None, None], kernels, 0.0)
    predicted = [
        average_network.linear_response((kernel + kernel.T) / 2, y, first, times)["mu"]
        for kernel, y, first in zip(kernels, run.y.to_numpy(), mean.to_numpy()[:, 0], strict=True)
    ]
    mu = mean.copy(data=np.where(finite[:, None, None], predicted, np.nan))
    moved, missed = (((one - mean) ** 2).sum("point", skipna=False) ** 0.5 for one in (mean[:, 0], mu))
    with np.errstate(divide="ignore"):
        leading = np.where(finite, 1 / (rate * np.linalg.eigvalsh(kernels)[:, -1]), np.nan)
    return xr.Dataset({"mu": mu, "error": missed / moved.where(moved > 0), "leading": ("member", leading)})
