"""Equations 8, 21 to 24: the loss of a variance network, its rates, and their balance."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from kbe import losses
from kbe.data.encoding import hamming_distance, random_encoding
from kbe.theory.kernels import exponential_kernel
from kbe.theory.variance_network import (
    curvature,
    variance_balance,
    variance_loss,
    variance_rates,
    variance_rates_local,
)

STRINGS = random_encoding(20, 8)
DISTANCE, Y = hamming_distance(STRINGS.x.values[0], STRINGS.x.values[0]), STRINGS.y.values[0]
GRAM = exponential_kernel(DISTANCE, 0.5)
MEAN, DEVIATION = np.random.default_rng(0).uniform(0.3, 0.7, (2, 20))
HALF = np.full(2, 0.5)


# Equation 8 and its slopes


def test_eq8_numpy_loss_is_the_torch_loss_and_the_rates_of_points_of_their_own_are_its_slopes():
    output = torch.tensor(np.stack([MEAN, DEVIATION], -1), requires_grad=True)
    loss = losses.gaussian_nll(output, torch.tensor(Y)).sum()
    loss.backward()
    assert_allclose(variance_loss(Y, MEAN, DEVIATION), loss.item())
    assert_allclose(variance_rates(np.eye(20), Y, MEAN, DEVIATION), -output.grad.numpy().T)


@pytest.mark.parametrize(
    "heads", [("linear", "linear"), ("sigmoid", "sigmoid"), ("linear", "exponential"), ("linear", "softplus")]
)
def test_eq21_eq23_and_the_curvature_in_head_inputs_by_autograd(heads):
    activations = {
        "linear": lambda z: z,
        "sigmoid": torch.sigmoid,
        "exponential": torch.exp,
        "softplus": torch.nn.functional.softplus,
    }
    inputs = torch.tensor([0.4, 0.6], dtype=torch.float64)

    def loss(z):
        outputs = torch.stack([activations[h](one) for h, one in zip(heads, z, strict=True)])
        return losses.gaussian_nll(outputs, torch.tensor(0.9, dtype=torch.float64))

    at = [0.9], *(activations[h](one).numpy()[None] for h, one in zip(heads, inputs, strict=True))
    assert_allclose(variance_rates([[1.0]], *at, heads=heads)[:, 0], -torch.func.grad(loss)(inputs).numpy())
    assert_allclose(curvature(*at, heads)[..., 0], torch.func.hessian(loss)(inputs).numpy(), rtol=1e-10)


def test_eq21_eq23_scaling_identity_of_eq8():
    """Error and sigma scaled by s add N log s to the loss, so their product with its slope is N."""
    slopes = variance_rates(np.eye(20), Y, MEAN, DEVIATION)
    assert_allclose((Y - MEAN) @ slopes[0] - DEVIATION @ slopes[1], 20)


# Equations 21 to 24


def test_eq21_eq23_by_hand_and_the_printed_half():
    gram = np.array([[1.0, 0.5], [0.5, 1.0]])
    rates = variance_rates(gram, np.array([1.0, 0.0]), HALF, np.array([0.5, 1.0]))
    assert_allclose(rates, [[2 - 0.25, 1 - 0.5], [0 - 0.375, 0 - 0.75]])
    printed = variance_rates(gram, np.array([1.0, 0.0]), HALF, np.array([0.5, 1.0]), mean_factor=0.5)
    assert_allclose(printed, [rates[0] / 2, rates[1]])
    other = variance_rates(gram, np.array([1.0, 0.0]), HALF, np.array([0.5, 1.0]), deviation_gram=3 * gram)
    assert_allclose(other, [rates[0], 3 * rates[1]])


def test_eq22_eq24_by_hand():
    gram = np.array([[1.0, 0.5], [0.5, 1.0]])
    rates = variance_rates_local(gram, np.array([1.0, 0.0]), np.array([0.5, 0.25]), np.array([0.5, 1.0]))
    first = [2.0 - 0.25, 0.5 * 0.75 / 0.25 - 0.25]
    second = [8 * 0.0 + 0.5 * 0.0, 0.5 * 8 * (0.5625 - 1) + (0.0625 - 1)]
    assert_allclose(rates, [first, second])


def test_eq22_eq24_are_eq21_eq23_where_mean_and_deviation_are_uniform():
    even = Y, np.full(20, 0.4), np.full(20, 0.6)
    assert_allclose(variance_rates_local(GRAM, *even), variance_rates(GRAM, *even))
    uneven = Y, MEAN, DEVIATION
    assert np.abs(variance_rates_local(GRAM, *uneven) - variance_rates(GRAM, *uneven)).max() > 1


@pytest.mark.parametrize("scale", [0.1, 0.3, 0.5])
def test_eq22_eq24_balance_is_their_rest_and_not_that_of_eq21_eq23(scale):
    gram = exponential_kernel(DISTANCE, scale)
    rest = variance_balance(gram, Y)
    assert rest.converged and not rest.collapsed
    at = Y, rest.mu.values, rest.sigma.values
    assert_allclose(variance_rates_local(gram, *at), 0, atol=1e-7)
    assert np.abs(variance_rates(gram, *at)).max() > 0.1


def test_eq22_eq24_balance_without_distance_is_the_mean_and_deviation_of_all():
    rest = variance_balance(np.ones((20, 20)), Y)
    assert_allclose(rest.mu, Y.mean())
    assert_allclose(rest.sigma, Y.std())


def test_eq22_eq24_balance_collapses_where_the_kernel_is_narrow():
    rest = variance_balance(exponential_kernel(DISTANCE, 3.0), Y)
    assert rest.collapsed and not rest.converged


TWO = np.ones((2, 2))


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("deviation", lambda: variance_rates(GRAM, Y, MEAN, np.zeros(20))),
        ("deviation", lambda: variance_rates(GRAM, Y, MEAN, np.full(20, np.nan))),
        ("mean_factor", lambda: variance_rates(GRAM, Y, MEAN, DEVIATION, mean_factor=0.0)),
        ("mean", lambda: variance_rates(GRAM, Y, MEAN[:4], DEVIATION)),
        ("heads", lambda: variance_rates(GRAM, Y, MEAN, DEVIATION, heads=("linear", "cubic"))),
        ("heads", lambda: curvature(Y, MEAN, DEVIATION, ("linear", ["linear"]))),
        ("heads", lambda: curvature(Y, MEAN, DEVIATION, "linear")),
        ("deviation", lambda: variance_rates_local(TWO, np.ones(2), np.ones(2), np.array([1.0, 0.0]))),
        ("gram", lambda: variance_balance(-TWO, np.ones(2))),
        ("gram", lambda: variance_balance(1 - np.eye(2), np.ones(2))),
        ("gram", lambda: variance_balance(np.array([[1.0, 0.5], [0.4, 1.0]]), np.ones(2))),
        ("start_deviation", lambda: variance_balance(TWO, np.ones(2), np.zeros(2))),
        ("targets", lambda: variance_balance(TWO, np.ones(3))),
        ("steps", lambda: variance_balance(TWO, np.ones(2), steps=0)),
        ("damping", lambda: variance_balance(TWO, np.ones(2), damping=1.0)),
        ("tolerance", lambda: variance_balance(TWO, np.ones(2), tolerance="x")),
        ("floor", lambda: variance_balance(TWO, np.ones(2), floor=0.0)),
    ],
)
def test_bad_input_is_refused_with_a_sentence(name, call):
    with pytest.raises(ValueError, match=rf"\b{name}\b.*\.$"):
        call()
