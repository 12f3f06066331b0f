"""The dimension of a feature space and the fragility of a network, of networks whose numbers can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from kbe import networks
from kbe.companions import feature_space, one_hidden_layer
from kbe.data import encoding
from kbe.training.weights import with_parameters

FEW = settings(max_examples=25, deadline=None)
DIMENSIONS = ["dimension", "rank"]


def network(bits: int, width: int, activation: str = "linear", head: str = "sigmoid") -> networks.AverageNetwork:
    shape = {"bits": bits, "layers": 1, "kernel_size": bits, "padding": "valid", "channels": width}
    return networks.AverageNetwork(head, activation=activation, **shape)


def flat(hidden, offset=0.0, readout=1.0, bias=0.0) -> np.ndarray:
    """The weights of f(x) = p(a R(W x + c) + b) as one vector."""
    rows = np.asarray(hidden, float)
    places = (np.broadcast_to(values, len(rows)) for values in (offset, readout))
    return np.concatenate([rows.ravel(), *places, [bias]])


def run_of(parameters: np.ndarray, x: np.ndarray) -> xr.Dataset:
    """As of a training: weights (member, epoch, parameter), and each member's inputs."""
    loss = (("member", "epoch"), np.zeros(parameters.shape[:2]))
    variables = {"parameters": (("member", "epoch", "parameter"), parameters), "x": (("member", "point", "bit"), x)}
    return xr.Dataset(variables | {"loss": loss}, coords={"epoch": np.arange(parameters.shape[1])})


def measured(weights: np.ndarray, bits: int, activation: str = "linear", head: str = "sigmoid", centred: bool = True):
    """What is found of one network: a member for each input, which is all that this member is trained on."""
    width, inputs = (len(weights) - 1) // (bits + 2), encoding.all_inputs(bits)
    run = run_of(np.tile(weights, (len(inputs), 1, 1)), inputs[:, None])
    return feature_space.in_training(network(bits, width, activation, head), run, centred=centred).isel(epoch=0)


def dimensions(weights: np.ndarray, bits: int, **options) -> np.ndarray:
    found = measured(weights, bits, **options)
    assert all(len(set(found[name].values.astype(str))) == 1 for name in DIMENSIONS)  # whatever the member's inputs
    return np.array([found[name].values[0] for name in DIMENSIONS])


def test_all_bit_strings_have_as_many_dimensions_as_bits():
    np.testing.assert_allclose(dimensions(flat(np.eye(6)), 6), 6)


def test_unequal_eigenvalues_by_hand():
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    expected = [16 / 10, np.exp(entropy)]  # eigenvalues 3 and 1
    np.testing.assert_allclose(dimensions(flat(np.diag([3**0.5, 1.0])), 2), expected)
    np.testing.assert_allclose(dimensions(flat(np.eye(2)), 2, centred=False), expected)  # 00, 01, 10, 11 as they are


def test_one_direction_and_none():
    one = flat(np.outer([1.0, 2, 3], [1.0, -1]))
    np.testing.assert_allclose(dimensions(one, 2), 1)
    np.testing.assert_allclose(dimensions(one, 2, centred=False), 1)
    same = flat(np.zeros((3, 2)), offset=0.1)  # what rounding leaves of it is no direction
    assert np.isnan(dimensions(same, 2)).all()
    np.testing.assert_allclose(dimensions(same, 2, centred=False), 1)


@FEW
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 5))
def test_dimensions_are_ordered_and_do_not_see_rotation_or_scale(seed, bits, width):
    generator = np.random.default_rng(seed)
    hidden = generator.standard_normal((width, bits))
    ratio, rank = dimensions(flat(hidden), bits)
    assert 1 - 1e-9 <= ratio <= rank + 1e-9 <= min(bits, width) + 2e-9
    turned = 7 * np.linalg.qr(generator.standard_normal((width, width)))[0] @ hidden
    np.testing.assert_allclose(dimensions(flat(turned, offset=3.0), bits), [ratio, rank], rtol=1e-6)


@pytest.mark.parametrize("centred", [True, False])
def test_the_dimensions_are_those_of_the_gram_matrix(centred):
    weights = np.random.default_rng(0).standard_normal(3 * (4 + 2) + 1)
    features = one_hidden_layer.features(weights, encoding.all_inputs(4), "tanh")
    features = features - features.mean(0) if centred else features
    shares = np.linalg.eigvalsh(features @ features.T)[-3:] / np.sum(features**2)
    expected = [1 / np.sum(shares**2), np.exp(-np.sum(shares * np.log(shares)))]
    np.testing.assert_allclose(dimensions(weights, 4, activation="tanh", centred=centred), expected)


@FEW
@given(st.integers(0, 10**6), st.integers(1, 6), st.floats(-3, 3))
def test_the_fewest_flips_are_those_of_a_search_over_all_pairs(seed, bits, bias):
    generator = np.random.default_rng(seed)
    weights = flat(generator.standard_normal((8, bits)), *generator.standard_normal((2, 8)), bias)
    inputs = encoding.all_inputs(bits)
    above = one_hidden_layer.outputs(weights, inputs, activation="relu") > 0.5
    distance = np.where(above[:, None] != above, encoding.hamming_distance(inputs, inputs), np.inf).min(1)
    np.testing.assert_array_equal(measured(weights, bits, "relu").flips, distance)


