"""What a user would write: one network at a time, autograd, an optimiser of torch."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn


class Network(nn.Module):
    """The variance network on 8 bits: three convolutions of three channels, two sigmoid heads."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs in (1, 3, 3):
            layers += [nn.Conv1d(inputs, 3, 3, padding=1), nn.ELU()]
        self.features = nn.Sequential(*layers, nn.Flatten())
        self.mean, self.deviation = nn.Linear(24, 1), nn.Linear(24, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = self.features(x[:, None])
        return torch.sigmoid(self.mean(hidden))[:, 0], torch.sigmoid(self.deviation(hidden))[:, 0]


def train(x: np.ndarray, y: np.ndarray, epochs: int, learning_rate: float = 0.1) -> nn.Module:
    """Train one network for each row of x and y; returns the last one."""
    for inputs, targets in zip(torch.as_tensor(x), torch.as_tensor(y), strict=True):
        network = Network().double()
        optimizer = torch.optim.SGD(network.parameters(), lr=learning_rate)
        for _ in range(epochs):
            optimizer.zero_grad()
            mu, sigma = network(inputs)
            loss = (sigma.log() + 0.5 * ((targets - mu) / sigma) ** 2).mean()
            loss.backward()
            optimizer.step()
    return network


def kernel(network: nn.Module, x: np.ndarray) -> torch.Tensor:
    """The neural tangent kernel of both outputs on all inputs, a gradient at a time."""
    rows, weights = [], list(network.parameters())
    for inputs in torch.as_tensor(x):
        for output in network(inputs[None]):
            gradient = torch.autograd.grad(
                output[0], weights, retain_graph=True, allow_unused=True, materialize_grads=True
            )
            rows.append(torch.cat([g.flatten() for g in gradient]))
    jacobian = torch.stack(rows)
    return jacobian @ jacobian.T
