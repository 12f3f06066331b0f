"""Members as lanes: arrays of shape (blocks, rows, 16), in which each member has a lane of a block."""

from __future__ import annotations

import math

import numpy as np

from kbe.training.compiled.simd import WIDTH

_LINE = 16  # numbers: no less than a cache line of 64 bytes


def zeros(blocks: int, rows: int, dtype: np.dtype) -> np.ndarray:
    """Zeros, shape (blocks, rows, 16), on the boundaries of cache lines: a row across two costs twice."""
    shape = (blocks, rows, WIDTH)
    room = np.zeros(math.prod(shape) + _LINE, dtype)
    start = -room.ctypes.data % (_LINE * room.itemsize) // room.itemsize
    return room[start : start + math.prod(shape)].reshape(shape)


def filled(members: np.ndarray) -> np.ndarray:
    """A member for each lane of so many full blocks as the members need; the lanes to spare repeat the last one."""
    blocks = -(-len(members) // WIDTH)
    return members[np.minimum(np.arange(blocks * WIDTH), len(members) - 1)]


def in_lanes(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """From a row for each lane, shape (16 * blocks, rows), to `zeros` that are filled, shape (blocks, rows, 16)."""
    lanes, rows = values.shape
    result = zeros(lanes // WIDTH, rows, dtype)
    result[...] = values.reshape(-1, WIDTH, rows).swapaxes(1, 2)
    return result


def by_lane(values: np.ndarray) -> np.ndarray:
    """Back from shape (blocks, rows, 16) to a row for each lane, shape (16 * blocks, rows)."""
    blocks, rows, _ = values.shape
    return values.swapaxes(1, 2).reshape(blocks * WIDTH, rows)
