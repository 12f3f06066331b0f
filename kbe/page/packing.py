"""Sixteen networks in two stretches of memory, as `kbe.page.entry` reads them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kbe.networks import BitNetwork
from kbe.page.entry import MEASURES, ROOMS, TABLES
from kbe.training.compiled.layout import choose_graph, hidden_rows, lay_out, node_rows, slots
from kbe.training.compiled.simd import WIDTH


@dataclass(frozen=True)
class _Packed:
    """A network and the data of sixteen members, before any weights.

    Parameters
    ----------
    numbers
        The first stretch of memory, whole.
    tables
        Where each table begins in it.
    rooms
        The first row of each part of the second, and how many rows it has.
    inputs
        The values of the input layer, shape (units, 16), zeros and ones.
    points
        At each row of outputs 0 for a member without a point there, else 1 + its target, shape (rows, 16).
    """

    numbers: np.ndarray
    tables: dict[str, int]
    rooms: dict[str, tuple[int, int]]
    inputs: np.ndarray
    points: np.ndarray


def packed(module: BitNetwork, x: np.ndarray, y: np.ndarray) -> _Packed:
    """Lay out the network and the data as the fast path does.

    Parameters
    ----------
    module
        A network with two heads.
    x, y
        Inputs (16, points, bits) and targets (16, points), zeros and ones.

    Raises
    ------
    ValueError
        If there are not sixteen data sets, or one holds an input twice.
    """
    graph, row = choose_graph(module, x, None)
    network = lay_out(module, graph)
    layers, taps, (unit_starts, unit_users), activation, first_weight, heads = network
    positions, pairs, sums, rows, kinds, _, seen, (node_starts, node_users) = heads
    target, share = (values.T for values in slots(row, y, len(rows), 1.0))
    if len(y) != WIDTH or len(target) != len(rows):
        raise ValueError(f"x has shape {x.shape}: it must hold {WIDTH} data sets, each input once in each.")
    parameters, outputs = sum(one.numel() for one in module.parameters()), len(module.heads) * len(rows)
    sizes = dict.fromkeys(("weights", "turned", "gradient"), parameters)
    sizes |= dict.fromkeys(("hidden", "back"), hidden_rows(network)) | {"nodes": node_rows(network)}
    sizes |= dict.fromkeys(("outputs", "before", "slopes"), outputs) | dict.fromkeys(
        ("target", "share", "errors"), len(target)
    )
    sizes |= {"floors": 1, "jump": 1, "measures": len(MEASURES)}
    firsts = np.cumsum([0, *(sizes[name] for name in ROOMS)]).tolist()
    rooms = {name: (first, int(sizes[name])) for name, first in zip(ROOMS, firsts, strict=False)}
    onset = np.full((1, WIDTH), -1)
    tables = (layers, taps, unit_starts, unit_users, pairs, sums, rows, kinds, seen, node_starts, node_users, onset)
    values = graph.values if graph.values.ndim == 2 else np.tile(graph.values[:, None], WIDTH)
    numbers = _one_after_the_other(tables, rooms, (positions, activation, first_weight))
    begins = {name: int(numbers[3 * number]) for number, name in enumerate(TABLES)}
    return _Packed(numbers, begins, rooms, values.astype(np.uint8), np.where(share > 0, 1 + target, 0).astype(np.uint8))


def _one_after_the_other(tables: tuple[np.ndarray, ...], rooms: dict, scalars: tuple[int, ...]) -> np.ndarray:
    """Where each table and each room begins and its size, the scalars, and then the tables."""
    places: list[int] = []
    first = 3 * len(TABLES) + 2 * len(ROOMS) + len(scalars)
    for table in tables:
        places += [first, len(table), table.shape[1] if table.ndim > 1 else 1]
        first += table.size
    head = [*places, *(number for room in rooms.values() for number in room), *scalars]
    return np.concatenate([np.array(head), *(table.ravel() for table in tables)]).astype(np.int64)
