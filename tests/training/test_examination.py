"""What modules, losses and optimisers do when they are tried; what they are called does not matter."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kbe import losses
from kbe.networks import VarianceNetwork
from kbe.training.examination import alike, examined, examined_loss, examined_optimizer, some_points

part = functools.partial
X = torch.as_tensor(np.random.default_rng(0).normal(size=(6, 4)))


class Own(nn.Module):
    """A linear layer, and what a function makes of the module, its output and its inputs."""

    def __init__(self, makes: Callable[[nn.Module, Tensor, Tensor], object], **more: object) -> None:
        super().__init__()
        self.layer, self.makes, self.calls = nn.Linear(4, 1), makes, 0
        for name, value in more.items():
            setattr(self, name, value)

    def forward(self, x: Tensor) -> object:
        self.calls += 1
        return self.makes(self, self.layer(x), x)


class Noise:
    """Random numbers of another source than torch's."""

    def __init__(self) -> None:
        self.source = np.random.default_rng(0)

    def __next__(self) -> float:
        return self.source.random()


def normalised(**settings: object) -> nn.Module:
    return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3, **settings), nn.Linear(3, 1))


def at_rest() -> nn.Module:
    module = normalised()
    module[1].eval()
    return module


def listed() -> nn.Module:
    module = Own(lambda self, output, x: x @ self.others[0].T)
    module.others = [module.layer.weight]
    return module


def attentive() -> nn.Module:
    """Drop-out inside, behind no layer of its own."""
    attention = nn.MultiheadAttention(1, 1, dropout=0.5, batch_first=True)
    return Own(lambda self, output, x: output + self.attention(*[x[..., None]] * 3)[0].sum(1), attention=attention)


dropped = nn.functional.dropout


@pytest.mark.parametrize(("module", "differs"), [
    (VarianceNetwork(bits=4), False),
    (VarianceNetwork(bits=4, dropout=0.1), True),
    (nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4)), False),
    (nn.Sequential(nn.Linear(4, 4), nn.GroupNorm(2, 4)), False),
    (at_rest(), False),
    (Own(lambda self, output, x: dropped(output, 1e-9, self.training)), True),  # it draws, though nothing is masked
    (Own(lambda self, output, x: 2 * output if self.training else output), True),
    (attentive(), True),
    (attentive().eval(), False),
    (nn.Sequential(nn.Linear(4, 3), nn.RReLU()), True),
    (nn.Linear(4, 1, bias=False).requires_grad_(False), False),
])  # fmt: skip
def test_a_module_that_is_a_function_of_weights_and_one_point_passes(module, differs):
    before = {name: value.clone() for name, value in module.state_dict().items()}
    state, mode = torch.random.get_rng_state(), module.training
    assert examined("module", module.double(), X) is differs
    assert all(torch.equal(before[name].double(), value.double()) for name, value in module.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), state) and module.training == mode


BESIDE = "gives another output at a point where other points stand beside it"


@pytest.mark.parametrize(("module", "sentence"), [
    (normalised(), "changes 1.running_mean, 1.running_var, 1.num_batches_tracked when it is called"),
    (normalised().eval().train(), "changes 1.running_mean"),
    (normalised(track_running_stats=False), BESIDE),
    (Own(lambda self, output, x: output - output.mean(0)), BESIDE),
    (Own(lambda self, output, x: output - output[:1]), BESIDE),
    (Own(lambda self, output, x: output - output[-1:]), BESIDE),
    (Own(lambda self, output, x: output.cumsum(0)), BESIDE),
    (Own(lambda self, output, x: output if len(x) > 1 else 1 / 0), BESIDE),
    (Own(lambda self, output, x: output - output.mean(0) if self.training else output), BESIDE),
    (Own(lambda self, output, x: self.calls * output), "gives other outputs when it is called again"),
    (Own(lambda self, output, x: output + next(self.noise), noise=Noise()), "must come from torch's own stream"),
    (Own(lambda self, output, x: x.mul_(2) @ self.layer.weight.T), "gives other outputs when it is called again"),
    (Own(lambda self, output, x: dropped(output, 0.5)), "is random in evaluation mode too"),
    (listed(), "gives other outputs when its weights are handed over"),
    (nn.DataParallel(nn.Linear(4, 1)), "cannot be called with weights from outside"),
    (Own(lambda self, output, x: (output, output)), r"gives a tuple: .* torch.stack"),
    (Own(lambda self, output, x: {"mean": output}), r"gives a dict: .* torch.stack"),
    (Own(lambda self, output, x: output.mean()), r"of shape \(\)"),
    (Own(lambda self, output, x: output[None]), r"of shape \(1, 6, 1\)"),
    (Own(lambda self, output, x: output > 0), "torch.bool"),
    (nn.Linear(3, 1), r"fails on inputs of shape \(6, 4\): RuntimeError"),
])  # fmt: skip
def test_one_that_is_not_is_refused_in_one_sentence(module, sentence):
    with pytest.raises(ValueError, match=f"^network .*{sentence}") as raised:
        examined("network", module.double(), X.clone())
    assert "\n" not in str(raised.value)


