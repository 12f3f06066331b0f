"""The reference path: any module and any loss in plain torch, members stacked and independent."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np
import torch
from torch import Tensor, nn

from kbe.data.encoding import member_generator
from kbe.training.calling import at_once, settled
from kbe.training.record import point_losses
from kbe.training.weights import Stateless, flattened, held, mask_seed


class ReferenceTrainer:
    """Many members' training, advanced some epochs at a time.

    Parameters
    ----------
    modules
        The members, in the mode in which they train; weights that require no gradient stay as they are.
    x, y
        Each member's inputs, shape (members, points, ...), and targets, shape (members, points).
    loss
        A function of output and target, one value a point.
    learning_rate
        eta.
    mean
        Whether the loss is the mean over the points of a batch or their sum.
    jump
        The change of an output in one epoch beyond which a member's onset is noted, one for all or one a member.
    differs
        Whether the mode in which they train differs from evaluation mode, in which the outputs are taken.
    optimizer
        Makes a torch optimiser from parameters and `lr`; None is gradient descent.
    batch_size
        Points a step; None is the full batch.
    seed
        Start of the draws of batches, a stream for each member, and of drop-out, one stream for all.
    dtype
        The precision of the weights, as torch names it.
    device
        Where to compute, as torch names it.
    threads
        None takes as many as torch does.
    """

    def __init__(self, modules: list[nn.Module], x: np.ndarray, y: np.ndarray, loss: Callable, learning_rate: float,
                 mean: bool, jump: float | np.ndarray, differs: bool, optimizer: Callable | None = None,
                 batch_size: int | None = None, seed: int = 0, dtype: str = "float64", device: str = "cpu",
                 threads: int | None = None) -> None:  # fmt: skip
        kind: torch.dtype = getattr(torch, dtype)
        members = [module.to(device, kind) for module in modules]
        self._loss, self._mean, self._threads, self._differs = loss, mean, threads, differs
        self._x, self._y = (torch.as_tensor(a).to(device, kind) for a in (x, y))
        self._jump = torch.as_tensor(np.broadcast_to(jump, len(y)).copy()).to(device, kind)
        every = zip(*map(held, members), strict=True)
        self._held = [torch.stack(each).detach().requires_grad_(each[0].requires_grad) for each in every]
        make = optimizer or torch.optim.SGD
        self._optimizer = make(self._held[: len(list(members[0].parameters()))], lr=learning_rate)
        self._batch_size, self._epoch, self._seed = batch_size, 0, seed
        self._batches = [member_generator(seed, member, "batches") for member in range(len(y))]
        self._training_outputs = at_once(Stateless(members[0]), (0, 0))
        calm = copy.deepcopy(members[0]).eval() if differs else None
        self._outputs = at_once(Stateless(calm), (0, 0)) if calm else self._training_outputs
        with self._settled():
            self._now = self._outputs(self._held, self._x)
        self._onset = torch.full((len(y),), -1, device=device)

    def _settled(self) -> AbstractContextManager[None]:
        """Torch as this epoch wants it."""
        seed = mask_seed(self._seed, self._epoch)
        return settled(seed=seed, threads=self._threads, dtype=self._x.dtype, device=self._x.device)

    def _step(self, outputs: Tensor, y: Tensor) -> None:
        """One step of the optimiser; the members' losses are summed, so that each gradient is its member's own."""
        values = point_losses(self._loss, outputs, y)
        self._optimizer.zero_grad()
        (values.mean(1) if self._mean else values.sum(1)).sum().backward()
        self._optimizer.step()

    def _batch_steps(self) -> None:
        points = self._y.shape[1]
        order = torch.as_tensor(np.stack([generator.permutation(points) for generator in self._batches]))
        member = torch.arange(len(order))[:, None]
        for batch in order.to(self._y.device).split(self._batch_size or points, dim=1):
            self._step(self._training_outputs(self._held, self._x[member, batch]), self._y[member, batch])

    def advance(self, epochs: int) -> None:
        """Train on, by so many passes over the data."""
        for _ in range(epochs):
            self._epoch += 1
            with self._settled():
                before = self._now.detach()
                if self._batch_size is not None:
                    self._batch_steps()
                else:
                    self._step(self._training_outputs(self._held, self._x) if self._differs else self._now, self._y)
                self._now = self._outputs(self._held, self._x)
            moved = (self._now.detach() - before).abs().amax((1, 2))  # NaN where an output is not finite
            begins = ~(moved <= self._jump) & (self._onset < 0)
            self._onset = torch.where(begins, self._epoch, self._onset)

    def outputs(self) -> np.ndarray:
        """The outputs now, shape (members, points, heads), in evaluation mode, so without drop-out."""
        return self._now.detach().cpu().numpy().copy()

    def parameters(self) -> np.ndarray:
        """What the members hold now, shape (members, numbers), in the order of `flat_parameters`."""
        return flattened(self._held, self._x.dtype, 1).cpu().numpy()

    def onset(self) -> np.ndarray:
        """The onset epochs so far, shape (members,), -1 for a member without one."""
        return self._onset.cpu().numpy().copy()
