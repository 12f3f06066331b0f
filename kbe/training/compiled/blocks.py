"""Members as lanes: arrays of shape (blocks, rows, 16), in which each member has a lane of a block."""

from __future__ import annotations

import math

import numpy as np

from kbe.training.compiled.simd import WIDTH

_LINE = 16  # numbers: no less than a cache line of 64 bytes


def zeros(blocks: int, rows: int, dtype: np.dtype) -> np.ndarray:
    """Zeros on the boundaries of cache lines: a row across two costs twice.

    Parameters
    ----------
    blocks, rows : int
        How many.
    dtype : numpy.dtype
        Of the numbers.

    Returns
    -------
    numpy.ndarray, shape (blocks, rows, 16)
        Contiguous.
    """
    shape = (blocks, rows, WIDTH)
    room = np.zeros(math.prod(shape) + _LINE, dtype)
    start = -room.ctypes.data % (_LINE * room.itemsize) // room.itemsize
    return room[start : start + math.prod(shape)].reshape(shape)


def filled(members: np.ndarray) -> np.ndarray:
    """The members of so many full blocks as they need; the lanes to spare repeat the last member.

    Parameters
    ----------
    members : array of int, shape (members,)
        At least one.

    Returns
    -------
    numpy.ndarray of int, shape (16 * blocks,)
        A member for each lane.
    """
    blocks = -(-len(members) // WIDTH)
    return members[np.minimum(np.arange(blocks * WIDTH), len(members) - 1)]


def in_lanes(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """From a row for each lane to a lane for each row.

    Parameters
    ----------
    values : array, shape (16 * blocks, rows)
        One for each lane.
    dtype : numpy.dtype
        Of the result.

    Returns
    -------
    numpy.ndarray, shape (blocks, rows, 16)
        On the boundaries of cache lines.
    """
    lanes, rows = values.shape
    result = zeros(lanes // WIDTH, rows, dtype)
    result[...] = values.reshape(-1, WIDTH, rows).swapaxes(1, 2)
    return result


def by_lane(values: np.ndarray) -> np.ndarray:
    """From a lane for each row to a row for each lane.

    Parameters
    ----------
    values : array, shape (blocks, rows, 16)
        In lanes.

    Returns
    -------
    numpy.ndarray, shape (16 * blocks, rows)
        For reading.
    """
    blocks, rows, _ = values.shape
    return values.swapaxes(1, 2).reshape(blocks * WIDTH, rows)
