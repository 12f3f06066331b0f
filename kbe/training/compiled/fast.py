"""The fast path: full-batch gradient descent on bit-string networks, members as vector lanes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch import nn

from kbe.networks import BitNetwork
from kbe.training.compiled import blocks, lanes, loss_derivatives
from kbe.training.compiled.layout import FIRST_ROW, OUTPUTS, UNITS, choose_graph, hidden_rows, lay_out, node_rows, slots
from kbe.training.compiled.simd import WIDTH
from kbe.training.weights import mask_seed

_LOOK = 100  # epochs between two looks for members at rest, at least

_STATE = ("target", "share", "weights", "hidden", "outputs", "jump", "onset")  # the other arrays are room for work


def obstacle(module: object, loss: Callable) -> str | None:
    """Why the fast path cannot train this network on this loss, as a clause that names the reason; None if it can."""
    if not isinstance(module, BitNetwork) or any(
        getattr(type(module), name) is not getattr(BitNetwork, name) for name in ("forward", "features", "__call__")
    ):
        return f"the network is a {type(module).__name__}, which computes otherwise than a BitNetwork"
    layers = [(module.channels, module.channels if k else 1, module.kernel_size) for k in range(module.layers)]
    matrices = [*layers, *[(1, module.channels * module.positions)] * len(module.heads)]
    shapes = [shape for matrix in matrices for shape in (matrix, matrix[:1])]
    if [tuple(parameter.shape) for parameter in module.parameters()] != shapes:
        return "its weights are not those that a BitNetwork is made with"
    if any(not parameter.requires_grad for parameter in module.parameters()):
        return "some weights require no gradient"
    masks = module.dropout
    if masks is not None and (type(masks) is not nn.Dropout or not masks.training or not 0 < masks.p < 1):
        return "the network's drop-out is not the one it was made with"
    compiled = loss_derivatives.compiled_form(loss)
    if compiled is None:
        return "the loss has no compiled form"
    if compiled[0] != loss_derivatives.SQUARED and len(module.heads) < 2:
        return "the loss needs two heads"
    return None


class FastTrainer:
    """Many members' training, advanced some epochs at a time.

    A member comes to rest when an epoch changes no bit of its weights, one NaN being as good as another: an epoch
    depends on nothing else, so that no later one will change them either, nor the outputs. Such members leave the
    lanes, and the others move up.

    Parameters
    ----------
    module
        One member, a BitNetwork, for the architecture.
    parameters
        Initial weights, shape (members, parameters), in the order of `module.parameters()`.
    x, y
        Each member's inputs, shape (members, points, bits), and targets, shape (members, points).
    loss
        One that `obstacle` does not refuse.
    learning_rate
        eta.
    mean
        Whether the loss is the mean over points or their sum.
    jump
        The change of an output in one epoch beyond which a member's onset is noted, one for all or one a member.
    threads
        None takes as many as torch does.
    merge
        Whether a window that occurs more than once is computed once; None takes what costs less. With drop-out, which
        masks every point otherwise, none is.
    rest
        Whether members at rest leave the lanes. With drop-out none do, since every epoch has its own masks.
    seed
        Start of the draws of drop-out.

    Attributes
    ----------
    cost
        What an epoch of one member costs by the model of `WindowGraph.cost`, before any is at rest; idle lanes cost as
        much as others.

    Raises
    ------
    ValueError
        If `obstacle` refuses the module or the loss.
    """

    def __init__(self, module: nn.Module, parameters: np.ndarray, x: np.ndarray, y: np.ndarray, loss: Callable,
                 learning_rate: float, mean: bool, jump: float | np.ndarray, threads: int | None,
                 merge: bool | None = None, rest: bool = True, seed: int = 0) -> None:  # fmt: skip
        compiled = loss_derivatives.compiled_form(loss)
        if compiled is None or not isinstance(module, BitNetwork):
            raise ValueError(f"This cannot be trained on the fast path, because {obstacle(module, loss)}.")
        self._pool = ThreadPoolExecutor(threads or torch.get_num_threads())
        self._settings = (*compiled, float(learning_rate))
        self._dropout, self._seed, self._epoch = module.dropout.p if module.dropout else 0.0, seed, 0
        self._look = _LOOK if rest else None
        graph, self._row = choose_graph(module, x, False if self._dropout else merge)
        self._network, self._heads = lay_out(module, graph), len(module.heads)
        self._member = blocks.filled(np.arange(len(y)))
        self.cost = graph.cost(module.channels, self._heads) * self.active / len(y)
        values = graph.values if graph.values.ndim == 2 else np.tile(graph.values[:, None], len(y))
        target, share = slots(self._row, y, len(graph.rows), 1 / y.shape[1] if mean else 1.0)
        self._lanes = self._laid_out(parameters, values.T, target, share, np.broadcast_to(jump, len(y)))
        self._factors = np.zeros_like(self._lanes["hidden"]) if self._dropout else np.empty(0)
        names = ("weights", "sums", "values", "hidden", "nodes", "outputs")
        for block in range(self.active // WIDTH):
            lanes.forward(self._network, *(self._lanes[name][block] for name in names))
        # what is known of all members, at rest or not
        now = {name: blocks.by_lane(self._lanes[name]) for name in ("weights", "outputs", "onset")}
        self._known = {name: values[: len(y)].copy() for name, values in now.items()}

    @property
    def active(self) -> int:
        """How many lanes are computed."""
        return len(self._member)

    def _laid_out(self, weights: np.ndarray, values: np.ndarray, target: np.ndarray, share: np.ndarray,
                  jump: np.ndarray) -> dict:  # fmt: skip
        """All arrays in the order in which `lanes.advance` takes them; each argument has a row for each member."""
        dtype, count = weights.dtype, self.active // WIDTH

        def room(rows: int, kind: np.dtype = dtype) -> np.ndarray:
            return blocks.zeros(count, rows, kind)

        hidden, outputs = room(hidden_rows(self._network)), self._heads * len(self._network[-1][3])
        hidden[:, : values.shape[1]] = blocks.in_lanes(values[self._member], dtype)
        # what the activations take is rounded nowhere, and drop-out keeps what they gave: else `hidden` has the room
        onset = room(1, np.dtype(np.int64))
        onset[:] = -1
        return {
            "target": blocks.in_lanes(target[self._member], dtype),
            "share": blocks.in_lanes(share[self._member], dtype),
            "weights": blocks.in_lanes(weights[self._member], dtype),
            "turned": room(weights.shape[1]),
            "gradient": room(weights.shape[1]),
            "sums": room(hidden.shape[1], np.dtype(np.float64)) if dtype != np.float64 else hidden,
            "values": room(hidden.shape[1]) if self._dropout else hidden,
            "hidden": hidden,
            "back": room(hidden.shape[1]),
            "nodes": room(node_rows(self._network)),
            "outputs": room(outputs),
            "before": room(outputs),
            "slopes": room(outputs),
            "jump": blocks.in_lanes(jump[self._member, None], np.dtype(np.float64)),
            "onset": onset,
        }

    def advance(self, epochs: int) -> None:
        """Train on, by so many steps of full-batch gradient descent."""
        end = self._epoch + epochs
        while self._epoch < end and self.active:
            if self._dropout:
                self._train(1, self._masks())
            elif self._look is None or self._epoch < self._look:
                self._train((end if self._look is None else min(end, self._look)) - self._epoch)
            else:
                self._train_and_look()
        self._epoch = end

    def _train(self, epochs: int, masks: np.ndarray | None = None) -> None:
        """All lanes, in two halves, so that an odd number of blocks keeps an even number of threads busy."""

        def train(block: int, start: int, stop: int, first_half: Future | None = None) -> None:
            if first_half is not None:
                first_half.result()
            mask = None if masks is None else masks[block]
            arrays = tuple(values[block] for values in self._lanes.values())
            lanes.advance(self._network, *self._settings, start, stop - start, mask, arrays)

        numbers, middle, end = range(self.active // WIDTH), self._epoch + epochs // 2, self._epoch + epochs
        halves = [self._pool.submit(train, block, self._epoch, middle) for block in numbers if middle > self._epoch]
        halves += [self._pool.submit(train, block, middle, end, halves[block] if halves else None) for block in numbers]
        for half in halves:
            half.result()
        self._epoch = end

    def _train_and_look(self) -> None:
        """One epoch; if a block fewer is enough for the members that it moved, the others leave the lanes."""
        before = self._lanes["weights"].copy()
        self._train(1)
        after = self._lanes["weights"]
        bits = f"i{after.itemsize}"  # 0 and -0 are not the same
        moved = (before.view(bits) != after.view(bits)) & ~(np.isnan(before) & np.isnan(after))
        moving = np.flatnonzero(moved.any(1))
        member, first = np.unique(self._member[moving], return_index=True)
        if -(-len(member) // WIDTH) < self.active // WIDTH:
            for name in self._known:
                self._latest(name)
            lane = blocks.filled(moving[first]) if len(member) else moving
            for name, values in self._lanes.items():
                stay = values[: len(lane) // WIDTH]
                if name in _STATE:
                    stay[...] = blocks.in_lanes(blocks.by_lane(values)[lane], values.dtype)
                self._lanes[name] = stay
            self._member = self._member[lane]
        self._look = self._epoch + max(_LOOK, self._epoch // 20)  # what is found late costs a twentieth at most

    def _masks(self) -> np.ndarray:
        """The factors of the next epoch for all hidden values: those that torch draws on the reference path."""
        generator = torch.Generator().manual_seed(mask_seed(self._seed, self._epoch + 1))
        points, keep, like = self._row.shape[1], 1 - self._dropout, torch.as_tensor(self._factors[:0])
        for layer in self._network[0]:
            shape = (len(self._row), points, layer[OUTPUTS], layer[UNITS] // points)
            drawn = like.new_empty(shape).bernoulli_(keep, generator=generator).div_(keep).numpy()
            rows = drawn.swapaxes(2, 3).reshape(len(drawn), -1)[self._member]
            first = layer[FIRST_ROW]
            self._factors[:, first : first + rows.shape[1]] = rows.reshape(-1, WIDTH, rows.shape[1]).swapaxes(1, 2)
        return self._factors

    def _latest(self, name: str) -> np.ndarray:
        """All members' values, shape (members, rows)."""
        self._known[name][self._member] = blocks.by_lane(self._lanes[name])
        return self._known[name]

    def outputs(self) -> np.ndarray:
        """The outputs now, shape (members, points, heads), at each member's own points."""
        rows = self._latest("outputs").reshape(len(self._row), self._heads, -1)
        return np.take_along_axis(rows, self._row[:, None, :], 2).swapaxes(1, 2)

    def parameters(self) -> np.ndarray:
        """The weights now, shape (members, parameters), in the order of `module.parameters()`."""
        return self._latest("weights").copy()

    def onset(self) -> np.ndarray:
        """The onset epochs so far, shape (members,), -1 for a member without one."""
        return self._latest("onset")[:, 0].copy()
