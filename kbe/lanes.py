"""Training of small networks side by side, compiled: forward, backward and step.

Every array is of shape (rows, 16): a row holds one number of sixteen members, so that one
vector instruction or two serve them all. No sum runs across members: a member's numbers do not
depend on who trains beside it, on the threads, or on the processor.

The hidden values of all layers stand below each other in `hidden`; a unit takes one row for
each channel. `weights` has the order of `module.parameters()`. A row of `table` describes a
layer; its columns are named here. `network` is the tuple that `kbe.fast` lays out.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from kbe.lane_losses import loss_slopes
from kbe.simd import (
    WIDTH,
    as_held,
    borrowed,
    exponential,
    exponential_within,
    in_all,
    inlined,
    lane,
    load,
    magnitude,
    store,
    where_at_most,
    where_equal,
    where_greater,
    with_lane,
)

UNITS, INPUTS, OUTPUTS, FIRST_UNIT, FIRST_ROW, FIRST_WEIGHT = range(6)
ELU, RELU, TANH, SIGMOID, LINEAR, SOFTPLUS, EXPONENTIAL = range(7)

AT_ONCE = 16  # units whose slopes stay in the processor's nearest memory

compiled = njit(cache=True, error_model="numpy")
threadable = njit(cache=True, error_model="numpy", nogil=True)


# --- forward: Eq. (10) for a layer, Eq. (11) for the heads


@inlined
def elu(z):
    """R of Eq. (10) as a rule."""
    bent = where_greater(0.0, z, z, 0.0)  # exp(-708) - 1 is -1, as beyond
    return where_at_most(z, 0.0, exponential_within(where_greater(bent, -708.0, bent, -708.0)) - 1.0, z)


@inlined
def elu_slope(value):
    """R' of Eq. (10) as a rule."""
    return where_greater(value, 0.0, 1.0, value + 1.0)


@inlined
def sigmoid(z):
    """R of Eq. (11) as a rule."""
    return 1.0 / (1.0 + exponential(0.0 - z))


@inlined
def sigmoid_slope(value):
    """R' of Eq. (11) as a rule."""
    return (1.0 - value) * value


@compiled
def activate(z, kind):
    """R of Eq. (10) and (11)."""
    if kind == ELU:
        return elu(z)
    if kind == SIGMOID:
        return sigmoid(z)
    if kind == RELU:
        return where_greater(0.0, z, 0.0, z)
    if kind == EXPONENTIAL:
        return exponential(z)
    if kind == TANH:
        for i in range(WIDTH):
            z = with_lane(z, i, math.tanh(lane(z, i)))
    elif kind == SOFTPLUS:
        for i in range(WIDTH):
            x = lane(z, i)
            z = with_lane(z, i, x if x > 20.0 else math.log1p(math.exp(x)))
    return z


@compiled
def slope(value, kind):
    """R' of Eq. (10) and (11), from the activation's own value."""
    if kind == ELU:
        return elu_slope(value)
    if kind == SIGMOID:
        return sigmoid_slope(value)
    if kind == RELU:
        return where_greater(value, 0.0, 1.0, 0.0 * value)
    if kind == EXPONENTIAL:
        return value
    if kind == TANH:
        return 1.0 - value * value
    if kind == SOFTPLUS:
        for i in range(WIDTH):
            x = lane(value, i)
            value = with_lane(value, i, 1.0 if x > 20.0 else -math.expm1(-x))
        return value
    return 0.0 * value + 1.0


@inlined
def through(s, value, kind):
    """A slope in an activation's value turned into one in what it takes."""
    return s * (elu_slope(value) if kind == ELU else slope(value, kind))


