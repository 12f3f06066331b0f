"""The backward pass, compiled: the chain rule through Eq. (11) and (10).

A slope is gathered where it belongs, from all places that use the value, in the order of these places: each
sum stays in a register until it is complete. In single precision it is rounded after each term all the same.
"""

from __future__ import annotations

from kbe.training.compiled.activations import ELU, SIGMOID, elu_slope, sigmoid_slope, slope
from kbe.training.compiled.layout import FIRST_ROW, FIRST_UNIT, FIRST_WEIGHT, INPUTS, OUTPUTS, UNITS
from kbe.training.compiled.machine_code import compiled
from kbe.training.compiled.simd import as_held, in_all, inlined, load, load_three, store, store_three, where_equal


@inlined
def _through(s, value, kind):
    """A slope in an activation's value turned into one in what it takes."""
    return s * (elu_slope(value) if kind == ELU else slope(value, kind))


@compiled
def _back_through_sums(layer, heads, first_weight, outputs, slopes, gradient, nodes):
    """From the slopes in the outputs to the gradient of the heads' biases and the slopes in what the positions add."""
    positions, pairs, sums, rows, kinds, floors, _, (starts, users) = heads
    above = pairs.shape[0] + sums.shape[0]  # the rows stand behind the sums
    for head in range(kinds.shape[0]):
        bias = first_weight + (head + 1) * (layer[OUTPUTS] * positions + 1) - 1
        first, kind = head * (above + rows.shape[0]), kinds[head]
        total = load(gradient, bias)
        for row in range(rows.shape[0]):
            s = load(slopes, head * rows.shape[0] + row)
            value = load(outputs, head * rows.shape[0] + row) - floors[head]
            bend = sigmoid_slope(value) if kind == SIGMOID else slope(value, kind)
            s = where_equal(s, 0.0, 0.0, s * bend)
            total = as_held(gradient, total + s)
            store(nodes, first + above + row, s)
        store(gradient, bias, total)
        for node in range(above - 1, -1, -1):
            s = in_all(0.0)
            for user in range(starts[node], starts[node + 1]):
                s = as_held(nodes, s + load(nodes, first + users[user]))
            store(nodes, first + node, s)


@compiled
def _back_through_heads(layer, heads, above, weights, first_weight, hidden, values, mask, nodes, kind, gradient, back):
    """From the slopes in what the positions add to the heads' gradient and the slopes in the last layer's sums.

    Three channels at a time, the last one again where fewer are left.
    """
    positions, pairs, sums, rows, kinds, _, seen, _ = heads
    starts, users = above
    channels, nodes_of_head = layer[OUTPUTS], pairs.shape[0] + sums.shape[0] + rows.shape[0]
    bias, weights_of_head = first_weight - channels, channels * positions + 1
    for k in range(0, channels, 3):
        n, m = min(k + 1, channels - 1), min(k + 2, channels - 1)
        bk, bn, bm = load_three(gradient, bias + k, bias + n, bias + m)
        for unit in range(layer[UNITS]):
            row, u = layer[FIRST_ROW] + unit * channels, layer[FIRST_UNIT] + unit
            hk, hn, hm = load_three(hidden, row + k, row + n, row + m)
            tk = tn = tm = in_all(0.0)
            for head in range(kinds.shape[0]):
                for user in range(starts[u], starts[u + 1]):
                    s = load(nodes, head * nodes_of_head + users[user, 0])
                    weight = first_weight + head * weights_of_head + users[user, 1]
                    ak, an, am = weight + k * positions, weight + n * positions, weight + m * positions
                    gk, gn, gm = load_three(gradient, ak, an, am)
                    store_three(gradient, ak, an, am, gk + s * hk, gn + s * hn, gm + s * hm)
                    if seen[head]:
                        tk = as_held(back, tk + s * load(weights, ak))
                        tn = as_held(back, tn + s * load(weights, an))
                        tm = as_held(back, tm + s * load(weights, am))
            if mask is not None:
                tk, tn, tm = tk * load(mask, row + k), tn * load(mask, row + n), tm * load(mask, row + m)
            tk = _through(tk, load(values, row + k), kind)
            tn = _through(tn, load(values, row + n), kind)
            tm = _through(tm, load(values, row + m), kind)
            store_three(back, row + k, row + n, row + m, tk, tn, tm)
            bk, bn, bm = as_held(gradient, bk + tk), as_held(gradient, bn + tn), as_held(gradient, bm + tm)
        store_three(gradient, bias + k, bias + n, bias + m, bk, bn, bm)


@compiled
def _turn(layer, taps, weights, turned):
    """Put a layer's weights into the order in which `_back_through_convolution` reads them."""
    inputs, outputs, first = layer[INPUTS], layer[OUTPUTS], layer[FIRST_WEIGHT]
    for k in range(outputs):
        for j in range(inputs):
            for tap in range(taps):
                w = load(weights, first + (k * inputs + j) * taps + tap)
                store(turned, first + (tap * outputs + k) * inputs + j, w)


