"""The backward pass against autograd."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kbe.training.compiled import backward
from kbe.training.compiled.simd import WIDTH

ROOM = ("hidden", "hidden", "nodes", "outputs", "slopes", "gradient", "back")  # the values are the hidden ones


def pull_back(laid) -> None:
    laid.forward()
    backward.backward(laid.network, *laid.block("weights", "turned"), None, *laid.block(*ROOM))


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("merge", [False, True])
@pytest.mark.parametrize("settings", [
    {}, {"layers": 1}, {"layers": 2, "channels": 3}, {"kernel_size": 2}, {"kernel_size": 4, "padding": "circular"},
    {"padding": "valid", "layers": 2}, {"activation": "relu"}, {"activation": "tanh"}, {"activation": "sigmoid"},
    {"heads": ("linear",)}, {"heads": ("exponential", "linear")}, {"bits": 1}, {"channels": 1}, {"channels": 4},
    {"channels": 5, "kernel_size": 5},
])  # fmt: skip
def test_backward_gives_autograds_gradient(lay_out, settings, merge):
    """Whatever the slopes in the outputs: here they are random, and zero at rows that a member lacks."""
    laid = lay_out(merge, **settings)
    share, slopes, gradient = laid.block("share", "slopes", "gradient")
    rows, generator = len(slopes) // len(laid.modules[0].heads), np.random.default_rng(1)
    slopes[:] = generator.standard_normal(slopes.shape)
    slopes.reshape(-1, rows, WIDTH)[:, share[:rows] == 0] = 0
    pull_back(laid)
    for member, (module, x, row) in enumerate(zip(laid.modules, laid.x, laid.row, strict=True)):
        distinct = [list(row).index(one) for one in dict.fromkeys(row)]  # an input drawn twice has one row
        pull = torch.as_tensor(slopes.reshape(-1, rows, WIDTH)[:, row[distinct], member]).T
        found = torch.autograd.grad((module(x[distinct]) * pull).sum(), list(module.parameters()), allow_unused=True)
        expected = torch.cat([g.flatten() for g in found])
        np.testing.assert_allclose(gradient[:, member], expected, rtol=1e-11, atol=1e-13)


def test_backward_through_the_sums_of_the_heads(lay_out):
    """With unit slopes the bias of a head gains the sum of R' over rows, as do the pairs of each position together."""
    laid = lay_out(layers=1)
    outputs, slopes, gradient, nodes = laid.block("outputs", "slopes", "gradient", "nodes")
    *_, first_weight, heads = laid.network
    slopes[:] = 1.0
    pull_back(laid)
    positions, pairs, _, rows = heads[:4]
    bias = first_weight + 2 * positions
    mean, deviation = outputs[: len(rows)], outputs[len(rows) :] - 0.1
    np.testing.assert_allclose(gradient[bias], (mean * (1 - mean)).sum(0), rtol=1e-12)
    np.testing.assert_allclose(gradient[-1], (1 - np.exp(-deviation)).sum(0), rtol=1e-12)
    for head, total in enumerate((gradient[bias], gradient[-1])):
        of_pairs = nodes.reshape(2, -1, WIDTH)[head, : len(pairs)]
        for position in range(positions):
            np.testing.assert_allclose(of_pairs[pairs[:, 0] == position].sum(0), total, rtol=1e-12)
