"""What the response predicts: one step, and a training that is linear in the weights."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call, jvp

from kbe import losses
from kbe.data.encoding import all_inputs, random_encoding
from kbe.losses import gaussian_nll
from kbe.networks import VarianceNetwork
from kbe.response.prediction import linearised_training, predicted_change
from kbe.response.tangent_kernel import gram_matrix, neural_tangent_kernel


def small_network(seed: int = 0) -> VarianceNetwork:
    torch.manual_seed(seed)
    return VarianceNetwork(bits=4, layers=2, channels=2).double()


def slope_of_error(rates: np.ndarray, errors: list[float]) -> float:
    return np.polyfit(np.log(rates), np.log(errors), 1)[0]


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_eq4_full_batch_step_is_predicted_with_slope_2(reduction):
    module = small_network(5)
    data = random_encoding(6, bits=4, seed=1).isel(member=0)
    x, y = torch.as_tensor(data["x"].to_numpy()), torch.as_tensor(data["y"].to_numpy())
    everywhere = torch.as_tensor(all_inputs(4))
    theta = neural_tangent_kernel(module, everywhere, x)
    outputs = module(x).detach().requires_grad_()
    gradient = torch.autograd.grad(gaussian_nll(outputs, y).sum(), outputs)[0].numpy()
    rates, errors = np.geomspace(1e-4, 1e-2, 6), []
    for rate in rates:
        trained = copy.deepcopy(module)
        losses = gaussian_nll(trained(x), y)
        (losses.mean() if reduction == "mean" else losses.sum()).backward()
        torch.optim.SGD(trained.parameters(), lr=rate).step()
        change = (trained(everywhere) - module(everywhere)).detach().numpy()
        errors.append(np.abs(change - predicted_change(theta, gradient, rate, reduction)).max())
    assert abs(slope_of_error(rates, errors) - 2) < 0.05


def test_eq4_hand_computed_case():
    theta = np.arange(8.0).reshape(1, 2, 2, 2)  # one watched input, two trained ones, two heads
    gradient = np.array([[1.0, 2.0], [3.0, 4.0]])
    # head 0: 0*1 + 1*2 + 4*3 + 5*4 = 34, head 1: 2*1 + 3*2 + 6*3 + 7*4 = 54
    np.testing.assert_allclose(predicted_change(theta, gradient, 0.1, "sum"), [[-3.4, -5.4]])
    np.testing.assert_allclose(predicted_change(theta, gradient, 0.1), [[-1.7, -2.7]])


def test_eq4_members_are_predicted_at_once():
    generator = np.random.default_rng(0)
    theta, gradient = generator.normal(size=(3, 4, 5, 2, 2)), generator.normal(size=(3, 5, 2))
    together = predicted_change(theta, gradient, 0.1)
    for member in range(3):
        np.testing.assert_allclose(together[member], predicted_change(theta[member], gradient[member], 0.1))


# --- many steps with the response of the start


DATA = random_encoding(6, bits=4, seed=1).isel(member=0)
X, Y = torch.as_tensor(DATA["x"].to_numpy()), torch.as_tensor(DATA["y"].to_numpy())
ALL = torch.as_tensor(all_inputs(4))
THREE = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3), nn.Sigmoid())


def cross_entropy(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """A loss of one's own, for class labels."""
    return torch.nn.functional.cross_entropy(output, target.long(), reduction="none")


CASES = [
    (small_network(), losses.gaussian_nll),
    (small_network(1), losses.laplace_nll),
    (THREE, losses.student_t_learned_nll),
    (THREE, cross_entropy),
]


@pytest.mark.parametrize(("module", "loss"), CASES, ids=lambda one: getattr(one, "__name__", ""))
def test_eq4_the_first_step_is_the_true_one_to_first_order(module, loss):
    rates, errors = np.geomspace(1e-4, 1e-2, 6), []
    module = copy.deepcopy(module).double()
    for rate in rates:
        trained = copy.deepcopy(module)
        loss(trained(X), Y).mean().backward()
        torch.optim.SGD(trained.parameters(), lr=rate).step()
        before, after = linearised_training(module, X, Y, loss, ALL, learning_rate=rate)
        np.testing.assert_allclose(before, module(ALL).detach(), rtol=1e-13)
        errors.append(np.abs(after - trained(ALL).detach().numpy()).max())
    assert abs(slope_of_error(rates, errors) - 2) < 0.05


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(("module", "loss"), CASES, ids=lambda one: getattr(one, "__name__", ""))
def test_a_linearised_module_that_is_trained_has_these_outputs(module, loss, reduction):
    """Gradient descent on the weights of the module's first-order expansion, by forward derivatives."""
    module = copy.deepcopy(module).double()
    start = {name: parameter.detach() for name, parameter in module.named_parameters()}
    moved = {name: torch.zeros_like(parameter).requires_grad_() for name, parameter in start.items()}

    def linear(x):
        value, change = jvp(lambda weights: functional_call(module, weights, (x,)), (start,), (moved,))
        return value + change

    found = linearised_training(module, X, Y, loss, ALL, learning_rate=0.05, steps=20, reduction=reduction)
    assert found.shape == (21, len(ALL), module(ALL).shape[1])
    for outputs in found:
        np.testing.assert_allclose(outputs, linear(ALL).detach(), rtol=1e-10, atol=1e-12)
        values = loss(linear(X), Y)
        slopes = torch.autograd.grad(getattr(values, reduction)(), list(moved.values()))
        with torch.no_grad():
            for weight, slope in zip(moved.values(), slopes, strict=True):
                weight -= 0.05 * slope


