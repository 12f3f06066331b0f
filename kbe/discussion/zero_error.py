"""What a loss does to one output where its error goes to zero: its curvature, and a rule of scale.

All of it is read off the loss, one of `kbe.losses` for two heads or your own, by automatic differentiation at a
target of 0. So it is what training does, also where a loss stops some of its gradient. With the residual
r = mu - y, the slopes of the loss L in its outputs are g_mu = dL/dmu and g_sigma = dL/dsigma.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
import scipy
import torch

from kbe import refusals
from kbe.checks import Positive, Real, Shaped, checked
from kbe.refusals import shown

FAR = 40.0  # in logarithms of the ratio: as far as the squares of both ends stay finite


def _loss(name: str, value: Any, sizes: dict[str, Any]) -> Callable:
    """A loss of two heads, tried at two points."""
    output = torch.full((2, 2), 0.5, dtype=torch.float64, requires_grad=True)
    with refusals.told(f"{name} fails at two points"):
        found = refusals.function(name, value)(output, torch.zeros(2, dtype=torch.float64))
    if not isinstance(found, torch.Tensor) or found.shape != (2,) or not found.requires_grad:
        raise ValueError(f"{name} gives {shown(found)} at two points: it must give a number that moves at each.")
    return value


Loss = Annotated[Callable, _loss]
Residuals = Annotated[np.ndarray, Shaped(broadcast=True)]
Scales = Annotated[np.ndarray, Shaped(above=0, broadcast=True)]


@checked
def curvature_in_mean(loss: Loss, deviation: Scales, ratio: Positive = 1e-3) -> np.ndarray:
    r"""How fast the slope in mu grows from zero error on, in units of the error.

    .. math:: g_\mu(r) / r, \qquad r = z \sigma

    with sigma the `deviation`. At a small `ratio` z that is the curvature; for a kink it grows as 1 / z.
    """
    residual = ratio * deviation
    return _slopes(loss, residual, deviation)[0] / residual


@checked
def scale_rule(loss: Loss, residual: Residuals, deviation: Scales) -> np.ndarray:
    r"""The slope of a loss when error and deviation shrink together; `residual` and `deviation` broadcast.

    .. math:: r \, g_\mu + \sigma \, g_\sigma

    It is 1 wherever sigma is the scale of a distribution of fixed shape.
    """
    in_mean, in_deviation = _slopes(loss, residual, deviation)
    return residual * in_mean + deviation * in_deviation


@checked
def step_limit(loss: Loss, share: Annotated[float, Real(above=0, below=1)] = 0.5) -> float:
    r"""The largest stable step of one point on its way to zero error and deviation, for a scale family.

    With the slope in the logarithm of the error, which for a scale family depends on the ratio z alone,

    .. math:: q(z) = r \, g_\mu, \qquad z = r / \sigma,

    sigmoid heads, a target of 0 or 1, and the response k_m of the mean's logit and k_s of the deviation's,

    .. math:: \frac{d \log z}{dt} = k_s - (k_m + k_s) \, q(z), \qquad \frac{d \log \sigma}{dt} = k_s (q(z) - 1) .

    The ratio rests where q is the share k_s / (k_m + k_s), whatever the family, and sigma then falls at one and
    the same rate. In steps of learning rate eta that rest is stable while eta k_s is below 2 / e, with e the
    elasticity d log q / d log z there.

    Parameters
    ----------
    loss
        That of a scale family.
    share
        k_s / (k_m + k_s).

    Returns
    -------
    float
        2 / e: 1 for the Gaussian, 2 for Laplace.

    Raises
    ------
    ValueError
        If q never reaches the share.
    """

    def excess(log_ratio: float) -> float:
        ratio = np.exp(log_ratio)
        with np.errstate(divide="ignore"):
            return float(np.log(ratio * _slopes(loss, ratio, 1.0)[0] / share))

    if excess(-FAR) >= 0 or excess(FAR) <= 0:
        raise ValueError(f"share is {share}: r times the slope in mu of this loss never takes that value.")
    rest, step = float(scipy.optimize.brentq(excess, -FAR, FAR, xtol=1e-12)), 1e-4
    return 2 * 2 * step / (excess(rest + step) - excess(rest - step))


def _slopes(loss: Loss, residual: np.ndarray | float, deviation: np.ndarray | float) -> tuple[np.ndarray, ...]:
    output = torch.as_tensor(np.stack(np.broadcast_arrays(residual, deviation), -1)).requires_grad_()
    values = loss(output, torch.zeros(output.shape[:-1], dtype=output.dtype))
    gradient = torch.autograd.grad(values.sum(), output)[0].numpy()
    return gradient[..., 0], gradient[..., 1]
