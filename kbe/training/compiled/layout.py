"""How a network and its windows are laid out for the compiled code, and which graph of windows costs less.

The hidden values of all layers stand below each other: first the input values, then each layer's
units, which take one row for each channel. After each layer stands one unit of zeros, the padding. A row
of `table` describes a layer; its columns are named here.

What the heads add up are nodes: the pairs of a position and a unit, then the sums, then the rows of outputs.
"""

from __future__ import annotations

import numpy as np

from kbe.networks import BitNetwork
from kbe.training.compiled.activations import NAMES
from kbe.training.compiled.windows import WindowGraph, merged_graph, plain_graph

UNITS, INPUTS, OUTPUTS, FIRST_UNIT, FIRST_ROW, FIRST_WEIGHT = range(6)


def lay_out(module: BitNetwork, graph: WindowGraph) -> tuple:
    """What the compiled code must know of a network and of its units.

    Returns
    -------
    tuple
        The table of layers; for each unit and tap the row where its inputs begin; where each unit is
        used; the layers' activation; the heads' first weight; and what the heads need: positions, pairs, sums,
        rows, activations, floors, whether their slopes reach the features, and where each node is used.
    """
    layers, sources = [], []
    below = unit = weight = 0
    row = len(graph.values) + 1
    for number, parents in enumerate(graph.parents):
        inputs, outputs = module.channels if number else 1, module.channels
        layers.append((len(parents), inputs, outputs, unit, row, weight))
        sources.append(below + parents * inputs)
        below, unit = row, unit + len(parents)
        row += (len(parents) + 1) * outputs
        weight += outputs * (inputs * parents.shape[1] + 1)
    table, head = np.array(layers, np.int64), np.arange(len(module.heads))
    kinds = np.array([NAMES[name] for name in module.head_activations])
    floors = np.where(head == 1, module.sigma_floor, 0.0)
    seen = ~((head == 1) & module.detach_deviation)
    nodes = (np.ascontiguousarray(table, np.int64) for table in (graph.pairs, graph.sums, graph.rows))
    heads = (module.positions, *nodes, kinds, floors, seen, _uses_of_nodes(graph))
    taps = np.concatenate(sources).astype(np.int64)
    return table, taps, _uses_of_units(graph, table), NAMES[module.activation], weight, heads


def hidden_rows(network: tuple) -> int:
    """The rows that the hidden values of all layers take, with the padding after the last one."""
    last = network[0][-1]
    return last[FIRST_ROW] + (last[UNITS] + 1) * last[OUTPUTS]


def node_rows(network: tuple) -> int:
    """The rows that the nodes of all heads take."""
    _, pairs, sums, rows, kinds, *_ = network[-1]
    return len(kinds) * (len(pairs) + len(sums) + len(rows))


def choose_graph(module: BitNetwork, x: np.ndarray, merge: bool | None) -> tuple[WindowGraph, np.ndarray]:
    """The graph for the inputs x (members, points, bits), and the row of it at which each member's points stand.

    With `merge` a window that occurs more than once is computed once; None takes what costs less.
    """
    members, points, bits = x.shape
    shape, sizes = (module.layers, module.kernel_size, module.padding), (module.channels, len(module.heads))
    distinct, inverse = np.unique(x.reshape(-1, bits), axis=0, return_inverse=True)
    if merge or (merge is None and len(distinct) <= 10 * points):  # with more rows merging can hardly pay
        merged, row = merged_graph(distinct, *shape), inverse.reshape(members, points)
        if merge or merged.cost(*sizes) < plain_graph(x, *shape).cost(*sizes):
            return merged, row
    return plain_graph(x, *shape), np.broadcast_to(np.arange(points), (members, points))


def slots(row: np.ndarray, y: np.ndarray, rows: int, weight: float) -> tuple[np.ndarray, np.ndarray]:
    """Targets and their weights in the loss, both (members, slots * rows) and 0 where a member has no point.

    Of so many `rows`, each point stands at its `row` (members, points). Points with the same input take a slot of rows
    each. The `weight` is a point's in the mean or sum.
    """
    members, points = y.shape
    order = np.argsort(row, axis=1, kind="stable")
    ordered = np.take_along_axis(row, order, 1)
    first = np.maximum.accumulate(np.where(np.diff(ordered, axis=1, prepend=-1) != 0, np.arange(points), 0), axis=1)
    slot = np.empty_like(order)
    np.put_along_axis(slot, order, np.arange(points) - first, 1)
    count = int(slot.max()) + 1
    target, share = np.zeros((2, members, count, rows))
    member = np.arange(members)[:, None]
    target[member, slot, row] = y
    share[member, slot, row] = weight
    return target.reshape(members, -1), share.reshape(members, -1)


def _uses_of_units(graph: WindowGraph, table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each unit's uses begin, and all uses in the order of the units above: the row there and the tap."""
    starts, uses = [np.zeros(1, np.int64)], []
    for number, layer in enumerate(table):
        if number + 1 < len(table):
            above, parents = table[number + 1], graph.parents[number + 1]
            unit, tap = np.divmod(np.arange(parents.size), parents.shape[1])
            use, source = np.stack([above[FIRST_ROW] + unit * above[OUTPUTS], tap], 1), parents.ravel()
        else:
            # what the heads use: a pair, and its position
            use, source = np.stack([np.arange(len(graph.pairs)), graph.pairs[:, 0]], 1), graph.pairs[:, 1]
        start, order = _grouped(source, layer[UNITS])
        starts.append(starts[-1][-1] + start[1:])
        uses.append(use[order])
    return np.concatenate(starts), np.concatenate(uses).astype(np.int64)


def _uses_of_nodes(graph: WindowGraph) -> tuple[np.ndarray, np.ndarray]:
    """Where each node's uses begin, and all uses: the rows that it is, then the sums it enters, the last one first."""
    count = len(graph.pairs) + len(graph.sums)
    sums = np.repeat(np.arange(len(graph.pairs), count), 2)[::-1]
    use = np.concatenate([count + np.arange(len(graph.rows)), sums])
    start, order = _grouped(np.concatenate([graph.rows, graph.sums.ravel()[::-1]]), count)
    return start, use[order].astype(np.int64)


def _grouped(source: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each of so many sources begins in an order in which equal ones stand together; larger ones are left out."""
    order = np.argsort(source, kind="stable")
    start = np.searchsorted(source[order], np.arange(count + 1)).astype(np.int64)
    return start, order[: start[-1]]
