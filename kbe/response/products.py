"""Products of the features at some inputs with those at others, added to a kernel tile by tile."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from kbe.checks import checked
from kbe.response.functional import slices
from kbe.response.layers import Layer

TILED = 256  # rows from which on a kernel is computed tile by tile
TILES = 8  # rows of tiles; those below the diagonal of a symmetric kernel are not computed
SIDE = 32  # rows of a kernel that are mirrored at once


@checked
def tiles(kernel: Tensor, left: Tensor, right: Tensor) -> Iterator[tuple[Tensor, slice, slice]]:
    """Parts of a kernel with the inputs of rows and columns; of a symmetric one those not below the diagonal."""
    n, (m, heads) = left.shape[1], right.shape[1:3]
    for i in slices(n, -(-n // TILES) if kernel.shape[1] >= TILED else n):
        j = slice(i.start if left is right else 0, m)
        yield kernel[:, i.start * left.shape[2] : i.stop * left.shape[2], j.start * heads :], i, j


@checked
def add_columns(kernel: Tensor, left: Tensor, right: Tensor) -> None:
    r"""Add the product of some columns of two Jacobians to a kernel, the sum over these weights of Eq. (3).

    .. math:: \Theta_{ac}(x, x') = \sum_p \frac{\partial f_a(x)}{\partial w_p} \frac{\partial f_c(x')}{\partial w_p}

    The Jacobians are (members, n, heads, columns) and (members, m, heads, columns), the kernel (members, n * heads,
    m * heads).
    """
    for tile, i, j in tiles(kernel, left, right):
        one, other = left[:, i].flatten(1, 2), right[:, j].flatten(1, 2)
        if kernel.shape[1] < TILED:
            tile.baddbmm_(one, other.mT)
            continue
        for member in range(len(kernel)):
            tile[member].addmm_(one[member], other[member].mT)


@checked
def mirror(kernel: Tensor) -> None:
    """Put what stands above the diagonal of kernels (members, n, n) below it too."""
    for i in slices(kernel.shape[1], SIDE):
        tile = kernel[:, i, i]
        tile.copy_(tile.triu() + tile.triu(1).mT)
        kernel[:, i.stop :, i] = kernel[:, i, i.stop :].mT


@checked
def columns_of(layer: Layer, a: Tensor, g: Tensor, some: slice = slice(None)) -> Tensor:
    """The Jacobian in some rows of a weight, (n, heads, columns), from inputs (n, ...) and slopes (n, heads, ...)."""
    g = layer.rows(g.flatten(0, 1))[..., some].unflatten(0, g.shape[:2])
    a = layer.columns(a)
    if layer.positions == 1:
        return (g.mT * a[:, None]).flatten(2)
    product = g.permute(0, 2, 1, 4, 3).flatten(2, 3) @ a  # n, groups, heads * rows, width
    return product.unflatten(2, g.shape[1:2] + g.shape[4:]).transpose(1, 2).flatten(2)
