"""Any torch module as a pure function of one flat vector of weights, with its derivatives.

The order of a flat vector is that of `module.parameters()`, as `torch.nn.utils.parameters_to_vector`
makes it. The module that is given stays as it is: a copy is used, in evaluation mode, so that dropout
is off and batch normalisation uses the statistics that it has stored.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.utils import parameters_to_vector

from kbe.checks import Count, Natural, Shaped, checked

JACOBIAN_NUMBERS = 2**18  # in a Jacobian held at once when no block is asked for: 2 MiB in float64 stay in the cache

SMALL = 10_000  # weights; below it a second thread gains nothing, and on a busy machine waiting for it costs tenfold


class PureNetwork:
    """A module as a function of its weights.

    Parameters
    ----------
    module
        Maps inputs (n, ...) to outputs (n, heads), or (n,), which counts as one head.
    dtype
        The precision of weights, inputs and results.

    Attributes
    ----------
    weights : Tensor, shape (parameters,)
        The module's present weights.
    trained : Tensor, shape (parameters,)
        One where a weight requires a gradient, zero where it does not.

    Raises
    ------
    ValueError
        If the module has nothing to train, or the type is not a floating-point one.
    """

    @checked
    def __init__(self, module: nn.Module, dtype: torch.dtype = torch.float64) -> None:
        if not any(p.requires_grad and p.numel() for p in module.parameters()):
            raise ValueError("module has no parameter that requires a gradient: there is nothing to train.")
        if not dtype.is_floating_point:
            raise ValueError(f"dtype is {dtype}: it must be a floating-point torch dtype.")
        self.module = copy.deepcopy(module).to(dtype).eval()
        self.weights = parameters_to_vector(self.module.parameters()).detach()
        self.trained = torch.cat([torch.full_like(p, p.requires_grad).flatten() for p in self.module.parameters()])
        self._shapes = {name: p.shape for name, p in self.module.named_parameters()}

    def stack(self, name: str, value: ArrayLike) -> Tensor:
        """Flat weight vectors (members, parameters) as a tensor of this network's precision, on its device.

        Non-finite weights may stand in it. `name` is the parameter's, for the message where the shape does not fit.
        """
        known = {"parameters": (len(self.weights), "module")}
        vectors = Shaped("members parameters", finite=False)(name, _plain(value), known)
        return torch.as_tensor(vectors).to(self.weights)

    def inputs(self, name: str, value: ArrayLike, members: int = 1, own: bool = False) -> Tensor:
        """Inputs (members, n, ...) as a tensor; shared ones are a view that takes no memory.

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
            If the shape is another.
        """
        x = torch.as_tensor(Shaped()(name, _plain(value), {})).to(self.weights)
        if x.ndim < 1 + own or (own and len(x) != members):
            wanted = f"({members}, n, ...)" if own else "(n, ...)"
            raise ValueError(f"{name} has shape {tuple(x.shape)}: it must be {wanted}.")
        return x if own else x.expand(members, *x.shape)

    def heads(self, inputs: Tensor) -> int:
        """The number of outputs, found by a trial of the first of the inputs (members, n, ...).

        Raises
        ------
        ValueError
            If the module cannot take such inputs or gives an output of another shape.
        """
        trial = inputs[0, :1].expand(2, *inputs.shape[2:])
        try:
            with torch.no_grad():
                shape = tuple(self.module(trial).shape)
        except (RuntimeError, TypeError, AttributeError, IndexError) as error:
            raise ValueError(f"module cannot take inputs of shape {tuple(trial.shape[1:])}: {error}.") from error
        if len(shape) not in (1, 2) or shape[0] != 2 or 0 in shape:
            raise ValueError(f"module turns 2 inputs into outputs of shape {shape}: it must be (2, heads) or (2,).")
        return shape[1] if len(shape) == 2 else 1

    def block(self, heads: int) -> int:
        """The number of inputs whose Jacobians fit into 2 MiB in float64, at least 1."""
        return max(1, JACOBIAN_NUMBERS // (heads * len(self.weights)))

    @contextmanager
    def threads(self) -> Iterator[None]:
        """Let torch use one thread for a small network; its own setting comes back at the end."""
        before = torch.get_num_threads()
        if len(self.weights) < SMALL:
            torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    def outputs(self, weights: Tensor, x: Tensor) -> Tensor:
        """The outputs (n, heads) at other weights (parameters,) and inputs (n, ...)."""
        pieces = weights.split([shape.numel() for shape in self._shapes.values()])
        named = {name: piece.view(shape) for (name, shape), piece in zip(self._shapes.items(), pieces, strict=True)}
        return functional_call(self.module, named, (x,)).reshape(len(x), -1)

    def jacobian(self, weights: Tensor, x: Tensor) -> Tensor:
        """The derivatives of the outputs in the trained weights, (members, n, heads, parameters); zero in the others.

        The weights are (members, parameters), the inputs (members, n, ...).
        """
        # Each input gets a copy of the weights to itself. `jacrev` would do the same, and load torch's compiler.
        own = weights[:, None].repeat(1, x.shape[1], 1).flatten(0, 1).requires_grad_()
        with torch.enable_grad():  # whatever the caller has set
            outputs = vmap(lambda w, point: self.outputs(w, point[None])[0])(own, x.flatten(0, 1))
            slopes = [torch.autograd.grad(head.sum(), own, retain_graph=True)[0] for head in outputs.unbind(1)]
        return torch.stack(slopes, 1).unflatten(0, x.shape[:2]) * self.trained


@checked
def slices(length: Natural, size: Count) -> Iterator[slice]:
    """Cut a range into consecutive slices of one size; the last one may be shorter."""
    return (slice(start, min(start + size, length)) for start in range(0, length, size))


def _plain(value: ArrayLike) -> ArrayLike:
    """A tensor's numbers, wherever it lies and whether or not it requires a gradient."""
    return value.detach().cpu() if isinstance(value, Tensor) else value
