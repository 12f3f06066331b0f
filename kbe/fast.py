"""The fast path: full-batch gradient descent on bit-string networks, members as vector lanes."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch import nn

from kbe import lane_losses, lanes
from kbe.networks import BitNetwork
from kbe.simd import WIDTH
from kbe.windows import WindowGraph, merged_graph, plain_graph

_ACTIVATIONS = {"elu": lanes.ELU, "relu": lanes.RELU, "tanh": lanes.TANH, "sigmoid": lanes.SIGMOID,
                "linear": lanes.LINEAR, "softplus": lanes.SOFTPLUS, "exponential": lanes.EXPONENTIAL}  # fmt: skip
_LINE = 16  # numbers: no less than a cache line of 64 bytes


def obstacle(module: object, loss: Callable) -> str | None:
    """Why the fast path cannot train this network on this loss, or None if it can.

    Parameters
    ----------
    module : torch.nn.Module
        A network.
    loss : callable
        A loss of `kbe.losses`.

    Returns
    -------
    str or None
        A clause that names the reason.
    """
    if not isinstance(module, BitNetwork) or any(
        getattr(type(module), name) is not getattr(BitNetwork, name) for name in ("forward", "features", "__call__")
    ):
        return f"the network is a {type(module).__name__}, which computes otherwise than a BitNetwork"
    if any(not parameter.requires_grad for parameter in module.parameters()):
        return "some weights require no gradient"
    if module.dropout is not None:
        return "the network has drop-out"
    if module.detach_deviation:
        return "the second head's gradient stops at the features"
    compiled = lane_losses.compiled_form(loss)
    if compiled is None:
        return "the loss has no compiled form"
    if compiled[0] != lane_losses.SQUARED and len(module.heads) < 2:
        return "the loss needs two heads"
    return None


class FastTrainer:
    """Many members' training, advanced some epochs at a time.

    Parameters
    ----------
    module : torch.nn.Module
        One member, a BitNetwork, for the architecture.
    parameters : array, shape (members, parameters)
        Initial weights, in the order of `module.parameters()`.
    x : array, shape (members, points, bits)
        Each member's inputs.
    y : array, shape (members, points)
        Each member's targets.
    loss : callable
        A loss that `obstacle` does not refuse.
    learning_rate : float
        eta.
    mean : bool
        Whether the loss is the mean over points or their sum.
    jump : float
        The change of an output in one epoch beyond which the member's onset is noted.
    threads : int or None
        Threads to use; None takes as many as torch does.
    merge : bool or None
        Whether a window that occurs more than once is computed once; None takes what costs less.

    Attributes
    ----------
    cost : float
        What an epoch of one member costs by the model of `WindowGraph.cost`; idle lanes cost as much as others.

    Raises
    ------
    ValueError
        If `obstacle` refuses the module or the loss.
    """

    def __init__(self, module: nn.Module, parameters: np.ndarray, x: np.ndarray, y: np.ndarray, loss: Callable,
                 learning_rate: float, mean: bool, jump: float, threads: int | None,
                 merge: bool | None = None) -> None:  # fmt: skip
        compiled = lane_losses.compiled_form(loss)
        if compiled is None or not isinstance(module, BitNetwork):
            raise ValueError(f"This cannot be trained on the fast path, because {obstacle(module, loss)}.")
        members, points, _ = x.shape
        self._pool = ThreadPoolExecutor(threads or torch.get_num_threads())
        self._members, self._blocks, self._epoch = members, -(-members // WIDTH), 0
        self._heads, self._dtype = len(module.heads), parameters.dtype
        graph, self._row = _graph(module, x, merge)
        self.cost = graph.cost(module.channels, self._heads) * self._blocks * WIDTH / members
        target, share = _slots(self._row, y, len(graph.rows), 1 / points if mean else 1.0)
        self._target, self._share = self._in_lanes(target), self._in_lanes(share)
        self._network = _network(module, graph)
        self._settings = (*compiled, float(learning_rate), float(jump))
        self._weights = self._in_lanes(parameters)
        last = self._network[0][-1]
        self._hidden, self._back = (self._zeros(last[lanes.FIRST_ROW] + (last[lanes.UNITS] + 1) * last[lanes.OUTPUTS])
                                    for _ in range(2))  # fmt: skip
        values = graph.values if graph.values.ndim == 2 else np.tile(graph.values[:, None], members)
        self._hidden[:, : len(values)] = self._in_lanes(values.T)
        # what the activations take is rounded nowhere: a place of its own only in single precision
        self._sums = self._hidden if self._dtype == np.float64 else np.zeros(self._hidden.shape)
        self._gradient, self._turned = (self._zeros(self._weights.shape[1]) for _ in range(2))
        self._nodes = self._zeros(self._heads * (len(graph.pairs) + len(graph.sums) + len(graph.rows)))
        self._outputs, self._before, self._slopes = (self._zeros(self._heads * len(graph.rows)) for _ in range(3))
        self._onset = np.full((self._blocks, WIDTH), -1, np.int64)
        for block in range(self._blocks):
            lanes.forward(self._network, *(a[block] for a in (self._weights, self._sums, self._hidden, self._nodes, self._outputs)))

    def _zeros(self, rows: int) -> np.ndarray:
        """Zeros in the lanes' layout, on the boundaries of cache lines: a row across two costs twice."""
        shape = (self._blocks, rows, WIDTH)
        room = np.zeros(math.prod(shape) + _LINE, self._dtype)
        start = -room.ctypes.data % (_LINE * room.itemsize) // room.itemsize
        return room[start : start + math.prod(shape)].reshape(shape)

    def _in_lanes(self, values: np.ndarray) -> np.ndarray:
        """From (members, n) to (blocks, n, 16); the lanes to spare repeat the last member."""
        member = np.minimum(np.arange(self._blocks * WIDTH), self._members - 1)
        result = self._zeros(values.shape[1])
        result[:] = values[member].reshape(self._blocks, WIDTH, -1).swapaxes(1, 2)
        return result

    def _by_member(self, values: np.ndarray) -> np.ndarray:
        """From (blocks, n, 16) to (members, n)."""
        return values.swapaxes(1, 2).reshape(self._blocks * WIDTH, -1)[: self._members]

    def advance(self, epochs: int) -> None:
        """Train on.

        Parameters
        ----------
        epochs : int
            Steps of full-batch gradient descent.
        """
        arrays = (self._target, self._share, self._weights, self._turned, self._gradient, self._sums, self._hidden,
                  self._back, self._nodes, self._outputs, self._before, self._slopes, self._onset)  # fmt: skip

        def train(block: int, start: int, stop: int, first_half: Future | None = None) -> None:
            if first_half is not None:
                first_half.result()
            lanes.advance(self._network, *self._settings, start, stop - start, *(a[block] for a in arrays))

        # in two halves, so that an odd number of blocks keeps an even number of threads busy
        middle, end = self._epoch + epochs // 2, self._epoch + epochs
        halves = [self._pool.submit(train, block, self._epoch, middle) for block in range(self._blocks)]
        halves += [self._pool.submit(train, block, middle, end, half) for block, half in enumerate(halves)]
        for half in halves:
            half.result()
        self._epoch += epochs

    def outputs(self) -> np.ndarray:
        """The outputs now, at each member's own points.

        Returns
        -------
        numpy.ndarray, shape (members, points, heads)
            Mean and, with a second head, standard deviation.
        """
        rows = self._by_member(self._outputs).reshape(self._members, self._heads, -1)
        return np.take_along_axis(rows, self._row[:, None, :], 2).swapaxes(1, 2)

    def parameters(self) -> np.ndarray:
        """The weights now.

        Returns
        -------
        numpy.ndarray, shape (members, parameters)
            In the order of `module.parameters()`.
        """
        return self._by_member(self._weights).copy()

    def onset(self) -> np.ndarray:
        """The onset epochs so far.

        Returns
        -------
        numpy.ndarray, shape (members,)
            -1 for a member without onset.
        """
        return self._onset.reshape(-1)[: self._members].copy()


