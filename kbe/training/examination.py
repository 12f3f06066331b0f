"""A module is tried against itself before work starts: whether it is a function of its weights and of one point.

What it does decides, not what it is called. Points must not go into one another, nothing may be left over from one call
to the next, and what is random in training must rest in evaluation mode.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from kbe.refusals import shown, told
from kbe.training.calling import at_once, settled, streams
from kbe.training.weights import Stateless, held

POINTS = 8  # that a module is tried at, at most
_TOLERANCE = 1e-4  # of a head's largest output: rounding stays far below it, in single precision too
_SMALLEST = 1e-12  # an output so small is as good as none


def some_points(x: Tensor) -> Tensor:
    """A few of the inputs (members, n, ...), at least two that differ: where all are one, zeros stand beside it."""
    members, n = x.shape[:2]
    number = torch.arange(min(POINTS, members * n))
    chosen = x[number * members // len(number), number * n // len(number)]
    return torch.cat([chosen, torch.zeros_like(chosen[:1])]) if (chosen == chosen[:1]).all() else chosen


def elsewhere(weight: Tensor) -> Tensor:
    """Numbers near a weight's own, none of them zero by design."""
    ramp = torch.linspace(0.01, 0.02, weight.numel(), device=weight.device, dtype=weight.dtype).view(weight.shape)
    return 1.01 * weight.detach().nan_to_num(0.0, 1.0, -1.0) + ramp


