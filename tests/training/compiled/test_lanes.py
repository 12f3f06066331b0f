"""Epochs in lanes: the forward pass, a step of gradient descent, and the onset."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kbe import losses
from kbe.training.compiled.simd import WIDTH
from kbe.training.weights import with_parameters


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("merge", [False, True])
@pytest.mark.parametrize("settings", [
    {}, {"layers": 1}, {"channels": 4}, {"kernel_size": 2}, {"kernel_size": 4}, {"padding": "circular"}, {"bits": 1},
    {"padding": "valid", "layers": 2}, {"heads": ("linear",)}, {"heads": ("linear", "exponential", "sigmoid")},
])  # fmt: skip
def test_eq9_to_11_forward_gives_torchs_outputs(lay_out, settings, merge):
    laid = lay_out(merge, **settings)
    laid.forward()
    np.testing.assert_allclose(laid.outputs(), laid.outputs_by_torch().detach(), rtol=1e-14, atol=1e-15)


def test_an_epoch_is_one_step_down_autograds_gradient(lay_out):
    laid = lay_out()
    before, after = laid.arrays["weights"].T.copy(), laid.arrays["weights"].T
    laid.forward()
    laid.advance(losses.squared_error, 0.1, 0.25)
    for member, module in enumerate(laid.modules):
        loss = losses.squared_error(module(laid.x[member]), laid.y[member]).mean()
        found = torch.autograd.grad(loss, list(module.parameters()), allow_unused=True, materialize_grads=True)
        expected = before[member] - 0.1 * torch.cat([g.flatten() for g in found]).numpy()
        np.testing.assert_allclose(after[member], expected, rtol=1e-13, atol=1e-15)
        moved = with_parameters(module, expected)(laid.x[member]).detach()
        np.testing.assert_allclose(laid.outputs()[member], moved, rtol=1e-12)


def test_a_step_is_gradient_descent_and_bit_for_bit_so(lay_out):
    laid = lay_out()
    before = laid.arrays["weights"].copy()
    laid.forward()
    laid.advance(losses.gaussian_nll, 0.3, 0.25)
    weights, gradient = laid.block("weights", "gradient")
    assert (weights == before - 0.3 * gradient).all() and (weights != before).all()


def test_an_onset_is_the_first_jump_at_a_point_of_the_member(lay_out):
    def epoch(jump: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """How far the outputs of each lane move in an epoch, where the member has a point, and the onsets after it."""
        laid = lay_out(heads=("linear", "softplus"), points=3, layers=1)
        laid.arrays["weights"][:, 2] = np.nan
        laid.arrays["target"][:, 3] = 1e308  # finite outputs before the epoch, but not after it
        laid.arrays["onset"][0, 6] = 3  # an onset before
        laid.forward()
        before = laid.arrays["outputs"].copy()
        laid.advance(losses.gaussian_nll, 0.1, jump, 7)
        moved = (laid.arrays["outputs"] - before).reshape(2, -1, WIDTH)
        return moved, laid.arrays["share"][: moved.shape[1]] > 0, laid.arrays["onset"][0]

    moved, own, _ = epoch(1.0)
    largest = np.where(own, np.abs(moved), 0.0).max(1)
    jump = largest[0, 12]
    assert np.abs(moved[0, :, 12]).max() > jump  # lane 12: beyond it only at a point that others have
    assert largest[0, 8] < jump < -moved[1][own[:, 8], 8].min()  # lane 8: the deviation, downwards
    assert not np.isfinite(largest[:, 2:4]).any() and largest[0, 6] > jump
    after = np.where(np.isfinite(largest).all(0) & (largest <= jump).all(0), -1, 8)
    after[6] = 3
    assert (epoch(jump)[2] == after).all() and set(after) == {-1, 3, 8}
