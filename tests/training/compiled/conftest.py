"""Sixteen networks with data, laid out for the compiled code and as torch knows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

from kbe.data.encoding import random_encoding
from kbe.networks import BitNetwork
from kbe.training.compiled import blocks, lanes, layout, loss_derivatives
from kbe.training.compiled.simd import WIDTH
from kbe.training.weights import flat_parameters


class Laid(NamedTuple):
    """A block of members."""

    modules: list[nn.Module]
    x: torch.Tensor
    y: torch.Tensor
    row: np.ndarray  # where each member's points stand
    network: tuple
    arrays: dict[str, np.ndarray]  # in the order in which `lanes.advance` takes them

    def block(self, *names: str) -> list[np.ndarray]:
        return [self.arrays[name] for name in names]

    def forward(self) -> None:
        lanes.forward(self.network, *self.block("weights", "sums", "values", "hidden", "nodes", "outputs"))

    def advance(self, loss: Callable, rate: float, jump: float, start: int = 0) -> None:
        """One epoch."""
        kind, setting = loss_derivatives.compiled_form(loss)
        self.arrays["jump"][:] = jump
        lanes.advance(self.network, kind, setting, rate, start, 1, None, tuple(self.arrays.values()))

    def outputs(self) -> np.ndarray:
        """At each member's own points, shape (members, points, heads)."""
        of_heads = self.arrays["outputs"].reshape(len(self.modules[0].heads), -1, WIDTH)
        return np.stack([of_heads[:, row, member].T for member, row in enumerate(self.row)])

    def outputs_by_torch(self) -> torch.Tensor:
        return torch.stack([module(x) for module, x in zip(self.modules, self.x, strict=True)])


@pytest.fixture
def lay_out():
    """A function that lays out networks of one architecture, with windows merged or not."""

    def make(merge: bool = True, heads: tuple[str, ...] = ("sigmoid", "softplus"), points: int = 6, **settings) -> Laid:
        torch.manual_seed(0)
        settings = {"bits": 5, "channels": 2, "sigma_floor": 0.1, **settings}
        modules = [BitNetwork(heads, **settings).double() for _ in range(WIDTH)]
        data = random_encoding(points, settings["bits"], WIDTH, repeat=True)
        x, y = data.x.values, data.y.values
        graph, row = layout.choose_graph(modules[0], x, merge)
        network, rows = layout.lay_out(modules[0], graph), len(graph.rows)

        def room(count: int) -> np.ndarray:
            return blocks.zeros(1, count, np.dtype(float))[0]

        weights = np.stack([flat_parameters(module) for module in modules]).T.copy()
        target, share = (values.T.copy() for values in layout.slots(row, y, rows, 1 / points))
        hidden, slopes, outputs = (room(layout.hidden_rows(network)), room(len(heads) * rows), room(len(heads) * rows))
        hidden[: len(graph.values)] = graph.values if graph.values.ndim == 2 else graph.values[:, None]
        return Laid(modules, torch.as_tensor(x), torch.as_tensor(y), row, network, {
            "target": target, "share": share, "weights": weights, "turned": room(len(weights)),
            "gradient": room(len(weights)), "sums": hidden, "values": hidden, "hidden": hidden,
            "back": room(len(hidden)), "nodes": room(layout.node_rows(network)), "outputs": outputs,
            "before": room(len(outputs)), "slopes": slopes, "jump": room(1), "onset": np.full((1, WIDTH), -1),
        })  # fmt: skip

    return make