def output_of(name: str, module: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """What a module gives at inputs (n, ...).

    Raises
    ------
    ValueError
        If it fails, or gives no real tensor with a row for each input.
    """
    try:
        output = module(x)
    except ValueError:  # its own sentence
        raise
    except Exception as error:
        given = f"{name} fails on inputs of shape {tuple(x.shape)}: {shown(error)}"
        raise ValueError(f"{given}{_hint(module, x)}.") from error
    if not isinstance(output, Tensor):
        join = "join what it holds, such as by torch.stack([mean, deviation], -1)"
        raise ValueError(f"{name} gives a {type(output).__name__}: it must be one tensor (points, heads); {join}.")
    if output.ndim not in (1, 2) or len(output) != len(x) or not output.numel() or not output.is_floating_point():
        wanted = f"it must be ({len(x)}, heads) for so many inputs, and real"
        raise ValueError(f"{name} gives {output.dtype} of shape {tuple(output.shape)}: {wanted}.")
    return output


def examined(name: str, module: nn.Module, x: Tensor, dtype: torch.dtype | None = None) -> bool:
    """Try a module at inputs (n, ...), at least two, and refuse what is no function of its weights and of one point.

    It is tried at weights other than its own, which may be zero, and in its own precision if no `dtype` is given.

    Returns
    -------
    bool
        Whether it is random in the mode in which it is, or otherwise differs from evaluation mode.

    Raises
    ------
    ValueError
        If it does what it must not.
    """
    with told(f"{name} cannot be copied"):
        trial = copy.deepcopy(module).to(dtype)
    tensors = held(trial)
    own = [tensor.detach().clone() for tensor in tensors]
    other = [elsewhere(tensor) if isinstance(tensor, nn.Parameter) else tensor.detach().clone() for tensor in tensors]
    real = next(tensor.dtype for tensor in tensors if tensor.is_floating_point())
    with settled(seed=0, dtype=real, device=x.device):
        _put(tensors, other)
        given, random = _tried(name, trial, x)
        trial.eval()
        _put(tensors, own)
        both = [torch.stack(pair) for pair in zip(own, other, strict=True)]
        with told(f"{name} cannot be called with weights from outside"):
            outside = at_once(Stateless(trial), (0, None))(both, x)[1].reshape(len(x), -1)
        if not random and alike(outside, given):
            return False
        _put(tensors, other)
        rest, noise = _tried(f"{name} in evaluation mode", trial, x)
        if noise:
            hint = "drop-out by a function takes training=self.training"
            raise ValueError(f"{name} is random in evaluation mode too, where it must not be: {hint}.")
        if not alike(outside, rest):
            wanted = "all that it uses must be its own parameters and buffers"
            raise ValueError(f"{name} gives other outputs when its weights are handed over from outside: {wanted}.")
    return random or not alike(given, rest)


def examined_loss(loss: Callable[[Tensor, Tensor], Tensor], output: Tensor, target: Tensor) -> None:
    """Try a loss at outputs (points, heads) and their targets, and refuse what gives no value for each point alone.

    Raises
    ------
    ValueError
        If it fails, or gives something else.
    """
    points = len(target)
    with settled(seed=0, dtype=output.dtype, device=output.device):
        start = torch.default_generator.get_state()
        with told("loss fails on the output at the points of the first member"):
            values = loss(output, target)
        if not isinstance(values, Tensor) or values.shape != target.shape:
            shape = f"shape {tuple(values.shape)}" if isinstance(values, Tensor) else f"a {type(values).__name__}"
            raise ValueError(f"loss gives {shape}: it must be one value for each of {points} points.")
        if not values.is_floating_point() or not values.requires_grad:
            raise ValueError(f"loss gives {values.dtype} without a gradient: it must be real and move with the output.")
        random = not torch.equal(torch.default_generator.get_state(), start)
        with told("loss fails on more points"):
            beside = loss(torch.cat([1.01 * output + 0.01, output]), torch.cat([target, target]))[points:]
    if not random and not alike(beside, values):
        raise ValueError(
            "loss gives another value at a point where other points stand beside it: each must be its own."
        )


def examined_optimizer(optimizer: Callable[..., torch.optim.Optimizer], learning_rate: float) -> None:
    """Try two steps on two members, and refuse what does not step each as if alone.

    Raises
    ------
    ValueError
        If it fails, or one member moves the other.
    """
    start, slopes = torch.tensor([[0.5, -1.0], [2.0, 3.0]]), torch.tensor([[1.0, -2.0], [30.0, 4.0]])

    def stepped(some: slice) -> Tensor:
        numbers = start[some].clone().requires_grad_()
        made = optimizer([numbers], lr=learning_rate)
        for _ in range(2):
            made.zero_grad()
            numbers.grad = slopes[some].clone()
            made.step()
        return numbers.detach()

    with settled(seed=0), told(f"optimizer makes from parameters and lr={learning_rate!r} nothing that steps"):
        before = torch.default_generator.get_state()
        together, alone = stepped(slice(2)), torch.cat([stepped(slice(1)), stepped(slice(1, 2))])
        random = not torch.equal(torch.default_generator.get_state(), before)
    if not random and not alike(together, alone):
        raise ValueError("optimizer moves a number by the gradient of others: it must act on every number alone.")


def alike(first: Tensor, second: Tensor) -> bool:
    """Whether outputs (..., n, heads) are the same but for rounding; what is not finite is like itself."""
    if first.shape != second.shape:
        return False
    size = torch.where(second.isfinite(), second, 0.0).abs().amax(-2, keepdim=True) if second.ndim > 1 else 1.0
    margin = max(_TOLERANCE, 10 * torch.finfo(second.dtype).eps)
    return torch.allclose(first / (size + _SMALLEST), second / (size + _SMALLEST), rtol=0, atol=margin, equal_nan=True)


def _put(tensors: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    for tensor, value in zip(tensors, values, strict=True):
        tensor.data = value.clone()


def _rows(output: Tensor) -> Tensor:
    return output.reshape(len(output), -1) if output.ndim else output.reshape(1, 1)


def _tried(name: str, module: nn.Module, x: Tensor) -> tuple[Tensor, bool]:
    """What a module gives at all points at once, again and alone, and whether it draws random numbers."""
    before = _state(module)
    start = [(stream, stream.get_state()) for stream in streams(x.device)]
    first = _rows(output_of(name, module, x))
    draws = any(not torch.equal(stream.get_state(), state) for stream, state in start)
    after = _state(module)
    changed = [key for key in before | after if before.get(key) != after.get(key)]
    if changed:
        instead = "use nn.LayerNorm or nn.GroupNorm instead, or put that part into evaluation mode by eval()"
        what = f"{name} changes {', '.join(changed)} when it is called"
        raise ValueError(f"{what}, as batch normalisation does: {instead}.")
    if not draws and alike(_alone(module, x), first):
        return first, draws
    for stream, state in start:
        stream.set_state(state)
    if not alike(_rows(output_of(name, module, x)), first):
        wanted = "nothing may stay from call to call, and what is random must come from torch's own stream"
        raise ValueError(f"{name} gives other outputs when it is called again: {wanted}.")
    if not draws:
        what = f"{name} gives another output at a point where other points stand beside it"
        raise ValueError(f"{what}, as batch normalisation does: use nn.LayerNorm or nn.GroupNorm instead.")
    return first, draws


def _alone(module: nn.Module, x: Tensor) -> Tensor:
    """What a module gives at the first point by itself, and at the others in another order."""
    try:
        return torch.cat([_rows(module(x[:1])), _rows(module(x[1:].flip(0))).flip(0)])
    except Exception:  # batch normalisation fails on one point, with a sentence that does not say what to do
        return torch.empty(0)


def _state(module: nn.Module) -> dict[str, bytes]:
    """The bits of all that a module holds, by name."""
    named = (*module.named_parameters(), *module.named_buffers())
    return {name: tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes() for name, tensor in named}


def _hint(module: Callable[[Tensor], Tensor], x: Tensor) -> str:
    """What helps a module that looks its inputs up in a table."""
    try:
        module(x.long())
    except Exception:
        return ""
    return "; it takes whole numbers, while inputs come as real ones, so that it must make them itself, by x.long()"