@compiled
def _back_through_convolution(layer, below, above, taps, turned, values, mask, kind, gradient, back):
    """From the slopes in a layer's sums to those in the sums of the layer below, and the gradient of its biases."""
    starts, users = above
    channels, outputs = below[OUTPUTS], layer[OUTPUTS]
    bias = layer[FIRST_WEIGHT] - channels
    for i in range(0, channels, 3):
        j, n = min(i + 1, channels - 1), min(i + 2, channels - 1)
        bi, bj, bn = load_three(gradient, bias + i, bias + j, bias + n)
        for unit in range(below[UNITS]):
            ti = tj = tn = in_all(0.0)
            u = below[FIRST_UNIT] + unit
            for user in range(starts[u], starts[u + 1]):
                row = users[user, 0]
                weight = layer[FIRST_WEIGHT] + users[user, 1] * outputs * channels
                for k in range(outputs):
                    s = load(back, row + k)
                    ti = ti + s * load(turned, weight + i)
                    tj = tj + s * load(turned, weight + j)
                    tn = tn + s * load(turned, weight + n)
                    weight += channels
                ti, tj, tn = as_held(back, ti), as_held(back, tj), as_held(back, tn)
            row = below[FIRST_ROW] + unit * channels
            if mask is not None:
                ti, tj, tn = ti * load(mask, row + i), tj * load(mask, row + j), tn * load(mask, row + n)
            ti = _through(ti, load(values, row + i), kind)
            tj = _through(tj, load(values, row + j), kind)
            tn = _through(tn, load(values, row + n), kind)
            store_three(back, row + i, row + j, row + n, ti, tj, tn)
            bi, bj, bn = as_held(gradient, bi + ti), as_held(gradient, bj + tj), as_held(gradient, bn + tn)
        store_three(gradient, bias + i, bias + j, bias + n, bi, bj, bn)


@compiled
def _weight_slopes(layer, sources, hidden, gradient, back):
    """From the slopes in a layer's sums to its gradient: three channels and three taps at a time."""
    inputs, outputs, taps = layer[INPUTS], layer[OUTPUTS], sources.shape[1]
    for k in range(0, outputs, 3):
        n, m = min(k + 1, outputs - 1), min(k + 2, outputs - 1)
        for j in range(inputs):
            for tap in range(0, taps, 3):
                second, third = min(tap + 1, taps - 1), min(tap + 2, taps - 1)
                at_k = layer[FIRST_WEIGHT] + (k * inputs + j) * taps
                at_n, at_m = at_k + (n - k) * inputs * taps, at_k + (m - k) * inputs * taps
                k1, k2, k3 = load_three(gradient, at_k + tap, at_k + second, at_k + third)
                n1, n2, n3 = load_three(gradient, at_n + tap, at_n + second, at_n + third)
                m1, m2, m3 = load_three(gradient, at_m + tap, at_m + second, at_m + third)
                for unit in range(layer[UNITS]):
                    row, u = layer[FIRST_ROW] + unit * outputs, layer[FIRST_UNIT] + unit
                    h1, h2, h3 = load_three(hidden, sources[u, tap] + j, sources[u, second] + j, sources[u, third] + j)
                    s = load(back, row + k)
                    k1, k2 = as_held(gradient, k1 + s * h1), as_held(gradient, k2 + s * h2)
                    k3 = as_held(gradient, k3 + s * h3)
                    s = load(back, row + n)
                    n1, n2 = as_held(gradient, n1 + s * h1), as_held(gradient, n2 + s * h2)
                    n3 = as_held(gradient, n3 + s * h3)
                    s = load(back, row + m)
                    m1, m2 = as_held(gradient, m1 + s * h1), as_held(gradient, m2 + s * h2)
                    m3 = as_held(gradient, m3 + s * h3)
                store_three(gradient, at_k + tap, at_k + second, at_k + third, k1, k2, k3)
                store_three(gradient, at_n + tap, at_n + second, at_n + third, n1, n2, n3)
                store_three(gradient, at_m + tap, at_m + second, at_m + third, m1, m2, m3)


@compiled
def backward(network, weights, turned, mask, values, hidden, nodes, outputs, slopes, gradient, back):
    """The gradient of the loss in all weights, from the slopes in the outputs."""
    table, sources, above, kind, first_weight, heads = network
    taps, last = sources.shape[1], table[-1]
    gradient[:] = 0.0
    _back_through_sums(last, heads, first_weight, outputs, slopes, gradient, nodes)
    _back_through_heads(last, heads, above, weights, first_weight, hidden, values, mask, nodes, kind, gradient, back)
    for number in range(table.shape[0] - 1, -1, -1):
        layer = table[number]
        _weight_slopes(layer, sources, hidden, gradient, back)
        if number > 0:
            _turn(layer, taps, weights, turned)
            below = table[number - 1]
            _back_through_convolution(layer, below, above, taps, turned, values, mask, kind, gradient, back)
