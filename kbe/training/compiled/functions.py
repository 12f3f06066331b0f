"""Functions of sixteen lanes: the magnitude, a power, the exponential."""

from __future__ import annotations

import math

from kbe.training.compiled.simd import WIDTH, inlined, lane, power_of_two, where_equal, where_greater, with_lane


@inlined
def magnitude(x):
    """The magnitude, |x|; NaN stays."""
    return where_greater(0.0, x, 0.0 - x, x)


@inlined
def power(x, exponent):
    """A power, lane by lane through the C library: slow, and not the same to the last bit everywhere."""
    for i in range(WIDTH):
        x = with_lane(x, i, math.pow(lane(x, i), exponent))
    return x


@inlined
def exponential_within(bounded):
    """The exponential to rounding in every lane, each within [-708, 709]."""
    # x = k log 2 + r with |r| <= log(2)/2: the Taylor polynomial of degree 13 gives exp(r) to
    # 2e-17, and 2^k is written into the exponent's bits.
    magic = 6755399441055744.0  # 1.5 * 2^52: adding it rounds to a whole number
    shifted = bounded * 1.4426950408889634 + magic
    k = shifted - magic
    r = bounded - k * 0.693147180369123816490  # log 2 in two parts, the first with few bits
    r = r - k * 1.90821492927058770002e-10
    p = r * 1.6059043836821613e-10 + 2.08767569878681e-09
    p = p * r + 2.505210838544172e-08
    p = p * r + 2.755731922398589e-07
    p = p * r + 2.7557319223985893e-06
    p = p * r + 2.48015873015873e-05
    p = p * r + 1.984126984126984e-04
    p = p * r + 1.3888888888888889e-03
    p = p * r + 8.333333333333333e-03
    p = p * r + 4.1666666666666664e-02
    p = p * r + 1.6666666666666666e-01
    p = p * r + 0.5
    p = r * r * p + r  # small beside the 1, so that its rounding is too
    return (p + 1.0) * power_of_two(shifted)


@inlined
def exponential(x):
    """The exponential to rounding in every lane; beyond [-708, 709] it is 0 or infinity."""
    result = exponential_within(where_greater(x, -708.0, where_greater(709.0, x, x, 709.0), -708.0))
    result = where_greater(x, 709.0, math.inf, result)
    result = where_greater(-708.0, x, 0.0, result)
    return where_equal(x, x, result, x)
