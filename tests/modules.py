"""Modules of many kinds, and the Jacobian that everybody trusts: what the tests of the response share."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import nn

from kbe.networks import VarianceNetwork


def convolutional(seed: int = 0, **arguments) -> VarianceNetwork:
    torch.manual_seed(seed)
    return VarianceNetwork(**({"bits": 4, "layers": 2, "channels": 2} | arguments)).double()


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.LSTM(1, 2, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x[..., None])[0][:, -1]


class Attentive(nn.Module):
    def __init__(self, outputs: int = 2) -> None:
        super().__init__()
        self.first, self.layer = nn.Linear(1, 4), nn.Linear(4, outputs)
        self.attention = nn.MultiheadAttention(4, 2, dropout=0.5, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(self.attention(*[self.first(x[..., None])] * 3, need_weights=False)[0].sum(1))


class Shared(nn.Module):
    """A weight by two names, and a part by two names that holds one of them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.second.weight = self.first.weight
        self.again = self.first

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.again(self.second(self.first(x).tanh()).tanh())[:, :2]


class PartFrozen(nn.Module):
    """A weight by two names, another that is frozen, and a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)
        self.second.weight = self.first.weight
        self.last.weight.requires_grad_(False)
        self.register_buffer("scale", torch.tensor(2.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scale * self.last(self.second(self.first(x).tanh()).tanh())


class Embedded(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.table(x.long()).tanh().sum(1)


def weight_normed() -> nn.Module:
    """It has no forward derivative."""
    return nn.utils.parametrizations.weight_norm(nn.Linear(4, 2))


KINDS = [
    convolutional,
    Recurrent,
    Attentive,
    Shared,
    PartFrozen,
    Embedded,
    weight_normed,
]  # of inputs (n, 4)


def batch_normed(**settings) -> nn.Module:
    """In training mode its points go into one another."""
    return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3, **settings), nn.Tanh(), nn.Linear(3, 2)).double()


def jacobian_by_loop(module: nn.Module, inputs: np.ndarray, *, alone: bool = True) -> np.ndarray:
    """One backward pass for each input and head, (n * heads, trained weights), of each input alone or of all together.

    Alone they are those in evaluation mode, together those in the module's own.
    """
    module = copy.deepcopy(module).double()
    module = module.eval() if alone else module
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    x = torch.as_tensor(inputs)
    outputs = torch.cat([module(one[None]).flatten() for one in x]) if alone else module(x).flatten()
    slopes = [torch.autograd.grad(one, trained, retain_graph=True, materialize_grads=True) for one in outputs]
    return np.stack([torch.cat([slope.flatten() for slope in row]).numpy() for row in slopes])
