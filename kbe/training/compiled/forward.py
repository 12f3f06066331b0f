"""The forward pass, compiled: Eq. (9), which is Eq. (10) for a layer and Eq. (11) for the heads."""

from __future__ import annotations

from kbe.training.compiled.activations import ELU, SIGMOID, activate, elu, sigmoid
from kbe.training.compiled.layout import FIRST_ROW, FIRST_UNIT, FIRST_WEIGHT, INPUTS, OUTPUTS, UNITS
from kbe.training.compiled.machine_code import compiled
from kbe.training.compiled.simd import load, load_three, store, store_three


@compiled
def _convolve(layer, sources, weights, hidden, sums):
    """What a layer's activations take, b_k + sum_j c_jk(h_j), Eq. (10).

    Two units and three channels at a time, so that what is loaded serves more than once; the last ones
    again where fewer are left.
    """
    inputs, outputs, taps = layer[INPUTS], layer[OUTPUTS], sources.shape[1]
    first_bias, last = layer[FIRST_WEIGHT] + outputs * inputs * taps, layer[UNITS] - 1
    for unit in range(0, layer[UNITS], 2):
        other = min(unit + 1, last)
        u, v = layer[FIRST_UNIT] + unit, layer[FIRST_UNIT] + other
        row_u, row_v = layer[FIRST_ROW] + unit * outputs, layer[FIRST_ROW] + other * outputs
        for k in range(0, outputs, 3):
            n, m = min(k + 1, outputs - 1), min(k + 2, outputs - 1)
            uk, un, um = load_three(weights, first_bias + k, first_bias + n, first_bias + m)
            vk, vn, vm = uk, un, um
            at_k = layer[FIRST_WEIGHT] + k * inputs * taps
            at_n, at_m = at_k + (n - k) * inputs * taps, at_k + (m - k) * inputs * taps
            for j in range(inputs):
                for tap in range(taps):
                    hu, hv = load(hidden, sources[u, tap] + j), load(hidden, sources[v, tap] + j)
                    weight = j * taps + tap
                    w = load(weights, at_k + weight)
                    uk, vk = uk + w * hu, vk + w * hv
                    w = load(weights, at_n + weight)
                    un, vn = un + w * hu, vn + w * hv
                    w = load(weights, at_m + weight)
                    um, vm = um + w * hu, vm + w * hv
            store_three(sums, row_u + k, row_u + n, row_u + m, uk, un, um)
            store_three(sums, row_v + k, row_v + n, row_v + m, vk, vn, vm)


@compiled
def _activate_layer(layer, sums, kind, hidden):
    """A layer's outputs, R of what was summed, Eq. (10)."""
    first, stop = layer[FIRST_ROW], layer[FIRST_ROW] + layer[UNITS] * layer[OUTPUTS]
    if kind == ELU:  # without a call for each row
        for row in range(first, stop):
            store(hidden, row, elu(load(sums, row)))
    else:
        for row in range(first, stop):
            store(hidden, row, activate(load(sums, row), kind))


@compiled
def _mask_layer(layer, mask, values, hidden):
    """Drop-out: each output times its factor; what it was stays in `values`, for the slopes."""
    for row in range(layer[FIRST_ROW], layer[FIRST_ROW] + layer[UNITS] * layer[OUTPUTS]):
        value = load(hidden, row)
        store(values, row, value)
        store(hidden, row, value * load(mask, row))


@compiled
def _read_out(layer, heads, weights, first_weight, hidden, nodes, outputs):
    """The heads, y = R(sum_i a_i . h_i + b), Eq. (11): what each position adds, then the tree of sums."""
    positions, pairs, sums, rows, kinds, floors, _, _ = heads
    channels = layer[OUTPUTS]
    for head in range(kinds.shape[0]):
        weight = first_weight + head * (channels * positions + 1)
        for pair in range(pairs.shape[0]):
            a, source = weight + pairs[pair, 0], layer[FIRST_ROW] + pairs[pair, 1] * channels
            total = load(weights, a) * load(hidden, source)
            for k in range(1, channels):
                total = total + load(weights, a + k * positions) * load(hidden, source + k)
            store(nodes, pair, total)
        for i in range(sums.shape[0]):
            store(nodes, pairs.shape[0] + i, load(nodes, sums[i, 0]) + load(nodes, sums[i, 1]))
        bias, kind, first = load(weights, weight + channels * positions), kinds[head], head * rows.shape[0]
        for row in range(rows.shape[0]):
            z = load(nodes, rows[row]) + bias
            value = sigmoid(z) if kind == SIGMOID else activate(z, kind)
            store(outputs, first + row, value + floors[head])


@compiled
def propagate(network, weights, mask, sums, values, hidden, nodes, outputs):
    """All layers and heads, equations 9 to 11; `mask` is None where there is no drop-out."""
    table, sources, _, kind, first_weight, heads = network
    for number in range(table.shape[0]):
        _convolve(table[number], sources, weights, hidden, sums)
        _activate_layer(table[number], sums, kind, hidden)
        if mask is not None:
            _mask_layer(table[number], mask, values, hidden)
    _read_out(table[-1], heads, weights, first_weight, hidden, nodes, outputs)
