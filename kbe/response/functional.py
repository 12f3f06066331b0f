"""Any torch module as a pure function of one flat vector of what it holds, with its derivatives.

The vector holds a module's parameters, in the order of `module.parameters()`, then its buffers, as `flat_parameters`
makes it. The module that is given stays as it is: a copy is used, in evaluation mode, so that drop-out is off. A module
whose output at a point depends on what was called before is refused, and one in which it depends on other points too,
unless it is asked for as one function of a whole batch.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from kbe.checks import Count, Natural, Shaped, checked
from kbe.refusals import told
from kbe.training.calling import at_once, settled
from kbe.training.examination import alike, elsewhere, examined, output_of, some_points
from kbe.training.weights import Stateless, flattened, held

PIECE = 2**18  # numbers of a Jacobian that are made at once: 2 MiB in float64 stay in the cache

SMALL = 10_000  # weights; below it a second thread gains nothing, and on a busy machine waiting for it costs tenfold


class PureNetwork:
    """A module as a function of its weights.

    Parameters
    ----------
    module
        Maps inputs (n, ...) to outputs (n, heads), or (n,), which counts as one head.
    dtype
        The precision of weights, inputs and results.

    masked
        Whether the module stays in the mode in which it is, as in training, where drop-out masks.
    whole_batch
        Whether it stays so too, and is one function of all inputs together, as batch statistics make it.

    Attributes
    ----------
    weights : Tensor, shape (parameters,)
        What the module holds at present.
    trained : Tensor, shape (parameters,)
        Where there is a weight that requires a gradient; the others and the buffers count as fixed.

    Raises
    ------
    ValueError
        If the module has nothing to train, or the type is not a floating-point one.
    """

    @checked
    def __init__(
        self,
        module: nn.Module,
        dtype: torch.dtype = torch.float64,
        *,
        masked: bool = False,
        whole_batch: bool = False,
    ) -> None:
        tensors = held(module)
        if not any(tensor.requires_grad and tensor.numel() for tensor in tensors):
            raise ValueError("module has no parameter that requires a gradient: there is nothing to train.")
        if not dtype.is_floating_point:
            raise ValueError(f"dtype is {dtype}: it must be a floating-point torch dtype.")
        self.weights = flattened(tensors, dtype)
        self.trained = torch.cat([torch.full_like(t, t.requires_grad, dtype=torch.bool).flatten() for t in tensors])
        with told("module cannot be copied"):
            own = copy.deepcopy(module).to(dtype)
        self._given, self._whole_batch = module, whole_batch
        self.module = own if masked or whole_batch else own.eval()
        self._kinds, self._call = [(t.shape, t.dtype, t.requires_grad) for t in held(own)], Stateless(own)
        self.sizes = [shape.numel() for shape, _, _ in self._kinds]
        self.trainable = [k for k, (_, _, trained) in enumerate(self._kinds) if trained]
        at_points = at_once(self._at_point, (None, 0, 0, None), directly=True)
        self._at_points = at_once(at_points, (0, 0, 0, None), directly=True)

    def stack(self, name: str, value: ArrayLike) -> Tensor:
        """Flat weight vectors (members, parameters) as a tensor of this network's precision, on its device.

        Non-finite weights may stand in it. `name` is the parameter's, for the message where the shape does not fit.
        """
        known = {"parameters": (len(self.weights), "module")}
        vectors = Shaped("members parameters", finite=False)(name, _plain(value), known)
        return torch.as_tensor(vectors).to(self.weights)

    def inputs(self, name: str, value: ArrayLike, members: int = 1, own: bool = False) -> Tensor:
        """Inputs (members, n, ...) as a tensor; shared ones are a view that takes no memory.

        Whole numbers stay such where the module takes them, as an embedding does; elsewhere they are real ones.

        Parameters
        ----------
        name
            The parameter's name, for the message.
        value : array, shape (n, ...), or (members, n, ...) if `own`
            The inputs.
        members
            The number of members.
        own
            Whether each member has inputs of its own.

        Raises
        ------
        ValueError
            If the shape is another, or the module is no function of one such input.
        """
        numbers = Shaped()(name, _plain(value), {})
        x = torch.as_tensor(np.require(numbers, requirements="W"))
        if x.ndim < 1 + own or (own and len(x) != members):
            wanted = f"({members}, n, ...)" if own else "(n, ...)"
            raise ValueError(f"{name} has shape {tuple(x.shape)}: it must be {wanted}.")
        x = x if own else x.expand(members, *x.shape)
        if _is_whole(value) and self._takes(x.to(self.weights.device, torch.long)):
            return x.to(self.weights.device, torch.long)
        x = x.to(self.weights)
        self._examine(x)
        return x

    def _takes(self, x: Tensor) -> bool:
        """Whether the module is a function of such inputs."""
        try:
            self._examine(x)
        except ValueError:
            return False
        return True

    def _examine(self, x: Tensor) -> None:
        if self._whole_batch:
            _examine_batch(self._given, x[0], self.weights.dtype)
        else:
            examined("module", self._given, some_points(x), self.weights.dtype)

    def heads(self, inputs: Tensor) -> int:
        """The number of outputs, found by a trial of the first of the inputs (members, n, ...).

        Raises
        ------
        ValueError
            If the module cannot take such inputs or gives an output of another shape.
        """
        trial = inputs[0, :1].expand(2, *inputs.shape[2:])
        with self.settled(), torch.no_grad():
            output = output_of("module", self.module, trial)
        return output.shape[1] if output.ndim == 2 else 1

    def block(self, heads: int, memory: float) -> int:
        """The number of inputs whose Jacobians fit into this memory and the cache, at least 1."""
        numbers = min(PIECE, memory / self.weights.itemsize)
        return max(1, int(numbers / (heads * int(self.trained.sum()))))

    def settled(self) -> AbstractContextManager[None]:
        """Torch as the module needs it, with one thread for a small one; its own settings come back at the end."""
        threads = 1 if len(self.weights) < SMALL else None
        return settled(threads=threads, dtype=self.weights.dtype, device=self.weights.device, cudnn=False)

    def tensors(self, weights: Tensor) -> list[Tensor]:
        """The tensors that the module holds, cut from a flat vector (parameters,)."""
        return [
            (piece if trained else piece.detach().clone()).view(shape).to(kind)  # batch statistics move a buffer
            for piece, (shape, kind, trained) in zip(weights.split(self.sizes), self._kinds, strict=True)
        ]

    def called(self, tensors: Sequence[Tensor], x: Tensor) -> Tensor:
        """The outputs (n, heads) at inputs (n, ...) of a module that holds these tensors."""
        return self._call(tensors, x).reshape(len(x), -1)

    def outputs(self, weights: Tensor, x: Tensor) -> Tensor:
        """The outputs (n, heads) at other weights (parameters,) and inputs (n, ...)."""
        return self.called(self.tensors(weights), x)

    def jacobian(self, weights: Tensor, x: Tensor, chosen: Sequence[int] | None = None) -> Tensor:
        """The derivatives of the outputs in the weights, (members, n, heads, parameters); zero where none is trained.

        The weights are (members, parameters), the inputs (members, n, ...). Of `chosen` ones of `tensors`, the
        derivatives in the numbers of these alone.
        """
        pieces, own_ones = weights.split(self.sizes, 1), self.trainable if chosen is None else chosen
        # Each input gets a copy of the weights to itself. `jacrev` would do the same, and load torch's compiler.
        own = torch.cat([pieces[k] for k in own_ones], 1)[:, None].repeat(1, x.shape[1], 1).requires_grad_()
        with torch.enable_grad(), told("module cannot be differentiated"):  # whatever the caller has set
            outputs = self._at_points(weights, own, x, own_ones)
            if not outputs.requires_grad and len(own_ones) < len(self.trainable):  # these are used nowhere
                outputs = outputs + 0 * own.sum()
            slopes = [torch.autograd.grad(head.sum(), own, retain_graph=True)[0] for head in outputs.unbind(2)]
        if chosen is not None or self.trained.all():
            return torch.stack(slopes, 2)
        result = own.new_zeros(*outputs.shape, len(self.trained))
        result[..., self.trained] = torch.stack(slopes, 2)
        return result

    def _at_point(self, weights: Tensor, own: Tensor, point: Tensor, chosen: Sequence[int]) -> Tensor:
        tensors = self.tensors(weights)
        for k, piece in zip(chosen, own.split([self.sizes[k] for k in chosen]), strict=True):
            tensors[k] = piece.view_as(tensors[k])
        return self.called(tensors, point[None])[0]


@checked
def slices(length: Natural, size: Count) -> Iterator[slice]:
    """Cut a range into consecutive slices of one size; the last one may be shorter."""
    return (slice(start, min(start + size, length)) for start in range(0, length, size))


def _examine_batch(module: nn.Module, x: Tensor, dtype: torch.dtype) -> None:
    """Refuse a module that is no function of its weights and of all inputs (n, ...) together, in its own mode."""
    with told("module cannot be copied"):
        trial, beside = copy.deepcopy(module).to(dtype), copy.deepcopy(module).to(dtype)
    tensors = held(trial)
    other = [elsewhere(one) if isinstance(one, nn.Parameter) else one.detach().clone() for one in tensors]
    with settled(seed=0, dtype=dtype, device=x.device, cudnn=False), torch.no_grad():
        for tensor, values in zip(tensors, other, strict=True):
            tensor.data = values.clone()
        given = output_of("module", trial, x)
        with told("module cannot be called with weights from outside"):
            outside = Stateless(beside)(other, x)
    if not alike(outside.reshape(len(x), -1), given.reshape(len(x), -1)):
        wanted = "drop-out must be put into eval(), and all that it uses must be its own parameters and buffers"
        raise ValueError(f"module gives other outputs when it is called again with the same weights: {wanted}.")


def _is_whole(value: ArrayLike) -> bool:
    if isinstance(value, Tensor):
        return not (value.is_floating_point() or value.dtype is torch.bool)
    return np.asarray(value).dtype.kind in "iu"


def _plain(value: ArrayLike) -> ArrayLike:
    """A tensor's numbers, wherever it lies and whether or not it requires a gradient."""
    return value.detach().cpu() if isinstance(value, Tensor) else value
