"""The feature space of a hidden layer: its dimension, and the smallest change of an input that flips the output."""

from __future__ import annotations

import numpy as np
import torch
import xarray as xr
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.func import vmap

from kbe import checks
from kbe.companions import one_hidden_layer
from kbe.data import encoding
from kbe.networks import BitNetwork
from kbe.response.evaluation import ROWS
from kbe.response.functional import PureNetwork


def feature_spectrum(features: ArrayLike, *, centred: bool = True) -> np.ndarray:
    r"""The eigenvalues of the features' Gram matrix, as shares of their sum.

    .. math:: G_{ij} = \phi(x_i) \cdot \phi(x_j), \qquad p_k = \lambda_k / \sum_l \lambda_l

    Parameters
    ----------
    features : array, shape (..., n, width)
        The hidden layer at n inputs.
    centred : bool
        Whether the mean over the inputs is taken off first. What all inputs share carries no information, but
        uncentred it is the largest direction of all.

    Returns
    -------
    numpy.ndarray, shape (..., min(n, width))
        The shares, falling; NaN where the features are not finite or all the same, so that there is no direction.

    Raises
    ------
    ValueError
        If the features have no two dimensions or the flag is none.
    """
    values = checks.array("features", features, finite=False)
    checks.flag("centred", centred)
    if values.ndim < 2:
        raise ValueError(f"features has shape {values.shape}: it must be (..., n, width).")
    finite = np.isfinite(values).all((-2, -1), keepdims=True)
    values = np.where(finite, values, 0.0)
    largest = np.abs(values).max((-2, -1), keepdims=True)
    if centred:
        values = values - values.mean(-2, keepdims=True)
    values = np.where(np.abs(values) > 1e-12 * largest, values, 0.0)  # what only rounding leaves is no direction
    squares = np.linalg.svd(values, compute_uv=False) ** 2
    with np.errstate(invalid="ignore"):
        return squares / squares.sum(-1, keepdims=True)


def dimension(features: ArrayLike, *, centred: bool = True) -> np.ndarray:
    r"""The dimension as a participation ratio of the spectrum.

    .. math:: \frac{(\sum_k \lambda_k)^2}{\sum_k \lambda_k^2}

    It is r for r equal eigenvalues, and hardly sees small ones.

    Parameters
    ----------
    features : array, shape (..., n, width)
        The hidden layer at n inputs.
    centred : bool
        As for `spectrum`.

    Returns
    -------
    numpy.ndarray, shape (...)
        From 1 to min(n, width).

    Raises
    ------
    ValueError
        As for `spectrum`.
    """
    return 1 / (feature_spectrum(features, centred=centred) ** 2).sum(-1)


def effective_rank(features: ArrayLike, *, centred: bool = True) -> np.ndarray:
    r"""The dimension as the exponential of the spectrum's entropy (Roy and Vetterli 2007).

    .. math:: \exp\Big(-\sum_k p_k \log p_k\Big)

    It is r for r equal eigenvalues, and never below the participation ratio. Roy and Vetterli take the singular
    values for p; with the eigenvalues of the Gram matrix, their squares, both dimensions here rest on one spectrum.

    Parameters
    ----------
    features : array, shape (..., n, width)
        The hidden layer at n inputs.
    centred : bool
        As for `spectrum`.

    Returns
    -------
    numpy.ndarray, shape (...)
        From 1 to min(n, width).

    Raises
    ------
    ValueError
        As for `spectrum`.
    """
    shares = feature_spectrum(features, centred=centred)
    return np.exp(-(shares * np.log(np.where(shares > 0, shares, 1.0))).sum(-1))


