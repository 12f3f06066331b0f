"""The reference path: any module and any loss in plain torch, members stacked and independent."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from kbe.data.encoding import member_generator
from kbe.training.record import point_losses
from kbe.training.weights import mask_seed

DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)


class ReferenceTrainer:
    """Many members' training, advanced some epochs at a time.

    Parameters
    ----------
    modules
        The members; weights that require no gradient stay as they are.
    x, y
        Each member's inputs, shape (members, points, ...), and targets, shape (members, points).
    loss
        A function of output and target, one value a point.
    learning_rate
        eta.
    mean
        Whether the loss is the mean over the points of a batch or their sum.
    jump
        The change of an output in one epoch beyond which the member's onset is noted.
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
                 mean: bool, jump: float, optimizer: Callable | None = None, batch_size: int | None = None,
                 seed: int = 0, dtype: str = "float64", device: str = "cpu",
                 threads: int | None = None) -> None:  # fmt: skip
        kind: torch.dtype = getattr(torch, dtype)
        members = [module.to(device, kind) for module in modules]
        self._loss, self._mean, self._jump, self._threads = loss, mean, jump, threads
        self._x, self._y = (torch.as_tensor(a).to(device, kind) for a in (x, y))
        self._stacked = _stack([dict(module.named_parameters()) for module in members])
        self._buffers = _stack([dict(module.named_buffers()) for module in members])
        make = optimizer or torch.optim.SGD
        self._optimizer = make(list(self._stacked.values()), lr=learning_rate)
        self._batch_size, self._epoch, self._seed = batch_size, 0, seed
        self._batches = [member_generator(seed, member, "batches") for member in range(len(y))]
        unmasked = _without_dropout(members[0])
        self._masks = unmasked is not members[0]
        self._training_outputs, self._outputs = _over_members(members[0]), _over_members(unmasked)
        with self._settled():
            self._now = self._forward(self._x)
        self._onset = torch.full((len(y),), -1, device=device)

    @contextmanager
    def _settled(self) -> Iterator[None]:
        """Torch's threads and random stream as this epoch wants them, and afterwards as they were."""
        threads = torch.get_num_threads()
        torch.set_num_threads(self._threads or threads)
        try:
            with torch.random.fork_rng([self._x.device] if self._x.is_cuda else []):
                # torch's own function costs as much as a small step; only another device needs it
                seed = torch.manual_seed if self._x.is_cuda else torch.default_generator.manual_seed
                seed(mask_seed(self._seed, self._epoch))
                yield
        finally:
            torch.set_num_threads(threads)

    def _forward(self, x: Tensor, training: bool = False) -> Tensor:
        return (self._training_outputs if training else self._outputs)(self._stacked, self._buffers, x)

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
            self._step(self._forward(self._x[member, batch], training=True), self._y[member, batch])

    def advance(self, epochs: int) -> None:
        """Train on, by so many passes over the data."""
        for _ in range(epochs):
            self._epoch += 1
            with self._settled():
                before = self._now.detach()
                if self._batch_size is not None:
                    self._batch_steps()
                else:
                    self._step(self._forward(self._x, training=True) if self._masks else self._now, self._y)
                self._now = self._forward(self._x)
            moved = (self._now.detach() - before).abs().amax((1, 2))  # NaN where an output is not finite
            begins = ~(moved <= self._jump) & (self._onset < 0)
            self._onset = torch.where(begins, self._epoch, self._onset)

    def outputs(self) -> np.ndarray:
        """The outputs now, shape (members, points, heads), without drop-out."""
        return self._now.detach().cpu().numpy().copy()

    def parameters(self) -> np.ndarray:
        """The weights now, shape (members, parameters), in the order of `module.parameters()`."""
        return torch.cat([p.detach().flatten(1) for p in self._stacked.values()], 1).cpu().numpy()

    def onset(self) -> np.ndarray:
        """The onset epochs so far, shape (members,), -1 for a member without one."""
        return self._onset.cpu().numpy().copy()


def _over_members(module: nn.Module) -> Callable[[dict, dict, Tensor], Tensor]:
    return vmap(lambda p, b, inputs: functional_call(module, (p, b), (inputs,)), randomness="different")


def _without_dropout(module: nn.Module) -> nn.Module:
    """The module itself if it masks nothing, else a copy that masks nothing."""
    if not any(isinstance(part, DROPOUTS) for part in module.modules()):
        return module
    result = copy.deepcopy(module)
    for part in result.modules():
        if isinstance(part, DROPOUTS):
            part.eval()
    return result


def _stack(members: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The members' weights or buffers by name, as tensors of their own."""
    return {
        name: torch.stack([one[name] for one in members]).detach().requires_grad_(like.requires_grad)
        for name, like in members[0].items()
    }
