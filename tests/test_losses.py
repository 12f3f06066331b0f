"""The losses, equations 8, 13 and 14, and others for the same network."""

from __future__ import annotations

import functools
import math

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize, stats

from kbe.losses import (
    beta_nll,
    clamped_gaussian_nll,
    conjugate_nll,
    faithful_nll,
    gaussian_nll,
    gaussian_nll_misprinted,
    laplace_nll,
    marginal_nll,
    squared_error,
    student_t_learned_nll,
    student_t_nll,
)

FEW = settings(max_examples=25, deadline=None)
SMOOTH = (
    gaussian_nll, gaussian_nll_misprinted, squared_error, laplace_nll, student_t_nll, conjugate_nll, marginal_nll,
)  # fmt: skip
STOPPED = (beta_nll, faithful_nll, clamped_gaussian_nll)  # autograd is not to follow all of their value
LOSSES = SMOOTH + STOPPED


def points(seed: int = 0, shape: tuple[int, ...] = (4, 7)) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    mean, deviation, target = (torch.rand(*shape, generator=generator, dtype=torch.float64) for _ in range(3))
    return torch.stack([mean, deviation + 0.05], -1), target


def pair(error: float, sigma: float) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.tensor([[-error, sigma]], dtype=torch.float64), torch.zeros(1, dtype=torch.float64)


def three_heads() -> tuple[torch.Tensor, torch.Tensor]:
    output, target = points()
    return torch.cat([output, output[..., :1] + 0.1], -1), target


def best_deviation(loss, error: float) -> float:
    """The sigma of least loss at a given |y - mu|, by a minimiser that knows no derivative."""

    def value(log_sigma: float) -> float:
        return loss(torch.tensor([0.0, math.exp(log_sigma)], dtype=torch.float64), torch.tensor(error)).item()

    return math.exp(optimize.minimize_scalar(value, bracket=(math.log(error) - 1, math.log(error) + 1), tol=1e-10).x)


def slopes(loss) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    output, target = points()
    output.requires_grad_()
    return torch.autograd.grad(loss(output, target).sum(), output)[0], output.detach(), target


def test_eq8_is_the_negative_log_density_of_a_gaussian():
    output, target = points()
    expected = -torch.distributions.Normal(output[..., 0], output[..., 1]).log_prob(target)
    torch.testing.assert_close(gaussian_nll(output, target), expected, rtol=1e-13, atol=1e-13)


def test_eq8_sum_is_the_log_of_the_product_as_printed():
    output, target = points(1, (5,))
    product = 1.0
    for (mean, deviation), y in zip(output.tolist(), target.tolist(), strict=True):
        product *= math.exp(-0.5 * ((y - mean) / deviation) ** 2) / (deviation * math.sqrt(2 * math.pi))
    assert gaussian_nll(output, target).sum().item() == pytest.approx(-math.log(product), rel=1e-12)


def test_eq8_hand_computed_case():
    value = gaussian_nll(torch.tensor([0.5, 2.0], dtype=torch.float64), torch.tensor(1.5, dtype=torch.float64))
    assert value.item() == pytest.approx(math.log(2) + 1 / 8 + 0.9189385332046727, abs=1e-14)


@pytest.mark.parametrize("error", [0.01, 0.3, 1.0, 5.0])
def test_eq8_best_deviation_is_the_error(error):
    assert best_deviation(gaussian_nll, error) == pytest.approx(error, rel=1e-5)


@pytest.mark.parametrize("error", [0.01, 0.3, 1.0, 5.0])
def test_eq14_best_deviation_is_another_one(error):
    assert best_deviation(gaussian_nll_misprinted, error) == pytest.approx(error ** (2 / 3), rel=1e-5)


def test_eq8_slopes_are_those_of_eq21_and_eq23():
    gradient, output, target = slopes(gaussian_nll)
    (mean, deviation), error = output.unbind(-1), target - output[..., 0]
    torch.testing.assert_close(gradient[..., 0], -error / deviation**2)
    torch.testing.assert_close(gradient[..., 1], -(error**2 - deviation**2) / deviation**3)
    assert mean.shape == target.shape


def test_eq8_falls_without_bound_where_the_error_is_zero():
    sigma = torch.tensor([1e-1, 1e-3, 1e-6, 1e-12], dtype=torch.float64)
    exact = gaussian_nll(torch.stack([torch.zeros(4).double(), sigma], -1), torch.zeros(4).double())
    torch.testing.assert_close(exact, sigma.log() + 0.5 * math.log(2 * math.pi))
    missed = gaussian_nll(torch.stack([torch.zeros(4).double(), sigma], -1), torch.full((4,), 0.5).double())
    assert (missed.diff() > 0).all()
    assert missed[-1] > 1e20


