"""The yardstick in C, compiled by the machine's own compiler and called through ctypes."""

from __future__ import annotations

import ctypes
import math
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import xarray as xr

from kbe.training.compiled import windows

SOURCE = Path(__file__).parent / "yardstick.c"
OPTIONS = ["-std=gnu11", "-O3", "-march=native", "-fschedule-insns", "-shared", "-fPIC"]
LANES, BITS, CHANNELS, LAYERS, TAPS = 8, 8, 3, 3, 3
WAYS = ("plain", "distinct")


def load() -> ctypes.CDLL | None:
    """The compiled yardstick, or None on a machine without a C compiler that can make it."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "yardstick.so"
        done = subprocess.run([compiler, *OPTIONS, str(SOURCE), "-o", str(target)], capture_output=True)
        return ctypes.CDLL(str(target)) if done.returncode == 0 else None


class Yardstick:
    """Members trained by the program in C, in one of its two ways; their inputs must be distinct."""

    def __init__(self, code: ctypes.CDLL, way: str, data: xr.Dataset, weights: np.ndarray, rate: float) -> None:
        self._function, self._rate, self._members = getattr(code, way), ctypes.c_double(rate), len(weights)
        self._weights, x, y = in_lanes(weights), data.x.values, data.y.values
        if way == "plain":
            self._sizes: ctypes.c_int64 | ctypes.c_void_p = ctypes.c_int64(y.shape[1])
            self._arrays = [in_lanes(x), in_lanes(y), self._weights]
        else:
            self._tables, *arrays = distinct_windows(x, y)
            self._sizes, self._arrays = address(self._tables[0]), [*arrays, self._weights]

    def advance(self, epochs: int) -> None:
        blocks = ctypes.c_int64(len(self._weights))
        self._function(blocks, self._sizes, ctypes.c_int64(epochs), self._rate, *map(address, self._arrays))

    def parameters(self) -> np.ndarray:
        """The weights now, (members, parameters), in the order of `module.parameters()`."""
        return np.moveaxis(self._weights, -1, 1).reshape(-1, self._weights.shape[1])[: self._members]


def distinct_windows(x: np.ndarray, y: np.ndarray) -> tuple[list[np.ndarray], *tuple[np.ndarray, ...]]:
    """The tables that `distinct` in yardstick.c reads, the first of which leads to the others, and its arrays."""
    inputs, row = np.unique(x.reshape(-1, BITS), axis=0, return_inverse=True)
    graph = windows.merged_graph(inputs, LAYERS, TAPS, "zeros")
    last = graph.sums[graph.rows - len(graph.pairs)]  # each row is a sum of its own: it needs no node
    others = graph.sums[: -len(inputs)]
    tables = [np.ascontiguousarray(a, np.int64) for a in (*graph.parents, graph.pairs, others, last)]
    units = [len(graph.values), *map(len, graph.parents)]
    counts = [*units, len(graph.pairs), len(others), len(inputs)]
    first = np.array([*counts, *(table.ctypes.data for table in tables)], np.int64)
    target, share = np.zeros((2, len(y), len(inputs)))
    np.put_along_axis(target, row.reshape(y.shape), y, 1)
    np.put_along_axis(share, row.reshape(y.shape), 1 / y.shape[1], 1)
    values = aligned(units[0] + 1, LANES)  # the last one is the padding's zero
    values[:-1] = graph.values[:, None]
    room = aligned(2 * CHANNELS * sum(u + 1 for u in units[1:]) + 4 * (len(graph.pairs) + len(others)), LANES)
    return [first, *tables], values, in_lanes(target), in_lanes(share), room


def address(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def aligned(*shape: int) -> np.ndarray:
    """Zeros that begin at a cache line."""
    room = np.zeros(math.prod(shape) + LANES)
    start = -room.ctypes.data % 64 // 8
    return room[start : start + math.prod(shape)].reshape(shape)


def in_lanes(values: np.ndarray) -> np.ndarray:
    """From (members, ...) to (blocks, ..., 8); the lanes to spare repeat the last member."""
    blocks = -(-len(values) // LANES)
    member = np.minimum(np.arange(blocks * LANES), len(values) - 1)
    ordered = np.moveaxis(values[member].reshape(blocks, LANES, *values.shape[1:]), 1, -1)
    result = aligned(*ordered.shape)
    result[...] = ordered
    return result
