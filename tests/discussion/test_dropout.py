"""The spread over drop-out masks: against moments known in closed form, and within its two bounds."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from kbe.data import encoding
from kbe.discussion import dropout
from kbe.networks import VarianceNetwork
from kbe.training import ensemble


class Masked(nn.Module):
    """A linear head on masked inputs, and a fixed deviation."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.mask, self.head = nn.Dropout(rate), nn.Linear(8, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = self.head(self.mask(x))
        return torch.cat([mean, torch.full_like(mean, 0.3)], -1)


class Functional(nn.Module):
    """The same by a function instead of a layer."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate, self.head = rate, nn.Linear(8, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = self.head(nn.functional.dropout(x, self.rate, self.training))
        return torch.cat([mean, torch.full_like(mean, 0.3)], -1)


def kept(network, members: int = 3, points: int = 5, epochs: int = 0) -> xr.Dataset:
    data = encoding.random_encoding(points, 8, members, seed=1)
    return ensemble.train(network, data, epochs=epochs, record=[epochs], keep_parameters=True)


@pytest.mark.parametrize("kind", [Masked, Functional])
def test_mean_and_spread_of_a_masked_linear_head_by_hand(kind):
    network = partial(kind, 0.25)
    run = kept(network)
    moments = dropout.over_masks(dropout.masked_outputs(network, run, 4000))
    weights = run.parameters.values[:, 0, :8]  # then the bias
    terms = run.x.values * weights[:, None]
    mean = terms.sum(-1) + run.parameters.values[:, 0, 8:]
    np.testing.assert_allclose(moments.error.values[:, 0], abs(run.y.values - mean), atol=0.03)
    np.testing.assert_allclose(moments.spread.values[:, 0], np.sqrt((terms**2).sum(-1) / 3), rtol=0.06)
    np.testing.assert_allclose(moments.deviation, 0.3)
    error = (moments.error**2 + moments.spread**2).mean("point")
    np.testing.assert_allclose(moments.squared_error, error)
    np.testing.assert_allclose(moments.predicted, 0.09)


def test_masks_differ_between_points_members_and_draws_and_come_from_the_seed():
    network = partial(VarianceNetwork, dropout=0.5)
    run = kept(network)
    one = run.isel(member=[0, 0], point=[0, 0])
    drawn = dropout.masked_outputs(network, one, 3, seed=2)
    assert len(np.unique(drawn.mu)) > 8
    np.testing.assert_array_equal(drawn.mu, dropout.masked_outputs(network, one, 3, seed=2).mu)
    assert not np.array_equal(drawn.mu, dropout.masked_outputs(network, one, 3, seed=3).mu)


def test_without_drop_out_all_draws_are_the_recorded_outputs():
    run = kept(VarianceNetwork, epochs=3)
    drawn = dropout.masked_outputs(VarianceNetwork, run, 2)
    for name in ("mu", "sigma"):
        np.testing.assert_allclose(drawn[name], np.broadcast_to(run[name], drawn[name].shape), atol=1e-12)
    np.testing.assert_allclose(dropout.over_masks(drawn).spread, 0, atol=1e-12)


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_a_linear_head_spreads_at_least_as_the_bound_says(rate):
    network = partial(VarianceNetwork, mean="linear", dropout=rate, sigma_floor=0.3)
    run = kept(network, epochs=30)
    drawn = dropout.masked_outputs(network, run, 2000)
    names = [name for name, p in network().named_parameters() for _ in range(p.numel())]
    b = run.parameters.values[:, 0, names.index("heads.0.bias")]
    mean = drawn.mu.mean("mask").values[:, 0]
    least = dropout.least_spread(mean, b[:, None], rate, 24)
    assert (dropout.over_masks(drawn).spread.values[:, 0] > 0.95 * least).all() and least.max() > 0.005


def test_the_least_spread_is_that_of_equal_terms():
    network = partial(Masked, 0.2)
    run = kept(network)
    run = run.assign(x=run.x * 0 + 1, parameters=run.parameters * 0 + np.r_[np.full(8, 0.1), 0.05])
    spread = dropout.over_masks(dropout.masked_outputs(network, run, 4000)).spread
    np.testing.assert_allclose(spread, dropout.least_spread(0.85, 0.05, 0.2, 8), rtol=0.06)


def test_the_greatest_spread_is_that_of_a_coin_and_vanishes_with_the_error():
    coins = (np.random.default_rng(0).random(100_000) < 0.1) * 1.0
    assert dropout.greatest_spread(0.1) == pytest.approx(coins.std(), rel=0.02)
    assert dropout.greatest_spread([0.0, 1.0]).tolist() == [0, 0]


def test_behind_a_sigmoid_the_spread_stays_below_the_greatest():
    network = partial(VarianceNetwork, dropout=0.4)
    moments = dropout.over_masks(dropout.masked_outputs(network, kept(network, epochs=50), 200))
    assert (moments.spread.values <= dropout.greatest_spread(moments.error.values)).all()


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda run: dropout.masked_outputs(VarianceNetwork, run.drop_vars("parameters")), "run lacks parameters"),
        (lambda run: dropout.masked_outputs(VarianceNetwork, run, 0), "masks"),
        (lambda run: dropout.over_masks(run), "drawn.mu lacks mask"),
        (lambda run: dropout.greatest_spread(1.2), "error"),
        (lambda run: dropout.greatest_spread(-0.1), "error"),
        (lambda run: dropout.least_spread(0.5, 0.0, 1, 8), "rate"),
        (lambda run: dropout.least_spread(0.5, 0.0, 0.1, 0), "features"),
    ],
)
def test_bad_input_is_named(call, named):
    with pytest.raises(ValueError, match=f"^{named}"):
        call(kept(VarianceNetwork))
