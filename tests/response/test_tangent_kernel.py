"""The training response, equations 1 to 4."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from modules import KINDS, batch_normed, convolutional, jacobian_by_loop
from torch import nn

from kbe.data.encoding import all_inputs, random_encoding
from kbe.networks import AverageNetwork, VarianceNetwork
from kbe.response.tangent_kernel import (
    ensemble_kernel,
    gram_matrix,
    neural_tangent_kernel,
    one_step_response,
)
from kbe.training.weights import flat_parameters


class Product(nn.Module):
    """Two heads that can be differentiated by hand: a x and a b x, at a = 2 and b = 3."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(torch.tensor(2.0)), nn.Parameter(torch.tensor(3.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([self.a * x, self.a * self.b * x], -1)


def slope_of_error(rates: np.ndarray, errors: list[float]) -> float:
    return np.polyfit(np.log(rates), np.log(errors), 1)[0]


@pytest.mark.parametrize("memory", [1, 2_000, 1e9])
def test_eq3_kernel_is_the_jacobian_times_its_transpose(memory):
    module, first, second = convolutional(), all_inputs(4)[:7], all_inputs(4)[5:]
    theta = neural_tangent_kernel(module, first, second, memory=memory)
    assert theta.shape == (7, 11, 2, 2)
    expected = jacobian_by_loop(module, first) @ jacobian_by_loop(module, second).T
    np.testing.assert_allclose(gram_matrix(theta), expected, atol=1e-14)


def test_eq3_hand_computed_case():
    theta = neural_tangent_kernel(Product(), [1.0, -2.0], [5.0])
    # df_1 = (x, 0), df_2 = (b x, a x): the products are x x' times 1, b, b, a^2 + b^2
    np.testing.assert_allclose(theta[0, 0], 5 * np.array([[1, 3], [3, 13]]))
    np.testing.assert_allclose(theta[1, 0], -10 * np.array([[1, 3], [3, 13]]))


def test_eq3_kernel_is_symmetric_and_positive_semidefinite():
    gram = gram_matrix(neural_tangent_kernel(convolutional(3), all_inputs(4)))
    np.testing.assert_allclose(gram, gram.T, atol=1e-15)
    values = np.linalg.eigvalsh(gram)
    assert values.min() > -1e-13 * values.max()
    assert values.max() > 0


@pytest.mark.parametrize("bias", [False, True])
def test_eq3_linear_model_has_a_constant_kernel(bias):
    x = np.random.default_rng(0).normal(size=(6, 3))
    for scale in (1.0, 50.0):
        module = nn.Linear(3, 2, bias=bias)
        with torch.no_grad():
            module.weight.mul_(scale)
        theta = neural_tangent_kernel(module, x)
        expected = (x @ x.T + bias)[..., None, None] * np.eye(2)
        np.testing.assert_allclose(theta, expected, atol=1e-14)


def test_eq3_output_without_a_head_dimension_is_one_head():
    module = nn.Sequential(nn.Linear(3, 1), nn.Flatten(0))
    x = np.eye(3)
    assert module(torch.ones(5, 3)).shape == (5,)
    np.testing.assert_allclose(neural_tangent_kernel(module, x)[..., 0, 0], x @ x.T + 1)
    np.testing.assert_allclose(one_step_response(module, x)[..., 0, 0], x @ x.T + 1)


def test_eq3_weights_that_are_not_trained_do_not_enter():
    module = Product()
    module.b.requires_grad_(False)
    theta = neural_tangent_kernel(module, [1.0])
    np.testing.assert_allclose(theta[0, 0], [[1, 3], [3, 9]])
    np.testing.assert_allclose(one_step_response(module, [1.0])[0, 0], [[1, 3], [3, 9]], rtol=1e-12)