@compiled
def convolve(layer, sources, weights, hidden, sums):
    """What a layer's activations take, b_k + sum_j c_jk(h_j), Eq. (10)."""
    inputs, outputs, taps = layer[INPUTS], layer[OUTPUTS], sources.shape[1]
    first_bias, last = layer[FIRST_WEIGHT] + outputs * inputs * taps, layer[UNITS] - 1
    for unit in range(0, layer[UNITS], 2):  # two units and three channels at a time: what is loaded serves more than once
        other = min(unit + 1, last)
        u, v = layer[FIRST_UNIT] + unit, layer[FIRST_UNIT] + other
        row_u, row_v = layer[FIRST_ROW] + unit * outputs, layer[FIRST_ROW] + other * outputs
        for k in range(0, outputs, 3):
            l, m = min(k + 1, outputs - 1), min(k + 2, outputs - 1)
            uk, ul, um = load(weights, first_bias + k), load(weights, first_bias + l), load(weights, first_bias + m)
            vk, vl, vm = uk, ul, um
            at_k = layer[FIRST_WEIGHT] + k * inputs * taps
            at_l, at_m = at_k + (l - k) * inputs * taps, at_k + (m - k) * inputs * taps
            for j in range(inputs):
                for tap in range(taps):
                    hu, hv = load(hidden, sources[u, tap] + j), load(hidden, sources[v, tap] + j)
                    weight = j * taps + tap
                    w = load(weights, at_k + weight)
                    uk, vk = uk + w * hu, vk + w * hv
                    w = load(weights, at_l + weight)
                    ul, vl = ul + w * hu, vl + w * hv
                    w = load(weights, at_m + weight)
                    um, vm = um + w * hu, vm + w * hv
            store(sums, row_u + k, uk)
            store(sums, row_u + l, ul)
            store(sums, row_u + m, um)
            store(sums, row_v + k, vk)
            store(sums, row_v + l, vl)
            store(sums, row_v + m, vm)


@compiled
def activate_layer(layer, sums, kind, hidden):
    """A layer's outputs, R of what was summed, Eq. (10)."""
    first, stop = layer[FIRST_ROW], layer[FIRST_ROW] + layer[UNITS] * layer[OUTPUTS]
    if kind == ELU:  # without a call for each row
        for row in range(first, stop):
            store(hidden, row, elu(load(sums, row)))
    else:
        for row in range(first, stop):
            store(hidden, row, activate(load(sums, row), kind))


@compiled
def read_out(layer, heads, weights, first_weight, hidden, nodes, outputs):
    """The heads, y = R(sum_i a_i . h_i + b), Eq. (11): what each position adds, then the tree of sums."""
    positions, pairs, sums, rows, kinds, floors, _ = heads
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


# --- backward: the chain rule through Eq. (11) and (10)


@compiled
def back_through_sums(layer, heads, first_weight, outputs, slopes, gradient, nodes):
    """From the slopes in the outputs to the gradient of the heads' biases and the slopes in what the positions add."""
    positions, pairs, sums, rows, kinds, floors, (starts, users) = heads
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
def back_through_heads(layer, heads, above, weights, first_weight, hidden, nodes, kind, gradient, back):
    """From the slopes in what the positions add to the heads' gradient and the slopes in the last layer's sums."""
    positions, pairs, sums, rows, kinds, floors, _ = heads
    starts, users = above
    channels, nodes_of_head = layer[OUTPUTS], pairs.shape[0] + sums.shape[0] + rows.shape[0]
    bias, weights_of_head = first_weight - channels, channels * positions + 1
    for k in range(0, channels, 3):  # three channels at a time; the last one again, where fewer are left
        l, m = min(k + 1, channels - 1), min(k + 2, channels - 1)
        bk, bl, bm = load(gradient, bias + k), load(gradient, bias + l), load(gradient, bias + m)
        for unit in range(layer[UNITS]):
            row, u = layer[FIRST_ROW] + unit * channels, layer[FIRST_UNIT] + unit
            hk, hl, hm = load(hidden, row + k), load(hidden, row + l), load(hidden, row + m)
            tk = tl = tm = in_all(0.0)
            for head in range(kinds.shape[0]):
                for user in range(starts[u], starts[u + 1]):
                    s = load(nodes, head * nodes_of_head + users[user, 0])
                    weight = first_weight + head * weights_of_head + users[user, 1]
                    ak, al, am = weight + k * positions, weight + l * positions, weight + m * positions
                    gk, gl, gm = load(gradient, ak), load(gradient, al), load(gradient, am)
                    store(gradient, ak, gk + s * hk)
                    store(gradient, al, gl + s * hl)
                    store(gradient, am, gm + s * hm)
                    tk = as_held(back, tk + s * load(weights, ak))
                    tl = as_held(back, tl + s * load(weights, al))
                    tm = as_held(back, tm + s * load(weights, am))
            tk, tl, tm = through(tk, hk, kind), through(tl, hl, kind), through(tm, hm, kind)
            store(back, row + k, tk)
            store(back, row + l, tl)
            store(back, row + m, tm)
            bk, bl, bm = as_held(gradient, bk + tk), as_held(gradient, bl + tl), as_held(gradient, bm + tm)
        store(gradient, bias + k, bk)
        store(gradient, bias + l, bl)
        store(gradient, bias + m, bm)


