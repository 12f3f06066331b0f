"""The networks, equations 6, 7 and 9 to 11."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kbe.data.encoding import all_inputs
from kbe.networks import ACTIVATIONS, HEADS, AverageNetwork, BitNetwork, Padding, VarianceNetwork, layer_sizes

FEW = settings(max_examples=25, deadline=None)
PADDINGS = get_args(Padding)
BY_HAND = {
    "elu": lambda z: z if z > 0 else math.exp(z) - 1,
    "relu": lambda z: max(z, 0.0),
    "tanh": math.tanh,
    "sigmoid": lambda z: 1 / (1 + math.exp(-z)),
    "softplus": lambda z: math.log1p(math.exp(z)),
    "exponential": math.exp,
    "linear": lambda z: z,
}


def strings(bits: int, count: int = 6) -> torch.Tensor:
    return torch.as_tensor(all_inputs(bits)[:: max(1, 2**bits // count)])


def make(kind=VarianceNetwork, seed: int = 0, **settings) -> BitNetwork:
    torch.manual_seed(seed)
    return kind(**settings).double()


def layer_by_hand(rows: list[list[float]], weight, bias, activation: str, padding: str) -> list[list[float]]:
    """Eq. (10), written out: h_k = R(b_k + sum_j c_jk(h_j)) at every position, in plain Python."""
    outputs, inputs, size = weight.shape
    bits, left = len(rows[0]), 0 if padding == "valid" else (size - 1) // 2
    positions = bits - size + 1 if padding == "valid" else bits
    result = []
    for k in range(outputs):
        row = []
        for position in range(positions):
            total = bias[k].item()
            for j in range(inputs):
                for tap in range(size):
                    at = position + tap - left
                    seen = rows[j][at % bits] if padding == "circular" else rows[j][at] if 0 <= at < bits else 0.0
                    total += weight[k, j, tap].item() * seen
            row.append(BY_HAND[activation](total))
        result.append(row)
    return result


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize(("activation", "kernel_size"), [("elu", 3), ("tanh", 2), ("relu", 1), ("sigmoid", 4)])
def test_eq10_convolution_is_the_loop_written_out(padding, activation, kernel_size):
    network = make(bits=6, layers=1, channels=2, kernel_size=kernel_size, activation=activation, padding=padding)
    x, convolution = strings(6), network.convolutions[0]
    for row, features in zip(x.tolist(), network.features(x), strict=True):
        expected = layer_by_hand([row], convolution.weight, convolution.bias, activation, padding)
        np.testing.assert_allclose(features.detach(), np.ravel(expected), atol=1e-14)


@pytest.mark.parametrize("padding", PADDINGS)
def test_eq9_network_is_the_composition_of_its_layers(padding):
    network = make(bits=8, padding=padding, mean="linear", deviation="softplus")
    x = strings(8)
    for string, output in zip(x.tolist(), network(x), strict=True):
        rows = [string]
        for convolution in network.convolutions:
            rows = layer_by_hand(rows, convolution.weight, convolution.bias, "elu", padding)
        for head, name, value in zip(network.heads, ("linear", "softplus"), output, strict=True):
            linear = (head.weight[0].detach().numpy() * np.ravel(rows)).sum() + head.bias.item()  # Eq. (11)
            assert value.item() == pytest.approx(BY_HAND[name](linear), abs=1e-13)


@pytest.mark.parametrize("name", HEADS)
def test_eq11_head_is_an_activation_after_a_linear_map(name):
    network = make(AverageNetwork, mean=name)
    x = strings(8)
    linear = network.features(x) @ network.heads[0].weight.T + network.heads[0].bias
    expected = [[BY_HAND[name](z)] for z in linear.flatten().tolist()]
    np.testing.assert_allclose(network(x).detach(), expected, rtol=1e-12, atol=1e-14)


def test_eq6_and_eq7_heads_share_their_features_and_nothing_else():
    network, x = make(), strings(8)
    before = network(x).detach()
    with torch.no_grad():
        network.heads[1].weight += 1.0
    after = network(x).detach()
    torch.testing.assert_close(after[:, 0], before[:, 0], rtol=0, atol=0)
    assert (after[:, 1] != before[:, 1]).any()
    with torch.no_grad():
        network.convolutions[0].weight += 1.0
    assert (network(x)[:, 0] != before[:, 0]).any()


def test_eq6_average_network_is_the_variance_network_without_its_second_head():
    variance, average = make(VarianceNetwork), make(AverageNetwork, seed=1)
    kept = {name: value for name, value in variance.state_dict().items() if not name.startswith("heads.1")}
    average.load_state_dict(kept)
    x = strings(8)
    torch.testing.assert_close(average(x)[:, 0], variance(x)[:, 0], rtol=0, atol=0)


def test_number_of_weights_at_the_paper_s_settings():
    # convolutions 1*3*3 + 3 and twice 3*3*3 + 3, and a head of 3*8 + 1 for each output
    assert sum(p.numel() for p in VarianceNetwork().parameters()) == 12 + 30 + 30 + 2 * 25 == 122
    assert sum(p.numel() for p in AverageNetwork().parameters()) == 97


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@FEW
@given(
    bits=st.integers(1, 10),
    layers=st.integers(1, 4),
    channels=st.integers(1, 4),
    size=st.integers(1, 4),
    padding=st.sampled_from(PADDINGS),
)
def test_every_size_that_is_accepted_runs(bits, layers, channels, size, padding):
    positions = bits - layers * (size - 1) if padding == "valid" else bits
    arguments = {"bits": bits, "layers": layers, "channels": channels, "kernel_size": size, "padding": padding}
    if positions < 1 or (padding == "circular" and size > bits):
        with pytest.raises(ValueError, match="too large"):
            VarianceNetwork(**arguments)
        return
    network = VarianceNetwork(**arguments)
    weights = (size + 1) * channels + (layers - 1) * (channels * size + 1) * channels + 2 * (channels * positions + 1)
    assert sum(p.numel() for p in network.parameters()) == weights
    assert network(torch.ones(3, bits)).shape == (3, 2)


def test_circular_padding_turns_the_features_with_the_string():
    network, x = make(padding="circular"), strings(8)
    turned = network.features(x.roll(3, -1)).view(-1, 3, 8)
    torch.testing.assert_close(turned, network.features(x).view(-1, 3, 8).roll(3, -1))
    assert not torch.allclose(turned, network.features(x).view(-1, 3, 8))


def test_a_string_s_output_does_not_depend_on_its_neighbours_in_the_batch():
    network, x = make(), torch.as_tensor(all_inputs(8))
    torch.testing.assert_close(network(x.view(4, 8, 8, 8)).view(-1, 2), network(x))
    torch.testing.assert_close(network(x[17]), network(x)[17])


def test_sigma_floor_is_added_to_the_second_head_alone():
    plain, floored = make(), make(sigma_floor=0.25)
    x = strings(8)
    torch.testing.assert_close(floored(x) - plain(x), torch.tensor([0.0, 0.25]).double().expand(len(x), 2))
    assert make(AverageNetwork, sigma_floor=0.25)(x).equal(make(AverageNetwork)(x))


def test_fig1_sigmoid_heads_start_near_one_half():
    starts = torch.stack([make(seed=seed)(strings(8)).mean(0) for seed in range(20)])
    assert ((starts - 0.5).abs() < 0.2).all()


@FEW
@given(
    name=st.sampled_from(["bits", "layers", "channels", "kernel_size"]),
    value=st.one_of(st.integers(max_value=0), st.floats(), st.none(), st.booleans()),
)
def test_bad_sizes(name, value):
    with pytest.raises(ValueError, match=f"{name} is"):
        VarianceNetwork(**{name: value})


@FEW
@given(name=st.one_of(st.text(max_size=8), st.none(), st.integers()))
def test_unknown_names(name):
    for argument, known in {"mean": HEADS, "deviation": HEADS, "activation": ACTIVATIONS, "padding": PADDINGS}.items():
        if name not in known:
            with pytest.raises(ValueError, match=f"{argument} is .* must be one of"):
                VarianceNetwork(**{argument: name})


@pytest.mark.parametrize("value", [(), "sigmoid", None])
def test_a_network_needs_a_tuple_of_heads(value):
    with pytest.raises(ValueError, match="heads is"):
        BitNetwork(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("sigma_floor", value) for value in (-0.1, math.nan, math.inf, "none")],
        *[("dropout", value) for value in (-0.1, 1)],
        ("detach_deviation", 0.5),
    ],
)
def test_settings_out_of_range_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value!r}: "):
        VarianceNetwork(**{name: value})


@pytest.mark.parametrize(
    "x",
    [*map(torch.ones, [(), (7,), (3, 9), (8, 3)]), None, 5, torch.zeros(0, 8), torch.zeros(2, 8, dtype=torch.int64)],
)
def test_inputs_that_are_no_bit_strings_of_its_length_are_refused(x):
    with pytest.raises(ValueError, match=r"x is .* must be the 8 bits"):
        VarianceNetwork()(x)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4])
def test_eq10_features_are_those_of_the_convolutions_themselves(padding, kernel_size):
    network = make(padding=padding, kernel_size=kernel_size, layers=2)
    hidden = strings(8).reshape(-1, 1, 8)
    for convolution in network.convolutions:
        hidden = network.nonlinearity(convolution(hidden))
    torch.testing.assert_close(network.features(strings(8)), hidden.flatten(1))


def test_drop_out_masks_the_share_of_features_that_it_says_and_keeps_their_mean():
    network = make(AverageNetwork, layers=1, channels=40, activation="sigmoid", dropout=0.3)
    x = strings(8, 256)
    with torch.no_grad():
        masked, whole = network.train().features(x), network.eval().features(x)
    kept = masked != 0
    assert abs(kept.double().mean() - 0.7) < 0.01
    torch.testing.assert_close(masked[kept], whole[kept] / 0.7)


@pytest.mark.parametrize("detach", [False, True])
def test_a_detached_deviation_does_not_shape_the_features(detach):
    network = make(detach_deviation=detach)
    network(strings(8))[:, 1].sum().backward()
    assert (network.convolutions[0].weight.grad == 0).all() == detach
    assert (network.heads[1].weight.grad != 0).all() and (network.heads[0].weight.grad == 0).all()


def test_eq10_eq11_sizes_of_the_papers_variance_network():
    assert [row[1:] for row in layer_sizes(VarianceNetwork())] == [
        ("1 × 8", "3 × 8", 12, 3),
        ("3 × 8", "3 × 8", 30, 5),
        ("3 × 8", "3 × 8", 30, 7),
        (24, 1, 25, 8),
        (24, 1, 25, 8),
        (8, 2, 122, ""),
    ]


def test_eq10_sizes_shrink_where_nothing_stands_beyond_the_ends():
    rows = layer_sizes(AverageNetwork(padding="valid"))
    assert [row[2] for row in rows[:3]] == ["3 × 6", "3 × 4", "3 × 2"] and rows[3][1] == 6


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize(("bits", "kernel_size", "layers"), [(8, 3, 2), (8, 3, 3), (6, 2, 4), (5, 4, 1)])
def test_eq10_a_layer_sees_the_bits_that_its_outputs_have_a_slope_in(padding, bits, kernel_size, layers):
    check_bits_seen(make(AverageNetwork, bits=bits, kernel_size=kernel_size, layers=layers, padding=padding))


@pytest.mark.parametrize("padding", ["zeros", "circular"])
def test_eq10_windows_longer_than_the_string_see_all_of_it(padding):
    network = make(AverageNetwork, bits=4, kernel_size=3, layers=3, padding=padding)
    check_bits_seen(network)
    assert layer_sizes(network)[2][4] == 4


def check_bits_seen(network: BitNetwork) -> None:
    convolutions = network.convolutions
    for layer, row in enumerate(layer_sizes(network)[: len(convolutions)], 1):
        network.convolutions = convolutions[:layer]
        slopes = torch.autograd.functional.jacobian(network.features, torch.ones(network.bits).double())
        assert int((slopes != 0).sum(1).max()) == row[4]
    network.convolutions = convolutions


def test_sizes_are_those_of_a_bit_network():
    with pytest.raises(ValueError, match=r"network is .* it must be a BitNetwork"):
        layer_sizes(torch.nn.Linear(1, 1))