def fewest_flips(outputs: ArrayLike, threshold: float = 0.5) -> np.ndarray:
    """The fewest bits of each input to flip so that the output crosses the threshold, by a search over all inputs.

    Parameters
    ----------
    outputs : array, shape (..., 2**bits)
        The outputs at all bit strings, in the order of `encoding.all_inputs`.
    threshold : float
        Outputs above it are one class, all others the other.

    Returns
    -------
    numpy.ndarray, shape (..., 2**bits)
        Hamming distances from 1 to bits; infinite where all inputs are of one class, NaN where an output of the
        network is not finite.

    Raises
    ------
    ValueError
        If the number of outputs is no power of two.
    """
    values, neighbours = _outputs_and_neighbours(outputs)
    above = values > checks.number("threshold", threshold)
    found = np.full(values.shape, np.inf)
    reached = {side: above == side for side in (True, False)}
    for flips in range(1, len(neighbours) + 1):
        for side, within in reached.items():  # all inputs within so many flips of the class
            wider = within | within[..., neighbours].any(-2)
            found[wider & ~within & (above != side)] = flips
            reached[side] = wider
    return np.where(np.isfinite(values).all(-1, keepdims=True), found, np.nan)


def flip_response(outputs: ArrayLike) -> np.ndarray:
    """How far the worst single bit flip moves the output, at each input.

    Parameters
    ----------
    outputs : array, shape (..., 2**bits)
        The outputs at all bit strings, in the order of `encoding.all_inputs`.

    Returns
    -------
    numpy.ndarray, shape (..., 2**bits)
        The largest change over the single flips, in the output's unit.

    Raises
    ------
    ValueError
        If the number of outputs is no power of two.
    """
    values, neighbours = _outputs_and_neighbours(outputs)
    return np.abs(values[..., neighbours] - values[..., None, :]).max(-2)


