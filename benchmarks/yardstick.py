"""The yardstick in C, compiled by the machine's own compiler and called through ctypes."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr

from kbe import windows

SOURCE = Path(__file__).parent / "yardstick.c"
OPTIONS = ["-std=gnu11", "-O3", "-march=native", "-fschedule-insns", "-shared", "-fPIC"]
LANES, BITS, CHANNELS, LAYERS = 8, 8, 3, 3
Pointer = ctypes.c_void_p


def library() -> ctypes.CDLL | None:
    """The compiled yardstick, or None on a machine without a C compiler that can do it."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "yardstick.so"
        done = subprocess.run([compiler, *OPTIONS, str(SOURCE), "-o", str(target)], capture_output=True)
        return ctypes.CDLL(str(target)) if done.returncode == 0 else None


def aligned(*shape: int) -> np.ndarray:
    """Zeros that begin at a cache line."""
    room = np.zeros(int(np.prod(shape)) + LANES)
    start = -room.ctypes.data % 64 // 8
    return room[start : start + int(np.prod(shape))].reshape(shape)


def in_lanes(values: np.ndarray) -> np.ndarray:
    """From (members, ...) to (blocks, ..., 8); the lanes to spare repeat the last member."""
    blocks = -(-len(values) // LANES)
    member = np.minimum(np.arange(blocks * LANES), len(values) - 1)
    ordered = np.moveaxis(values[member].reshape(blocks, LANES, *values.shape[1:]), 1, -1)
    result = aligned(*ordered.shape)
    result[...] = ordered
    return result


class Yardstick:
    """Members trained by the program in C, in one of its two ways."""

    def __init__(self, code: ctypes.CDLL, data: xr.Dataset, weights: np.ndarray, rate: float, distinct: bool) -> None:
        self._members, self.weights = len(weights), in_lanes(weights)
        x, y = data.x.values, data.y.values
        blocks, points = len(self.weights), y.shape[1]
        self._arrays: list[np.ndarray] = [in_lanes(x), in_lanes(y)]
        addresses = [Pointer(a.ctypes.data) for a in (*self._arrays, self.weights)]
        self._train: Callable[[int], None] = lambda epochs: code.plain(
            ctypes.c_int64(blocks), ctypes.c_int64(points), ctypes.c_int64(epochs), ctypes.c_double(rate), *addresses
        )
        if distinct:
            self._use_windows(code, x, y, rate)

    def _use_windows(self, code: ctypes.CDLL, x: np.ndarray, y: np.ndarray, rate: float) -> None:
        inputs, row = np.unique(x.reshape(-1, BITS), axis=0, return_inverse=True)
        graph = windows.merged_graph(inputs, LAYERS, 3, "zeros")
        row = row.reshape(y.shape)
        target, share = np.zeros((2, len(y), len(inputs)))
        np.put_along_axis(target, row, y, 1)
        np.put_along_axis(share, row, 1 / y.shape[1], 1)
        units = [len(graph.values), *(len(parents) for parents in graph.parents)]
        last = graph.sums[graph.rows - len(graph.pairs)]  # each row has a last sum of its own
        sums = graph.sums[: -len(inputs)]
        tables = [np.ascontiguousarray(a, np.int64) for a in (*graph.parents, graph.pairs, sums, last)]
        described = np.array([*units, len(graph.pairs), len(sums), len(inputs),
                              *(table.ctypes.data for table in tables)], np.int64)  # fmt: skip
        values = aligned(units[0] + 1, LANES)
        values[:-1] = graph.values[:, None]
        room = aligned(2 * CHANNELS * sum(u + 1 for u in units[1:]) + 4 * (len(graph.pairs) + len(graph.sums)), LANES)
        lanes = [values, in_lanes(target), in_lanes(share), self.weights, room]
        self._arrays += [*tables, described, *lanes]
        addresses = [Pointer(a.ctypes.data) for a in lanes]
        blocks = len(self.weights)
        self._train = lambda epochs: code.distinct(
            Pointer(described.ctypes.data), ctypes.c_int64(blocks), ctypes.c_int64(epochs), ctypes.c_double(rate),
            *addresses
        )  # fmt: skip

    def advance(self, epochs: int) -> None:
        self._train(epochs)

    def parameters(self) -> np.ndarray:
        """The weights now, (members, parameters)."""
        return np.moveaxis(self.weights, -1, 1).reshape(-1, self.weights.shape[1])[: self._members]
