"""Initial modules, and weights as vectors."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from kbe.networks import VarianceNetwork
from kbe.training.weights import (
    Stateless,
    architecture,
    flat_parameters,
    flattened,
    held,
    initial_modules,
    with_parameters,
)

FEW = settings(max_examples=25, deadline=None)
MAKE = functools.partial(VarianceNetwork, bits=5)


def test_a_members_first_module_is_its_own_whatever_the_number_and_the_global_stream():
    before = torch.random.get_rng_state()
    first, second = initial_modules(MAKE, 2, seed=5), initial_modules(MAKE, 4, seed=5)
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.get_default_dtype() == torch.float32
    for a, b in zip(first, second, strict=False):
        assert np.array_equal(flat_parameters(a), flat_parameters(b))
    assert not np.array_equal(flat_parameters(second[0]), flat_parameters(second[1]))
    assert not np.array_equal(*(flat_parameters(initial_modules(MAKE, 1, s)[0]) for s in (0, 1)))


@FEW
@given(count=st.integers(0, 200), dimensions=st.integers(1, 2))
def test_parameters_of_another_length_are_refused(count, dimensions):
    module = VarianceNetwork(bits=5)
    needed = len(flat_parameters(module))
    if count != needed or dimensions != 1:
        with pytest.raises(ValueError, match=f"the module has {needed} parameters"):
            with_parameters(module, np.zeros((count,) * dimensions))


def test_parameters_go_round():
    module = VarianceNetwork(bits=5).double()
    values = np.linspace(-1, 1, len(flat_parameters(module)))
    assert np.array_equal(flat_parameters(with_parameters(module, values)), values)
    assert not np.array_equal(flat_parameters(module), values)


class Everything(nn.Module):
    """A weight by two names and in a part that has two, a frozen one, buffers of all kinds."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 1)
        self.second.weight = self.first.weight
        self.again = self.first
        self.head.bias.requires_grad_(False)
        self.register_buffer("shift", torch.randn(3))
        self.register_buffer("order", torch.randperm(3))
        self.register_buffer("mask", torch.rand(3) < 0.5)
        self.register_buffer("count", torch.tensor(7), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.where(self.mask, self.first(x)[:, self.order] + self.shift, 0.5)
        return self.head(self.again(self.second(hidden).tanh()).tanh()) * self.count


def test_what_a_module_holds_stands_once_weights_first_and_then_buffers():
    module = Everything()
    names = {id(tensor): name for name, tensor in (*module.named_parameters(), *module.named_buffers())}
    assert [names[id(tensor)] for tensor in held(module)] == [
        "first.weight", "first.bias", "second.bias", "head.weight", "head.bias", "shift", "order", "mask", "count",
    ]  # fmt: skip
    flat = flat_parameters(module)
    assert flat.shape == (9 + 3 + 3 + 3 + 1 + 3 + 3 + 3 + 1,)
    assert flat[-7:].tolist() == [*module.order.tolist(), *module.mask.tolist(), 7]


def test_a_module_is_the_function_of_what_it_holds_whatever_shares_its_parts():
    one, other = Everything().double(), Everything().double()
    x = torch.randn(4, 3).double()
    before = other(x)
    assert torch.equal(Stateless(other)(held(one), x), one(x))
    assert torch.equal(other(x), before)
    moved = with_parameters(other, flat_parameters(one))
    assert torch.equal(moved(x), one(x))
    assert moved.second.weight is moved.first.weight and moved.again is moved.first
    assert [tensor.dtype for tensor in held(moved)] == [tensor.dtype for tensor in held(one)]


def test_initial_weights_are_rounded_and_buffers_are_not():
    module = initial_modules(Everything, 1)[0]
    assert torch.equal(module.first.weight, module.first.weight.float().double())
    assert module.shift.dtype == torch.float64 and not torch.equal(module.shift, module.shift.float().double())


def test_whole_numbers_that_do_not_fit_are_refused():
    odd = torch.tensor([2**24 + 1])
    assert flattened([odd], torch.float64).tolist() == [2**24 + 1]
    with pytest.raises(ValueError, match=r"whole numbers that torch.float32 cannot hold"):
        flattened([odd], torch.float32)


def in_one_memory() -> nn.Module:
    module = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    module[1].weight.data = module[0].weight.data
    return module


def halves() -> nn.Module:
    whole, module = torch.randn(3, 6), nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    module[0].weight, module[1].weight = nn.Parameter(whole[:, ::2]), nn.Parameter(whole[:, 1::2])
    return module


def sparse() -> nn.Module:
    module = nn.Linear(3, 1)
    module.register_buffer("graph", torch.eye(3).to_sparse())
    return module


@pytest.mark.parametrize(("make", "sentence"), [
    (in_one_memory, "tensors with common memory: what is shared must be one tensor"),
    (lambda: nn.Linear(3, 1, dtype=torch.complex64), "not of real numbers, all stored"),
    (lambda: nn.Linear(3, 1, device="meta"), "not of real numbers, all stored"),
    (sparse, "not of real numbers, all stored"),
    (halves, None),
])  # fmt: skip
def test_tensors_that_are_no_numbers_of_their_own_are_refused(make, sentence):
    for call in (held, flat_parameters, lambda module: initial_modules(lambda: module, 1)):
        if sentence is None:
            assert len(call(make()))
        else:
            with pytest.raises(ValueError, match=f"The module .* holds .*{sentence}"):
                call(make())


def test_an_architecture_leaves_no_trace():
    before = torch.random.get_rng_state()
    assert isinstance(architecture(MAKE), VarianceNetwork)
    assert torch.equal(before, torch.random.get_rng_state())
    with pytest.raises(ValueError, match="network fails when it is called"):
        architecture(nn.Linear)


@pytest.mark.parametrize("bad", ["none", None, [[1.0], [2.0, 3.0]], torch.zeros(3, requires_grad=True)])
def test_parameters_that_are_no_numbers_are_refused(bad):
    with pytest.raises(ValueError, match=r"^parameters "):
        with_parameters(MAKE(), bad)
