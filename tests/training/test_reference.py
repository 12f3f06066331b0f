"""The reference path: any optimiser, batches, modules and losses of one's own, drop-out."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from kbe import losses
from kbe.data.encoding import member_generator, random_encoding
from kbe.networks import VarianceNetwork
from kbe.training import ensemble
from kbe.training.calling import settled
from kbe.training.weights import initial_modules, with_parameters

part = functools.partial


def small(members: int = 3, points: int = 6, bits: int = 5, **drawn) -> xr.Dataset:
    return random_encoding(points, bits, members, **drawn)


def network(**architecture):
    return part(VarianceNetwork, **{"bits": 5, **architecture})


def loop(module: nn.Module, x, y, loss, optimizer, epochs: int, batches=None) -> np.ndarray:
    """What a user would write for one member: its outputs after the last epoch."""
    x, y, module = torch.as_tensor(x), torch.as_tensor(y), module.double()
    steps = optimizer(module.parameters(), lr=0.1)
    for _ in range(epochs):
        for batch in batches() if batches else [slice(None)]:
            steps.zero_grad()
            loss(module(x[batch]), y[batch]).mean().backward()
            steps.step()
    return module(x).detach().numpy()


@pytest.mark.parametrize(
    "optimizer",
    [torch.optim.SGD, part(torch.optim.SGD, momentum=0.9, nesterov=True), part(torch.optim.Adam, amsgrad=True),
     part(torch.optim.AdamW, weight_decay=0.1), torch.optim.RMSprop],
    ids=lambda made: getattr(made, "func", made).__name__,
)  # fmt: skip
def test_any_optimiser_steps_each_member_as_if_alone(optimizer):
    data = small()
    run = ensemble.train(network(), data, optimizer=optimizer, epochs=20)
    assert run.attrs["path"] == "reference"
    for member, module in enumerate(initial_modules(network(), 3)):
        expected = loop(module, data.x.values[member], data.y.values[member], losses.gaussian_nll, optimizer, 20)
        np.testing.assert_allclose(run.sigma[member, -1], expected[:, 1], atol=1e-11)


@pytest.mark.parametrize("batch_size", [1, 4])
def test_batches_are_drawn_for_each_member_from_its_own_stream(batch_size):
    data = small()
    run = ensemble.train(network(), data, batch_size=batch_size, epochs=6)
    for member, module in enumerate(initial_modules(network(), 3)):
        stream = member_generator(0, member, "batches")

        def batches(stream=stream):
            return torch.as_tensor(stream.permutation(6)).split(batch_size)

        x, y = data.x.values[member], data.y.values[member]
        expected = loop(module, x, y, losses.gaussian_nll, torch.optim.SGD, 6, batches)
        np.testing.assert_allclose(run.mu[member, -1], expected[:, 0], atol=1e-12)


def test_a_batch_of_all_points_is_the_full_batch():
    full, batch = (ensemble.train(network(), small(), epochs=15, batch_size=size) for size in (None, 6))
    for name in ("mu", "sigma", "loss"):
        np.testing.assert_allclose(full[name], batch[name], rtol=0, atol=1e-13)
    assert (full.attrs["path"], batch.attrs["path"]) == ("fast", "reference")


class Own(nn.Module):
    """A module of a reader's own: a frozen weight, a buffer, two layers, real inputs of any shape."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 3), nn.Linear(3, 1)
        self.first.bias.requires_grad_(False)
        self.register_buffer("shift", torch.randn(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(torch.tanh(self.first(x.flatten(1)) + self.shift))


def own_loss(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return (output[:, 0] - target).cosh().log()


def test_a_module_a_loss_and_data_of_ones_own():
    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((3, 5, 2, 2)), generator.standard_normal((3, 5))
    data = xr.Dataset({"x": (("member", "point", "row", "column"), x), "y": (("member", "point"), y)})
    run = ensemble.train(Own, data, own_loss, epochs=30, keep_parameters=True)
    assert (run.attrs["path"], run.attrs["loss"], run.attrs["network"]) == ("reference", "own_loss", "Own")
    for member, module in enumerate(initial_modules(Own, 3)):
        bias = module.first.bias.clone()
        expected = loop(module, x[member], y[member], own_loss, torch.optim.SGD, 30)
        np.testing.assert_allclose(run.mu[member, -1], expected[:, 0], atol=1e-13)
        assert torch.equal(module.first.bias, bias)
        last = with_parameters(module, run.parameters[member, -1].values)
        assert torch.equal(last.first.bias, bias)


class Dropping(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(5, 8), nn.Dropout(0.5), nn.Linear(8, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


@pytest.mark.parametrize(("make", "path"), [(Dropping, "reference"), (network(dropout=0.3), "fast")])
def test_drop_out_comes_from_the_seed_and_from_nothing_else(make, path):
    def run(seed, record):
        torch.rand(3)
        result = ensemble.train(make, small(), losses.squared_error, epochs=9, seed=seed, record=record)
        assert result.attrs["path"] == path
        return result.mu.sel(epoch=9).values

    state = torch.random.get_rng_state()
    first = run(0, [9])
    assert np.array_equal(first, run(0, range(10)))
    assert not np.array_equal(first, run(1, [9]))
    torch.random.set_rng_state(state)
    once, twice = torch.rand(3), (torch.random.set_rng_state(state), torch.rand(3))[1]
    assert torch.equal(once, twice)


@pytest.mark.parametrize("make", [Dropping, network(dropout=0.3)])
def test_what_is_recorded_is_without_drop_out(make):
    run = ensemble.train(make, small(), losses.squared_error, epochs=5, keep_parameters=True)
    for member in range(3):
        module = with_parameters(make(), run.parameters[member, -1].values).eval()
        expected = module(torch.as_tensor(run.x[member].values))[:, 0].detach()
        np.testing.assert_allclose(run.mu[member, -1], expected, rtol=1e-12)


class Functional(nn.Module):
    """Drop-out by a function, in training alone."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(5, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(nn.functional.dropout(x, 0.5, self.training))


class Attentive(nn.Module):
    """Drop-out inside attention, which is no layer of its own."""

    def __init__(self, rate: float = 0.5) -> None:
        super().__init__()
        self.first, self.layer = nn.Linear(1, 4), nn.Linear(5, 1)
        self.attention = nn.MultiheadAttention(4, 2, dropout=rate, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        z = self.first(x[..., None])
        return self.layer(self.attention(z, z, z, need_weights=False)[0].sum(-1))


@pytest.mark.parametrize("make", [Dropping, Functional, Attentive])
def test_masks_are_in_training_alone_wherever_a_module_hides_them(make):
    still, trained = (
        ensemble.train(make, small(), losses.squared_error, epochs=3, learning_rate=rate, keep_parameters=True)
        for rate in (1e-12, 0.1)
    )
    assert np.ptp(still.mu.values, axis=1).max() < 1e-9
    assert np.isinf(still.onset).all()
    again = ensemble.train(make, small(), losses.squared_error, epochs=3, keep_parameters=True)
    np.testing.assert_array_equal(again.mu, trained.mu)
    for member, module in enumerate(initial_modules(make, 3)):
        x, y = trained.x.values[member], trained.y.values[member]
        without = loop(module.eval(), x, y, losses.squared_error, torch.optim.SGD, 3)
        assert abs(without[:, 0] - trained.mu[member, -1].values).max() > 1e-6
        last = with_parameters(make(), trained.parameters.values[member, -1]).eval()
        np.testing.assert_allclose(trained.mu[member, -1], last(torch.as_tensor(x)).detach()[:, 0], rtol=1e-12)


class Masked(nn.Module):
    """Weights that start at zero, behind drop-out: mu = w . masked x."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.75)
        self.weight = nn.Parameter(torch.zeros(1000))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.dropout(x) @ self.weight[:, None]


@pytest.mark.parametrize("batch_size", [None, 1])
def test_a_training_step_sees_masks_and_the_rest_scaled_up(batch_size):
    """At w = 0, x = 1 and y = 1 a step is eta / (1 - p) = 0.4 for the quarter that is not masked, 0 for the others."""
    data = xr.Dataset(
        {"x": (("member", "point", "one"), np.ones((2, 1, 1000))), "y": (("member", "point"), np.ones((2, 1)))}
    )
    run = ensemble.train(Masked, data, losses.squared_error, epochs=1, batch_size=batch_size, keep_parameters=True)
    first, second = run.parameters.values[:, -1]
    assert set(np.round([*first, *second], 9)) == {0.0, 0.4}
    assert abs((first > 0).mean() - 0.25) < 0.07 and (first != second).any()


class Weight(nn.Module):
    """One weight, which starts at zero: mu = w x."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.weight * x


class Recurrent(nn.Module):
    """As tutorials write it, with a first state of torch's default type."""

    def __init__(self, kind: type[nn.Module] = nn.GRU) -> None:
        super().__init__()
        self.layer, self.head = kind(1, 3, batch_first=True), nn.Linear(3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.layer(x[..., None], torch.zeros(1, len(x), 3))[0][:, -1])


class Embedded(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(2, 3), nn.Linear(15, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.table(x.long()).flatten(1))


class Shared(nn.Module):
    """A weight by two names, and a part by two names that holds one of them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Linear(5, 5), nn.Linear(5, 5), nn.Linear(5, 1)
        self.second.weight = self.first.weight
        self.again = self.first

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.again(self.second(self.first(x).tanh()).tanh()).tanh())


class Branching(nn.Module):
    """It asks for a value, which torch cannot do for all members at once."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(5, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x) if self.layer.bias.item() > 0 else -self.layer(x)


class Normalised(nn.Module):
    """Batch normalisation by stored numbers: a scale and a shift, which each member may have of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(5, 3), nn.BatchNorm1d(3).eval(), nn.Tanh(), nn.Linear(3, 1))
        self.layers[1].running_var.uniform_(1, 3)


@pytest.mark.parametrize("make", [
    Recurrent, part(Recurrent, nn.RNN), Embedded, Shared, Branching, part(Attentive, 0.0),
    lambda: nn.Sequential(nn.Linear(5, 3), nn.LayerNorm(3), nn.Tanh(), nn.Linear(3, 1)),
    lambda: nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(5, 3)), nn.Tanh(), nn.Linear(3, 1)),
    lambda: Normalised().layers,
])  # fmt: skip
@pytest.mark.parametrize("batch_size", [None, 4])
@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_a_module_of_any_kind_trains_as_in_a_plain_loop(make, batch_size):
    data = small()
    run = ensemble.train(make, data, losses.squared_error, epochs=8, batch_size=batch_size)
    for member, module in enumerate(initial_modules(make, 3)):
        stream = member_generator(0, member, "batches")

        def batches(stream=stream):
            return torch.as_tensor(stream.permutation(6)).split(batch_size or 6)

        x, y = data.x.values[member], data.y.values[member]
        with settled(dtype=torch.float64):
            expected = loop(module, x, y, losses.squared_error, torch.optim.SGD, 8, batches)
        np.testing.assert_allclose(run.mu[member, -1], expected[:, 0], atol=1e-12)


@pytest.mark.parametrize("make", [Recurrent, Attentive, Shared])
def test_a_module_of_any_kind_trains_in_single_precision_too(make):
    single, double = (ensemble.train(make, small(), losses.squared_error, epochs=3, dtype=d, learning_rate=1e-3)
                      for d in ("float32", "float64"))  # fmt: skip
    assert single.mu.dtype == np.float32
    np.testing.assert_allclose(single.mu, double.mu, atol=1e-3)


@pytest.mark.parametrize("rate", [0.5, 2.05])
def test_eq13_one_weight_follows_its_closed_form_and_its_onset_is_where_that_jumps(rate):
    """At x = 1 and y = 1/10 a step multiplies the error by 1 - eta, so the output moves by eta (eta - 1)^e / 10."""
    data = xr.Dataset({"x": (("member", "point", "one"), np.ones((1, 1, 1))), "y": (("member", "point"), [[0.1]])})
    run = ensemble.train(Weight, data, losses.squared_error, learning_rate=rate, epochs=60, record=range(61))
    np.testing.assert_allclose(run.mu[0, :, 0], 0.1 - 0.1 * (1 - rate) ** np.arange(61), rtol=1e-12)
    moves = 0.1 * rate * np.abs(1 - rate) ** np.arange(60)
    expected = 1 + np.argmax(moves > 0.25) if (moves > 0.25).any() else np.inf
    assert run.onset.item() == expected
    assert (expected == np.inf) == (rate < 1)
