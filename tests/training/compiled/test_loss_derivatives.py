"""The derivatives of the losses against autograd."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch

from kbe import losses
from kbe.training.compiled import loss_derivatives
from kbe.training.compiled.simd import WIDTH

LOSSES = [
    losses.squared_error,
    losses.gaussian_nll,
    losses.gaussian_nll_misprinted,
    losses.laplace_nll,
    functools.partial(losses.student_t_nll, degrees=2.5),
    functools.partial(losses.beta_nll, beta=0.3),
    losses.faithful_nll,
    functools.partial(losses.clamped_gaussian_nll, floor=0.2),
]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: getattr(loss, "func", loss).__name__)
def test_loss_slopes_are_those_of_autograd(loss):
    """Two slots of rows, as for inputs drawn twice: the slopes of a row's points add up; absent points add nothing."""
    rows, generator = 4, np.random.default_rng(0)
    outputs = generator.uniform(0.1, 2, (2 * rows, WIDTH))
    target = generator.integers(0, 2, (2 * rows, WIDTH)).astype(float)
    outputs[0], target[0] = 1.0, 1.0  # a point without residual
    share = np.where(generator.random((2 * rows, WIDTH)) < 0.7, 1 / 3, 0.0)
    outputs[[3, 7], 5], share[[3, 7], 5] = np.nan, 0.0
    slopes = np.empty_like(outputs)
    loss_derivatives.loss_slopes(outputs, rows, target, share, *loss_derivatives.compiled_form(loss), slopes)

    at = torch.tensor(outputs, requires_grad=True)
    points = at.reshape(2, rows, WIDTH).movedim(0, -1)
    total = sum(
        (torch.tensor(s) * loss(points, torch.tensor(t))).where(torch.tensor(s) > 0, 0.0).nansum()
        for s, t in zip(share.reshape(2, rows, WIDTH), target.reshape(2, rows, WIDTH), strict=True)
    )
    (expected,) = torch.autograd.grad(total, at)
    np.testing.assert_allclose(slopes, expected.nan_to_num(), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: getattr(loss, "func", loss).__name__)
def test_loss_slopes_are_those_of_autograd_over_24_decades(loss):
    """Which `test_losses.py` holds to fifty digits there. A slope in sigma is a difference, so to 1e-12 of a term."""
    rows, generator = 200, np.random.default_rng(0)
    error, sigma = 10 ** generator.uniform(-12, 12, (2, rows, WIDTH))
    error[generator.random(error.shape) < 0.1] = 0.0
    outputs, share = np.concatenate([error, sigma]), np.ones((rows, WIDTH))
    slopes, form = np.empty_like(outputs), loss_derivatives.compiled_form(loss)
    loss_derivatives.loss_slopes(outputs, rows, np.zeros_like(error), share, *form, slopes)

    at = torch.tensor(outputs, requires_grad=True)
    total = loss(at.reshape(2, rows, WIDTH).movedim(0, -1), torch.zeros(rows, WIDTH).double()).sum()
    (expected,) = torch.autograd.grad(total, at)
    np.testing.assert_allclose(slopes, expected, rtol=1e-12)


@pytest.mark.parametrize("loss", LOSSES[1:], ids=lambda loss: getattr(loss, "func", loss).__name__)
def test_loss_slopes_of_a_point_that_is_not_finite_are_not_finite(loss):
    outputs, share = np.full((2, WIDTH), np.nan), np.ones((1, WIDTH))
    slopes = np.zeros_like(outputs)
    loss_derivatives.loss_slopes(outputs, 1, np.zeros((1, WIDTH)), share, *loss_derivatives.compiled_form(loss), slopes)
    assert np.isnan(slopes).all()