def _network(module: BitNetwork, graph: WindowGraph) -> tuple:
    """What `kbe.lanes` must know of the architecture: table of layers, parents, activation, heads."""
    table, sources, below, unit, weight = [], [], 0, 0, 0
    row = len(graph.values) + 1  # after each layer stands one unit of zeros, the padding
    for number, parents in enumerate(graph.parents):
        inputs, outputs = module.channels if number else 1, module.channels
        table.append((len(parents), inputs, outputs, unit, row, weight))
        sources.append(below + parents * inputs)
        below, unit = row, unit + len(parents)
        row += (len(parents) + 1) * outputs
        weight += outputs * (inputs * parents.shape[1] + 1)
    kinds = np.array([_ACTIVATIONS[name] for name in module.head_activations])
    floors = np.where(np.arange(len(kinds)) == 1, module.sigma_floor, 0.0)
    read_out = (np.ascontiguousarray(nodes, np.int64) for nodes in (graph.pairs, graph.sums, graph.rows))
    heads = (module.positions, *read_out, kinds, floors, _users_of_nodes(graph))
    sources, layers = np.concatenate(sources).astype(np.int64), np.array(table, np.int64)
    return layers, sources, _users_of_units(graph, layers), _ACTIVATIONS[module.activation], weight, heads