def test_eq14_hand_computed_case_and_difference_from_eq8():
    output, target = points()
    value = gaussian_nll_misprinted(torch.tensor([0.5, 2.0]), torch.tensor(1.5))
    assert value.item() == pytest.approx(2 + 1 / 8)
    sigma = output[..., 1]
    difference = gaussian_nll_misprinted(output, target) - gaussian_nll(output, target)
    torch.testing.assert_close(difference, sigma - sigma.log() - 0.5 * math.log(2 * math.pi))


def test_eq13_slope_of_the_squared_error_is_mu_minus_y():
    gradient, output, target = slopes(squared_error)
    torch.testing.assert_close(gradient[..., 0], output[..., 0] - target, rtol=1e-14, atol=1e-14)
    assert (gradient[..., 1] == 0).all()
    assert squared_error(torch.tensor([[3.0]]), torch.tensor([1.0])).item() == 2


def test_eq13_is_eq8_at_unit_deviation():
    output, target = points()
    output[..., 1] = 1.0
    torch.testing.assert_close(
        gaussian_nll(output, target) - 0.5 * math.log(2 * math.pi), squared_error(output, target)
    )


# --- other losses for the same network


def test_laplace_is_the_negative_log_density():
    output, target = points()
    expected = -torch.distributions.Laplace(output[..., 0], output[..., 1]).log_prob(target)
    torch.testing.assert_close(laplace_nll(output, target), expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("error", [0.01, 0.3, 5.0])
def test_laplace_best_scale_is_the_error(error):
    assert best_deviation(laplace_nll, error) == pytest.approx(error, rel=1e-5)


@pytest.mark.parametrize("degrees", [0.5, 1, 3, 30])
def test_student_t_is_the_negative_log_density(degrees):
    output, target = points()
    expected = -stats.t.logpdf(target.numpy(), degrees, output[..., 0].numpy(), output[..., 1].numpy())
    np.testing.assert_allclose(student_t_nll(output, target, degrees), expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("degrees", "error"), [(1, 0.3), (3, 0.02), (10, 2.0)])
def test_student_t_best_scale_is_the_error_like_the_gaussians(degrees, error):
    """The slope in sigma is zero where (nu + 1) q = nu + q, with q the squared ratio: at q = 1 for every nu."""
    assert best_deviation(functools.partial(student_t_nll, degrees=degrees), error) == pytest.approx(error, rel=1e-5)


@pytest.mark.parametrize("least", [0.5, 1.0, 2.0])
def test_learned_student_t_is_the_negative_log_density_of_its_own_degrees(least):
    output, target = points()
    third = torch.linspace(0.02, 1, target.numel(), dtype=torch.float64).reshape(target.shape)
    found = student_t_learned_nll(torch.cat([output, third[..., None]], -1), target, least)
    expected = -stats.t.logpdf(target.numpy(), least / third.numpy(), *output.numpy().transpose(2, 0, 1))
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    assert student_t_learned_nll.__defaults__ == (2.0,)


def test_learned_student_t_has_the_slope_in_the_degrees_of_a_difference_quotient():
    output, target = points()
    output = torch.cat([output, torch.full((*target.shape, 1), 1.5).double()], -1)
    assert torch.autograd.gradcheck(student_t_learned_nll, (output.requires_grad_(), target))


@pytest.mark.parametrize("ratio", [0.0, 0.3, 1.0])
def test_learned_degrees_rise_wherever_the_scale_is_no_less_than_the_error(ratio):
    """At a single target near its location the Gaussian is the most likely of them all."""
    output = torch.tensor(
        [[0.0, 1.0, h] for h in (0.99, 0.5, 0.1, 1e-2, 1e-3)], dtype=torch.float64, requires_grad=True
    )
    student_t_learned_nll(output, torch.full((5,), ratio).double(), 1.0).sum().backward()
    assert (output.grad[:, 2] > 0).all()


def test_student_t_of_many_degrees_is_eq8():
    output, target = points()
    torch.testing.assert_close(student_t_nll(output, target, 1e7), gaussian_nll(output, target), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.8, 1.0])
def test_beta_weights_the_slopes_of_eq8_and_nothing_else(beta):
    weighted, output, target = slopes(functools.partial(beta_nll, beta=beta))
    plain, _, _ = slopes(gaussian_nll)
    torch.testing.assert_close(weighted, output[..., 1:] ** (2 * beta) * plain)
    torch.testing.assert_close(beta_nll(output, target, 0.0), gaussian_nll(output, target))


