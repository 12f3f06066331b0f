"""The activations of the networks and their slopes, compiled, for sixteen members at a time.

ELU and sigmoid, of which most networks are made, stand as functions of their own, which become part of
the loops that use them: a call for each row would cost as much as the arithmetic.
"""

from __future__ import annotations

import math

from kbe.training.compiled.functions import exponential, exponential_within
from kbe.training.compiled.machine_code import compiled
from kbe.training.compiled.simd import WIDTH, inlined, lane, where_at_most, where_greater, with_lane

ELU, RELU, TANH, SIGMOID, LINEAR, SOFTPLUS, EXPONENTIAL = range(7)

NAMES = {"elu": ELU, "relu": RELU, "tanh": TANH, "sigmoid": SIGMOID, "linear": LINEAR, "softplus": SOFTPLUS,
         "exponential": EXPONENTIAL}  # fmt: skip


@inlined
def elu(z):
    """R of equation 10 as a rule."""
    bent = where_greater(0.0, z, z, 0.0)  # exp(-708) - 1 is -1, as beyond
    return where_at_most(z, 0.0, exponential_within(where_greater(bent, -708.0, bent, -708.0)) - 1.0, z)


@inlined
def elu_slope(value):
    """R' of equation 10 as a rule, from the activation's own value."""
    return where_greater(value, 0.0, 1.0, value + 1.0)


@inlined
def sigmoid(z):
    """R of equation 11 as a rule."""
    return 1.0 / (1.0 + exponential(0.0 - z))


@inlined
def sigmoid_slope(value):
    """R' of equation 11 as a rule, from the activation's own value."""
    return (1.0 - value) * value


@compiled
def activate(z, kind):
    """R of equations 10 and 11."""
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
    """R' of equations 10 and 11, from the activation's own value."""
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