def test_a_module_that_takes_whole_numbers_is_told_to_make_them():
    with pytest.raises(ValueError, match=r"^network fails .*; it takes whole numbers, .* by x.long\(\).$"):
        examined("network", nn.Embedding(9, 1).double(), X.abs())
    assert not examined("network", Own(lambda self, output, x: self.table(x.long())[:, 0],
                                       table=nn.Embedding(9, 1)).double(), X.abs())  # fmt: skip


def test_weights_that_start_at_zero_or_are_not_finite_hide_nothing():
    for value in (0.0, np.nan):
        module = Own(lambda self, output, x: output * output.sum(0))
        nn.init.constant_(module.layer.weight, value)
        nn.init.constant_(module.layer.bias, value)
        with pytest.raises(ValueError, match=BESIDE):
            examined("network", module.double(), X)


@pytest.mark.parametrize("shape", [(1, 1, 4), (1, 3, 4), (2, 1, 4), (50, 40, 4), (3, 5, 2, 2)])
def test_a_few_points_are_at_least_two_and_differ(shape):
    same, drawn = torch.ones(shape), torch.randn(shape)
    assert some_points(same).shape[1:] == shape[2:] and len(some_points(same).unique(dim=0)) == 2
    assert 2 <= len(some_points(drawn).unique(dim=0)) <= len(some_points(drawn)) <= 8


def test_alike_is_up_to_rounding_of_each_head_and_knows_what_is_not_finite():
    first = torch.tensor([[1e6, 1e-6], [2e6, torch.nan], [torch.inf, 3e-6]])
    assert alike(first * (1 + 1e-6), first)
    assert not alike(first + torch.tensor([0.0, 1e-8]), first)
    assert not alike(first.nan_to_num(), first)
    assert not alike(first[:2], first)


OUTPUT, TARGET = torch.rand(5, 2).add(0.1).requires_grad_(), torch.rand(5)


@pytest.mark.parametrize("loss", [
    losses.gaussian_nll, losses.squared_error,
    lambda output, target: (output[:, 0] - target - torch.rand(len(target))) ** 2,  # noise is no neighbour
])  # fmt: skip
def test_a_loss_of_each_point_passes(loss):
    examined_loss(loss, OUTPUT, TARGET)


@pytest.mark.parametrize(("loss", "sentence"), [
    (lambda output, target: 1 / 0, "fails on the output"),
    (lambda output, target: ((output[:, 0] - target) ** 2).mean(), r"gives shape \(\)"),
    (lambda output, target: (output[:, 0] - target).detach(), "without a gradient"),
    (lambda output, target: output[:, 0] - output[:, 0].mean() - target, "gives another value at a point"),
    (lambda output, target: (output[:, 0] - target).cumsum(0), "gives another value at a point"),
    (lambda output, target: losses.squared_error(output, target) if len(target) == 5 else 1 / 0, "fails on more"),
])  # fmt: skip
def test_a_loss_that_is_not_of_each_point_is_refused(loss, sentence):
    with pytest.raises(ValueError, match=f"^loss .*{sentence}"):
        examined_loss(loss, OUTPUT, TARGET)


def noisy(parameters, lr):
    made = torch.optim.SGD(parameters, lr=lr)
    made.register_step_post_hook(lambda *_: [p.data.add_(torch.randn_like(p)) for p in parameters])
    return made


@pytest.mark.parametrize("optimizer", [
    torch.optim.SGD, torch.optim.Adam, part(torch.optim.AdamW, weight_decay=0.1), torch.optim.RMSprop, noisy,
])  # fmt: skip
def test_an_optimiser_that_acts_on_every_number_alone_passes(optimizer):
    examined_optimizer(optimizer, 0.1)


@pytest.mark.parametrize("optimizer", [torch.optim.Adafactor, torch.optim.Muon])
def test_an_optimiser_that_lets_one_member_move_another_is_refused(optimizer):
    with pytest.raises(ValueError, match=r"^optimizer moves a number by the gradient of others"):
        examined_optimizer(optimizer, 0.1)