def test_beta_one_moves_the_mean_like_the_squared_error():
    torch.testing.assert_close(slopes(functools.partial(beta_nll, beta=1))[0][..., 0], slopes(squared_error)[0][..., 0])


def test_faithful_moves_the_mean_like_the_squared_error_and_the_deviation_like_eq8():
    found, output, target = slopes(faithful_nll)
    torch.testing.assert_close(found[..., 0], slopes(squared_error)[0][..., 0])
    torch.testing.assert_close(found[..., 1], slopes(gaussian_nll)[0][..., 1])
    torch.testing.assert_close(
        faithful_nll(output, target), squared_error(output, target) + gaussian_nll(output, target)
    )


@pytest.mark.parametrize("floor", [1e-6, 0.1, 0.5])
def test_clamped_is_torchs_own_loss_with_its_gradient(floor):
    found, output, target = slopes(functools.partial(clamped_gaussian_nll, floor=floor))
    output.requires_grad_()
    torchs = torch.nn.GaussianNLLLoss(full=True, eps=floor, reduction="none")
    values = torchs(output[..., 0], target, output[..., 1] ** 2)
    torch.testing.assert_close(clamped_gaussian_nll(output, target, floor), values)
    torch.testing.assert_close(found, torch.autograd.grad(values.sum(), output)[0])


def test_clamped_has_a_floor_where_eq8_has_none():
    sigma = torch.tensor([1e-1, 1e-4, 1e-12, 0.0], dtype=torch.float64)
    on_target = torch.stack([torch.zeros_like(sigma), sigma], -1), torch.zeros_like(sigma)
    assert clamped_gaussian_nll(*on_target)[1:].unique().numel() == 1
    assert clamped_gaussian_nll(*on_target)[0] == pytest.approx(gaussian_nll(*on_target)[0].item())


# --- with a prior on sigma


def test_without_weight_the_prior_is_eq8():
    output, target = points()
    torch.testing.assert_close(conjugate_nll(output, target, weight=0), gaussian_nll(output, target))


@pytest.mark.parametrize(("weight", "variance"), [(0.3, 0.25), (2.0, 0.04)])
def test_the_posterior_of_log_sigma_is_likelihood_times_an_inverse_gamma_prior(weight, variance):
    prior = stats.invgamma(weight / 2, scale=weight * variance / 2)
    sigma = np.array([0.1, 0.3, 1.0])
    direct = (
        -stats.norm(0, sigma).logpdf(0.4) - prior.logpdf(sigma**2) - np.log(2 * sigma**2)
    )  # d sigma^2 / d log sigma
    given = [conjugate_nll(*pair(0.4, s), weight=weight, variance=variance).item() for s in sigma]
    np.testing.assert_allclose(np.diff(given), np.diff(direct))


@pytest.mark.parametrize("weight", [0.3, 3.0])
def test_sigma_integrated_out_is_a_student_t_of_fixed_scale(weight):
    prior = stats.invgamma(weight / 2, scale=weight * 0.25 / 2)
    whole, _ = integrate.quad(lambda u: stats.norm(0, math.exp(u)).pdf(0.4) * prior.pdf(math.exp(2 * u))
                              * 2 * math.exp(2 * u), -12, 12, limit=200)  # fmt: skip
    output, target = pair(0.4, 123.0)
    assert marginal_nll(output, target, weight=weight).item() == pytest.approx(-math.log(whole), rel=1e-5)


@pytest.mark.parametrize("weight", [0.1, 1.0])
def test_its_shape_is_the_least_posterior_loss_over_sigma(weight):
    sigma = torch.linspace(0.02, 2, 40_000, dtype=torch.float64)
    errors = (0.0, 0.2, 0.9)
    least = [
        conjugate_nll(torch.stack([torch.full_like(sigma, -e), sigma], -1), torch.zeros_like(sigma), weight)
        .min().item() for e in errors
    ]  # fmt: skip
    marginal = [marginal_nll(*pair(e, 1.0), weight).item() for e in errors]
    np.testing.assert_allclose(np.diff(least), np.diff(marginal), atol=1e-6)


# --- against fifty digits, over 24 decades of every argument


def gaussian_terms(mu, sigma, y):
    return [mpmath.log(sigma), ((y - mu) / sigma) ** 2 / 2, mpmath.log(2 * mpmath.pi) / 2]


