"""What the page calls: the compiled training of sixteen networks that lie in two stretches of memory.

The first holds whole numbers: where everything begins, then the tables of the network and the onsets. The second holds
float64 in rows of sixteen, one for each network. `kbe.page.packing` fills both.
"""

from __future__ import annotations

import math

from numba import carray, types
from numba.extending import intrinsic, register_jitable

from kbe.training.compiled.functions import magnitude
from kbe.training.compiled.lanes import advance, forward
from kbe.training.compiled.simd import WIDTH, in_all, load, store, where_equal, where_greater

TABLES = ("layers", "taps", "unit starts", "unit users", "pairs", "sums", "rows", "kinds", "seen", "node starts",
          "node users", "onset")  # fmt: skip

ROOMS = ("floors", "jump", "target", "share", "weights", "turned", "gradient", "hidden", "back", "nodes", "outputs",
         "before", "slopes", "errors", "measures")  # fmt: skip

MEASURES = ("squared_error", "predicted", "gap", "least_sigma")

FORWARD, ADVANCE, MEASURE = range(3)  # what is asked for

_PLACES = 3 * len(TABLES)  # behind where each table begins and how many rows and columns it has
_SCALARS = _PLACES + 2 * len(ROOMS)  # behind where each room begins and how many rows it has


@intrinsic
def _behind(typing_context, pointer, count):
    """Where so many numbers more have passed."""

    def generate(context, builder, sig, args):
        return builder.gep(args[0], [args[1]])

    return pointer(pointer, types.int64), generate


@register_jitable
def _table(numbers, places, number):
    first, rows, columns = places[3 * number], places[3 * number + 1], places[3 * number + 2]
    return carray(_behind(numbers, first), (rows, columns))


@register_jitable
def _line(numbers, places, number):
    return carray(_behind(numbers, places[3 * number]), (places[3 * number + 1],))


@register_jitable
def _room(reals, places, number):
    first, rows = places[_PLACES + 2 * number], places[_PLACES + 2 * number + 1]
    return carray(_behind(reals, WIDTH * first), (rows, WIDTH))


@register_jitable
def _measure(outputs, rows, target, share, errors, measures):
    """|y - mu| at each row; V, V* and their gap, as `kbe.measures.variances` has them; and the least sigma."""
    squared, predicted, points, least = in_all(0.0), in_all(0.0), in_all(0.0), in_all(math.inf)
    for point in range(share.shape[0]):
        s, row = load(share, point), point % rows
        residual, sigma = load(outputs, row) - load(target, point), load(outputs, rows + row)
        store(errors, point, magnitude(residual))
        squared = squared + where_greater(s, 0.0, residual * residual, 0.0)
        predicted = predicted + where_greater(s, 0.0, sigma * sigma, 0.0)
        points = points + where_greater(s, 0.0, 1.0, 0.0)
        lower = where_equal(sigma, sigma, where_greater(least, sigma, sigma, least), sigma)
        least = where_greater(s, 0.0, lower, least)
    store(measures, 0, squared / points)
    store(measures, 1, predicted / points)
    store(measures, 2, magnitude(squared / points - predicted / points))
    store(measures, 3, least)


def sixteen_networks(task, numbers, reals, loss, setting, learning_rate, epoch, epochs):
    """Do one of the tasks on the networks that lie at two addresses."""
    places = carray(numbers, (_SCALARS + 3,))
    positions, activation, first_weight = places[_SCALARS], places[_SCALARS + 1], places[_SCALARS + 2]
    layers, taps, pairs, sums, onset = (_table(numbers, places, 0), _table(numbers, places, 1),
        _table(numbers, places, 4), _table(numbers, places, 5), _table(numbers, places, 11))  # fmt: skip
    uses_of_units = (_line(numbers, places, 2), _table(numbers, places, 3))
    uses_of_nodes = (_line(numbers, places, 9), _line(numbers, places, 10))
    rows, kinds, seen = _line(numbers, places, 6), _line(numbers, places, 7), _line(numbers, places, 8)
    floors = carray(_behind(reals, WIDTH * places[_PLACES]), (WIDTH,))
    heads = (positions, pairs, sums, rows, kinds, floors, seen, uses_of_nodes)
    network = (layers, taps, uses_of_units, activation, first_weight, heads)
    jump, target, share = _room(reals, places, 1), _room(reals, places, 2), _room(reals, places, 3)
    weights, turned, gradient = _room(reals, places, 4), _room(reals, places, 5), _room(reals, places, 6)
    hidden, back, nodes = _room(reals, places, 7), _room(reals, places, 8), _room(reals, places, 9)
    outputs, before, slopes = _room(reals, places, 10), _room(reals, places, 11), _room(reals, places, 12)
    if task == FORWARD:
        forward(network, weights, hidden, hidden, hidden, nodes, outputs)
    elif task == ADVANCE:
        arrays = (target, share, weights, turned, gradient, hidden, hidden, hidden, back, nodes, outputs, before,
                  slopes, jump, onset)  # fmt: skip
        advance(network, loss, setting, learning_rate, epoch, epochs, None, arrays)
    else:
        _measure(outputs, rows.shape[0], target, share, _room(reals, places, 13), _room(reals, places, 14))
