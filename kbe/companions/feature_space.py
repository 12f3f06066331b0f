"""The feature space of a hidden layer: its dimension, and the smallest change of an input that flips the output."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
import xarray as xr
from torch import Tensor
from torch.func import vmap

from kbe.checks import Holds, checked
from kbe.companions import one_hidden_layer
from kbe.data import encoding
from kbe.networks import BitNetwork
from kbe.response.evaluation import ROWS
from kbe.response.functional import PureNetwork

THRESHOLD = 0.5  # outputs above it are one class, all others the other
FARTHEST, STEPS, HALVINGS = 4.0, 64, 20  # how far, in how many steps and how finely the boundary is looked for

Training = Annotated[
    xr.Dataset,
    Holds(
        "x(member point bit) loss(member epoch) parameters(member epoch parameter)",
        "what ensemble.train returns with keep_parameters=True",
    ),
]


@checked
def in_training(module: BitNetwork, run: Training, *, centred: bool = True) -> xr.Dataset:
    r"""The dimension of the feature space and the fragility of networks with one hidden layer, along a training.

    The features phi at all 2^b inputs have a Gram matrix, the shares of whose eigenvalues give two dimensions, each
    r for r equal eigenvalues: the participation ratio, which hardly sees small ones, and the effective rank
    (Roy and Vetterli 2007), which is never below it.

    .. math::
        G_{ij} = \phi(x_i) \cdot \phi(x_j), \qquad p_k = \lambda_k / \sum_l \lambda_l, \qquad
        \frac{1}{\sum_k p_k^2}, \qquad \exp\Big(-\sum_k p_k \log p_k\Big)

    Roy and Vetterli take the singular values for p; with their squares both dimensions rest on one spectrum.

    Parameters
    ----------
    module
        The architecture: one hidden layer, one output.
    run
        Weights that are not finite give NaN.
    centred
        Whether the mean of the features over the inputs is taken off first. What all inputs share carries no
        information, but uncentred it is the largest direction of all.

    Returns
    -------
    xarray.Dataset
        Over (member, epoch): `loss`; `dimension`, the participation ratio, and `rank`, the effective rank, NaN where
        the features are all the same, so that there is no direction; and at the training inputs

        - `response`, the mean size of the training response;
        - `flips`, the mean of the fewest bits to flip so that the output crosses 1/2, infinite where it never does;
        - `flip_response`, the mean of the largest change of the output that a single flip makes;
        - `distance`, the median of how far an input can be moved along the output's gradient before the output
          crosses 1/2, infinite beyond 4. It is the Euclidean distance of the decision boundary for a network that is
          linear before its head, and never less than that distance for another.

    Raises
    ------
    ValueError
        If the module has not one hidden layer and one output.
    """
    if (module.layers, module.positions, len(module.heads)) != (1, 1, 1):
        raise ValueError("module must be a BitNetwork with one hidden layer that sees the whole input, and one head.")
    names = {"activation": module.activation, "mean": module.head_activations[0]}
    inputs, rows = encoding.all_inputs(module.bits), []
    finite = np.isfinite(run.parameters.values).all(-1)
    every = np.where(finite[..., None], run.parameters.values, 0.0)
    points = np.repeat(run.x.values, finite.shape[1], 0)
    distances = _boundary_distance(module, every.reshape(len(points), -1), points).reshape(*finite.shape, -1)
    # one by one: the features of all members at once take much memory
    for weights, x, distance in zip(every, run.x.values, distances, strict=True):
        outputs = one_hidden_layer.outputs(weights, inputs, **names)
        shares = _spectrum(one_hidden_layer.features(weights, inputs, module.activation), centred)
        own = encoding.indices(x)
        found = {
            "dimension": 1 / (shares**2).sum(-1),
            "rank": np.exp(-(shares * np.log(np.where(shares > 0, shares, 1.0))).sum(-1)),
            "response": one_hidden_layer.size_factors(weights, x, **names)["size"],
            "flips": _fewest_flips(outputs)[:, own].mean(-1),
            "flip_response": np.abs(outputs[:, _neighbours(outputs)] - outputs[:, None]).max(1)[:, own].mean(-1),
            "distance": np.median(distance, -1),
        }
        rows.append(found)
    stacked = {name: np.where(finite, np.stack([row[name] for row in rows]), np.nan) for name in rows[0]}
    variables = {name: (("member", "epoch"), values) for name, values in stacked.items()}
    return xr.Dataset(variables, coords={"epoch": run.epoch}).assign(loss=run.loss)


def _spectrum(features: np.ndarray, centred: bool) -> np.ndarray:
    """The eigenvalues of the features' Gram matrix as falling shares of their sum; NaN where there is no direction."""
    features = np.where(np.isfinite(features).all((-2, -1), keepdims=True), features, 0.0)
    largest = np.abs(features).max((-2, -1), keepdims=True)
    if centred:
        features = features - features.mean(-2, keepdims=True)
    features = np.where(np.abs(features) > 1e-12 * largest, features, 0.0)  # what only rounding leaves is no direction
    squares = np.linalg.svd(features, compute_uv=False) ** 2
    with np.errstate(invalid="ignore"):
        return squares / squares.sum(-1, keepdims=True)