def student_t_terms(mu, sigma, y, degrees):
    grown = mpmath.log1p(((y - mu) / sigma) ** 2 / degrees) / 2
    half = degrees / 2
    constant = mpmath.log(mpmath.pi * degrees) / 2 + mpmath.loggamma(half) - mpmath.loggamma(half + mpmath.mpf(1) / 2)
    return [mpmath.log(sigma), degrees * grown, grown, constant]


def clamped_terms(y, at, floor, mu, sigma):
    variance = sigma**2 if at[1] ** 2 >= floor else sigma**2 - at[1] ** 2 + floor
    return [mpmath.log(variance) / 2, (y - mu) ** 2 / variance / 2, mpmath.log(2 * mpmath.pi) / 2]


def conjugate_terms(y, at, weight, variance, mu, sigma):
    return [*gaussian_terms(mu, sigma, y), weight * mpmath.log(sigma), weight * variance / sigma**2 / 2]


# a loss, the decades of its numbers, and the terms of its sum; `at` is what no gradient flows through
ANYTHING = (-12, 12)
EXACT = {
    gaussian_nll: ({}, lambda y, at, mu, sigma: gaussian_terms(mu, sigma, y)),
    gaussian_nll_misprinted: ({}, lambda y, at, mu, sigma: [sigma, ((y - mu) / sigma) ** 2 / 2]),
    squared_error: ({}, lambda y, at, mu, sigma: [(y - mu) ** 2 / 2, 0 * sigma]),
    laplace_nll: ({}, lambda y, at, mu, sigma: [mpmath.log(2 * sigma), abs(y - mu) / sigma]),
    student_t_nll: ({"degrees": ANYTHING}, lambda y, at, degrees, mu, sigma: student_t_terms(mu, sigma, y, degrees)),
    student_t_learned_nll: (
        {"least": (-1, 1)}, lambda y, at, least, mu, sigma, h: student_t_terms(mu, sigma, y, least / h)
    ),
    beta_nll: (
        {"beta": (-12, 0)},
        lambda y, at, beta, mu, sigma: [at[1] ** (2 * beta) * term for term in gaussian_terms(mu, sigma, y)],
    ),
    faithful_nll: ({}, lambda y, at, mu, sigma: [(y - mu) ** 2 / 2, *gaussian_terms(at[0], sigma, y)]),
    clamped_gaussian_nll: ({"floor": ANYTHING}, clamped_terms),
    conjugate_nll: ({"weight": ANYTHING, "variance": ANYTHING}, conjugate_terms),
    marginal_nll: (
        {"weight": ANYTHING, "variance": ANYTHING},
        lambda y, at, weight, variance, mu, sigma: student_t_terms(mu, mpmath.sqrt(variance), y, weight),
    ),
}  # fmt: skip