def boundary_distance(
    module: nn.Module,
    parameters: ArrayLike,
    inputs: ArrayLike,
    threshold: float = 0.5,
    *,
    farthest: float = 4.0,
    steps: int = 64,
    halvings: int = 20,
) -> np.ndarray:
    """How far each input can be moved along the output's gradient before the output crosses the threshold.

    The first crossing on an even grid is refined by halving. It is the Euclidean distance of the decision boundary
    for a network that is linear before its head, and never less than that distance for another.

    Parameters
    ----------
    module : torch.nn.Module
        The architecture, with one output; its own weights do not matter.
    parameters : array, shape (members, parameters)
        A flat weight vector for each member.
    inputs : array, shape (members, n, bits)
        Each member's inputs.
    threshold : float
        The output at the boundary.
    farthest : float
        How far to look, in the unit of the inputs.
    steps : int
        The number of grid steps on the way there.
    halvings : int
        By how many halvings a crossing is refined.

    Returns
    -------
    numpy.ndarray, shape (members, n)
        The distances, infinite where nothing is crossed, NaN where the weights are not finite.

    Raises
    ------
    ValueError
        If an argument is not as described.
    """
    limit, level = checks.number("farthest", farthest, above=0), checks.number("threshold", threshold)
    checks.integer("steps", steps, 1)
    checks.integer("halvings", halvings, 0)
    network = PureNetwork(module)
    weights = network.stack("parameters", parameters)
    x = network.inputs("inputs", inputs, len(weights), own=True)
    if network.heads(x) != 1:
        raise ValueError(f"module has {network.heads(x)} outputs: the boundary of one is looked for.")

    def outputs(weights: Tensor, points: Tensor) -> Tensor:
        pieces = zip(*(values.split(max(1, ROWS // x.shape[1])) for values in (weights, points)), strict=True)
        return torch.cat([vmap(network.outputs)(*some)[..., 0] for some in pieces]) - level

    with network.threads(), torch.enable_grad():
        points = x.clone().requires_grad_()
        slope = torch.autograd.grad(outputs(weights, points).sum(), points)[0]
    with network.threads(), torch.no_grad():
        here = outputs(weights, x)
        way = -torch.sign(here)[..., None] * slope / slope.norm(dim=-1, keepdim=True)
        high = torch.full_like(here, np.inf)
        for reach in torch.linspace(0, limit, steps + 1, dtype=here.dtype)[1:]:
            left = high.isinf().any(1)  # the members with an input that has crossed nothing yet
            if left.any():
                crossed = outputs(weights[left], x[left] + reach * way[left]) * here[left] <= 0
                high[left] = torch.where(crossed, high[left].clamp(max=reach), high[left])
        low = high - limit / steps
        for _ in range(halvings):
            middle = (low + high) / 2
            crossed = outputs(weights, x + torch.where(middle.isfinite(), middle, 0.0)[..., None] * way) * here <= 0
            low, high = torch.where(crossed, low, middle), torch.where(crossed, middle, high)
    return torch.where(here.isfinite(), torch.where(here == 0, 0.0, high), np.nan).numpy()


def in_training(module: BitNetwork, run: xr.Dataset, *, centred: bool = True) -> xr.Dataset:
    """The dimension of the feature space and the fragility of networks with one hidden layer, along a training.

    Parameters
    ----------
    module : BitNetwork
        The architecture: one hidden layer, one output.
    run : xarray.Dataset
        What `ensemble.train` returns, with `parameters` (member, epoch, parameter); weights that are not finite
        give NaN.
    centred : bool
        As for `feature_space.feature_spectrum`.

    Returns
    -------
    xarray.Dataset
        Over (member, epoch): `loss`; `dimension`, the participation ratio, and `rank`, the effective rank, over all
        2**bits inputs; and at the training inputs `response`, the mean size of the training response, `flips`, the
        mean of the fewest flips, `flip_response`, the mean of the worst, and `distance`, the median one to the
        boundary.

    Raises
    ------
    ValueError
        If the run holds no weights or the module has not one hidden layer and one output.
    """
    if not isinstance(run, xr.Dataset) or "parameters" not in run:
        raise ValueError("run has no parameters: train with keep_parameters=True.")
    if not isinstance(module, BitNetwork) or (module.layers, module.positions, len(module.heads)) != (1, 1, 1):
        raise ValueError("module must be a BitNetwork with one hidden layer that sees the whole input, and one head.")
    names = {"activation": module.activation, "mean": module.head_activations[0]}
    inputs, rows = encoding.all_inputs(module.bits), []
    finite = np.isfinite(run.parameters.values).all(-1)
    every = np.where(finite[..., None], run.parameters.values, 0.0)
    points = np.repeat(run.x.values, finite.shape[1], 0)
    distances = boundary_distance(module, every.reshape(len(points), -1), points).reshape(*finite.shape, -1)
    # one by one: the features of all members at once take much memory
    for weights, x, distance in zip(every, run.x.values, distances, strict=True):
        outputs = one_hidden_layer.outputs(weights, inputs, **names)
        features = one_hidden_layer.features(weights, inputs, module.activation)
        own = (x @ 2.0 ** np.arange(module.bits - 1, -1, -1)).astype(int)
        found = {
            "dimension": dimension(features, centred=centred),
            "rank": effective_rank(features, centred=centred),
            "response": one_hidden_layer.size_factors(weights, x, **names)["size"],
            "flips": fewest_flips(outputs)[:, own].mean(-1),
            "flip_response": flip_response(outputs)[:, own].mean(-1),
            "distance": np.median(distance, -1),
        }
        rows.append(found)
    stacked = {name: np.where(finite, np.stack([row[name] for row in rows]), np.nan) for name in rows[0]}
    variables = {name: (("member", "epoch"), values) for name, values in stacked.items()}
    return xr.Dataset(variables, coords={"epoch": run.epoch}).assign(loss=run.loss)


def _outputs_and_neighbours(outputs: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """The outputs, and for each bit the place of the input that has it flipped, shape (bits, 2**bits)."""
    values = checks.array("outputs", outputs, finite=False)
    count = values.shape[-1] if values.ndim else 0
    if count < 2 or count & (count - 1):
        raise ValueError(f"outputs has shape {values.shape}: its last dimension must hold all 2**bits inputs.")
    return values, np.arange(count) ^ (1 << np.arange(count.bit_length() - 1))[:, None]
