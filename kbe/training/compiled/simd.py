"""Sixteen float64 numbers as one value in compiled code: two wide vector registers of members.

Inside a function compiled by numba, `load` takes sixteen neighbours from an array, `store` puts
them back, and +, -, * and / work on all sixteen. No operation is contracted, reordered or
replaced by an approximate one: each lane holds what plain float64 arithmetic gives, bit for
bit, whatever vector instructions the processor has.
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

from kbe.training.compiled.machine_code import compiled

WIDTH = 16

_VECTOR = ir.VectorType(ir.DoubleType(), WIDTH)

_INTEGERS = ir.VectorType(ir.IntType(64), WIDTH)

inlined = compiled(inline="always")


class _LanesType(types.Type):
    """numba's type of sixteen float64 lanes."""

    def __init__(self) -> None:
        super().__init__(name=f"Lanes{WIDTH}")


LANES = _LanesType()


@register_model(_LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)


def _constant(value: float) -> ir.Constant:
    return ir.Constant(_VECTOR, [value] * WIDTH)


def _spread(context, builder, value, kind):
    """A vector as it is, or a scalar in every lane."""
    if kind == LANES:
        return value
    scalar = context.cast(builder, value, kind, types.float64)
    one = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), scalar, ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH)
    return builder.shuffle_vector(one, ir.Constant(_VECTOR, ir.Undefined), zeros)


def _define(operation: Any, instruction: str) -> None:
    """Teach numba one arithmetic operator between lanes, or lanes and a scalar."""

    @infer_global(operation)
    class _Typing(AbstractTemplate):
        def generic(self, args, kws):
            if len(args) == 2 and LANES in args and all(a == LANES or isinstance(a, types.Number) for a in args):
                return signature(LANES, *args)
            return None

    def lower(context, builder, sig, args):
        both = [_spread(context, builder, a, kind) for a, kind in zip(args, sig.args, strict=True)]
        return getattr(builder, instruction)(*both)

    for kinds in ((LANES, LANES), (LANES, types.Number), (types.Number, LANES)):
        lower_builtin(operation, *kinds)(lower)


for _operation, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _define(_operation, _instruction)


def _pointer(context, builder, array_type, array, row):
    """The address of the first of a row's lanes, and the vector type of the array's elements."""
    data = context.make_array(array_type)(context, builder, array).data
    element = context.get_data_type(array_type.dtype)
    start = builder.gep(data, [builder.mul(row, ir.IntType(64)(WIDTH))])
    vector = ir.VectorType(element, WIDTH)
    return builder.bitcast(start, vector.as_pointer()), vector


@intrinsic
def load(typing_context, array, row):
    """The lanes of one row of a contiguous array of shape (rows, 16), float64 or float32."""

    def generate(context, builder, sig, args):
        index = context.cast(builder, args[1], sig.args[1], types.int64)
        pointer, vector = _pointer(context, builder, sig.args[0], args[0], index)
        value = builder.load(pointer)
        value.align = sig.args[0].dtype.bitwidth // 8
        return value if vector == _VECTOR else builder.fpext(value, _VECTOR)

    return LANES(array, row), generate


@intrinsic
def store(typing_context, array, row, value):
    """Put lanes into one row of a contiguous array of shape (rows, 16), float64 or float32."""

    def generate(context, builder, sig, args):
        index = context.cast(builder, args[1], sig.args[1], types.int64)
        pointer, vector = _pointer(context, builder, sig.args[0], args[0], index)
        lanes = _spread(context, builder, args[2], sig.args[2])
        instruction = builder.store(lanes if vector == _VECTOR else builder.fptrunc(lanes, vector), pointer)
        instruction.align = sig.args[0].dtype.bitwidth // 8
        return context.get_dummy_value()

    return types.none(array, row, value), generate


