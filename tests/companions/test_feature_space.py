"""The dimension of a feature space and the fragility of a network against cases that can be counted by hand."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kbe import losses, networks
from kbe.companions import feature_space, one_hidden_layer
from kbe.data import encoding
from kbe.training import ensemble
from kbe.training.weights import flat_parameters, initial_modules, with_parameters

BOTH = [feature_space.dimension, feature_space.effective_rank]


@pytest.mark.parametrize("dimension", BOTH)
def test_known_spectra(dimension):
    assert dimension(np.eye(6), centred=False) == pytest.approx(6)
    assert dimension(np.eye(6)) == pytest.approx(5)  # taking off the mean costs one direction
    assert dimension(np.outer([1.0, 2, 3], [1.0, -1])) == pytest.approx(1)
    assert dimension(np.outer([1.0, 2, 3], [1.0, -1]), centred=False) == pytest.approx(1)
    assert np.isnan(dimension(np.ones((4, 3)))) and dimension(np.ones((4, 3)), centred=False) == pytest.approx(1)
    assert np.isnan(dimension(np.full((4, 3), np.nan)))


def test_unequal_eigenvalues_by_hand():
    features = np.diag([3.0**0.5, 1.0])  # eigenvalues 3 and 1
    assert feature_space.dimension(features, centred=False) == pytest.approx(16 / 10)
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert feature_space.effective_rank(features, centred=False) == pytest.approx(np.exp(entropy))


def test_all_bit_strings_have_as_many_dimensions_as_bits():
    np.testing.assert_allclose([f(encoding.all_inputs(6)) for f in BOTH], 6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 6), st.integers(1, 5))
def test_dimensions_are_ordered_and_do_not_see_rotation_or_scale(seed, n, width):
    generator = np.random.default_rng(seed)
    features = generator.standard_normal((2, n, width))
    ratio, rank = (f(features) for f in BOTH)
    assert (ratio >= 1 - 1e-9).all() and (ratio <= rank + 1e-9).all() and (rank <= min(n, width) + 1e-9).all()
    turned = 7 * features @ np.linalg.qr(generator.standard_normal((width, width)))[0] + 3
    np.testing.assert_allclose(feature_space.dimension(turned), ratio, rtol=1e-6)


def test_the_shares_are_those_of_the_gram_matrix():
    features = np.random.default_rng(0).random((5, 3))
    centred = features - features.mean(0)
    eigenvalues = np.linalg.eigvalsh(centred @ centred.T)[::-1][:3]
    np.testing.assert_allclose(feature_space.feature_spectrum(features), eigenvalues / eigenvalues.sum(), atol=1e-12)


@pytest.mark.parametrize("features", [[1.0], "a", [[1, None]]])
def test_bad_features_are_refused(features):
    with pytest.raises(ValueError, match="features"):
        feature_space.feature_spectrum(features)


def brute_force(outputs: np.ndarray, bits: int) -> np.ndarray:
    inputs, above = encoding.all_inputs(bits), outputs > 0.5
    distance = encoding.hamming_distance(inputs, inputs)
    return np.where(above[:, None] != above, distance, np.inf).min(1)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 6), st.floats(0, 1))
def test_the_fewest_flips_are_those_of_a_search_over_all_pairs(seed, bits, share):
    outputs = (np.random.default_rng(seed).random((2, 2**bits)) < share).astype(float)
    expected = np.stack([brute_force(row, bits) for row in outputs])
    np.testing.assert_array_equal(feature_space.fewest_flips(outputs), expected)


def test_known_functions_of_bits():
    inputs = encoding.all_inputs(5)
    ones = inputs.sum(1)
    assert (feature_space.fewest_flips(ones % 2) == 1).all()  # parity: any flip
    np.testing.assert_array_equal(
        feature_space.fewest_flips((ones == 5).astype(float)), np.where(ones == 5, 1, 5 - ones)
    )
    assert (
        np.isinf(feature_space.fewest_flips(np.ones(32))).all()
        and np.isnan(feature_space.fewest_flips([0, np.nan])).all()
    )
    np.testing.assert_allclose(feature_space.flip_response(inputs @ [0.1, 0.2, -0.9, 0.3, 0.0]), 0.9)
    assert feature_space.flip_response(np.array([0.0, 1, 5, 2]))[0] == 5  # 00 against 01 and 10


@pytest.mark.parametrize("outputs", [np.ones(3), [1.0], 1.0, "a"])
def test_outputs_at_some_inputs_only_are_refused(outputs):
    for function in (feature_space.fewest_flips, feature_space.flip_response):
        with pytest.raises(ValueError, match="outputs"):
            function(outputs)


def network(activation: str = "linear") -> networks.AverageNetwork:
    settings = {"bits": 4, "layers": 1, "kernel_size": 4, "padding": "valid", "channels": 3}
    return networks.AverageNetwork("sigmoid", activation=activation, **settings)


def members(activation: str, count: int = 4) -> np.ndarray:
    modules = initial_modules(partial(network, activation), count, 0)
    return 3 * np.stack([flat_parameters(module) for module in modules])


def test_the_distance_is_exact_for_a_linear_network():
    weights, x = members("linear"), np.repeat(encoding.all_inputs(4)[None], 4, 0)
    parts = one_hidden_layer.split(weights, 4)
    slope = np.einsum("mk,mkb->mb", parts.readout, parts.hidden)
    height = np.einsum("mnb,mb->mn", x, slope) + ((parts.readout * parts.offset).sum(1) + parts.bias)[:, None]
    exact = np.abs(height) / np.linalg.norm(slope, axis=1)[:, None]
    found = feature_space.boundary_distance(network(), weights, x, farthest=2.0, halvings=30)
    np.testing.assert_allclose(found, np.where(exact <= 2, exact, np.inf), rtol=1e-6)
    assert np.isfinite(found).any() and np.isinf(found).any()


def test_the_distance_leads_to_the_boundary_and_no_farther():
    weights, x = members("tanh"), np.repeat(encoding.all_inputs(4)[None], 4, 0)
    found = feature_space.boundary_distance(network("tanh"), weights, x)
    reached = np.isfinite(found)
    assert reached.sum() > 5
    for member, point in np.argwhere(reached)[:10]:
        module = with_parameters(network("tanh"), weights[member])
        at = torch.tensor(x[member, point], requires_grad=True)
        slope = torch.autograd.grad(module(at[None])[0, 0], at)[0]
        way = (-torch.sign(module(at[None]) - 0.5)[0] * slope / slope.norm()).detach()
        moved = [module((at + part * found[member, point] * way)[None])[0, 0].item() - 0.5 for part in (0, 0.98, 1)]
        assert moved[0] * moved[1] > 0 and abs(moved[2]) < 1e-6


def test_lost_members_and_bad_networks():
    weights = members("linear")
    weights[0] = np.nan
    x = np.repeat(encoding.all_inputs(4)[None], 4, 0)
    found = feature_space.boundary_distance(network(), weights, x)
    assert np.isnan(found[0]).all() and not np.isnan(found[1:]).any()
    with pytest.raises(ValueError, match="outputs"):
        feature_space.boundary_distance(torch.nn.Linear(4, 2), np.zeros((1, 10)), x[:1])
    with pytest.raises(ValueError, match="farthest"):
        feature_space.boundary_distance(network(), weights, x, farthest=0)


def test_along_a_training_each_measure_is_that_of_its_weights():
    data = encoding.random_encoding(5, 4, 3)
    run = ensemble.train(partial(network, "tanh"), data, losses.squared_error, epochs=20, record=[0, 20], threads=1,
                         keep_parameters=True)  # fmt: skip
    run["parameters"] = 5 * run.parameters  # so that both classes occur, some of them far from each other
    found = feature_space.in_training(network("tanh"), run)
    weights, x, inputs = run.parameters.values[:, 1], data.x.values, encoding.all_inputs(4)
    place = [[int(np.flatnonzero((inputs == point).all(1))[0]) for point in member] for member in x]
    outputs = one_hidden_layer.outputs(weights, inputs, activation="tanh")
    flips = [feature_space.flip_response(row)[at].mean() for row, at in zip(outputs, place, strict=True)]
    np.testing.assert_allclose(found.flip_response[:, 1], flips)
    fewest = [feature_space.fewest_flips(row)[at].mean() for row, at in zip(outputs, place, strict=True)]
    np.testing.assert_allclose(found.flips[:, 1], fewest)
    assert any(np.isfinite(mean) and mean % 1 for mean in fewest)
    features = one_hidden_layer.features(weights, inputs, "tanh")
    np.testing.assert_allclose(found.dimension[:, 1], feature_space.dimension(features))
    distance = np.median(feature_space.boundary_distance(network("tanh"), weights, x), 1)
    np.testing.assert_allclose(found.distance[:, 1], distance)
    run.parameters[0, 1] = np.nan
    assert np.isnan(feature_space.in_training(network("tanh"), run).dimension[0, 1])


def test_a_run_without_weights_or_of_another_network_is_refused():
    data = encoding.random_encoding(5, 4, 3)
    run = ensemble.train(network, data, losses.squared_error, epochs=2, keep_parameters=True, threads=1)
    with pytest.raises(ValueError, match="parameters"):
        feature_space.in_training(network(), run.drop_vars("parameters"))
    with pytest.raises(ValueError, match="one hidden layer"):
        feature_space.in_training(networks.AverageNetwork(bits=4), run)