def _users_of_units(graph: WindowGraph, layers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each unit of each layer where it is used: the first row of a unit above, and the tap; then pair and position.

    They are in the order of the units above. Returned are where each unit's uses begin, and all uses.
    """
    starts, users, above = [np.zeros(1, np.int64)], [], graph.parents[1:]
    for number, layer in enumerate(layers):
        if number < len(above):
            unit, tap = np.divmod(np.arange(above[number].size), above[number].shape[1])
            use, source = np.stack([layers[number + 1, 4] + unit * layer[2], tap], 1), above[number].ravel()
        else:
            use, source = np.stack([np.arange(len(graph.pairs)), graph.pairs[:, 0]], 1), graph.pairs[:, 1]
        start, order = _sorted_by(source, layer[0])
        users.append(use[order])
        starts.append(starts[-1][-1] + start[1:])
    return np.concatenate(starts), np.concatenate(users).astype(np.int64)


def _users_of_nodes(graph: WindowGraph) -> tuple[np.ndarray, np.ndarray]:
    """For each node which rows it is, behind all nodes, and then which sums take it, the last one first."""
    nodes = len(graph.pairs) + len(graph.sums)
    sums = np.repeat(np.arange(len(graph.pairs), nodes), 2)[::-1]
    user = np.concatenate([nodes + np.arange(len(graph.rows)), sums])
    start, order = _sorted_by(np.concatenate([graph.rows, graph.sums.ravel()[::-1]]), nodes)
    return start, user[order].astype(np.int64)


def _sorted_by(source: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """An order in which equal sources stand together, and where each of so many begins; others are left out."""
    order = np.argsort(source, kind="stable")
    start = np.searchsorted(source[order], np.arange(count + 1)).astype(np.int64)
    return start, order[: start[-1]]


def _graph(module: BitNetwork, x: np.ndarray, merge: bool | None) -> tuple[WindowGraph, np.ndarray]:
    """The graph with equal windows merged or not, and the row of it at which each member's points stand."""
    members, points, bits = x.shape
    shape, sizes = (module.layers, module.kernel_size, module.padding), (module.channels, len(module.heads))
    distinct, inverse = np.unique(x.reshape(-1, bits), axis=0, return_inverse=True)
    if merge or (merge is None and len(distinct) <= 10 * points):  # with more rows merging can hardly pay
        merged, row = merged_graph(distinct, *shape), inverse.reshape(members, points)
        if merge or merged.cost(*sizes) < plain_graph(x, *shape).cost(*sizes):
            return merged, row
    return plain_graph(x, *shape), np.broadcast_to(np.arange(points), (members, points))


def _slots(row: np.ndarray, y: np.ndarray, rows: int, weight: float) -> tuple[np.ndarray, np.ndarray]:
    """Targets and their weights, shape (members, slots * rows); points with the same input take a slot each."""
    members, points = y.shape
    order = np.argsort(row, axis=1, kind="stable")
    ordered = np.take_along_axis(row, order, 1)
    first = np.maximum.accumulate(np.where(np.diff(ordered, axis=1, prepend=-1) != 0, np.arange(points), 0), axis=1)
    slot = np.empty_like(order)
    np.put_along_axis(slot, order, np.arange(points) - first, 1)
    slots = int(slot.max()) + 1
    target, share = np.zeros((2, members, slots, rows))
    member = np.arange(members)[:, None]
    target[member, slot, row] = y
    share[member, slot, row] = weight
    return target.reshape(members, -1), share.reshape(members, -1)
