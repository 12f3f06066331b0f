"""The kernel from its features, block by block, as the memory allows."""

from __future__ import annotations

from torch import Tensor
from tqdm.auto import tqdm

from kbe.checks import Positive, checked
from kbe.response.functional import PureNetwork, slices
from kbe.response.layers import OtherUseError
from kbe.response.layerwise import Features, tangent_features
from kbe.response.products import mirror


@checked
def contracted(
    network: PureNetwork, weights: Tensor, left: Tensor, right: Tensor, memory: Positive, progress: bool
) -> Tensor:
    """The kernel (members, n, m, heads, heads) of weights (members, parameters) at inputs (members, n or m, ...).

    Where left and right are one object it is symmetric, and what lies below the diagonal is not computed.
    """
    watched = network.heads(left)
    heads = watched, watched if left is right else network.heads(right)
    jacobian = Features(network, max(heads))
    with network.settled():
        form = tangent_features(network, left, heads[0]) if left.shape[2:] == right.shape[2:] else jacobian
        try:
            kernel = _kernel(form, weights, left, right, heads, memory, progress)
        except OtherUseError:
            kernel = _kernel(jacobian, weights, left, right, heads, memory, progress)
    return kernel.unflatten(2, (-1, heads[1])).unflatten(1, (-1, heads[0])).transpose(2, 3)


def _kernel(
    form: Features,
    weights: Tensor,
    left: Tensor,
    right: Tensor,
    heads: tuple[int, int],
    memory: float,
    progress: bool,
) -> Tensor:
    """Theta as (members, n * heads, m * heads), with as few features made anew as the memory allows."""
    (members, n), m, symmetric = left.shape[:2], right.shape[1], right is left
    fitting = max(2, int(memory / (form.numbers * weights.itemsize)))
    inputs = n if symmetric else n + m
    columns = m if inputs <= fitting else max(1, min(form.piece, fitting // 4))
    rows = n if inputs <= fitting else fitting - columns
    blocks = [
        (some, i, [slice(k, min(k + columns, m)) for k in range(i.stop if symmetric else 0, m, columns)])
        for some in slices(members, max(1, min(form.piece, fitting) // inputs))
        for i in slices(n, rows)
    ]
    total = sum(_length(some) * (_length(i) + sum(map(_length, others))) for some, i, others in blocks)
    result = weights.new_zeros(members, n * heads[0], m * heads[1])
    with tqdm(total=total, disable=not progress, unit="input", desc="tangent kernel") as bar:
        for some, i, others in blocks:
            band = result[some, i.start * heads[0] : i.stop * heads[0]]
            watched = form.at(weights[some], left[some, i], bar.update)
            if symmetric:
                form.add(band[..., i.start * heads[1] : i.stop * heads[1]], watched, watched)
            for j in others:
                step = form.at(weights[some], right[some, j], bar.update)
                form.add(band[..., j.start * heads[1] : j.stop * heads[1]], watched, step)
    if symmetric:
        mirror(result)
    return result


def _length(part: slice) -> int:
    return part.stop - part.start
