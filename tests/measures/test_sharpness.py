"""The sharpness, against cases worked out by hand and against the training that it bounds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from kbe import losses
from kbe.data import encoding
from kbe.measures.sharpness import sharpness
from kbe.networks import AverageNetwork, VarianceNetwork
from kbe.training import ensemble
from kbe.training.weights import flat_parameters, initial_modules, with_parameters


class Constants(nn.Module):
    """Mean and standard deviation as the two weights themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.outputs = nn.Parameter(torch.tensor([0.3, 0.4], dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.outputs.expand(len(x), 2)


def test_eq8_sharpness_of_two_bare_outputs_is_the_eigenvalue_by_hand():
    mean, deviation, target = 0.3, 0.4, 1.0
    q = ((target - mean) / deviation) ** 2
    by_hand = (3 * q + np.sqrt(9 * q**2 + 4 * q + 4)) / (2 * deviation**2)
    measured = sharpness(Constants(), [[mean, deviation]], np.zeros((1, 1, 2)), [[target]])
    np.testing.assert_allclose(measured, by_hand, rtol=1e-12)


def test_eq13_linear_model_has_the_largest_eigenvalue_of_its_inputs():
    x = np.random.default_rng(0).normal(size=(2, 7, 3))
    measured = sharpness(nn.Linear(3, 1, bias=False), np.ones((2, 3)), x, np.zeros((2, 7)), losses.squared_error)
    expected = [np.linalg.eigvalsh(member.T @ member / 7)[-1] for member in x]
    np.testing.assert_allclose(measured, expected, rtol=1e-12)


def test_the_sum_over_points_is_n_times_the_mean():
    x, y = np.random.default_rng(1).normal(size=(1, 5, 2)), np.zeros((1, 5))
    model, weights = nn.Linear(2, 1), np.zeros((1, 3))
    by_mean, by_sum = (sharpness(model, weights, x, y, losses.squared_error, reduction=r) for r in ("mean", "sum"))
    np.testing.assert_allclose(by_sum, 5 * by_mean)


@pytest.mark.parametrize(("share", "grows"), [(0.98, False), (1.02, True)])
def test_classical_bound_parts_stable_from_unstable_steps_at_rest(share, grows):
    """At the rest of a linear model, an error grows if and only if eta times the sharpness exceeds 2."""
    x = np.random.default_rng(2).normal(size=(1, 6, 2))
    truth = np.array([0.7, -0.2])
    data = encoding.random_encoding(6, 8, 1).assign(
        x=(("member", "point", "feature"), x), y=(("member", "point"), x @ truth)
    )
    rate = share * 2 / float(sharpness(nn.Linear(2, 1, bias=False), [truth], x, x @ truth, losses.squared_error)[0])
    run = ensemble.train(
        lambda: nn.Linear(2, 1, bias=False), data, losses.squared_error, learning_rate=rate, epochs=100, jump=1e300
    )
    assert (float(run.loss[0, -1]) > float(run.loss[0, 0])) is grows


def test_eq8_sharpness_of_the_paper_network_agrees_with_a_step_along_it():
    """Second differences of the loss along any direction stay below the sharpness, and one direction meets it."""
    data = encoding.random_encoding(4, 8, 1, seed=3)
    network = initial_modules(VarianceNetwork, 1, 3)[0]
    weights = flat_parameters(network)
    largest = sharpness(network, [weights], data.x.values, data.y.values)[0]
    x, y = torch.as_tensor(data.x.values[0]), torch.as_tensor(data.y.values[0])

    @torch.no_grad()
    def loss(w):
        return float(losses.gaussian_nll(with_parameters(network, w)(x), y).mean())

    directions = np.random.default_rng(0).normal(size=(20, len(weights)))
    steps = 1e-3 * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    bends = [(loss(weights + s) + loss(weights - s) - 2 * loss(weights)) / 1e-6 for s in steps]
    assert max(bends) < largest * 1.001


class Scaled(nn.Module):
    """A linear model of inputs that a buffer scales; one of its weights may be frozen."""

    def __init__(self, frozen: bool) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
        self.first.requires_grad_(not frozen)
        self.register_buffer("scale", torch.tensor(0.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scale * (self.first(x[:, :1]) + self.second(x[:, 1:]))


@pytest.mark.parametrize("frozen", [False, True])
def test_eq13_only_trained_weights_count_and_buffers_are_each_members_own(frozen):
    x = np.random.default_rng(0).normal(size=(2, 7, 2)) * [3, 1]
    scales = [0.5, 2.0]
    held = [[1.0, 1.0, scale] for scale in scales]
    measured = sharpness(Scaled(frozen), held, x, np.zeros((2, 7)), losses.squared_error)
    seen = x[..., 1:] if frozen else x
    expected = [s**2 * np.linalg.eigvalsh(one.T @ one / 7)[-1] for s, one in zip(scales, seen, strict=True)]
    np.testing.assert_allclose(measured, expected, rtol=1e-12)


def test_a_curvature_below_zero_stays_beside_weights_that_are_fixed():
    measured = sharpness(Scaled(True), [[1.0, 1.0, 1.0]], [[[3.0, 2.0]]], [[0.0]], lambda o, y: -0.5 * o[:, 0] ** 2)
    np.testing.assert_allclose(measured, -4.0)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_recurrent_layers_have_a_curvature(kind):
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = kind(1, 1, batch_first=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(x[..., None])[0][:, -1]

    module, x, y = Recurrent().double(), torch.randn(3, 4).double(), torch.zeros(3).double()
    weights = flat_parameters(module)
    found = sharpness(module, [weights], x[None].numpy(), y[None].numpy(), losses.squared_error)[0]

    def total(w: torch.Tensor) -> torch.Tensor:
        pieces = zip(module.named_parameters(), w.split([p.numel() for p in module.parameters()]), strict=True)
        named = {name: piece.view_as(parameter) for (name, parameter), piece in pieces}
        return losses.squared_error(torch.func.functional_call(module, named, (x,)), y).mean()

    hessian = torch.autograd.functional.hessian(total, torch.as_tensor(weights))
    assert found == pytest.approx(torch.linalg.eigvalsh(hessian)[-1].item(), rel=1e-10)


@pytest.mark.parametrize(("module", "loss", "sentence"), [
    (nn.Sequential(nn.Linear(2, 1), nn.BatchNorm1d(1)), losses.squared_error, "module changes"),
    (nn.Linear(2, 1), lambda output, target: losses.squared_error(output, target).mean(), r"loss gives shape \(\)"),
    (nn.Linear(2, 1), losses.gaussian_nll, "output has shape"),
    (nn.Linear(2, 1), lambda output, target: Flat.apply(output[:, 0]), "module or loss cannot be differentiated twice"),
])  # fmt: skip
def test_what_has_no_curvature_is_refused_in_one_sentence(module, loss, sentence):
    count = sum(t.numel() for t in module.state_dict().values())
    with pytest.raises(ValueError, match=f"^{sentence}"):
        sharpness(module, np.ones((1, count)), np.ones((1, 3, 2)), np.zeros((1, 3)), loss)


class Flat(torch.autograd.Function):
    """A function whose slope torch cannot differentiate."""

    @staticmethod
    def forward(context, x: torch.Tensor) -> torch.Tensor:
        context.save_for_backward(x)
        return x**2

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(context, slope: torch.Tensor) -> torch.Tensor:
        return 2 * context.saved_tensors[0] * slope


def test_members_that_blew_up_are_nan_and_leave_the_others():
    weights = np.zeros((2, 122))
    weights[0, 0] = np.nan
    data = encoding.random_encoding(2, 8, 2)
    values = sharpness(VarianceNetwork(), weights, data.x.values, data.y.values)
    assert np.isnan(values[0]) and np.isfinite(values[1])


@settings(max_examples=20, deadline=None)
@given(points=st.integers(1, 4), more=st.integers(1, 3))
def test_bad_shapes_are_refused(points, more):
    x = np.zeros((1, points, 8))
    weights = np.zeros((1, flat_parameters(AverageNetwork()).size))
    with pytest.raises(ValueError, match="y has shape"):
        sharpness(AverageNetwork(), weights, x, np.zeros((1, points + more)), losses.squared_error)
    with pytest.raises(ValueError, match="parameters has shape"):
        sharpness(AverageNetwork(), weights[:, more:], x, np.zeros((1, points)), losses.squared_error)


def test_unknown_reduction_is_refused():
    with pytest.raises(ValueError, match="reduction"):
        sharpness(Constants(), [[0.3, 0.4]], np.zeros((1, 1, 2)), [[1.0]], reduction="median")