def over_decades(loss, count: int = 120):
    """Heads (count, 2 or 3), targets and numbers of a loss, log-uniform, with the ends of each range among them."""
    generator = np.random.default_rng(0)

    def drawn(low, high):
        ends = 10.0 ** np.array([low, high])
        return np.concatenate(
            [generator.choice(ends, count // 3), 10 ** generator.uniform(low, high, count - count // 3)]
        )

    error = generator.permutation(drawn(*ANYTHING)) * generator.choice([-1, 0, 1], count, p=[0.45, 0.1, 0.45])
    mean = drawn(*ANYTHING) * generator.choice([-1, 0, 1], count, p=[0.1, 0.8, 0.1])
    heads = [mean, generator.permutation(drawn(*ANYTHING))]
    if loss is student_t_learned_nll:
        heads.append(generator.permutation(drawn(-24, 0)))
    numbers = {name: generator.permutation(drawn(*decades)) for name, decades in EXACT[loss][0].items()}
    return np.stack(heads, -1), mean + error, numbers


@pytest.mark.parametrize("loss", EXACT, ids=lambda loss: loss.__name__)
def test_value_and_slopes_are_exact_over_24_decades_of_every_argument(loss):
    """To 1e-12 of the largest term of each sum: no other precision is there in float64."""
    for heads, y, *numbers in zip(*over_decades(loss)[:2], *over_decades(loss)[2].values(), strict=True):
        output = torch.tensor(heads, requires_grad=True)
        value = loss(output, torch.tensor(y), **dict(zip(EXACT[loss][0], map(float, numbers), strict=True)))
        (slope,) = torch.autograd.grad(value, output)
        with mpmath.workdps(160):  # 60 go in the difference quotients, 50 in the log gammas of many degrees
            at = [mpmath.mpf(float(head)) for head in heads]
            terms = functools.partial(
                EXACT[loss][1], mpmath.mpf(float(y)), at, *(mpmath.mpf(float(n)) for n in numbers)
            )
            wanted = [terms(*at)]
            for head, where in enumerate(at):
                step = mpmath.mpf(10) ** -60 * (1 if head == 0 else where)
                beside = [terms(*at[:head], where + sign * step, *at[head + 1 :]) for sign in (1, -1)]
                wanted.append([(up - down) / (2 * step) for up, down in zip(*beside, strict=True)])
            for found, parts in zip([value, *slope], wanted, strict=True):
                off, largest = abs(mpmath.mpf(found.item()) - sum(parts)), max(map(abs, parts))
                assert off <= 1e-12 * largest, (heads, y, numbers, found.item(), float(sum(parts)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("share", [0.0, 1e-24, 1e-12])
@pytest.mark.parametrize("ratio", [0.0, 0.5, 2.0])
def test_learned_student_t_at_its_gaussian_end(ratio, share, dtype):
    """There it is Eq. (8), and to first order in 1/nu more by 1/4 + q/2 - q^2/4, with q the squared ratio."""
    output = torch.tensor([0.0, 2.0, share], dtype=dtype, requires_grad=True)
    value = student_t_learned_nll(output, torch.tensor(2 * ratio, dtype=dtype), 1.0)
    torch.testing.assert_close(value, gaussian_nll(output, torch.tensor(2 * ratio, dtype=dtype)))
    (slope,) = torch.autograd.grad(value, output)
    expected = [-ratio / 2, (1 - ratio**2) / 2, 1 / 4 + ratio**2 / 2 - ratio**4 / 4]
    torch.testing.assert_close(slope, torch.tensor(expected, dtype=dtype))


def test_learned_student_t_has_second_derivatives_at_every_share():
    output = torch.tensor([[0.3, 0.7, h] for h in (0.0, 1e-3, 0.1, 0.5, 1.0)], dtype=torch.float64, requires_grad=True)
    target = torch.tensor([0.3, 0.9, 0.0, 2.0, 5.0], dtype=torch.float64)
    assert torch.autograd.gradgradcheck(lambda x: student_t_learned_nll(x, target), output)


@FEW
@given(
    case=st.sampled_from([
        (student_t_nll, "degrees", [0, -1]),
        (student_t_learned_nll, "least", [0, -1]),
        (clamped_gaussian_nll, "floor", [0, -1]),
        (beta_nll, "beta", [-1e-9, 1.01]),
        (conjugate_nll, "weight", [-1e-9]),
        (conjugate_nll, "variance", [0, -1]),
        (marginal_nll, "weight", [0, -1]),
        (marginal_nll, "variance", [0, -1]),
    ]),
    data=st.data(),
)  # fmt: skip
def test_numbers_of_a_loss_that_cannot_be_are_refused(case, data):
    loss, name, too_far = case
    bad = data.draw(st.sampled_from([np.nan, np.inf, None, "1", True, [1.0], *too_far]))
    with pytest.raises(ValueError, match=f"^{name} is "):
        loss(*three_heads(), **{name: bad})


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_keep_the_shape_and_go_through_torch_func(loss):
    output, target = points(0, (2, 3, 5))
    assert loss(output, target).shape == (2, 3, 5)
    rows = torch.func.vmap(torch.func.vmap(torch.func.vmap(loss)))(output, target)
    torch.testing.assert_close(rows, loss(output, target))
    if loss in SMOOTH:
        assert torch.autograd.gradcheck(loss, (output.requires_grad_(), target.requires_grad_()))


@FEW
@given(
    heads=st.integers(0, 3),
    shape=st.lists(st.integers(1, 3), max_size=2),
    other=st.lists(st.integers(1, 3), max_size=2),
)
def test_shapes_that_do_not_fit_are_refused(heads, shape, other):
    output, target = torch.ones(*shape, heads), torch.ones(other)
    least = {squared_error: 1, marginal_nll: 1, student_t_learned_nll: 3}
    for loss in (*LOSSES, student_t_learned_nll):
        if shape == other and heads >= least.get(loss, 2):
            assert loss(output, target).shape == target.shape
        else:
            with pytest.raises(ValueError, match="output has shape"):
                loss(output, target)


@FEW
@given(bad=st.sampled_from([None, 1.0, [1.0, 2.0], np.ones(2), "x"]))
def test_what_is_no_tensor_is_refused(bad):
    for loss in (*LOSSES, student_t_learned_nll):
        for arguments in [(bad, torch.ones(())), (torch.ones(2), bad)]:
            with pytest.raises(ValueError, match="must be torch tensors"):
                loss(*arguments)
