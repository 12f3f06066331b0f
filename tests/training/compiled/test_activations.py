"""Activations and their slopes against torch: Eq. (10), (11)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numba import njit

from kbe.networks import ACTIVATIONS, HEADS
from kbe.training.compiled import activations
from kbe.training.compiled.simd import WIDTH, load, store

KINDS = {name: activations.NAMES[name] for name in (*ACTIVATIONS, *HEADS)}


@njit(error_model="numpy")
def activated(z, kind, values, slopes):
    for row in range(z.shape[0]):
        store(values, row, activations.activate(load(z, row), kind))
        store(slopes, row, activations.slope(load(values, row), kind))


@pytest.mark.parametrize("name", KINDS)
def test_eq10_activations_and_their_slopes_are_torchs(name):
    z = np.concatenate([np.linspace(-30, 30, 12 * WIDTH - 4), [-1e-12, 0.0, 1e-12, 1e-300]]).reshape(-1, WIDTH)
    values, slopes = np.empty_like(z), np.empty_like(z)
    activated(z, KINDS[name], values, slopes)
    at = torch.tensor(z, requires_grad=True)
    torch_values = (ACTIVATIONS[name]() if name in ACTIVATIONS else HEADS[name])(at)
    (torch_slopes,) = torch.autograd.grad(torch_values.sum(), at)
    np.testing.assert_allclose(values, torch_values.detach(), rtol=3e-16, atol=3e-16)
    np.testing.assert_allclose(slopes, torch_slopes, rtol=3e-15, atol=3e-16)


@pytest.mark.parametrize("name", KINDS)
def test_activations_of_what_is_not_finite_are_torchs(name):
    z = np.resize([np.nan, np.inf, -np.inf, 800.0, -800.0], (1, WIDTH))
    values, slopes = np.empty_like(z), np.empty_like(z)
    activated(z, KINDS[name], values, slopes)
    torch_values = (ACTIVATIONS[name]() if name in ACTIVATIONS else HEADS[name])(torch.tensor(z))
    np.testing.assert_allclose(values, torch_values, rtol=1e-15)
    assert np.isnan(slopes[np.isnan(values)]).all() or name == "relu"
