"""Torch as it is wanted for a while; members at once or one by one; errors as sentences."""

from __future__ import annotations

import pytest
import torch
from modules import Recurrent
from torch import nn

from kbe.training.calling import at_once, settled
from kbe.training.weights import Stateless, held


def all_of_torch() -> list:
    return [
        torch.get_default_dtype(), torch.get_num_threads(), torch.backends.mha.get_fastpath_enabled(),
        torch.backends.cuda.flash_sdp_enabled(), torch.backends.cudnn.enabled, torch.random.get_rng_state().tolist(),
    ]  # fmt: skip


def test_torch_is_as_wanted_and_then_as_it_was_after_an_error_too():
    before = all_of_torch()
    with pytest.raises(RuntimeError, match="on purpose"), settled(seed=3, threads=2, dtype=torch.float64, cudnn=False):
        assert (torch.get_default_dtype(), torch.get_num_threads()) == (torch.float64, 2)
        assert not torch.backends.cudnn.enabled
        first = torch.rand(2)
        with settled(seed=4):
            assert torch.get_default_dtype() == torch.float64 and torch.get_num_threads() == 2
            assert not torch.backends.cudnn.enabled
            torch.manual_seed(0)
            torch.set_default_dtype(torch.float16)
        second = torch.rand(2)
        raise RuntimeError("on purpose")
    assert all_of_torch() == before
    with settled(seed=3):
        assert torch.equal(torch.cat([first, second]), torch.rand(4, dtype=torch.float64))


@pytest.mark.parametrize("make", [lambda: nn.Linear(4, 2), Recurrent], ids=["vectorised", "one by one"])
@pytest.mark.parametrize("shared", [False, True])
def test_members_at_once_are_the_members_alone(make, shared):
    modules, x = [make() for _ in range(3)], torch.randn(3, 5, 4)
    stacked = [torch.stack(each) for each in zip(*map(held, modules), strict=True)]
    together = at_once(Stateless(modules[0]), (0, None if shared else 0))(stacked, x[0] if shared else x)
    for member, module in enumerate(modules):
        torch.testing.assert_close(together[member], module(x[0] if shared else x[member]))


@pytest.mark.parametrize("branches", [False, True])
def test_members_draw_numbers_of_their_own(branches):
    def noisy(x: torch.Tensor) -> torch.Tensor:
        noise = torch.rand(3)
        return x + noise if not branches or x.sum() > 0 else x

    drawn = at_once(noisy, (0,))(torch.ones(2, 3))
    assert not torch.equal(*drawn)


def test_what_fails_for_one_member_fails_with_its_own_error():
    def fails(x: torch.Tensor) -> torch.Tensor:
        raise ArithmeticError("by itself")

    with pytest.raises(ArithmeticError, match="by itself"):
        at_once(fails, (0,))(torch.ones(2))
