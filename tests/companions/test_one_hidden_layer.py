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
from kbe.training.weights import flat_parameters, initial_modules, with_parameters

BITS, WIDTH, MEMBERS = 5, 4, 3
INPUTS = encoding.all_inputs(BITS)


def network(activation: str = "elu", mean: str = "sigmoid") -> networks.AverageNetwork:
    settings = {"bits": BITS, "layers": 1, "kernel_size": BITS, "padding": "valid", "channels": WIDTH}
    return networks.AverageNetwork(mean, activation=activation, **settings)


def weights(activation: str = "elu", mean: str = "sigmoid") -> tuple[networks.AverageNetwork, np.ndarray]:
    modules = initial_modules(partial(network, activation, mean), MEMBERS, 1)
    return modules[0], 2 * np.stack([flat_parameters(module) for module in modules])


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
    module, flat = weights(activation)
    found = one_hidden_layer.features(flat, INPUTS, activation)
    outputs = one_hidden_layer.outputs(flat, INPUTS, activation=activation)
    assert found.shape == (MEMBERS, len(INPUTS), WIDTH) and outputs.shape == (MEMBERS, len(INPUTS))
    for row, hidden, output in zip(flat, found, outputs, strict=True):
        one, x = with_parameters(module, row), torch.as_tensor(INPUTS)
        np.testing.assert_allclose(hidden, one.features(x).detach(), rtol=1e-12)
        np.testing.assert_allclose(output, one(x)[:, 0].detach(), rtol=1e-12)


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


def test_a_method_that_does_nothing_has_no_direction_and_a_lost_member_leaves_the_others_alone():
    flat = weights()[1]
    factor, cosine = of_method(flat, flat)
    assert (factor == 0).all() and np.isnan(cosine).all()
    lost = np.where(np.arange(MEMBERS)[:, None] == 0, np.nan, flat)
    factor, _ = of_method(lost, flat)
    assert np.isnan(factor[0]) and np.isfinite(factor[1:]).all()


def of_method(before, after, targets: int = 4, rate: float = 0.1):
    x, y = np.repeat(INPUTS[None, :4], MEMBERS, 0), np.ones((MEMBERS, targets))
    return one_hidden_layer.method_factor(network(), before, after, x, y, rate)


FLAT = np.zeros((MEMBERS, (BITS + 2) * WIDTH + 1))


@pytest.mark.parametrize(
    ("call", "named"),
    [
        *[
            (lambda bad=bad: one_hidden_layer.features(bad, INPUTS), "parameters")
            for bad in (np.zeros(3), np.zeros(BITS + 2), 1.0, ["a"])
        ],
        (lambda: one_hidden_layer.features(FLAT, INPUTS, "step"), "activation"),
        (lambda: one_hidden_layer.response_factors(FLAT, INPUTS, mean="step"), "mean"),
        (lambda: one_hidden_layer.size_factors(FLAT, INPUTS[0]), "inputs"),
        (lambda: of_method(FLAT, FLAT[1:]), "after"),
        (lambda: of_method(FLAT, FLAT, targets=3), "x"),
        (lambda: of_method(FLAT, FLAT, rate=0), "learning_rate"),
    ],
)
def test_what_does_not_fit_is_refused(call, named):
    with pytest.raises(ValueError, match=f"^{named} "):
        call()
