"""What a response is made of: own and cross parts, layers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from kbe.data.encoding import all_inputs
from kbe.networks import BitNetwork, VarianceNetwork
from kbe.response.parts import cross_response, layer_responses, own_and_cross
from kbe.response.prediction import predicted_change
from kbe.response.tangent_kernel import neural_tangent_kernel

INPUTS = all_inputs(4)


def network(heads: tuple[str, ...] = ("sigmoid", "sigmoid")) -> BitNetwork:
    torch.manual_seed(0)
    return BitNetwork(heads, bits=4, layers=2, channels=2).double()


@pytest.mark.parametrize("heads", [1, 2, 3])
def test_own_and_cross_parts_sum_to_the_response_and_to_what_a_step_does(heads):
    kernel = neural_tangent_kernel(network(("sigmoid",) * heads), INPUTS[:5], INPUTS[5:8])
    own, cross = own_and_cross(kernel)
    np.testing.assert_array_equal(own + cross, kernel)
    for a in range(heads):
        np.testing.assert_array_equal(own[..., a, a], kernel[..., a, a])
        assert (cross[..., a, a] == 0).all()
    gradient = np.random.default_rng(0).normal(size=(3, heads))
    parts = [predicted_change(part, gradient, 0.1) for part in (own, cross)]
    np.testing.assert_allclose(sum(parts), predicted_change(kernel, gradient, 0.1), rtol=1e-12, atol=1e-15)
    only = np.zeros_like(gradient)
    only[:, 0] = gradient[:, 0]  # training of the first output alone
    assert (predicted_change(own, only, 0.1)[:, 1:] == 0).all()
    assert (predicted_change(cross, only, 0.1)[:, 0] == 0).all()


def test_heads_that_share_nothing_have_no_cross_part():
    class Apart(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Linear(4, 1), nn.Linear(4, 1)

        def forward(self, x):
            return torch.cat([self.one(x), self.two(x)], -1)

    kernel = neural_tangent_kernel(Apart(), INPUTS)
    assert (own_and_cross(kernel)[1] == 0).all()
    np.testing.assert_array_equal(cross_response(kernel), np.eye(2))


def test_eq21_cross_response_vanishes_for_heads_that_share_nothing_and_is_one_for_equal_heads():
    network = VarianceNetwork(bits=4, layers=1, channels=2)
    equal, apart = (neural_tangent_kernel(network, INPUTS) for _ in range(2))
    equal[...] = equal[..., :1, :1]
    apart[..., 0, 1] = apart[..., 1, 0] = 0
    assert cross_response(equal) == pytest.approx(np.ones((2, 2))) and (cross_response(apart) == np.eye(2)).all()


def test_eq21_cross_response_of_three_heads_is_that_of_each_pair():
    kernel = neural_tangent_kernel(network(("sigmoid",) * 3), INPUTS[:4], INPUTS[2:9])
    found = cross_response(np.stack([kernel, 2 * kernel]))
    np.testing.assert_allclose(found[1], found[0])
    norm = np.linalg.norm
    for a, c in ((0, 1), (2, 0), (1, 1)):
        beside = np.sqrt(norm(kernel[..., a, a]) * norm(kernel[..., c, c]))
        assert found[0, a, c] == pytest.approx(norm(kernel[..., a, c]) / beside)
    assert np.isnan(cross_response(np.nan * kernel)).all()


@pytest.mark.parametrize("second", [None, INPUTS[3:6]])
def test_eq3_layers_sum_to_the_whole_and_are_what_their_own_slopes_give(second):
    module = network()
    parts = layer_responses(module, INPUTS, second)
    assert list(parts) == ["convolutions", "heads"]
    whole = neural_tangent_kernel(module, INPUTS, second)
    np.testing.assert_allclose(sum(parts.values()), whole, rtol=1e-12)
    finer = layer_responses(module, INPUTS, second, {name: name for name, _ in module.named_parameters()})
    np.testing.assert_allclose(sum(finer.values()), whole, rtol=1e-12)
    # the bias of a head moves that head alone, by its slope: a closed form
    mean = module(torch.as_tensor(INPUTS)).detach().numpy()[:, 0]
    slope = mean * (1 - mean)
    trained = slope if second is None else slope[3:6]
    np.testing.assert_allclose(finer["heads.0.bias"][..., 0, 0], np.outer(slope, trained), rtol=1e-12)
    assert (finer["heads.0.bias"][..., 1, :] == 0).all() and (finer["heads.0.bias"][..., :, 1] == 0).all()


def test_the_heads_of_two_outputs_have_no_cross_part_but_the_shared_layers_have():
    parts = layer_responses(network(), INPUTS)
    assert (own_and_cross(parts["heads"])[1] == 0).all()
    assert (own_and_cross(parts["convolutions"])[1] != 0).any()


def test_what_is_not_trained_has_no_part_and_the_module_stays():
    module = network()
    module.heads.requires_grad_(False)
    parts = layer_responses(module, INPUTS)
    assert list(parts) == ["convolutions"]
    np.testing.assert_allclose(parts["convolutions"], neural_tangent_kernel(module, INPUTS), rtol=1e-12)
    assert [p.requires_grad for p in module.parameters()] == [True] * 4 + [False] * 4


def test_a_weight_that_goes_by_two_names_counts_once():
    module = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3)).double()
    module[2].weight = module[0].weight
    parts = layer_responses(module, np.eye(3))
    np.testing.assert_allclose(sum(parts.values()), neural_tangent_kernel(module, np.eye(3)), rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: own_and_cross(np.ones((2, 3, 1, 2))), "kernel has shape .* must be .*heads, heads"),
        (lambda: cross_response(np.ones((2, 3, 1, 2))), "kernel has shape .* must be .*heads, heads"),
        (lambda: cross_response(np.ones((2, 2, 2))), "kernel has shape"),
        (lambda: own_and_cross("x"), "kernel is 'x'"),
        (lambda: layer_responses(None, INPUTS), "module is None"),
        (lambda: layer_responses(network(), INPUTS, groups=["a"]), r"groups is \['a'\]: it must be a mapping"),
        (lambda: layer_responses(network(), INPUTS, groups={}), "groups lacks convolutions.0.weight"),
        (lambda: layer_responses(network(), [np.nan]), "first holds NaN"),
        (lambda: layer_responses(network().requires_grad_(False), INPUTS), "module has no parameter"),
        (lambda: layer_responses(network(), INPUTS, memory=0), "memory is 0"),
    ],
)
def test_what_has_no_parts_is_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
