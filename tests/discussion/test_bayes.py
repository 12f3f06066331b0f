"""The floor of the prior, the sampler against densities known in closed form, mixtures by hand."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
import xarray as xr

from kbe import losses
from kbe.data import encoding
from kbe.discussion import bayes
from kbe.networks import VarianceNetwork
from kbe.training import ensemble

THREE = xr.Dataset({"mu": ("member", [1.0, 2, 3])})


def pair(error: float, sigma: float) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.tensor([[-error, sigma]], dtype=torch.float64), torch.zeros(1, dtype=torch.float64)


def test_at_zero_error_the_loss_is_least_at_the_floor_and_its_homogeneity_is_broken_there():
    weight, variance = 0.3, 0.25
    floor = bayes.conjugate_floor(weight, variance)
    output, target = pair(0.0, floor)
    output.requires_grad_()
    (slope,) = torch.autograd.grad(losses.conjugate_nll(output, target, weight, variance).sum(), output)
    assert abs(slope[0, 1].item()) < 1e-12 and bayes.conjugate_floor(0) == 0
    output, target = pair(0.2, 0.5)
    output.requires_grad_()
    (slope,) = torch.autograd.grad(losses.conjugate_nll(output, target, weight, variance).sum(), output)
    scaled = (slope * output).sum().item()  # r d/dr + sigma d/dsigma
    assert scaled == pytest.approx(1 + weight - weight * variance / 0.25)


@pytest.mark.parametrize("weight", [0.1, 1.0])
@pytest.mark.parametrize("heads", ["linear", "sigmoid"])
def test_the_step_bound_at_a_fitted_point_is_that_of_the_direction_of_sigma(weight, heads):
    """Gradient descent in what enters the heads comes to rest 2 % below the chapter's bound and not 2 % above it."""
    variance, floor = 0.25, bayes.conjugate_floor(weight)
    bound = weight * variance / (1 + weight) ** 2 if heads == "linear" else 1 / ((1 + weight) * (1 - floor) ** 2)

    def moved(step):
        logit = floor + 1e-4 if heads == "linear" else np.log(floor / (1 - floor)) + 1e-3
        entering = torch.tensor([[1e-4, logit]], dtype=torch.float64, requires_grad=True)
        for _ in range(400):
            outputs = [entering[0, 0], entering[0, 1] if heads == "linear" else entering[0, 1].sigmoid()]
            loss = losses.conjugate_nll(torch.stack(outputs)[None], torch.zeros(1), weight, variance).sum()
            (slope,) = torch.autograd.grad(loss, entering)
            slope[0, 0] *= heads == "linear"  # the head of mu is flat where its target is met
            entering = (entering - step * slope).detach().requires_grad_()
        return abs((entering[0, 1] if heads == "linear" else entering[0, 1].sigmoid()).item() - floor)

    assert moved(0.98 * bound) < 1e-5 < 1e-3 < moved(1.02 * bound)


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


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: bayes.conjugate_floor(-1), "weight"),
        (lambda: bayes.conjugate_floor(1, 0), "variance"),
        (lambda: bayes.Langevin([torch.ones(1)], lr=0), "lr is 0"),
        (lambda: bayes.Langevin([torch.ones(1)], temperature=-1), "temperature is -1"),
        (lambda: bayes.Langevin([torch.ones(1)], weight_decay=-1), "weight_decay"),
        (lambda: bayes.in_groups(THREE, 2), "networks"),
        (lambda: bayes.in_groups(THREE.rename(member="epoch"), 1), "networks"),
        (lambda: bayes.in_groups(THREE.mu, 1), "run"),
        (lambda: bayes.mixture(THREE, "member"), "run lacks sigma"),
        (lambda: bayes.mixture(THREE.assign(sigma=THREE.mu), "network"), "dim"),
    ],
)
def test_bad_input_is_named(call, named):
    with pytest.raises(ValueError, match=f"^{named}"):
        call()
