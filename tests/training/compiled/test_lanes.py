"""The compiled pieces, each against autograd: layers, heads, losses, the step and the onset."""

from __future__ import annotations

import functools
import hashlib
from typing import NamedTuple

import numpy as np
import pytest
import torch
from numba import njit
from torch import nn

from kbe import losses
from kbe.data.encoding import random_encoding
from kbe.networks import ACTIVATIONS, HEADS, BitNetwork
from kbe.training.compiled import activations, backward, lanes, loss_derivatives
from kbe.training.compiled.fast import FastTrainer
from kbe.training.compiled.simd import WIDTH, load, store
from kbe.training.weights import flat_parameters, with_parameters

KINDS = {name: activations.NAMES[name] for name in (*ACTIVATIONS, *HEADS)}
LOSSES = [
    losses.squared_error,
    losses.gaussian_nll,
    losses.gaussian_nll_misprinted,
    losses.laplace_nll,
    functools.partial(losses.student_t_nll, degrees=2.5),
    functools.partial(losses.beta_nll, beta=0.3),
    losses.faithful_nll,
    functools.partial(losses.clamped_gaussian_nll, floor=0.2),
]


@njit(error_model="numpy")
def activated(z, kind, values, slopes):
    for row in range(z.shape[0]):
        store(values, row, activations.activate(load(z, row), kind))
        store(slopes, row, activations.slope(load(values, row), kind))


ROOM = ("hidden", "hidden", "nodes", "outputs", "slopes", "gradient", "back")  # the values are the hidden ones


class Laid(NamedTuple):
    """Sixteen networks with data as `kbe.training.compiled.fast` lays them out, and as torch knows them."""

    trainer: FastTrainer
    modules: list[nn.Module]
    x: torch.Tensor
    y: torch.Tensor

    def block(self, *names: str) -> list[np.ndarray]:
        return [self.trainer._lanes[name][0] for name in names]


def lay_out(merge: bool = True, heads: tuple[str, ...] = ("sigmoid", "softplus"), points: int = 6, **settings) -> Laid:
    torch.manual_seed(0)
    modules = [
        BitNetwork(heads, **{"bits": 5, "channels": 2, "sigma_floor": 0.1, **settings}).double() for _ in range(WIDTH)
    ]
    data = random_encoding(points, modules[0].bits, WIDTH, repeat=True)
    weights = np.stack([flat_parameters(module) for module in modules])
    x, y = data.x.values, data.y.values
    trainer = FastTrainer(modules[0], weights, x, y, losses.squared_error, 0.1, True, 0.25, 1, merge)
    return Laid(trainer, modules, torch.as_tensor(x), torch.as_tensor(y))


def outputs_of(laid: Laid) -> torch.Tensor:
    return torch.stack([module(x) for module, x in zip(laid.modules, laid.x, strict=True)])


# --- activations: Eq. (10), (11)


@pytest.mark.parametrize("name", KINDS)
def test_eq10_activations_and_their_slopes_are_torchs(name):
    z = np.concatenate([np.linspace(-30, 30, 12 * WIDTH - 4), [-1e-12, 0.0, 1e-12, 1e-300]]).reshape(-1, WIDTH)
    values, slopes = np.empty_like(z), np.empty_like(z)
    activated(z, KINDS[name], values, slopes)
    at = torch.tensor(z, requires_grad=True)
    torch_values = (ACTIVATIONS[name]() if name in ACTIVATIONS else HEADS[name])(at)
    (torch_slopes,) = torch.autograd.grad(torch_values.sum(), at)
    np.testing.assert_allclose(values, torch_values.detach(), rtol=3e-16, atol=3e-16)
    np.testing.assert_allclose(slopes, torch_slopes, rtol=3e-15, atol=3e-16)


@pytest.mark.parametrize("name", KINDS)
def test_activations_of_what_is_not_finite_are_torchs(name):
    z = np.resize([np.nan, np.inf, -np.inf, 800.0, -800.0], (1, WIDTH))
    values, slopes = np.empty_like(z), np.empty_like(z)
    activated(z, KINDS[name], values, slopes)
    torch_values = (ACTIVATIONS[name]() if name in ACTIVATIONS else HEADS[name])(torch.tensor(z))
    np.testing.assert_allclose(values, torch_values, rtol=1e-15)
    assert np.isnan(slopes[np.isnan(values)]).all() or name == "relu"