def test_eq12_squared_error_decays_by_the_power_of_the_kernel():
    module = copy.deepcopy(THREE[:3]).double()
    module[2] = nn.Linear(5, 1).double()
    found = linearised_training(module, X, Y, losses.squared_error, steps=30, reduction="sum")[..., 0]
    kernel = gram_matrix(neural_tangent_kernel(module, X))
    for t in (1, 2, 30):
        left = np.linalg.matrix_power(np.eye(6) - 0.1 * kernel, t)
        np.testing.assert_allclose(found[t], Y.numpy() - left @ (Y.numpy() - found[0]), rtol=1e-11)


def test_watched_inputs_do_not_change_the_training_and_the_module_stays():
    module, before = small_network(), copy.deepcopy(small_network().state_dict())
    with torch.no_grad():
        alone = linearised_training(module, X, Y, learning_rate=0.01, steps=5)
        together = linearised_training(module, X, Y, watched=torch.cat([ALL, X]), learning_rate=0.01, steps=5)
    np.testing.assert_allclose(together[:, len(ALL) :], alone, rtol=1e-12)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_outputs_end_where_a_deviation_has_crossed_zero():
    """On its target a linear deviation falls by eta / sigma: from 0.5 to 0.3, to -0.033, which has no logarithm."""
    module = nn.Linear(1, 2, bias=False).double()
    module.weight.data[:, 0] = torch.tensor([0.7, 0.5], dtype=torch.float64)
    found = linearised_training(module, [[1.0]], [0.7], learning_rate=0.1, steps=5)[:, 0]
    np.testing.assert_allclose(found, [[0.7, 0.5], [0.7, 0.3], [0.7, 0.3 - 1 / 3], *[[np.nan] * 2] * 3], rtol=1e-12)


THETA = np.ones((2, 3, 2, 2))


@pytest.mark.parametrize("rate", [0, -1.0, np.nan, np.inf, "fast", None, True])
def test_bad_learning_rates_are_refused(rate):
    for call in (
        lambda: predicted_change(THETA, np.ones((3, 2)), rate),
        lambda: linearised_training(small_network(), X, Y, learning_rate=rate),
    ):
        with pytest.raises(ValueError, match="learning_rate is"):
            call()


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: predicted_change(THETA, np.ones((2, 2)), 0.1), "loss_gradient has shape .* with m = 3 as in kernel"),
        (lambda: predicted_change(THETA, np.ones((3, 1)), 0.1), "with trained_heads = 2 as in kernel"),
        (lambda: predicted_change(THETA, np.ones((1, 3, 2)), 0.1), "loss_gradient .* they must be"),
        (lambda: predicted_change(np.nan * THETA, np.ones((3, 2)), 0.1), "kernel holds NaN"),
        (lambda: predicted_change(THETA, np.ones((3, 2)), 0.1, "median"), "reduction is 'median'"),
        (lambda: linearised_training(None, X, Y), "module is None"),
        (lambda: linearised_training(small_network(), X, Y[1:]), r"y has shape \(5,\): it must be \(6,\)"),
        (lambda: linearised_training(small_network(), X, Y[:, None]), "y has shape"),
        (lambda: linearised_training(small_network(), X[:, 1:], Y), "x is of shape"),
        (lambda: linearised_training(small_network(), X, Y, watched=[np.nan]), "watched holds NaN"),
        (lambda: linearised_training(small_network(), X, Y, "gaussian"), "loss is 'gaussian'"),
        (lambda: linearised_training(small_network(), X, Y, lambda f, y: f.mean()), "loss gives shape"),
        (lambda: linearised_training(small_network(), X, Y, steps=0), "steps is 0"),
        (lambda: linearised_training(small_network(), X, Y, reduction="median"), "reduction is 'median'"),
        (lambda: linearised_training(small_network(), X, Y, dtype=torch.int64), "dtype is torch.int64"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
