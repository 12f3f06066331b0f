"""The module of the page under `wasmtime`, used as the page's own script uses it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import wasmtime
import xarray as xr

from kbe.networks import BitNetwork
from kbe.page import entry, packing, webassembly
from kbe.training.compiled import loss_derivatives
from kbe.training.compiled.activations import NAMES
from kbe.training.compiled.layout import choose_graph
from kbe.training.compiled.simd import WIDTH
from kbe.training.weights import flat_parameters, initial_modules

ROOT = Path(__file__).parents[2]


class Page:
    """Sixteen networks in the memory of a machine that knows no Python."""

    def __init__(self, engine: wasmtime.Engine, module: wasmtime.Module, make: Callable, data: xr.Dataset,
                 loss: Callable, rate: float, mean: bool, seed: int) -> None:  # fmt: skip
        modules = initial_modules(make, WIDTH, seed)
        one: BitNetwork = modules[0]
        self.row = choose_graph(one, data.x.values, None)[1]  # where each member's points stand
        self.packed = packing.packed(one, data.x.values, data.y.values)
        self.store = wasmtime.Store(engine)
        exports = wasmtime.Instance(self.store, module, []).exports(self.store)
        self.memory, self.call = exports["memory"], exports["kbe"]
        heap, rows = exports["__heap_base"].value(self.store), sum(count for _, count in self.packed.rooms.values())
        self.heap = -(-heap // 64) * 64
        self.numbers = self.heap + 64
        self.reals = -(-(self.numbers + self.packed.numbers.nbytes) // 64) * 64
        need = self.reals + rows * WIDTH * 8 - self.memory.data_len(self.store)
        self.memory.grow(self.store, max(0, -(-need // 65536)))
        self.settings = (*loss_derivatives.compiled_form(loss), rate)
        self.epoch, points = 0, self.packed.points
        numbers = self.packed.numbers.copy()
        numbers[self.packed.tables["kinds"] :][:2] = [NAMES[name] for name in one.head_activations]
        self.memory.write(self.store, numbers.tobytes(), self.numbers)
        self.fill("floors", np.array([[0.0, one.sigma_floor]]))
        self.fill("jump", np.full((1, WIDTH), 0.25))
        self.fill("target", np.where(points == 2, 1.0, 0.0))
        self.fill("share", np.where(points > 0, 1 / data.sizes["point"] if mean else 1.0, 0.0))
        self.fill("weights", np.stack([flat_parameters(member) for member in modules], 1))
        self.fill("hidden", self.packed.inputs.astype(float))
        self.run(entry.FORWARD, 0)

    def address(self, name: str) -> int:
        return self.reals + self.packed.rooms[name][0] * WIDTH * 8

    def fill(self, name: str, values: np.ndarray) -> None:
        self.memory.write(self.store, np.ascontiguousarray(values).tobytes(), self.address(name))

    def run(self, task: int, epochs: int) -> None:
        fault = self.call(self.store, self.heap, self.heap + 8, task, self.numbers, self.reals, *self.settings,
                           self.epoch, epochs)  # fmt: skip
        assert fault == 0

    def advance(self, epochs: int) -> None:
        self.run(entry.ADVANCE, epochs)
        self.epoch += epochs

    def read(self, name: str) -> np.ndarray:
        first, size = self.address(name), self.packed.rooms[name][1] * WIDTH * 8
        return np.frombuffer(self.memory.read(self.store, first, first + size)).reshape(-1, WIDTH)

    def outputs(self) -> np.ndarray:
        """At each member's own points, shape (members, heads, points)."""
        heads = self.read("outputs").reshape(2, -1, WIDTH)
        return np.stack([heads[:, row, member] for member, row in enumerate(self.row)])

    def onset(self) -> np.ndarray:
        first = self.numbers + 8 * self.packed.tables["onset"]
        return np.frombuffer(self.memory.read(self.store, first, first + 8 * WIDTH), np.int64)

    def measures(self) -> np.ndarray:
        self.run(entry.MEASURE, 0)
        return self.read("measures")


@pytest.fixture(scope="session")
def machine() -> tuple[wasmtime.Engine, wasmtime.Module]:
    engine = wasmtime.Engine()
    return engine, wasmtime.Module(engine, webassembly.stored_module(ROOT)[0])


@pytest.fixture
def page(machine):
    """A function that lays out networks, a seed's own, as the page does."""
    return lambda *settings: Page(*machine, *settings)
