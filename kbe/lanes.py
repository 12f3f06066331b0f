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
from kbe.simd import WIDTH, add_to, exponential, lane, load, magnitude, store, where_equal, where_greater, with_lane

UNITS, INPUTS, OUTPUTS, FIRST_UNIT, FIRST_ROW, FIRST_WEIGHT = range(6)
ELU, RELU, TANH, SIGMOID, LINEAR, SOFTPLUS, EXPONENTIAL = range(7)

compiled = njit(cache=True, error_model="numpy")
threadable = njit(cache=True, error_model="numpy", nogil=True)


# --- forward: Eq. (10) for a layer, Eq. (11) for the heads


@compiled
def activate(z, kind):
    """R of Eq. (10) and (11)."""
    if kind == ELU:
        bent = where_greater(0.0, z, z, 0.0)
        return where_greater(z, 0.0, z, where_equal(z, z, exponential(bent) - 1.0, z))
    if kind == SIGMOID:
        return 1.0 / (1.0 + exponential(0.0 - z))
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
        return where_greater(value, 0.0, 1.0, value + 1.0)
    if kind == SIGMOID:
        return (1.0 - value) * value
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


@compiled
def convolve(layer, below, parents, weights, hidden, kind):
    """A layer, h_k = R(b_k + sum_j c_jk(h_j)), Eq. (10); `below` is the first row under it."""
    inputs, outputs, taps = layer[INPUTS], layer[OUTPUTS], parents.shape[1]
    first_bias = layer[FIRST_WEIGHT] + outputs * inputs * taps
    for unit in range(layer[UNITS]):
        for k in range(outputs):
            z = load(weights, first_bias + k)
            weight = layer[FIRST_WEIGHT] + k * inputs * taps
            for j in range(inputs):
                for tap in range(taps):
                    source = below + parents[layer[FIRST_UNIT] + unit, tap] * inputs + j
                    z = z + load(weights, weight + tap) * load(hidden, source)
                weight += taps
            store(hidden, layer[FIRST_ROW] + unit * outputs + k, activate(z, kind))


@compiled
def read_out(layer, heads, weights, first_weight, hidden, nodes, outputs):
    """The heads, y = R(sum_i a_i . h_i + b), Eq. (11): what each position adds, then the tree of sums."""
    positions, pairs, sums, rows, kinds, floors = heads
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
        bias = load(weights, weight + channels * positions)
        for row in range(rows.shape[0]):
            z = load(nodes, rows[row]) + bias
            store(outputs, head * rows.shape[0] + row, activate(z, kinds[head]) + floors[head])


# --- backward: the chain rule through Eq. (11) and (10)


@compiled
def back_through_heads(layer, heads, weights, first_weight, hidden, nodes, outputs, slopes, gradient, back):
    """From the slopes in the outputs to the heads' gradient and the slopes `back` in the last hidden layer."""
    positions, pairs, sums, rows, kinds, floors = heads
    channels = layer[OUTPUTS]
    for head in range(kinds.shape[0]):
        weight = first_weight + head * (channels * positions + 1)
        nodes[:] = 0.0
        for row in range(rows.shape[0]):
            s = load(slopes, head * rows.shape[0] + row)
            value = load(outputs, head * rows.shape[0] + row) - floors[head]
            s = where_equal(s, 0.0, 0.0, s * slope(value, kinds[head]))
            add_to(gradient, weight + channels * positions, s)
            add_to(nodes, rows[row], s)
        for i in range(sums.shape[0] - 1, -1, -1):
            s = load(nodes, pairs.shape[0] + i)
            add_to(nodes, sums[i, 0], s)
            add_to(nodes, sums[i, 1], s)
        for pair in range(pairs.shape[0]):
            s = load(nodes, pair)
            a, source = weight + pairs[pair, 0], layer[FIRST_ROW] + pairs[pair, 1] * channels
            for k in range(channels):
                add_to(gradient, a + k * positions, s * load(hidden, source + k))
                add_to(back, source + k, s * load(weights, a + k * positions))


@compiled
def back_through_layer(layer, below, parents, weights, hidden, kind, gradient, back):
    """From the slopes in a layer's outputs to its gradient and, above the input, the slopes in its inputs."""
    inputs, outputs, taps = layer[INPUTS], layer[OUTPUTS], parents.shape[1]
    first_bias = layer[FIRST_WEIGHT] + outputs * inputs * taps
    for unit in range(layer[UNITS]):
        first_row = layer[FIRST_ROW] + unit * outputs
        for k in range(outputs):
            s = load(back, first_row + k) * slope(load(hidden, first_row + k), kind)
            store(back, first_row + k, s)
            add_to(gradient, first_bias + k, s)
        for tap in range(taps):
            source = below + parents[layer[FIRST_UNIT] + unit, tap] * inputs
            for j in range(inputs):
                h, total = load(hidden, source + j), load(back, source + j)
                weight = layer[FIRST_WEIGHT] + j * taps + tap
                for k in range(outputs):
                    s = load(back, first_row + k)
                    add_to(gradient, weight, s * h)
                    total = total + s * load(weights, weight)
                    weight += inputs * taps
                store(back, source + j, total)


# --- the whole network, and a step of gradient descent


@threadable
def forward(network, weights, hidden, nodes, outputs):
    """All layers and heads, Eq. (9)."""
    table, parents, kind, first_weight, heads = network
    below = 0
    for number in range(table.shape[0]):
        convolve(table[number], below, parents, weights, hidden, kind)
        below = table[number, FIRST_ROW]
    read_out(table[-1], heads, weights, first_weight, hidden, nodes, outputs)


@compiled
def backward(network, weights, hidden, nodes, outputs, slopes, gradient, back):
    """The gradient of the loss in all weights, from the slopes in the outputs."""
    table, parents, kind, first_weight, heads = network
    gradient[:] = 0.0
    back[:] = 0.0
    back_through_heads(table[-1], heads, weights, first_weight, hidden, nodes, outputs, slopes, gradient, back)
    for number in range(table.shape[0] - 1, -1, -1):
        below = table[number - 1, FIRST_ROW] if number > 0 else 0
        back_through_layer(table[number], below, parents, weights, hidden, kind, gradient, back)


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
            weights, gradient, hidden, back, nodes, outputs, before, slopes, onset):  # fmt: skip
    """Full-batch gradient descent on sixteen members; the outputs belong to the weights, before and after."""
    rows = outputs.shape[0] // network[-1][-1].shape[0]
    for e in range(epoch + 1, epoch + epochs + 1):
        loss_slopes(outputs, rows, target, share, loss, setting, slopes)
        backward(network, weights, hidden, nodes, outputs, slopes, gradient, back)
        step(weights, gradient, learning_rate)
        before[:] = outputs
        forward(network, weights, hidden, nodes, outputs)
        note_onsets(outputs, rows, before, share, jump, e, onset)