def test_module_stays_as_it_is_and_dropout_is_off():
    module = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3).eval(), nn.Dropout(0.5), nn.Linear(3, 2))
    module[1].running_var.uniform_(1, 3)
    before = copy.deepcopy(module.state_dict())
    x = all_inputs(4)
    theta = neural_tangent_kernel(module, x)
    np.testing.assert_array_equal(theta, neural_tangent_kernel(module, x))
    one_step_response(module, x)
    assert module.training
    assert all(p.grad is None and p.dtype == torch.float32 for p in module.parameters())
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    jacobian = jacobian_by_loop(module, x)
    np.testing.assert_allclose(gram_matrix(theta), jacobian @ jacobian.T, atol=1e-13)


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("kind", KINDS)
def test_eq1_eq3_a_module_of_any_kind_has_the_kernel_of_its_jacobian(kind):
    module, x = kind().double(), all_inputs(4)[:7]
    theta = neural_tangent_kernel(module, x)
    jacobian = jacobian_by_loop(module, x)
    np.testing.assert_allclose(gram_matrix(theta), jacobian @ jacobian.T, atol=1e-13)
    np.testing.assert_allclose(one_step_response(module, x, learning_rate=1e-6), theta, atol=1e-4)


COUPLED = [{}, {"track_running_stats": False}]


@pytest.mark.parametrize("settings", COUPLED)
def test_eq3_a_module_whose_points_go_into_one_another_has_no_kernel_of_single_points(settings):
    """What came back depended on how many inputs went through the module at once."""
    module, x = batch_normed(**settings), all_inputs(4)[:6]
    for call in (
        lambda: neural_tangent_kernel(module, x),
        lambda: ensemble_kernel(module, flat_parameters(module)[None], x),
        lambda: one_step_response(module, x),
    ):
        with pytest.raises(ValueError, match=r"^module .* as batch normalisation does: use nn.LayerNorm"):
            call()


@pytest.mark.parametrize("memory", [1, 3_000, 1e9])
@pytest.mark.parametrize("settings", COUPLED)
def test_eq3_but_it_has_that_of_a_whole_batch_when_asked(settings, memory):
    """The outputs at the first inputs in their batch answer to the training of the second ones in theirs."""
    module, x = batch_normed(**settings), all_inputs(4)
    state = copy.deepcopy(module.state_dict())
    theta = neural_tangent_kernel(module, x[:7], x[4:], whole_batch=True, memory=memory)
    one, other = (jacobian_by_loop(module, some, alone=False) for some in (x[:7], x[4:]))
    np.testing.assert_allclose(gram_matrix(theta), one @ other.T, atol=1e-13)
    theta = neural_tangent_kernel(module, x[:7], whole_batch=True, memory=memory)
    np.testing.assert_allclose(gram_matrix(theta), one @ one.T, atol=1e-13)
    assert np.abs(one - jacobian_by_loop(module, x, alone=False)[:14]).max() > 1e-3  # other company, other slopes
    assert module.training and all(torch.equal(value, state[name]) for name, value in module.state_dict().items())


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("kind", KINDS)
def test_eq3_where_points_are_alone_the_whole_batch_changes_nothing(kind):
    module, x = kind().eval(), all_inputs(4)[:5]
    whole = neural_tangent_kernel(module, x, whole_batch=True)
    np.testing.assert_allclose(whole, neural_tangent_kernel(module, x), atol=1e-13)


def test_eq1_a_step_on_a_whole_batch_moves_its_outputs_by_the_kernel():
    """A step of gradient descent on one output in its batch, in training mode, against Theta to first order."""
    module, x = batch_normed(), torch.as_tensor(all_inputs(4)[:6])
    theta, moves = neural_tangent_kernel(module, x, whole_batch=True), []
    for rate in (1e-6, -1e-6):
        trained = copy.deepcopy(module)
        trained(x)[2, 1].backward()
        with torch.no_grad():
            for weight in trained.parameters():
                weight -= rate * weight.grad
            moves.append(trained(x))
    np.testing.assert_allclose(theta[:, 2, :, 1], (moves[1] - moves[0]) / 2e-6, atol=1e-8)