@intrinsic
def borrowed(typing_context, arrays):
    """The arrays of a nested tuple without the count of who holds them, for as long as the caller holds them."""
    # each function that takes an array would count up and down: in an epoch on two points a tenth of the time

    def without_owner(context, builder, kind, value):
        if isinstance(kind, types.BaseTuple):
            items = [builder.extract_value(value, i) for i in range(len(kind))]
            items = [without_owner(context, builder, *one) for one in zip(kind, items, strict=True)]
            return context.make_tuple(builder, kind, items)
        if isinstance(kind, types.Array):
            array = context.make_array(kind)(context, builder, value)
            array.meminfo = array.meminfo.type(None)
            array.parent = array.parent.type(None)
            return array._getvalue()
        return value

    def generate(context, builder, sig, args):
        return without_owner(context, builder, sig.args[0], args[0])

    return arrays(arrays), generate


def _selector(condition: str, name: str, meaning: str) -> Any:
    """An intrinsic that compares lane by lane and selects; NaN fails every comparison."""

    def choose(typing_context, x, y, yes, no):
        def generate(context, builder, sig, args):
            x, y, yes, no = (_spread(context, builder, a, kind) for a, kind in zip(args, sig.args, strict=True))
            return builder.select(builder.fcmp_ordered(condition, x, y), yes, no)

        return LANES(x, y, yes, no), generate

    choose.__name__, choose.__doc__ = name, meaning
    return intrinsic(choose)


where_greater = _selector(">", "where_greater", "Lane by lane: `yes` where x > y, else `no`.")

where_at_most = _selector("<=", "where_at_most", "Lane by lane: `yes` where x <= y, else `no`.")

where_equal = _selector("==", "where_equal", "Lane by lane: `yes` where x == y, else `no`; x == x says it is a number.")


@intrinsic
def power_of_two(typing_context, shifted):
    """2^k for whole k within [-1022, 1023], given as k + 1.5 * 2^52, whose last bits are k."""

    def generate(context, builder, sig, args):
        def whole(value):
            return ir.Constant(_INTEGERS, [value] * WIDTH)

        bits = builder.bitcast(args[0], _INTEGERS)
        exponent = builder.add(bits, whole(1023 - 0x4338000000000000))
        return builder.bitcast(builder.shl(exponent, whole(52)), _VECTOR)

    return LANES(LANES), generate


@intrinsic
def lane(typing_context, lanes, index):
    """One lane as a float64."""

    def generate(context, builder, sig, args):
        return builder.extract_element(args[0], context.cast(builder, args[1], sig.args[1], types.int64))

    return types.float64(lanes, index), generate


@intrinsic
def with_lane(typing_context, lanes, index, value):
    """The lanes with one of them replaced."""

    def generate(context, builder, sig, args):
        return builder.insert_element(args[0], args[2], context.cast(builder, args[1], sig.args[1], types.int64))

    return LANES(lanes, index, types.float64), generate


@intrinsic
def in_all(typing_context, number):
    """A number in every lane."""

    def generate(context, builder, sig, args):
        return _spread(context, builder, args[0], sig.args[0])

    return LANES(number), generate


@intrinsic
def as_held(typing_context, array, value):
    """The lanes as they are once they are stored in an array: rounded, if it is float32."""

    def generate(context, builder, sig, args):
        lanes = _spread(context, builder, args[1], sig.args[1])
        if sig.args[0].dtype.bitwidth == 64:
            return lanes
        return builder.fpext(builder.fptrunc(lanes, ir.VectorType(ir.FloatType(), WIDTH)), _VECTOR)

    return LANES(array, value), generate


@inlined
def add_to(array, row, value):
    """Add to a row: array[row] += value."""
    store(array, row, load(array, row) + value)


@inlined
def load_three(array, i, j, k):
    """Three rows."""
    return load(array, i), load(array, j), load(array, k)


@inlined
def store_three(array, i, j, k, x, y, z):
    """Put lanes into three rows; the same row may occur again with the same lanes."""
    store(array, i, x)
    store(array, j, y)
    store(array, k, z)