@compiled
def turn(layer, taps, weights, turned):
    """Put a layer's weights into the order in which `back_through_convolution` reads them."""
    inputs, outputs, first = layer[INPUTS], layer[OUTPUTS], layer[FIRST_WEIGHT]
    for k in range(outputs):
        for j in range(inputs):
            for tap in range(taps):
                store(turned, first + (tap * outputs + k) * inputs + j, load(weights, first + (k * inputs + j) * taps + tap))


@compiled
def back_through_convolution(layer, below, above, taps, turned, hidden, kind, gradient, back):
    """From the slopes in a layer's sums to those in the sums of the layer below, and the gradient of its biases."""
    starts, users = above
    channels, outputs = below[OUTPUTS], layer[OUTPUTS]
    bias = layer[FIRST_WEIGHT] - channels
    for i in range(0, channels, 3):
        j, l = min(i + 1, channels - 1), min(i + 2, channels - 1)
        bi, bj, bl = load(gradient, bias + i), load(gradient, bias + j), load(gradient, bias + l)
        for unit in range(below[UNITS]):
            ti = tj = tl = in_all(0.0)
            u = below[FIRST_UNIT] + unit
            for user in range(starts[u], starts[u + 1]):
                row = users[user, 0]
                weight = layer[FIRST_WEIGHT] + users[user, 1] * outputs * channels
                for k in range(outputs):
                    s = load(back, row + k)
                    ti = ti + s * load(turned, weight + i)
                    tj = tj + s * load(turned, weight + j)
                    tl = tl + s * load(turned, weight + l)
                    weight += channels
                ti, tj, tl = as_held(back, ti), as_held(back, tj), as_held(back, tl)
            row = below[FIRST_ROW] + unit * channels
            ti = through(ti, load(hidden, row + i), kind)
            tj = through(tj, load(hidden, row + j), kind)
            tl = through(tl, load(hidden, row + l), kind)
            store(back, row + i, ti)
            store(back, row + j, tj)
            store(back, row + l, tl)
            bi, bj, bl = as_held(gradient, bi + ti), as_held(gradient, bj + tj), as_held(gradient, bl + tl)
        store(gradient, bias + i, bi)
        store(gradient, bias + j, bj)
        store(gradient, bias + l, bl)


@compiled
def weight_slopes(layer, start, stop, sources, hidden, gradient, back):
    """From the slopes in a layer's sums to its gradient: three channels and three taps at a time."""
    inputs, outputs, taps = layer[INPUTS], layer[OUTPUTS], sources.shape[1]
    for k in range(0, outputs, 3):
        l, m = min(k + 1, outputs - 1), min(k + 2, outputs - 1)
        for j in range(inputs):
            for tap in range(0, taps, 3):
                second, third = min(tap + 1, taps - 1), min(tap + 2, taps - 1)
                at_k = layer[FIRST_WEIGHT] + (k * inputs + j) * taps
                at_l, at_m = at_k + (l - k) * inputs * taps, at_k + (m - k) * inputs * taps
                k1, k2, k3 = load(gradient, at_k + tap), load(gradient, at_k + second), load(gradient, at_k + third)
                l1, l2, l3 = load(gradient, at_l + tap), load(gradient, at_l + second), load(gradient, at_l + third)
                m1, m2, m3 = load(gradient, at_m + tap), load(gradient, at_m + second), load(gradient, at_m + third)
                for unit in range(start, stop):
                    row, u = layer[FIRST_ROW] + unit * outputs, layer[FIRST_UNIT] + unit
                    h1, h2 = load(hidden, sources[u, tap] + j), load(hidden, sources[u, second] + j)
                    h3 = load(hidden, sources[u, third] + j)
                    s = load(back, row + k)
                    k1, k2 = as_held(gradient, k1 + s * h1), as_held(gradient, k2 + s * h2)
                    k3 = as_held(gradient, k3 + s * h3)
                    s = load(back, row + l)
                    l1, l2 = as_held(gradient, l1 + s * h1), as_held(gradient, l2 + s * h2)
                    l3 = as_held(gradient, l3 + s * h3)
                    s = load(back, row + m)
                    m1, m2 = as_held(gradient, m1 + s * h1), as_held(gradient, m2 + s * h2)
                    m3 = as_held(gradient, m3 + s * h3)
                store(gradient, at_k + tap, k1)
                store(gradient, at_k + second, k2)
                store(gradient, at_k + third, k3)
                store(gradient, at_l + tap, l1)
                store(gradient, at_l + second, l2)
                store(gradient, at_l + third, l3)
                store(gradient, at_m + tap, m1)
                store(gradient, at_m + second, m2)
                store(gradient, at_m + third, m3)