@pytest.mark.parametrize(("module", "sentence"), [
    (nn.Sequential(batch_normed(), nn.Dropout(0.5)), r"module gives other outputs .* drop-out .* eval\(\)"),
    (batch_normed()[:2].append(nn.Unflatten(1, (3, 1))), "module gives .* of shape"),
])  # fmt: skip
def test_no_function_of_a_whole_batch_is_refused(module, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}"):
        neural_tangent_kernel(module, all_inputs(4), whole_batch=True)


@pytest.mark.parametrize("memory", [1, 10_000, 1e9])
def test_eq3_ensemble_is_each_member_alone(memory):
    modules = [convolutional(seed) for seed in range(4)]
    flat = np.stack([nn.utils.parameters_to_vector(m.parameters()).detach().numpy() for m in modules])
    x = all_inputs(4)
    theta = ensemble_kernel(convolutional(99), flat, x, x[:3], memory=memory)
    assert theta.shape == (4, 16, 3, 2, 2)
    for member, module in enumerate(modules):
        np.testing.assert_allclose(theta[member], neural_tangent_kernel(module, x, x[:3]), atol=1e-14)


def test_eq3_a_caller_that_records_no_gradients_gets_the_same():
    module, x = convolutional(), all_inputs(4)[:3]
    with torch.no_grad():
        theta = neural_tangent_kernel(module, x)
    assert np.array_equal(theta, neural_tangent_kernel(module, x))


def test_eq3_members_with_inputs_of_their_own():
    module, data = convolutional(), random_encoding(5, bits=4, members=3)["x"].to_numpy()
    flat = np.random.default_rng(0).normal(size=(3, sum(p.numel() for p in module.parameters())))
    theta = ensemble_kernel(module, flat, data, own_inputs=True)
    for member in range(3):
        alone = ensemble_kernel(module, flat[member : member + 1], data[member])
        np.testing.assert_allclose(theta[member], alone[0], atol=1e-14)


def test_a_member_that_blew_up_touches_no_other():
    module = convolutional()
    flat = np.random.default_rng(0).normal(size=(3, sum(p.numel() for p in module.parameters())))
    whole = ensemble_kernel(module, flat, all_inputs(4))
    flat[1] = np.nan
    theta = ensemble_kernel(module, flat, all_inputs(4))
    assert np.isnan(theta[1]).all()
    np.testing.assert_array_equal(theta[[0, 2]], whole[[0, 2]])


