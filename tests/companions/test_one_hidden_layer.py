"""One hidden layer: the factors of its response add up to what autograd finds, and follow their closed forms."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from kbe import losses, networks
from kbe.companions import one_hidden_layer
from kbe.data import encoding
from kbe.response import tangent_kernel
from kbe.training import ensemble
from kbe.training.weights import flat_parameters, initial_modules

BITS, WIDTH, MEMBERS = 5, 4, 3
INPUTS = encoding.all_inputs(BITS)


def network(activation: str = "elu", mean: str = "sigmoid") -> networks.AverageNetwork:
    settings = {"bits": BITS, "layers": 1, "kernel_size": BITS, "padding": "valid", "channels": WIDTH}
    return networks.AverageNetwork(mean, activation=activation, **settings)


def weights(activation: str = "elu", mean: str = "sigmoid") -> tuple[networks.AverageNetwork, np.ndarray]:
    modules = initial_modules(partial(network, activation, mean), MEMBERS, 1)
    return modules[0], 2 * np.stack([flat_parameters(module) for module in modules])


def test_eq9_to_11_the_parts_of_the_weights_are_those_of_the_module():
    module, flat = weights()
    parts = one_hidden_layer.split(flat_parameters(module), BITS)
    np.testing.assert_array_equal(parts.hidden, module.convolutions[0].weight[:, 0].detach())
    np.testing.assert_array_equal(parts.offset, module.convolutions[0].bias.detach())
    np.testing.assert_array_equal(parts.readout, module.heads[0].weight[0].detach())
    assert parts.bias == module.heads[0].bias.item()
    assert one_hidden_layer.split(flat, BITS).hidden.shape == (MEMBERS, WIDTH, BITS)


@pytest.mark.parametrize("mean", ["sigmoid", "linear", "softplus"])
@pytest.mark.parametrize("activation", networks.ACTIVATIONS)
def test_eq3_the_factors_add_up_to_the_response_that_autograd_finds(activation, mean):
    module, flat = weights(activation, mean)
    found = one_hidden_layer.response_factors(flat, INPUTS[:7], INPUTS[3:], activation=activation, mean=mean)
    exact = tangent_kernel.ensemble_kernel(module, flat, INPUTS[:7], INPUTS[3:])[..., 0, 0]
    np.testing.assert_allclose(found.total, exact, rtol=1e-10)
    sizes = one_hidden_layer.size_factors(flat, INPUTS, activation=activation, mean=mean)
    own = np.einsum("mnn->m", tangent_kernel.ensemble_kernel(module, flat, INPUTS)[..., 0, 0]) / len(INPUTS)
    np.testing.assert_allclose(sizes["size"], own, rtol=1e-10)


@pytest.mark.parametrize("activation", networks.ACTIVATIONS)
def test_eq6_features_and_outputs_are_the_modules(activation):
    module, _ = weights(activation)
    flat, x = flat_parameters(module), torch.as_tensor(INPUTS)
    found = one_hidden_layer.features(flat, INPUTS, activation)
    np.testing.assert_allclose(found, module.features(x).detach(), rtol=1e-12)
    outputs = one_hidden_layer.outputs(flat, INPUTS, activation=activation)
    np.testing.assert_allclose(outputs, module(x)[:, 0].detach(), rtol=1e-12)


def test_eq3_the_size_is_the_product_of_its_factors():
    f = one_hidden_layer.size_factors(weights()[1], INPUTS)
    bracket = 1 + f["features"] + f["inputs"] * f["readout"] * f["slope"]
    np.testing.assert_allclose(f["size"], f["head"] * bracket, rtol=1e-12)
    np.testing.assert_allclose(f["share"], f["inputs"] * f["readout"] * f["slope"] / bracket, rtol=1e-12)
    np.testing.assert_allclose(f["inputs"], 1 + BITS / 2)  # half of the digits of all inputs are ones


def test_eq3_by_hand_a_linear_unit():
    # f = 3 (2 x + 1) + 1: the response of x and z is 1 + (2 x + 1)(2 z + 1) + 9 (1 + x z).
    found = one_hidden_layer.response_factors([2.0, 1, 3, 1], [[0.0]], [[1.0]], activation="linear", mean="linear")
    assert found.readout.item() == 1 + 1 * 3 and found.hidden.item() == 9 and found.total.item() == 13
    sizes = one_hidden_layer.size_factors([2.0, 1, 3, 1], [[1.0]], activation="linear", mean="linear")
    assert (sizes["features"], sizes["readout"], sizes["slope"], sizes["head"]) == (9, 9, 1, 1)


@pytest.mark.parametrize("parameters", [np.zeros(3), np.zeros(BITS + 2), 1.0, ["a"]])
def test_a_vector_of_another_network_is_refused(parameters):
    with pytest.raises(ValueError, match="parameters"):
        one_hidden_layer.split(parameters, BITS)


def test_bad_names_and_shapes_are_refused():
    flat = weights()[1]
    with pytest.raises(ValueError, match="activation"):
        one_hidden_layer.features(flat, INPUTS, "step")
    with pytest.raises(ValueError, match="mean"):
        one_hidden_layer.response_factors(flat, INPUTS, mean="step")
    with pytest.raises(ValueError, match="inputs"):
        one_hidden_layer.size_factors(flat, INPUTS[0])


def one_epoch(rate: float, before: int, **settings) -> tuple[np.ndarray, np.ndarray]:
    data = encoding.random_encoding(6, BITS, 20)
    record = [before, before + 1]
    run = ensemble.train(network, data, losses.squared_error, learning_rate=rate, epochs=before + 1, record=record,
                         keep_parameters=True, threads=1, **settings)  # fmt: skip
    first, last = run.parameters.values[:, 0], run.parameters.values[:, 1]
    return one_hidden_layer.method_factor(network(), first, last, data.x.values, data.y.values, rate)


def test_eq4_one_step_of_gradient_descent_has_the_factor_one():
    factor, cosine = one_epoch(1e-4, 0)
    np.testing.assert_allclose(factor, 1, rtol=1e-3)
    np.testing.assert_allclose(cosine, 1, rtol=1e-6)


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_eq4_small_steps_on_batches_have_the_factor_of_their_number(batch):
    factor, cosine = one_epoch(1e-4, 0, batch_size=batch)
    np.testing.assert_allclose(factor, 6 / batch, rtol=2e-3)
    np.testing.assert_allclose(cosine, 1, rtol=1e-5)


@pytest.mark.parametrize("steps", [0, 1, 5, 60])
def test_eq4_momentum_gathers_a_geometric_series(steps):
    factor, _ = one_epoch(1e-5, steps, optimizer=partial(torch.optim.SGD, momentum=0.8))
    np.testing.assert_allclose(factor, (1 - 0.8 ** (steps + 1)) / 0.2, rtol=5e-3)


def test_a_method_that_does_nothing_has_no_direction_and_bad_shapes_are_refused():
    flat, x = weights()[1], np.repeat(INPUTS[None, :4], MEMBERS, 0)
    factor, cosine = one_hidden_layer.method_factor(network(), flat, flat, x, np.ones((MEMBERS, 4)), 0.1)
    assert (factor == 0).all() and np.isnan(cosine).all()
    with pytest.raises(ValueError, match="agree"):
        one_hidden_layer.method_factor(network(), flat, flat, x, np.ones((MEMBERS, 3)), 0.1)
    with pytest.raises(ValueError, match="learning_rate"):
        one_hidden_layer.method_factor(network(), flat, flat, x, np.ones((MEMBERS, 4)), 0)
    lost = np.where(np.arange(MEMBERS)[:, None] == 0, np.nan, flat)
    factor, _ = one_hidden_layer.method_factor(network(), lost, flat, x, np.ones((MEMBERS, 4)), 0.1)
    assert np.isnan(factor[0]) and np.isfinite(factor[1:]).all()
