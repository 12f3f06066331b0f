"""The reference path: any module and any loss in plain torch, members stacked and independent."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from kbe.encoding import member_generator


class ReferenceTrainer:
    """Many members' training, advanced some epochs at a time.

    Parameters
    ----------
    module : torch.nn.Module
        One member, for the architecture.
    parameters : array, shape (members, parameters)
        Initial weights, in the order of `module.parameters()`.
    x : array, shape (members, points, ...)
        Each member's inputs.
    y : array, shape (members, points)
        Each member's targets.
    loss : callable
        A function of output and target, one value a point.
    learning_rate : float
        eta.
    mean : bool
        Whether the loss is the mean over the points of a batch or their sum.
    jump : float
        The change of an output in one epoch beyond which the member's onset is noted.
    optimizer : callable or None
        Makes a torch optimiser from parameters and `lr`; None is gradient descent.
    batch_size : int or None
        Points a step; None is the full batch.
    seed : int
        Start of the draws of batches and of drop-out.
    device : str
        Where to compute.
    """

    def __init__(self, module: nn.Module, parameters: np.ndarray, x: np.ndarray, y: np.ndarray, loss: Callable,
                 learning_rate: float, mean: bool, jump: float, optimizer: Callable | None, batch_size: int | None,
                 seed: int, device: str) -> None:  # fmt: skip
        values = torch.as_tensor(parameters).to(device)
        self._module, self._loss, self._mean, self._jump = module.to(device, values.dtype), loss, mean, jump
        self._x, self._y = (torch.as_tensor(a).to(device, values.dtype) for a in (x, y))
        self._stacked = _unflatten(module, values)
        make = optimizer or torch.optim.SGD
        self._optimizer = make(list(self._stacked.values()), lr=learning_rate)
        self._batch_size, self._epoch = batch_size, 0
        self._batches = [member_generator(seed, member, "batches") for member in range(len(y))]
        self._outputs_of = vmap(lambda p, inputs: functional_call(module, p, (inputs,)), randomness="different")
        self._now = self._forward(self._x)
        self._onset = torch.full((len(y),), -1, device=device)

    def _forward(self, x: Tensor) -> Tensor:
        return self._outputs_of(self._stacked, x)

    def _step(self, outputs: Tensor, y: Tensor) -> None:
        """One step of the optimiser; the members' losses are summed, so that each gradient is its member's own."""
        values = self._loss(outputs, y)
        self._optimizer.zero_grad()
        (values.mean(1) if self._mean else values.sum(1)).sum().backward()
        self._optimizer.step()

    def _batch_steps(self) -> None:
        points = self._y.shape[1]
        order = torch.as_tensor(np.stack([generator.permutation(points) for generator in self._batches]))
        member = torch.arange(len(order))[:, None]
        for batch in order.to(self._y.device).split(self._batch_size or points, dim=1):
            self._step(self._forward(self._x[member, batch]), self._y[member, batch])

    def advance(self, epochs: int) -> None:
        """Train on.

        Parameters
        ----------
        epochs : int
            Passes over the data.
        """
        for _ in range(epochs):
            before = self._now.detach()
            if self._batch_size is None:
                self._step(self._now, self._y)
            else:
                self._batch_steps()
            self._epoch += 1
            self._now = self._forward(self._x)
            moved = (self._now.detach() - before).abs().amax((1, 2))  # NaN where an output is not finite
            self._onset[~(moved <= self._jump) & (self._onset < 0)] = self._epoch

    def outputs(self) -> np.ndarray:
        """The outputs now.

        Returns
        -------
        numpy.ndarray, shape (members, points, heads)
            At each member's own points.
        """
        return self._now.detach().cpu().numpy().copy()

    def parameters(self) -> np.ndarray:
        """The weights now.

        Returns
        -------
        numpy.ndarray, shape (members, parameters)
            In the order of `module.parameters()`.
        """
        return torch.cat([p.detach().flatten(1) for p in self._stacked.values()], 1).cpu().numpy()

    def onset(self) -> np.ndarray:
        """The onset epochs so far.

        Returns
        -------
        numpy.ndarray, shape (members,)
            -1 for a member without onset.
        """
        return self._onset.cpu().numpy().copy()


def _unflatten(module: nn.Module, values: Tensor) -> dict[str, Tensor]:
    """From vectors, shape (members, parameters), to stacked parameters by name."""
    names = [name for name, _ in module.named_parameters()]
    shapes = [p.shape for p in module.parameters()]
    pieces = values.split([shape.numel() for shape in shapes], dim=1)
    return {
        name: piece.reshape(len(values), *shape).detach().clone().requires_grad_()
        for name, piece, shape in zip(names, pieces, shapes, strict=True)
    }