def test_precision_is_a_parameter():
    module = convolutional()
    theta = neural_tangent_kernel(module, all_inputs(4), dtype=torch.float32)
    assert theta.dtype == np.float32
    np.testing.assert_allclose(theta, neural_tangent_kernel(module, all_inputs(4)), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("network", [AverageNetwork, VarianceNetwork])
def test_eq1_one_step_response_tends_to_the_kernel_with_slope_1(network):
    torch.manual_seed(2)
    module, x = network(), all_inputs(8)[::16]
    theta = neural_tangent_kernel(module, x, x[:5])
    rates = np.geomspace(1e-4, 1e-1, 7)
    errors = [np.abs(one_step_response(module, x, x[:5], rate) - theta).max() for rate in rates]
    assert abs(slope_of_error(rates, errors) - 1) < 0.05


def test_eq1_one_step_response_of_a_linear_model_is_exact_at_any_rate():
    x = np.random.default_rng(0).normal(size=(5, 3))
    for rate in (1e-3, 1.0, 100.0):
        np.testing.assert_allclose(one_step_response(nn.Linear(3, 2), x, learning_rate=rate)[..., 1, 1], x @ x.T + 1)


@pytest.mark.parametrize("memory", [1, 1e9])
def test_eq2_one_step_response_is_what_an_optimiser_does(memory):
    module, x, rate = convolutional(4), all_inputs(4), 0.3
    measured = one_step_response(module, x, x[:5], rate, memory=memory)
    inputs = torch.as_tensor(x)
    for j, head in [(0, 0), (3, 1), (4, 0)]:
        trained = copy.deepcopy(module)
        optimiser = torch.optim.SGD(trained.parameters(), lr=rate)
        trained(inputs[j : j + 1])[0, head].backward()
        optimiser.step()
        change = (trained(inputs) - module(inputs)).detach().numpy()
        np.testing.assert_allclose(measured[:, j, :, head], change / -rate, atol=1e-13)


def test_eq12_gram_matrix_hand_computed():
    theta = np.arange(8).reshape(1, 2, 2, 2)  # input 0 against inputs 0 and 1, two heads
    np.testing.assert_array_equal(gram_matrix(theta), [[0, 1, 4, 5], [2, 3, 6, 7]])
    np.testing.assert_array_equal(gram_matrix(np.stack([theta, -theta]))[1], -gram_matrix(theta))


SMALL, ALL = convolutional(), all_inputs(4)
FLAT = np.ones((2, sum(p.numel() for p in SMALL.parameters())))
THETA = np.ones((2, 3, 2, 2))


@pytest.mark.parametrize("rate", [0, -1.0, np.nan, np.inf, "fast", None, True])
def test_bad_learning_rates_are_refused(rate):
    for call in (lambda: one_step_response(Product(), [1.0], learning_rate=rate),):
        with pytest.raises(ValueError, match="learning_rate is"):
            call()


@pytest.mark.parametrize("memory", [0, -3, np.nan, np.inf, "all", True])
def test_memory_that_is_none_is_refused(memory):
    for call in (
        lambda: neural_tangent_kernel(Product(), [1.0], memory=memory),
        lambda: ensemble_kernel(Product(), [[1.0, 1.0]], [1.0], memory=memory),
        lambda: one_step_response(Product(), [1.0], memory=memory),
    ):
        with pytest.raises(ValueError, match="memory is"):
            call()


@pytest.mark.parametrize(
    "inputs", [[], 1.0, [np.nan], [[1.0], [2.0, 3.0]], "x", np.ones((2, 5)), np.full((2, 4), np.inf)]
)
def test_bad_inputs_are_refused(inputs):
    for call in (
        lambda: neural_tangent_kernel(SMALL, inputs),
        lambda: neural_tangent_kernel(SMALL, ALL, inputs),
        lambda: one_step_response(SMALL, ALL, inputs),
    ):
        with pytest.raises(ValueError, match=r"first|second|x (has|is)"):
            call()


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: neural_tangent_kernel(lambda x: x, ALL), "module is"),
        (lambda: neural_tangent_kernel(SMALL, ALL, dtype=torch.int64), "dtype is torch.int64"),
        (lambda: ensemble_kernel(SMALL, FLAT[:, 1:], ALL), "parameters has shape"),
        (lambda: ensemble_kernel(SMALL, FLAT, ALL, own_inputs=True), r"first has shape .* must be \(2, n, ...\)"),
        (lambda: ensemble_kernel(SMALL, FLAT, ALL, own_inputs="no"), "own_inputs is 'no'"),
        (lambda: gram_matrix(THETA[0]), "kernel has shape"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_tensor_is_given_where_one_is_wanted_in_the_precision_asked_for(dtype):
    exact = neural_tangent_kernel(convolutional(0), all_inputs(4))
    found = neural_tangent_kernel(convolutional(0), all_inputs(4), dtype=dtype, tensor=True)
    assert isinstance(found, torch.Tensor) and found.dtype == dtype and not found.requires_grad
    error = np.abs(found.double().numpy() - exact).max() / np.abs(exact).max()
    assert error < {torch.float64: 1e-14, torch.float32: 1e-5, torch.bfloat16: 0.1}[dtype]


def test_numpy_has_no_bfloat16():
    with pytest.raises(ValueError, match=r"dtype is torch.bfloat16.* tensor=True"):
        neural_tangent_kernel(convolutional(0), all_inputs(4), dtype=torch.bfloat16)


def test_long_work_shows_how_far_it_is_when_asked(capsys):
    neural_tangent_kernel(convolutional(0), all_inputs(4), progress=True)
    assert "16/16" in capsys.readouterr().err
    neural_tangent_kernel(convolutional(0), all_inputs(4))
    assert capsys.readouterr().err == ""
