"""Which convolutions of a set of bit strings are the same, so that each is computed once.

A convolution layer sees an input through windows, and bit strings of b bits have few
distinct ones: with b = 8, kernels of 3 and zero padding, 8, then 48, then 224 for the three
layers, whatever the number of inputs. The distinct windows form a graph: each unit of a
layer has one parent unit in the layer below for every tap of the kernel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class WindowGraph:
    """The units of a convolutional network on a set of rows, and what each reads.

    Parameters
    ----------
    values
        The input layer: one value a unit, for all members alike, or shape (units, members), one for each.
    parents
        For each layer, shape (units, kernel_size), the unit of the layer below under each tap; its unit count stands
        for padding.
    pairs
        The distinct pairs of a last-layer position and the unit found there, shape (pairs, 2).
    sums
        What a head adds up over positions, as a tree, shape (sums, 2): node `len(pairs) + i` is the sum of two
        earlier nodes, the first nodes being the pairs; equal sums are one node.
    rows
        The node that holds each row's sum over all positions.
    """

    values: np.ndarray
    parents: list[np.ndarray]
    pairs: np.ndarray
    sums: np.ndarray
    rows: np.ndarray

    def cost(self, channels: int, heads: int = 2) -> float:
        """What an epoch of one member costs, the model by which a graph is chosen.

        The unit is a multiplication and an addition of one weight, there and back again. The other weights
        were fitted to times measured with `timing.over`. Measured again since, on faster code, they foretell each of
        35 graphs within a quarter, but for those with a single point or a single channel, which cost more by six
        tenths, and they choose the cheaper graph at each of eight sizes of data sets.
        """
        first, *others = (parents.size for parents in self.parents)
        units = sum(len(parents) for parents in self.parents)
        products = channels * first + channels**2 * sum(others)
        read_out = 1.5 * channels * len(self.pairs) + 2 * len(self.sums) + 9 * len(self.rows)
        return products + 7 * channels * units + heads * read_out


def merged_graph(inputs: np.ndarray, layers: int, kernel_size: int, padding: str) -> WindowGraph:
    """The graph with one unit for each distinct window of the distinct `inputs` (rows, bits) that all members share."""
    values, units = np.unique(inputs, return_inverse=True)
    units = units.reshape(inputs.shape)
    zero = np.flatnonzero(values == 0)
    # A padded zero and a zero bit give the first layer the same window.
    pad = int(zero[0]) if len(zero) else len(values)
    parents = []
    for _ in range(layers):
        taps = _taps(units, kernel_size, padding, pad)
        distinct, inverse = np.unique(taps.reshape(-1, kernel_size), axis=0, return_inverse=True)
        parents.append(distinct)
        units = inverse.reshape(taps.shape[:2])
        pad = len(distinct)
    return _with_pairs(values, parents, units)


def plain_graph(inputs: np.ndarray, layers: int, kernel_size: int, padding: str) -> WindowGraph:
    """The graph with one unit for each row and position, for `inputs` (members, rows, bits) in which members differ."""
    members, rows, bits = inputs.shape
    units: np.ndarray = np.arange(rows * bits).reshape(rows, bits)
    parents: list[np.ndarray] = []
    for _ in range(layers):
        taps: np.ndarray = _taps(units, kernel_size, padding, units.size)
        parents.append(taps.reshape(-1, kernel_size))
        units = np.arange(taps.shape[0] * taps.shape[1]).reshape(taps.shape[:2])
    return _with_pairs(inputs.reshape(members, -1).T, parents, units)


def _taps(units: np.ndarray, kernel_size: int, padding: str, pad: int) -> np.ndarray:
    """The unit under each tap at each position, shape (rows, positions, kernel_size)."""
    if padding != "valid":
        # torch's "same" puts the odd one of an even kernel's padding at the end
        left = (kernel_size - 1) // 2
        width = ((0, 0), (left, kernel_size - 1 - left))
        units = np.pad(units, width, "wrap") if padding == "circular" else np.pad(units, width, constant_values=pad)
    return np.lib.stride_tricks.sliding_window_view(units, kernel_size, axis=1)


def _with_pairs(values: np.ndarray, parents: list[np.ndarray], units: np.ndarray) -> WindowGraph:
    """Add what the heads need: the pairs, and the tree of their sums."""
    located = np.stack([np.broadcast_to(np.arange(units.shape[1]), units.shape), units], -1)
    pairs, inverse = np.unique(located.reshape(-1, 2), axis=0, return_inverse=True)
    nodes: np.ndarray = inverse.reshape(units.shape)
    count, sums = len(pairs), [np.empty((0, 2), np.intp)]
    while nodes.shape[1] > 1:  # neighbours are added, which share bits and so have few distinct sums
        even = nodes.shape[1] // 2 * 2
        couples = nodes[:, :even].reshape(-1, 2)
        distinct, inverse = np.unique(couples, axis=0, return_inverse=True)
        sums.append(distinct)
        nodes = np.concatenate([count + inverse.reshape(len(nodes), -1), nodes[:, even:]], 1)
        count += len(distinct)
    return WindowGraph(values, parents, pairs, np.concatenate(sums), nodes[:, 0])
