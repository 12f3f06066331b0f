r"""What the tangent kernel is a product of: the Jacobian, or by layers the inputs and the slopes.

A layer z = w a that is used once, and whose z moves the heads by the slopes g = df/dz, has the Jacobian g a' in w.
The share of w in the kernel is then the Gram matrix of the inputs times that of the slopes:

.. math:: \Theta^w_{ac}(x, x') = \big(a(x) \cdot a(x')\big) \, \big(g_a(x) \cdot g_c(x')\big)

One pass forward, and one back for each head, give a and g in all layers at all inputs. A bias adds 1 to the Gram matrix
of the inputs. With several positions, as in a convolution, the Jacobian is a sum over them; it is made from a and g,
where it is large only when it is needed, some columns at a time.

What it costs for n inputs, h heads, P weights in layers of width d, with p positions:

==================== ============================= =======================================
form                 multiplications               numbers held
==================== ============================= =======================================
Jacobian             (n h)^2 P / 2                 n h P, at most `memory`
layer, one position  (n h)^2 d / 2 for each        n d (1 + h) for each
layer, positions     (n h)^2 P / 2, and n h p P    n p d (1 + h) for each, or n h P if less
==================== ============================= =======================================

A Jacobian takes a copy of the weights for each input besides. Where less
memory is given than all of this needs, the second inputs are passed once for each block of the first ones that fits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from kbe.checks import Count, checked
from kbe.refusals import told
from kbe.response.functional import PIECE, PureNetwork, slices
from kbe.response.layers import Layer, OtherUseError, Recorder, Use
from kbe.response.products import add_columns, columns_of, tiles
from kbe.training.calling import at_once
from kbe.training.examination import elsewhere, some_points

TRIED = 5  # inputs at which the forms are compared
SAME = 1e-12  # of the largest entry of the kernel there
PASSED = 2**21  # numbers in inputs and slopes of layers that are made at once
COLUMNS = 2**22  # numbers of a Jacobian that are made at once from these
LATE = 2**12  # numbers of a Jacobian at one input, from which on it may be made only when it is needed
WORTH = 2**20  # numbers in the Jacobians of all inputs, from which on a trial pays
PAIRING = 32  # multiplications that cost as much as going twice through an entry of the kernel


class Features:
    """What the kernel at some inputs is a product of.

    Parameters
    ----------
    network
        The module.
    heads
        The number of its outputs.
    layers, uses
        As the recorder of a trial has them. Without layers it is the Jacobian of all weights.

    Attributes
    ----------
    rest
        The numbers of the trained tensors that go by their Jacobian.
    numbers
        How many features there are for one input.
    piece
        For how many inputs they are made at once.
    """

    def __init__(
        self, network: PureNetwork, heads: int, layers: Sequence[Layer] = (), uses: Sequence[Use] = ()
    ) -> None:
        self._network, self._heads, self.layers, self._uses = network, heads, layers, uses
        taken = {number for layer in layers for number in (layer.weight, layer.bias)}
        self.rest = [number for number in network.trainable if number not in taken]
        self._run = at_once(self._passed, (0, 0, 0), directly=True)
        rest = heads * sum(network.sizes[number] for number in self.rest)
        passed = sum(self._held(layer) + math.prod(layer.shape) for layer in layers)
        made = heads * sum(self._columns(layer) for layer in layers)
        self.numbers = rest + made + sum(self._held(layer) for layer in layers if self._is_kept(layer))
        self.piece = max(1, PASSED // (passed + rest) if layers else PIECE // rest)

    def at(self, weights: Tensor, x: Tensor, done: Callable[[int], object]) -> list[Tensor]:
        """The features of weights (members, parameters) at inputs (members, n, ...), each (members, n, ...).

        First the columns of the Jacobian, (members, n, heads, columns), then inputs and slopes of the layers that
        are kept. They are made piece by piece; `done` is told the inputs in each.

        Raises
        ------
        OtherUseError
            If weights go into other functions than in the trial.
        """
        whole: list[Tensor] = []
        for part in slices(x.shape[1], max(1, self.piece // len(weights))):
            piece = self._piece(weights, x[:, part])
            done(piece[0].shape[0] * piece[0].shape[1])
            if x.shape[1] == piece[0].shape[1]:
                return piece
            whole = whole or [one.new_empty(len(one), x.shape[1], *one.shape[2:]) for one in piece]
            for one, made in zip(whole, piece, strict=True):
                one[:, part] = made
        return whole

    def _piece(self, weights: Tensor, x: Tensor) -> list[Tensor]:
        columns, kept = [], []
        for layer, a, g in self._slopes(weights, x):
            flat = a.flatten(0, 1), g.flatten(0, 1)
            if self._is_kept(layer):
                kept += [a, g]
            elif layer.weight is not None:
                columns.append(columns_of(layer, *flat).unflatten(0, x.shape[:2]))
            if layer.bias is not None and not self._is_pair(layer):
                columns.append(layer.rows(g.flatten(0, 2)).sum(2).flatten(1).unflatten(0, g.shape[:3]))
        if self.rest:
            columns.append(self._network.jacobian(weights, x, self.rest))
        empty = weights.new_empty(*x.shape[:2], self._heads, 0)
        return [torch.cat(columns, 3) if len(columns) > 1 else columns[0] if columns else empty, *kept]

    def add(self, kernel: Tensor, left: Sequence[Tensor], right: Sequence[Tensor]) -> None:
        """Add the products of features at n and at m inputs to a kernel (members, n * heads, m * heads).

        Where both are the same object, nothing is added to what lies below the diagonal by more than a tile.
        """
        add_columns(kernel, left[0], right[0] if left is not right else left[0])
        kept = [layer for layer in self.layers if self._is_kept(layer)]
        for k, layer in enumerate(kept):
            one = left[1 + 2 * k : 3 + 2 * k]
            other = one if left is right else right[1 + 2 * k : 3 + 2 * k]
            if self._is_pair(layer):
                self._add_pair(kernel, layer, one, other)
                continue
            largest = max(one[0].shape[1], other[0].shape[1])
            each = len(kernel) * largest * self._heads * layer.groups * layer.width
            for some in slices(layer.height, max(1, COLUMNS // each)):
                made = self._made(layer, one[0], one[1], some)
                add_columns(kernel, made, made if one is other else self._made(layer, other[0], other[1], some))

    def _slopes(self, weights: Tensor, x: Tensor) -> Iterator[tuple[Layer, Tensor, Tensor]]:
        """Each layer with its inputs (members, n, ...) and slopes (members, n, heads, ...)."""
        if not self.layers:
            return
        zero = weights.new_zeros(())
        with torch.enable_grad(), told("module cannot be differentiated"):
            shifts = [zero.expand(*x.shape[:2], *layer.shape).requires_grad_() for layer in self.layers]
            outputs, *inputs = self._run(weights, shifts, x)
            slopes = [
                torch.autograd.grad(head.sum(), shifts, retain_graph=True, allow_unused=True, materialize_grads=True)
                for head in outputs.unbind(2)
            ]
        for layer, a, *g in zip(self.layers, inputs, *slopes, strict=True):
            yield layer, a.detach(), torch.stack(g, 2)

    def _passed(self, weights: Tensor, shifts: Sequence[Tensor], x: Tensor) -> tuple[Tensor, ...]:
        """Outputs and the inputs of the layers, for one member."""
        tensors = self._network.tensors(weights)
        added = {layer.use: shift for layer, shift in zip(self.layers, shifts, strict=True)}
        with Recorder({number: tensors[number] for number in self._network.trainable}, added, self._uses) as seen:
            outputs = self._network.called(tensors, x)
        if len(seen.uses) < len(self._uses):
            raise OtherUseError
        return outputs, *(seen.inputs[layer.use] for layer in self.layers)

    def _add_pair(self, kernel: Tensor, layer: Layer, left: Sequence[Tensor], right: Sequence[Tensor]) -> None:
        (a, g), (b, f) = (
            (layer.columns(z.flatten(0, 1)).reshape(*z.shape[:2], -1), slopes.flatten(3)) for z, slopes in (left, right)
        )
        for tile, i, j in tiles(kernel, left[1], right[1]):
            inputs = a[:, i] @ b[:, j].mT + (layer.bias is not None)
            slopes = g[:, i].flatten(1, 2) @ f[:, j].flatten(1, 2).mT
            slopes.unflatten(2, (-1, self._heads)).unflatten(1, (-1, self._heads)).mul_(inputs[:, :, None, :, None])
            tile += slopes

    def _made(self, layer: Layer, a: Tensor, g: Tensor, some: slice) -> Tensor:
        """Columns of the Jacobian in some rows of a weight, (members, n, heads, columns)."""
        rows = (some.stop - some.start) * layer.groups
        made = g.new_empty(*g.shape[:2], self._heads, rows * layer.width)
        flat, a, g = made.flatten(0, 1), a.flatten(0, 1), g.flatten(0, 1)
        for part in slices(len(flat), max(1, COLUMNS // (layer.groups * layer.positions * layer.width))):
            flat[part] = columns_of(layer, a[part], g[part], some)
        return made

    def _is_pair(self, layer: Layer) -> bool:
        """Whether two Gram matrices cost less than the Jacobian: not where there are few numbers in a and z."""
        squared, both = self._heads**2, layer.width * layer.height
        cost = layer.width + squared * (layer.height + PAIRING)
        return layer.weight is not None and layer.positions * layer.groups == 1 and cost < squared * both

    def _is_kept(self, layer: Layer) -> bool:
        """Whether inputs and slopes are kept, rather than the columns of the Jacobian, which may be more."""
        late = self._heads * layer.groups * layer.width * layer.height > max(LATE, self._held(layer))
        return layer.weight is not None and (late or self._is_pair(layer))

    def _held(self, layer: Layer) -> int:
        return layer.size + self._heads * math.prod(layer.shape)

    def _columns(self, layer: Layer) -> int:
        """Columns of the Jacobian that are made at once."""
        of_weight = 0 if layer.weight is None or self._is_kept(layer) else layer.width
        of_bias = 0 if layer.bias is None or self._is_pair(layer) else 1
        return (of_weight + of_bias) * layer.groups * layer.height


@checked
def tangent_features(network: PureNetwork, x: Tensor, heads: Count) -> Features:
    """The features that cost least: by layers, if a trial at some of the inputs (members, n, ...) shows that they hold.

    The trial sees in which functions of torch the weights go, and compares the kernel with that of the Jacobian, in
    double precision and at weights other than the module's own, which may be zero.
    """
    if x.shape[0] * x.shape[1] * heads * int(network.trained.sum()) < WORTH:
        return Features(network, heads)
    exact = network if network.weights.dtype == torch.float64 else PureNetwork(network.module)
    points = some_points(x)[:TRIED]
    points = points.double() if points.is_floating_point() else points
    weights = torch.where(exact.trained, elsewhere(exact.weights), exact.weights)
    tensors = exact.tensors(weights)
    with torch.enable_grad(), Recorder({number: tensors[number] for number in exact.trainable}) as seen:
        exact.called(tensors, points)
    found = seen.layers(len(points)), seen.uses
    kernels = []
    for form in (Features(exact, heads), Features(exact, heads, *found)):
        made = form.at(weights[None], points[None], lambda _: None)
        kernels.append(weights.new_zeros(1, *2 * (heads * len(points),)))
        form.add(kernels[-1], made, made)
    jacobian, layers = kernels
    holds = (jacobian - layers).abs().max() <= SAME * jacobian.abs().max()
    return Features(network, heads, *found) if holds else Features(network, heads)