# --- forward: Eq. (9) to (11)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("merge", [False, True])
@pytest.mark.parametrize("settings", [
    {}, {"layers": 1}, {"channels": 4}, {"kernel_size": 2}, {"kernel_size": 4}, {"padding": "circular"}, {"bits": 1},
    {"padding": "valid", "layers": 2}, {"heads": ("linear",)}, {"heads": ("linear", "exponential", "sigmoid")},
])  # fmt: skip
def test_eq9_forward_gives_torchs_outputs(settings, merge):
    laid = lay_out(merge, **settings)
    np.testing.assert_allclose(laid.trainer.outputs(), outputs_of(laid).detach(), rtol=1e-14, atol=1e-15)


# --- losses


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: getattr(loss, "func", loss).__name__)
def test_loss_slopes_are_those_of_autograd(loss):
    """Two slots of rows, as for inputs drawn twice: the slopes of a row's points add up; absent points add nothing."""
    rows, generator = 4, np.random.default_rng(0)
    outputs = generator.uniform(0.1, 2, (2 * rows, WIDTH))
    target = generator.integers(0, 2, (2 * rows, WIDTH)).astype(float)
    outputs[0], target[0] = 1.0, 1.0  # a point without residual
    share = np.where(generator.random((2 * rows, WIDTH)) < 0.7, 1 / 3, 0.0)
    outputs[[3, 7], 5], share[[3, 7], 5] = np.nan, 0.0
    slopes = np.empty_like(outputs)
    loss_derivatives.loss_slopes(outputs, rows, target, share, *loss_derivatives.compiled_form(loss), slopes)

    at = torch.tensor(outputs, requires_grad=True)
    points = at.reshape(2, rows, WIDTH).movedim(0, -1)
    total = sum(
        (torch.tensor(s) * loss(points, torch.tensor(t))).where(torch.tensor(s) > 0, 0.0).nansum()
        for s, t in zip(share.reshape(2, rows, WIDTH), target.reshape(2, rows, WIDTH), strict=True)
    )
    (expected,) = torch.autograd.grad(total, at)
    np.testing.assert_allclose(slopes, expected.nan_to_num(), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("loss", LOSSES[1:], ids=lambda loss: getattr(loss, "func", loss).__name__)
def test_loss_slopes_of_a_point_that_is_not_finite_are_not_finite(loss):
    outputs, share = np.full((2, WIDTH), np.nan), np.ones((1, WIDTH))
    slopes = np.zeros_like(outputs)
    loss_derivatives.loss_slopes(outputs, 1, np.zeros((1, WIDTH)), share, *loss_derivatives.compiled_form(loss), slopes)
    assert np.isnan(slopes).all()


# --- backward


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("merge", [False, True])
@pytest.mark.parametrize("settings", [
    {}, {"layers": 1}, {"layers": 2, "channels": 3}, {"kernel_size": 2}, {"kernel_size": 4, "padding": "circular"},
    {"padding": "valid", "layers": 2}, {"activation": "relu"}, {"activation": "tanh"}, {"activation": "sigmoid"},
    {"heads": ("linear",)}, {"heads": ("exponential", "linear")}, {"bits": 1}, {"channels": 1}, {"channels": 4},
    {"channels": 5, "kernel_size": 5},
])  # fmt: skip
def test_backward_gives_autograds_gradient(settings, merge):
    """Whatever the slopes in the outputs: here they are random, and zero at rows that a member lacks."""
    laid = lay_out(merge, **settings)
    (share,) = laid.block("share")
    outputs, slopes = laid.block("outputs", "slopes")
    rows, generator = len(outputs) // len(laid.modules[0].heads), np.random.default_rng(1)
    slopes[:] = generator.standard_normal(slopes.shape)
    slopes.reshape(-1, rows, WIDTH)[:, share[:rows] == 0] = 0
    before, after = laid.block("weights", "turned"), laid.block(*ROOM)
    backward.backward(laid.trainer._network, *before, None, *after)
    (gradient,) = laid.block("gradient")
    for member, (module, x, row) in enumerate(zip(laid.modules, laid.x, laid.trainer._row, strict=True)):
        distinct = [list(row).index(one) for one in dict.fromkeys(row)]  # an input drawn twice has one row
        pull = torch.as_tensor(slopes.reshape(-1, rows, WIDTH)[:, row[distinct], member]).T
        found = torch.autograd.grad((module(x[distinct]) * pull).sum(), list(module.parameters()), allow_unused=True)
        expected = torch.cat([g.flatten() for g in found])
        np.testing.assert_allclose(gradient[:, member], expected, rtol=1e-11, atol=1e-13)


def test_backward_through_the_sums_of_the_heads_alone():
    laid = lay_out(layers=1)
    outputs, slopes, gradient, nodes = laid.block("outputs", "slopes", "gradient", "nodes")
    table, *_, first_weight, heads = laid.trainer._network
    slopes[:], gradient[:] = 1.0, 0.0
    backward.back_through_sums(table[-1], heads, first_weight, outputs, slopes, gradient, nodes)
    positions, pairs, _, rows = heads[:4]
    bias = first_weight + 2 * positions
    assert (np.delete(gradient, [bias, -1], axis=0) == 0).all()  # the others' gradients are not yet known
    # with unit slopes the bias of a head gains the sum of R' over rows, and so do the pairs of each position together
    mean, deviation = outputs[: len(rows)], outputs[len(rows) :] - 0.1
    np.testing.assert_allclose(gradient[bias], (mean * (1 - mean)).sum(0), rtol=1e-12)
    np.testing.assert_allclose(gradient[-1], (1 - np.exp(-deviation)).sum(0), rtol=1e-12)
    for head, total in enumerate((gradient[bias], gradient[-1])):
        of_pairs = nodes.reshape(2, -1, WIDTH)[head, : len(pairs)]
        for position in range(positions):
            np.testing.assert_allclose(of_pairs[pairs[:, 0] == position].sum(0), total, rtol=1e-12)


# --- step and onset


def test_step_is_gradient_descent_and_bit_for_bit_so():
    generator = np.random.default_rng(0)
    weights, gradient = generator.standard_normal((2, 7, WIDTH))
    expected = weights - 0.3 * gradient
    lanes.step(weights, gradient, 0.3)
    assert (weights == expected).all()


def test_onset_is_the_first_jump_at_a_point_of_the_member():
    before, share = np.zeros((4, WIDTH)), np.ones((2, WIDTH))
    outputs, onset = np.zeros((4, WIDTH)), np.full((1, WIDTH), -1)
    outputs[1, 0] = 0.3  # a jump of the mean
    outputs[3, 1] = -0.3  # of the deviation, downwards
    outputs[2, 2] = np.nan
    outputs[2, 3] = np.inf
    outputs[0, 4] = 0.25  # no more than allowed
    outputs[1, 5], share[1, 5] = 0.9, 0.0  # where the member has no point
    outputs[0, 6], onset[0, 6] = 0.9, 3  # it had its onset before
    lanes.note_onsets(outputs, 2, before, share, 0.25, 8, onset)
    assert onset[0].tolist() == [8, 8, 8, 8, -1, -1, 3] + [-1] * 9


@pytest.mark.parametrize(("points", "dtype", "expected"), [
    (3, "float64", "7ce53bb0f59ac13a"), (31, "float64", "3d3d268705b52ff8"),
    (3, "float32", "df4e702aca6e5610"), (31, "float32", "2eca34c3f10e21d7"),
])  # fmt: skip
def test_no_sum_is_reordered_and_no_operation_fused_on_any_processor(points, dtype, expected):
    """The bits of outputs and weights after some epochs, as they first were: without and with merged windows."""
    draw = np.random.default_rng(0)
    module = BitNetwork(("sigmoid", "sigmoid"), bits=5, channels=4)
    weights = draw.random((5, len(flat_parameters(module)))).astype(dtype) - 0.5
    codes = np.argsort(draw.random((5, 32)), axis=1)[:, :points]
    x, y = (codes[..., None] >> np.arange(5) & 1).astype(float), codes % 3 % 2 * 1.0
    trainer = FastTrainer(module, weights, x, y, losses.gaussian_nll, 0.02, True, 0.25, 1)
    trainer.advance(25)
    assert (trainer._row.max() >= points) == (points == 31)
    found = np.ascontiguousarray(trainer.outputs()).tobytes() + trainer.parameters().tobytes()
    assert hashlib.sha256(found).hexdigest()[:16] == expected


def test_an_epoch_is_one_step_down_autograds_gradient():
    laid = lay_out()
    weights = laid.trainer.parameters()
    laid.trainer.advance(1)
    for member, module in enumerate(laid.modules):
        loss = losses.squared_error(module(laid.x[member]), laid.y[member]).mean()
        found = torch.autograd.grad(loss, list(module.parameters()), allow_unused=True, materialize_grads=True)
        expected = weights[member] - 0.1 * torch.cat([g.flatten() for g in found]).numpy()
        np.testing.assert_allclose(laid.trainer.parameters()[member], expected, rtol=1e-13, atol=1e-15)
        moved = with_parameters(module, expected)(laid.x[member]).detach()
        np.testing.assert_allclose(laid.trainer.outputs()[member], moved, rtol=1e-12)