def _neighbours(outputs: np.ndarray) -> np.ndarray:
    """For each bit the place of the input that has it flipped, shape (bits, 2**bits)."""
    count = outputs.shape[-1]
    return np.arange(count) ^ (1 << np.arange(count.bit_length() - 1))[:, None]


def _fewest_flips(outputs: np.ndarray) -> np.ndarray:
    """The fewest bits of each input to flip so that the output crosses the threshold, by a search over all inputs."""
    neighbours, above = _neighbours(outputs), outputs > THRESHOLD
    found = np.full(outputs.shape, np.inf)
    reached = {side: above == side for side in (True, False)}
    for flips in range(1, len(neighbours) + 1):
        for side, within in reached.items():  # all inputs within so many flips of the class
            wider = within | within[..., neighbours].any(-2)
            found[wider & ~within & (above != side)] = flips
            reached[side] = wider
    return np.where(np.isfinite(outputs).all(-1, keepdims=True), found, np.nan)


def _boundary_distance(module: BitNetwork, parameters: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """How far each input can be moved along the output's gradient until the output is the threshold.

    The first crossing on an even grid is refined by halving.
    """
    network = PureNetwork(module)
    weights = network.stack("parameters", parameters)
    x = network.inputs("x", inputs, len(weights), own=True)

    def outputs(weights: Tensor, points: Tensor) -> Tensor:
        pieces = zip(*(values.split(max(1, ROWS // x.shape[1])) for values in (weights, points)), strict=True)
        return torch.cat([vmap(network.outputs)(*some)[..., 0] for some in pieces]) - THRESHOLD

    with network.settled(), torch.enable_grad():
        points = x.clone().requires_grad_()
        slope = torch.autograd.grad(outputs(weights, points).sum(), points)[0]
    with network.settled(), torch.no_grad():
        here = outputs(weights, x)
        way = -torch.sign(here)[..., None] * slope / slope.norm(dim=-1, keepdim=True)
        high = torch.full_like(here, np.inf)
        for reach in torch.linspace(0, FARTHEST, STEPS + 1, dtype=here.dtype)[1:]:
            left = high.isinf().any(1)  # the members with an input that has crossed nothing yet
            if left.any():
                crossed = outputs(weights[left], x[left] + reach * way[left]) * here[left] <= 0
                high[left] = torch.where(crossed, high[left].clamp(max=reach), high[left])
        low = high - FARTHEST / STEPS
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            crossed = outputs(weights, x + torch.where(middle.isfinite(), middle, 0.0)[..., None] * way) * here <= 0
            low, high = torch.where(crossed, low, middle), torch.where(crossed, middle, high)
    return torch.where(here.isfinite(), torch.where(here == 0, 0.0, high), np.nan).numpy()
