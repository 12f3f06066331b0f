"""The Bayesian losses against each other, the sampler against densities known in closed form, mixtures by hand."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
import torch
import xarray as xr
from scipy import integrate, stats

from kbe import losses
from kbe.data import encoding
from kbe.discussion import bayes
from kbe.networks import VarianceNetwork
from kbe.training import ensemble


def pair(error: float, sigma: float) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.tensor([[-error, sigma]], dtype=torch.float64), torch.zeros(1, dtype=torch.float64)


def test_without_weight_the_prior_is_eq8():
    output, target = torch.rand(7, 2, dtype=torch.float64) + 0.1, torch.rand(7, dtype=torch.float64)
    torch.testing.assert_close(bayes.conjugate_nll(output, target, weight=0), losses.gaussian_nll(output, target))


@pytest.mark.parametrize(("weight", "variance"), [(0.3, 0.25), (2.0, 0.04)])
def test_the_posterior_of_log_sigma_is_likelihood_times_an_inverse_gamma_prior(weight, variance):
    prior = stats.invgamma(weight / 2, scale=weight * variance / 2)
    sigma = np.array([0.1, 0.3, 1.0])
    direct = (
        -stats.norm(0, sigma).logpdf(0.4) - prior.logpdf(sigma**2) - np.log(2 * sigma**2)
    )  # d sigma^2 / d log sigma
    given = [bayes.conjugate_nll(*pair(0.4, s), weight=weight, variance=variance).item() for s in sigma]
    np.testing.assert_allclose(np.diff(given), np.diff(direct))


@pytest.mark.parametrize("weight", [0.3, 3.0])
def test_sigma_integrated_out_is_a_student_t_of_fixed_scale(weight):
    prior = stats.invgamma(weight / 2, scale=weight * 0.25 / 2)
    whole, _ = integrate.quad(lambda u: stats.norm(0, math.exp(u)).pdf(0.4) * prior.pdf(math.exp(2 * u))
                              * 2 * math.exp(2 * u), -12, 12, limit=200)  # fmt: skip
    output, target = pair(0.4, 123.0)
    assert bayes.marginal_nll(output, target, weight=weight).item() == pytest.approx(-math.log(whole), rel=1e-5)


@pytest.mark.parametrize("weight", [0.1, 1.0])
def test_its_shape_is_the_least_posterior_loss_over_sigma(weight):
    sigma = torch.linspace(0.02, 2, 40_000, dtype=torch.float64)
    errors = (0.0, 0.2, 0.9)
    least = [
        bayes.conjugate_nll(torch.stack([torch.full_like(sigma, -e), sigma], -1), torch.zeros_like(sigma), weight)
        .min().item() for e in errors
    ]  # fmt: skip
    marginal = [bayes.marginal_nll(*pair(e, 1.0), weight).item() for e in errors]
    np.testing.assert_allclose(np.diff(least), np.diff(marginal), atol=1e-6)


def test_at_zero_error_the_loss_is_least_at_the_floor_and_its_homogeneity_is_broken_there():
    weight, variance = 0.3, 0.25
    floor = bayes.least_deviation(weight, variance)
    output, target = pair(0.0, floor)
    output.requires_grad_()
    (slope,) = torch.autograd.grad(bayes.conjugate_nll(output, target, weight, variance).sum(), output)
    assert abs(slope[0, 1].item()) < 1e-12 and bayes.least_deviation(0) == 0
    output, target = pair(0.2, 0.5)
    output.requires_grad_()
    (slope,) = torch.autograd.grad(bayes.conjugate_nll(output, target, weight, variance).sum(), output)
    scaled = (slope * output).sum().item()  # r d/dr + sigma d/dsigma
    assert scaled == pytest.approx(1 + weight - weight * variance / 0.25)


def test_langevin_without_temperature_is_gradient_descent_with_weight_decay():
    data = encoding.random_encoding(4, 8, 2, seed=0)
    settings = {"epochs": 20, "record": [20]}
    ours = partial(bayes.Langevin, weight_decay=0.02)
    torchs = partial(torch.optim.SGD, weight_decay=0.02)
    first, second = (ensemble.train(VarianceNetwork, data, optimizer=o, **settings) for o in (ours, torchs))
    np.testing.assert_allclose(first.mu, second.mu, atol=1e-12)
    plain = ensemble.train(VarianceNetwork, data, **settings)
    assert abs(first.mu - plain.mu).max() > 1e-4


def test_langevin_visits_a_gaussian_with_the_temperature_as_variance():
    torch.manual_seed(0)
    weights = torch.zeros(20_000, dtype=torch.float64, requires_grad=True)
    sampler = bayes.Langevin([weights], lr=0.05, temperature=0.2, weight_decay=1.0)
    for _ in range(200):
        sampler.zero_grad()
        (0.5 * (weights - 1) ** 2).sum().backward()  # with the decay: curvature 2 about 1/2
        sampler.step()
    assert weights.mean().item() == pytest.approx(0.5, abs=0.01)
    assert weights.var().item() == pytest.approx(0.2 / 2 / (1 - 0.05), rel=0.04)  # exact for a step of 0.05


def test_langevin_returns_the_closures_loss_and_leaves_what_has_no_gradient():
    idle, moved = torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=True)
    sampler = bayes.Langevin([idle, moved], lr=0.5)

    def closure():
        loss = moved.sum()
        loss.backward()
        return loss

    assert sampler.step(closure).item() == 1 and (idle.item(), moved.item()) == (1, 0.5)


def test_a_mixture_has_the_moments_of_its_draws():
    rng = np.random.default_rng(0)
    run = xr.Dataset({"mu": ("network", [0.0, 1.0]), "sigma": ("network", [0.5, 0.1])})
    draws = np.concatenate([rng.normal(0, 0.5, 200_000), rng.normal(1, 0.1, 200_000)])
    mixed = bayes.mixture(run, "network")
    assert mixed.mu.item() == 0.5 and mixed.sigma.item() == pytest.approx(draws.std(), rel=0.01)
    assert np.isnan(bayes.mixture(run.where(run.mu > 0), "network").mu)


def test_groups_are_members_that_follow_each_other():
    data = encoding.random_encoding(3, 8, 2, seed=0)
    data = data.isel(member=[0, 0, 1, 1]).assign_coords(member=range(4))
    run = ensemble.train(VarianceNetwork, data, epochs=1, record=[0, 1])
    grouped = bayes.in_groups(run, 2)
    np.testing.assert_array_equal(grouped.mu.sel(network=1).transpose("member", "epoch", "point"), run.mu[1::2])
    mixed = bayes.mixture(grouped, "network")
    np.testing.assert_allclose(mixed.mu[1], (run.mu[2] + run.mu[3]) / 2)
    np.testing.assert_array_equal(mixed.y, data.y[::2])


def test_bad_input_is_refused():
    output, target = pair(0.1, 0.2)
    for name, setting in {"weight": -1, "variance": 0}.items():
        with pytest.raises(ValueError, match=name):
            bayes.conjugate_nll(output, target, **{name: setting})
        with pytest.raises(ValueError, match=name):
            bayes.least_deviation(**{"weight": 1.0, name: setting})
    with pytest.raises(ValueError, match="degrees"):
        bayes.marginal_nll(output, target, weight=0)
    with pytest.raises(ValueError, match="output is 3"):
        bayes.marginal_nll(3, target)
    with pytest.raises(ValueError, match="temperature is -1"):
        bayes.Langevin([output], temperature=-1)
    with pytest.raises(ValueError, match="whole groups"):
        bayes.in_groups(xr.Dataset({"mu": ("member", [1.0, 2, 3])}), 2)
    with pytest.raises(ValueError, match="dimension 'network'"):
        bayes.mixture(xr.Dataset({"mu": ("member", [1.0]), "sigma": ("member", [1.0])}), "network")