def test_flips_of_known_functions_of_bits():
    steps, ones = np.ones((5, 5)), encoding.all_inputs(5).sum(1)
    parity = flat(steps, offset=-np.arange(5), readout=[1, -2, 2, -2, 2], bias=-0.5)
    assert (measured(parity, 5, "relu").flips == 1).all()  # any flip
    every = flat(steps, offset=-4, readout=[1, 0, 0, 0, 0], bias=-0.5)
    np.testing.assert_array_equal(measured(every, 5, "relu").flips, np.where(ones == 5, 1, 5 - ones))
    assert np.isinf(measured(flat(steps, bias=1), 5, "relu").flips).all()


def test_the_worst_flip_by_hand():
    slopes = flat([[0.1, 0.2, -0.9, 0.3, 0.0]])
    np.testing.assert_allclose(measured(slopes, 5, head="linear").flip_response, 0.9)
    values = flat([[1, 0], [0, 1], [1, 1]], offset=[0, 0, -1], readout=[5, 1, -4])  # 0, 1, 5, 2 at 00, 01, 10, 11
    np.testing.assert_allclose(measured(values, 2, "relu", "linear").flip_response, [5, 1, 5, 3])


def test_the_distance_is_exact_for_a_linear_network():
    slope, inputs = np.array([1.0, -2, 0.5, 0.25]), encoding.all_inputs(4)
    for bias in (0.3, 1.0, 9.0):
        exact = np.abs(inputs @ slope + bias) / np.linalg.norm(slope)
        found = measured(flat([slope / 2, slope / 2], bias=bias), 4).distance
        np.testing.assert_allclose(found, np.where(exact <= 4, exact, np.inf), atol=1e-7)
    assert np.isfinite(found).any() and np.isinf(found).any()


def test_the_distance_leads_to_the_boundary_and_no_farther():
    generator = np.random.default_rng(1)
    weights = flat(generator.standard_normal((3, 4)), *generator.standard_normal((2, 3)))
    distances, module = measured(weights, 4, "tanh").distance.values, with_parameters(network(4, 3, "tanh"), weights)
    assert np.isfinite(distances).sum() > 5
    for point, distance in zip(encoding.all_inputs(4), distances, strict=True):
        if np.isfinite(distance):
            at = torch.tensor(point, requires_grad=True)
            slope = torch.autograd.grad(module(at[None])[0, 0], at)[0]
            way = (-torch.sign(module(at[None]) - 0.5)[0] * slope / slope.norm()).detach()
            moved = [module((at + part * distance * way)[None])[0, 0].item() - 0.5 for part in (0, 0.98, 1)]
            assert moved[0] * moved[1] > 0 and abs(moved[2]) < 1e-6


def test_along_a_training_members_and_epochs_are_each_their_own_weights():
    weights = 2 * np.random.default_rng(0).standard_normal((3, 2, 19))
    x = encoding.random_encoding(5, 4, 3).x.values
    found = feature_space.in_training(network(4, 3, "tanh"), run_of(weights, x))
    assert np.isfinite(found.flips).any()
    for member in range(3):
        for epoch in range(2):
            alone = measured(weights[member, epoch], 4, "tanh").isel(member=encoding.indices(x[member]))
            expected = alone.mean("member").assign(distance=alone.distance.median("member"))
            xr.testing.assert_allclose(found.isel(member=member, epoch=epoch, drop=True), expected.drop_vars("epoch"))
    sizes = one_hidden_layer.size_factors(weights, x[:, None], activation="tanh")["size"]
    np.testing.assert_allclose(found.response, sizes)


def test_a_lost_member_is_missing_and_leaves_the_others_alone():
    weights, x = np.random.default_rng(0).standard_normal((3, 1, 19)), encoding.random_encoding(5, 4, 3).x.values
    whole = feature_space.in_training(network(4, 3), run_of(weights, x))
    weights[0, 0, 7] = np.inf
    lost = feature_space.in_training(network(4, 3), run_of(weights, x))
    assert all(np.isnan(values[0]).all() for name, values in lost.items() if name != "loss")
    xr.testing.assert_identical(lost.isel(member=slice(1, 3)), whole.isel(member=slice(1, 3)))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_overflows_at_finite_weights_is_missing():
    outputs = measured(flat(np.eye(2), bias=1000), 2, head="exponential")
    assert np.isnan([outputs.flips, outputs.distance]).all() and (outputs.dimension == 2).all()
    assert np.isnan(dimensions(flat(1e308 * np.ones((2, 2))), 2)).all()


RUN = run_of(np.zeros((1, 1, 19)), encoding.all_inputs(4)[None])


@pytest.mark.parametrize(
    ("module", "run", "named"),
    [
        (network(4, 3), RUN.drop_vars("parameters"), "run"),
        (network(4, 2), RUN, "parameters"),
        (networks.AverageNetwork(bits=4), RUN, "module"),
        (networks.VarianceNetwork(bits=4, layers=1, kernel_size=4, padding="valid"), RUN, "module"),
        (torch.nn.Linear(4, 1), RUN, "module"),
    ],
)
def test_a_run_without_weights_or_of_another_network_is_refused(module, run, named):
    with pytest.raises(ValueError, match=f"^{named} "):
        feature_space.in_training(module, run)
