"""The sharpness, against cases worked out by hand and against the training that it bounds."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from modules import Attentive
from numpy.polynomial.chebyshev import Chebyshev
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.data import DataLoader, TensorDataset

from kbe import losses
from kbe.data import encoding
from kbe.measures.sharpness import hessian_operator, sharpness
from kbe.networks import AverageNetwork, VarianceNetwork
from kbe.response.estimates import largest_eigenpairs, trace_estimate
from kbe.training import ensemble
from kbe.training.weights import flat_parameters, initial_modules, with_parameters


class Constants(nn.Module):
    """Mean and standard deviation as the two weights themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.outputs = nn.Parameter(torch.tensor([0.3, 0.4], dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.outputs.expand(len(x), 2)


def test_eq8_sharpness_of_two_bare_outputs_is_the_eigenvalue_by_hand():
    mean, deviation, target = 0.3, 0.4, 1.0
    q = ((target - mean) / deviation) ** 2
    by_hand = (3 * q + np.sqrt(9 * q**2 + 4 * q + 4)) / (2 * deviation**2)
    measured = sharpness(Constants(), [[mean, deviation]], np.zeros((1, 1, 2)), [[target]])
    np.testing.assert_allclose(measured, by_hand, rtol=1e-12)


def test_eq13_linear_model_has_the_largest_eigenvalue_of_its_inputs():
    x = np.random.default_rng(0).normal(size=(2, 7, 3))
    measured = sharpness(nn.Linear(3, 1, bias=False), np.ones((2, 3)), x, np.zeros((2, 7)), losses.squared_error)
    expected = [np.linalg.eigvalsh(member.T @ member / 7)[-1] for member in x]
    np.testing.assert_allclose(measured, expected, rtol=1e-12)


def test_the_sum_over_points_is_n_times_the_mean():
    x, y = np.random.default_rng(1).normal(size=(1, 5, 2)), np.zeros((1, 5))
    model, weights = nn.Linear(2, 1), np.zeros((1, 3))
    by_mean, by_sum = (sharpness(model, weights, x, y, losses.squared_error, reduction=r) for r in ("mean", "sum"))
    np.testing.assert_allclose(by_sum, 5 * by_mean)


@pytest.mark.parametrize(("share", "grows"), [(0.98, False), (1.02, True)])
def test_classical_bound_parts_stable_from_unstable_steps_at_rest(share, grows):
    """At the rest of a linear model, an error grows if and only if eta times the sharpness exceeds 2."""
    x = np.random.default_rng(2).normal(size=(1, 6, 2))
    truth = np.array([0.7, -0.2])
    data = encoding.random_encoding(6, 8, 1).assign(
        x=(("member", "point", "feature"), x), y=(("member", "point"), x @ truth)
    )
    rate = share * 2 / float(sharpness(nn.Linear(2, 1, bias=False), [truth], x, x @ truth, losses.squared_error)[0])
    run = ensemble.train(
        lambda: nn.Linear(2, 1, bias=False), data, losses.squared_error, learning_rate=rate, epochs=100, jump=1e300
    )
    assert (float(run.loss[0, -1]) > float(run.loss[0, 0])) is grows


def test_eq8_sharpness_of_the_paper_network_agrees_with_a_step_along_it():
    """Second differences of the loss along any direction stay below the sharpness, and one direction meets it."""
    data = encoding.random_encoding(4, 8, 1, seed=3)
    network = initial_modules(VarianceNetwork, 1, 3)[0]
    weights = flat_parameters(network)
    largest = sharpness(network, [weights], data.x.values, data.y.values)[0]
    x, y = torch.as_tensor(data.x.values[0]), torch.as_tensor(data.y.values[0])

    @torch.no_grad()
    def loss(w):
        return float(losses.gaussian_nll(with_parameters(network, w)(x), y).mean())

    directions = np.random.default_rng(0).normal(size=(20, len(weights)))
    steps = 1e-3 * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    bends = [(loss(weights + s) + loss(weights - s) - 2 * loss(weights)) / 1e-6 for s in steps]
    assert max(bends) < largest * 1.001


class Scaled(nn.Module):
    """A linear model of inputs that a buffer scales; one of its weights may be frozen."""

    def __init__(self, frozen: bool) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
        self.first.requires_grad_(not frozen)
        self.register_buffer("scale", torch.tensor(0.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scale * (self.first(x[:, :1]) + self.second(x[:, 1:]))


@pytest.mark.parametrize("frozen", [False, True])
def test_eq13_only_trained_weights_count_and_buffers_are_each_members_own(frozen):
    x = np.random.default_rng(0).normal(size=(2, 7, 2)) * [3, 1]
    scales = [0.5, 2.0]
    held = [[1.0, 1.0, scale] for scale in scales]
    measured = sharpness(Scaled(frozen), held, x, np.zeros((2, 7)), losses.squared_error)
    seen = x[..., 1:] if frozen else x
    expected = [s**2 * np.linalg.eigvalsh(one.T @ one / 7)[-1] for s, one in zip(scales, seen, strict=True)]
    np.testing.assert_allclose(measured, expected, rtol=1e-12)


def test_a_curvature_below_zero_stays_beside_weights_that_are_fixed():
    measured = sharpness(Scaled(True), [[1.0, 1.0, 1.0]], [[[3.0, 2.0]]], [[0.0]], lambda o, y: -0.5 * o[:, 0] ** 2)
    np.testing.assert_allclose(measured, -4.0)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_recurrent_layers_have_a_curvature(kind):
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = kind(1, 1, batch_first=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(x[..., None])[0][:, -1]

    module, x, y = Recurrent().double(), torch.randn(3, 4).double(), torch.zeros(3).double()
    weights = flat_parameters(module)
    found = sharpness(module, [weights], x[None].numpy(), y[None].numpy(), losses.squared_error)[0]

    def total(w: torch.Tensor) -> torch.Tensor:
        pieces = zip(module.named_parameters(), w.split([p.numel() for p in module.parameters()]), strict=True)
        named = {name: piece.view_as(parameter) for (name, parameter), piece in pieces}
        return losses.squared_error(torch.func.functional_call(module, named, (x,)), y).mean()

    hessian = torch.autograd.functional.hessian(total, torch.as_tensor(weights))
    assert found == pytest.approx(torch.linalg.eigvalsh(hessian)[-1].item(), rel=1e-10)


@pytest.mark.parametrize(("module", "loss", "sentence"), [
    (nn.Sequential(nn.Linear(2, 1), nn.BatchNorm1d(1)), losses.squared_error, "module changes"),
    (nn.Linear(2, 1), lambda output, target: losses.squared_error(output, target).mean(), r"loss gives shape \(\)"),
    (nn.Linear(2, 1), losses.gaussian_nll, "output has shape"),
    (nn.Linear(2, 1), lambda output, target: Flat.apply(output[:, 0]), "module or loss cannot be differentiated twice"),
])  # fmt: skip
def test_what_has_no_curvature_is_refused_in_one_sentence(module, loss, sentence):
    count = sum(t.numel() for t in module.state_dict().values())
    with pytest.raises(ValueError, match=f"^{sentence}"):
        sharpness(module, np.ones((1, count)), np.ones((1, 3, 2)), np.zeros((1, 3)), loss)


class Flat(torch.autograd.Function):
    """A function whose slope torch cannot differentiate."""

    @staticmethod
    def forward(context, x: torch.Tensor) -> torch.Tensor:
        context.save_for_backward(x)
        return x**2

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(context, slope: torch.Tensor) -> torch.Tensor:
        return 2 * context.saved_tensors[0] * slope


def test_members_that_blew_up_are_nan_and_leave_the_others():
    weights = np.zeros((2, 122))
    weights[0, 0] = np.nan
    data = encoding.random_encoding(2, 8, 2)
    values = sharpness(VarianceNetwork(), weights, data.x.values, data.y.values)
    assert np.isnan(values[0]) and np.isfinite(values[1])


@settings(max_examples=20, deadline=None)
@given(points=st.integers(1, 4), more=st.integers(1, 3))
def test_bad_shapes_are_refused(points, more):
    x = np.zeros((1, points, 8))
    weights = np.zeros((1, flat_parameters(AverageNetwork()).size))
    with pytest.raises(ValueError, match="y has shape"):
        sharpness(AverageNetwork(), weights, x, np.zeros((1, points + more)), losses.squared_error)
    with pytest.raises(ValueError, match="parameters has shape"):
        sharpness(AverageNetwork(), weights[:, more:], x, np.zeros((1, points)), losses.squared_error)


def test_unknown_reduction_is_refused():
    with pytest.raises(ValueError, match="reduction"):
        sharpness(Constants(), [[0.3, 0.4]], np.zeros((1, 1, 2)), [[1.0]], reduction="median")


def layered(width: int, inputs: int = 3, outputs: int = 1) -> nn.Sequential:
    torch.manual_seed(0)
    hidden = (nn.Linear(inputs, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh())
    return nn.Sequential(*hidden, nn.Linear(width, outputs)).double()


def points_of(number: int, inputs: int = 3) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    return generator.normal(size=(number, inputs)), generator.normal(size=number)


def dense_hessian(module: nn.Module, x: np.ndarray, y: np.ndarray, loss=losses.squared_error) -> np.ndarray:
    """Of the mean loss in the trained weights, row by row, by torch's own tool."""
    trained = {name: p.detach().double() for name, p in module.named_parameters() if p.requires_grad}
    places, target = torch.as_tensor(x, dtype=torch.float64), torch.as_tensor(y)

    def total(flat: torch.Tensor) -> torch.Tensor:
        pieces = zip(trained.items(), flat.split([p.numel() for p in trained.values()]), strict=True)
        named = {name: piece.view_as(p) for (name, p), piece in pieces}
        return loss(torch.func.functional_call(module.double().eval(), named, (places,)), target).mean()

    flat = torch.cat([p.flatten() for p in trained.values()])
    with sdpa_kernel(SDPBackend.MATH):  # torch's other ways to attention have no second derivative
        return torch.autograd.functional.hessian(total, flat, vectorize=True).numpy()


def test_lanczos_agrees_with_the_whole_hessian():
    """2,017 weights, to 1e-8: four eigenvalues, their vectors, the trace; and `sharpness`, which takes Lanczos here."""
    module, (x, y) = layered(42), points_of(20)
    dense, hessian = dense_hessian(module, x, y), hessian_operator(module, x, y, losses.squared_error)
    values, vectors = np.linalg.eigh(dense)
    found = largest_eigenpairs(hessian, 4)
    assert hessian.shape == (2017, 2017)
    np.testing.assert_allclose(found.value, values[:-5:-1], rtol=1e-8)
    np.testing.assert_allclose(np.abs(np.sum(found.vector.values * vectors.T[:-5:-1], 1)), 1, atol=1e-8)
    assert (found.residual < 1e-8 * found.value).all()
    estimate = trace_estimate(hessian, 30, sketch=30)
    assert abs(estimate.value - np.trace(dense)) < 4 * estimate.error
    measured = sharpness(module, [flat_parameters(module)], x[None], y[None], losses.squared_error)
    np.testing.assert_allclose(measured, values[-1], rtol=1e-8)


@pytest.mark.parametrize("width", [20, 21])  # 501 and 547 weights, on both sides of 512
def test_both_ways_to_the_sharpness_meet(width):
    module, (x, y) = layered(width), points_of(20)
    weights = np.stack([scale * flat_parameters(module) for scale in (1, 2)])
    measured = sharpness(module, weights, x[None].repeat(2, 0), y[None].repeat(2, 0), losses.squared_error)
    for one, found in zip(weights, measured, strict=True):
        dense = dense_hessian(with_parameters(module, one), x, y)
        np.testing.assert_allclose(found, np.linalg.eigvalsh(dense)[-1], rtol=1e-9)


def part_frozen() -> nn.Module:
    module = layered(5)
    module[2].requires_grad_(False)
    return module


@pytest.mark.parametrize("make", [part_frozen, lambda: Attentive(1), lambda: AverageNetwork(bits=3)])
@pytest.mark.parametrize("block", [3, 1024])
def test_products_are_those_of_the_hessian_in_the_trained_weights(make, block):
    module, (x, y) = make(), points_of(7)
    dense = dense_hessian(module, x, y)
    hessian = hessian_operator(module, x, y, losses.squared_error, block=block)
    np.testing.assert_allclose(hessian @ np.eye(len(dense)), dense, atol=1e-12)
    vector = torch.randn(len(dense), dtype=torch.float64)
    np.testing.assert_allclose(hessian @ vector, dense @ vector.numpy(), atol=1e-12)
    summed = hessian_operator(module, x, y, losses.squared_error, reduction="sum")
    np.testing.assert_allclose(summed @ vector, 7 * dense @ vector.numpy(), atol=1e-11)


def loader(*arrays: np.ndarray, **settings) -> DataLoader:
    return DataLoader(TensorDataset(*map(torch.as_tensor, arrays)), **settings)


def test_the_order_of_batches_does_not_matter_but_the_points_do():
    module, (x, y) = layered(5), points_of(8)
    vector = np.random.default_rng(0).normal(size=56)
    product = hessian_operator(module, x, y, losses.squared_error) @ vector
    for batches in ([(x[:1], y[:1]), (x[1:], y[1:])], loader(x, y, batch_size=3, shuffle=True)):
        hessian = hessian_operator(module, batches, loss=losses.squared_error)
        for _ in range(3):
            np.testing.assert_allclose(hessian @ vector, product, atol=1e-13)
    dropping = loader(x, y, batch_size=5, shuffle=True, drop_last=True)
    hessian = hessian_operator(module, dropping, loss=losses.squared_error)
    with pytest.raises(ValueError, match=r"^x gives other batches in another pass: the points must be the same\.$"):
        for _ in range(3):
            hessian @ vector


def test_labels_of_classes_stay_whole_numbers():
    def entropy(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(output, target, reduction="none")

    module, (x, _), labels = layered(4, outputs=3), points_of(6), np.arange(6) % 3
    dense = dense_hessian(module, x, labels, entropy)
    for data in ((x, labels), (loader(x, labels, batch_size=4), None)):
        np.testing.assert_allclose(hessian_operator(module, *data, entropy) @ np.eye(len(dense)), dense, atol=1e-13)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 0.05)])
def test_a_lower_precision_gives_the_sharpness_within_its_rounding(dtype, tolerance):
    module, (x, y) = layered(30), points_of(20)
    exact, rough = (
        largest_eigenpairs(hessian_operator(module, x, y, losses.squared_error, dtype=kind)).value[0]
        for kind in (torch.float64, dtype)
    )
    assert abs(rough - exact) < tolerance * exact


def test_lanczos_leaves_out_members_that_blew_up():
    module, (x, y) = layered(21), points_of(5)
    weights = np.stack([flat_parameters(module) * scale for scale in (1, np.inf, np.nan, 1e200)])
    measured = sharpness(module, weights, x[None].repeat(4, 0), y[None].repeat(4, 0), losses.squared_error)
    np.testing.assert_array_equal(np.isfinite(measured), [True, False, False, False])


def test_what_a_loss_detaches_counts_as_fixed():
    """So does the weight of `beta_nll`: at beta = 1 and sigma = 1 it has the Hessian of the likelihood."""
    one = {"x": np.zeros((1, 1, 2)), "y": [[1.0]]}
    likelihood = sharpness(Constants(), [[0.3, 1.0]], **one)
    np.testing.assert_allclose(
        sharpness(Constants(), [[0.3, 1.0]], loss=partial(losses.beta_nll, beta=1), **one), likelihood
    )


@pytest.mark.parametrize(("degree", "seed"), [(4, 1), (5, 2)])
def test_gradient_descent_comes_to_the_edge_of_stability(degree, seed):
    """Cohen et al. (2021) on 20 points of a Chebyshev polynomial: eta lambda / 2 rises, and then hovers at 1.

    Written before it was measured: well below 1 at the start, here at most 0.5; over the last quarter of training its
    median is within 10 % of 1.
    """
    rate, steps = 0.1, 12_000
    x = np.linspace(-1, 1, 20)[:, None]
    y = Chebyshev.basis(degree)(x[:, 0])
    torch.manual_seed(seed)
    module = nn.Sequential(nn.Linear(1, 24), nn.Tanh(), nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 1)).double()
    flat = flat_parameters(module)
    a, p, b, q, c, r = (piece.view_as(w).numpy() for piece, w in zip(
        torch.as_tensor(flat).split([w.numel() for w in module.parameters()]), module.parameters(), strict=True
    ))  # fmt: skip  # views of `flat`, which moves with them
    kept = []
    for step in range(steps):
        if step == 0 or (step >= 3 * steps // 4 and step % 300 == 0):
            kept.append(flat.copy())
        first = np.tanh(x @ a.T + p)
        second = np.tanh(first @ b.T + q)
        error = (second @ c.T + r - y[:, None]) / 20
        later = error @ c * (1 - second**2)
        earlier = later @ b * (1 - first**2)
        for weight, slope in ((a, earlier.T @ x), (p, earlier.sum(0)), (b, later.T @ first), (q, later.sum(0)),
                              (c, error.T @ second), (r, error.sum(0))):  # fmt: skip
            weight -= rate * slope
    members = len(kept)
    curvature = sharpness(module, kept, x[None].repeat(members, 0), y[None].repeat(members, 0), losses.squared_error)
    start, *last = rate * curvature / 2
    assert start < 0.5
    assert abs(np.median(last) - 1) < 0.1


MODULE, (X, Y) = layered(4), points_of(5)


@pytest.mark.parametrize(("arguments", "sentence"), [
    ((X, Y[:4]), r"y has shape \(4,\): it must have a target for each of 5 inputs"),
    ((X, np.nan * Y), "y holds NaN"),
    ((X, None), "y is None"),
    ((X, "y"), "y is 'y'"),
    (([(X, Y)], Y), "y is array.* must be None where x are batches"),
    ((zip(X, Y, strict=True), None), "x is <zip .* iterated over only once"),
    (([X, X], None), "batch 1 of x is .* must be a pair of inputs and targets"),
    (([(X, Y), (X[:3], Y)], None), r"batch 2 of y has shape \(5,\)"),
    (([(X, Y), (X[:, :2], Y)], None), r"batch 2 of x has shape \(5, 2\)"),
    (([], None), "x has shape"),
    ((X[:, :2], Y), "module fails"),
])  # fmt: skip
def test_what_does_not_fit_is_refused_in_a_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}"):
        hessian_operator(MODULE, *arguments, losses.squared_error)