# --- the whole network, and a step of gradient descent


@threadable
def forward(network, weights, sums, hidden, nodes, outputs):
    """All layers and heads, Eq. (9)."""
    table, sources, _, kind, first_weight, heads = network
    for number in range(table.shape[0]):
        convolve(table[number], sources, weights, hidden, sums)
        activate_layer(table[number], sums, kind, hidden)
    read_out(table[-1], heads, weights, first_weight, hidden, nodes, outputs)


@compiled
def backward(network, weights, turned, hidden, nodes, outputs, slopes, gradient, back):
    """The gradient of the loss in all weights, from the slopes in the outputs."""
    table, sources, above, kind, first_weight, heads = network
    taps, last = sources.shape[1], table.shape[0] - 1
    gradient[:] = 0.0
    back_through_sums(table[-1], heads, first_weight, outputs, slopes, gradient, nodes)
    back_through_heads(table[-1], heads, above, weights, first_weight, hidden, nodes, kind, gradient, back)
    for number in range(last, -1, -1):
        layer = table[number]
        for start in range(0, layer[UNITS], AT_ONCE):
            weight_slopes(layer, start, min(start + AT_ONCE, layer[UNITS]), sources, hidden, gradient, back)
        if number > 0:
            turn(layer, taps, weights, turned)
            back_through_convolution(layer, table[number - 1], above, taps, turned, hidden, kind, gradient, back)


@compiled
def step(weights, gradient, learning_rate):
    """Gradient descent, w <- w - eta dL/dw."""
    for parameter in range(weights.shape[0]):
        store(weights, parameter, load(weights, parameter) - learning_rate * load(gradient, parameter))


@compiled
def note_onsets(outputs, rows, before, share, jump, epoch, onset):
    """The first epoch at which an output at a data point moves by more than `jump` or is not finite."""
    worst = 0.0 * load(share, 0)
    for i in range(outputs.shape[0]):
        moved = magnitude(load(outputs, i) - load(before, i))
        moved = where_equal(moved, moved, moved, np.inf)
        # an input's first slot is taken whenever the member has that input
        moved = where_greater(load(share, i % rows), 0.0, moved, 0.0)
        worst = where_greater(moved, worst, moved, worst)
    for i in range(WIDTH):
        if onset[i] < 0 and lane(worst, i) > jump:
            onset[i] = epoch


@threadable
def advance(network, loss, setting, learning_rate, jump, epoch, epochs, target, share,
            weights, turned, gradient, sums, hidden, back, nodes, outputs, before, slopes, onset):  # fmt: skip
    """Full-batch gradient descent on sixteen members; the outputs belong to the weights, before and after."""
    (network, target, share, weights, turned, gradient, sums, hidden, back, nodes, outputs, before, slopes, onset) = borrowed(
        (network, target, share, weights, turned, gradient, sums, hidden, back, nodes, outputs, before, slopes, onset)
    )
    rows = network[-1][3].shape[0]
    for e in range(epoch + 1, epoch + epochs + 1):
        loss_slopes(outputs, rows, target, share, loss, setting, slopes)
        backward(network, weights, turned, hidden, nodes, outputs, slopes, gradient, back)
        step(weights, gradient, learning_rate)
        for row in range(outputs.shape[0]):  # an assignment of arrays would compile NumPy's messages too, for seconds
            store(before, row, load(outputs, row))
        forward(network, weights, sums, hidden, nodes, outputs)
        note_onsets(outputs, rows, before, share, jump, e, onset)
