"""Ensembles: two paths, one result; members that know nothing of each other; records; bad input."""

from __future__ import annotations

import functools
import os
import signal
import threading
import time

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from kbe import losses
from kbe.data.encoding import member_generator, random_encoding
from kbe.networks import AverageNetwork, BitNetwork, VarianceNetwork
from kbe.training import ensemble
from kbe.training.compiled.fast import FastTrainer
from kbe.training.record import epoch_grid, follow
from kbe.training.weights import flat_parameters, initial_modules, with_parameters

FEW = settings(max_examples=25, deadline=None)
part = functools.partial


@pytest.fixture(autouse=True)
def one_thread():
    """Small tensors; torch's threads would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


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


def both_paths(make, data, loss=losses.gaussian_nll, **options):
    return [ensemble.train(make, data, loss, path=path, **options) for path in ("fast", "reference")]


def largest_difference(first: xr.Dataset, second: xr.Dataset) -> float:
    return max(float(abs(first[name] - second[name]).max()) for name in ("mu", "sigma", "loss") if name in first)


# --- the two paths


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize(
    "options",
    [{"bits": bits} for bits in (1, 2, 7)]
    + [{"layers": layers} for layers in (1, 2, 4)]
    + [{"channels": channels} for channels in (1, 5)]
    + [{"kernel_size": size} for size in (1, 2, 4, 5)]
    + [{"padding": "circular"}, {"padding": "circular", "kernel_size": 4}, {"padding": "valid", "layers": 2}]
    + [{"activation": name} for name in ("relu", "tanh", "sigmoid", "linear")]
    + [{"mean": name} for name in ("linear", "softplus", "exponential")]
    + [{"deviation": name} for name in ("softplus", "exponential")]
    + [{"deviation": "softplus", "mean": "linear", "sigma_floor": 0.1}],
    ids=str,
)
def test_eq9_paths_agree_for_every_architecture(options):
    make = network(**options)
    data = small(bits=options.get("bits", 5), points=8, repeat=True, seed=3)
    fast, reference = both_paths(make, data, epochs=10)
    assert largest_difference(fast, reference) < 1e-12
    assert fast.attrs["path"] == "fast"
    assert reference.attrs["path"] == "reference"


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("repeat", [False, True])
@pytest.mark.parametrize(
    "loss",
    [losses.squared_error, losses.gaussian_nll, losses.gaussian_nll_misprinted, losses.laplace_nll,
     losses.student_t_nll, part(losses.student_t_nll, degrees=1), losses.beta_nll, part(losses.beta_nll, beta=1),
     losses.faithful_nll, losses.clamped_gaussian_nll, part(losses.clamped_gaussian_nll, floor=0.3)],
    ids=lambda loss: ensemble._name(loss),
)  # fmt: skip
def test_paths_agree_for_every_loss(loss, repeat, reduction):
    data = small(repeat=repeat)
    fast, reference = both_paths(network(), data, loss, reduction=reduction, epochs=10, learning_rate=0.03)
    assert largest_difference(fast, reference) < 1e-12


def test_eq13_paths_agree_for_the_average_network():
    fast, reference = both_paths(part(AverageNetwork, bits=5), small(), losses.squared_error, epochs=50)
    assert largest_difference(fast, reference) < 1e-12
    assert "sigma" not in fast


def test_paths_agree_for_three_heads_of_which_the_third_is_idle():
    three = part(BitNetwork, ("linear", "sigmoid", "sigmoid"), bits=5, sigma_floor=0.05)
    fast, reference = both_paths(three, small(), epochs=20)
    assert abs(fast.output - reference.output).max() < 1e-12
    assert (abs(fast.output[..., 2] - fast.output[:, 0, :, 2]) > 1e-3).any()  # its features move all the same


@pytest.mark.parametrize("merge", [False, True])
def test_paths_agree_where_the_second_heads_gradient_stops_at_the_features(merge):
    data = small(points=28 if merge else 3)
    fast, reference = both_paths(network(detach_deviation=True), data, epochs=25)
    assert largest_difference(fast, reference) < 1e-12
    attached = ensemble.train(network(), data, epochs=25)
    assert largest_difference(fast, attached) > 1e-3


@pytest.mark.parametrize("options", [
    {}, {"dropout": 0.5, "padding": "valid", "layers": 2, "channels": 4}, {"activation": "relu", "layers": 1},
    {"padding": "circular", "activation": "tanh", "channels": 2}, {"kernel_size": 2, "detach_deviation": True},
], ids=str)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
def test_paths_draw_the_same_masks_and_agree(options):
    make, data = network(**{"dropout": 0.2, **options}), small(19, repeat=True)
    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    options = {"epochs": 30, "learning_rate": 0.03, "seed": 3}
    fast, reference = both_paths(make, data, keep_parameters=True, **options)
    assert torch.equal(torch.random.get_rng_state(), state) and torch.get_num_threads() == threads
    assert largest_difference(fast, reference) < 1e-12
    assert abs(fast.parameters - reference.parameters).max() < 1e-12
    other = ensemble.train(make, data, threads=2, record=[30], **options)
    assert np.array_equal(other.mu[:, -1], fast.mu[:, -1])


def test_single_precision_agrees_to_its_rounding():
    fast, reference = both_paths(network(), small(), epochs=25, dtype="float32")
    exact = ensemble.train(network(), small(), epochs=25)
    assert fast.mu.dtype == reference.mu.dtype == np.float32
    assert largest_difference(fast, reference) < 2e-6
    assert 1e-9 < largest_difference(fast, exact) < 2e-6


@pytest.mark.parametrize("points", [1, 2, 5])
def test_onsets_are_those_of_the_reference_path(points):
    data = random_encoding(points, 8, 12)
    fast, reference = both_paths(VarianceNetwork, data, epochs=130, record=[130])
    assert np.isfinite(fast.onset).sum() >= 6
    both_infinite = np.isinf(fast.onset) & np.isinf(reference.onset)
    assert (both_infinite | (abs(fast.onset - reference.onset) <= 1)).all()


def test_merging_windows_changes_rounding_alone_and_costs_are_right_about_the_points():
    data, modules = random_encoding(40, 6, 4), initial_modules(part(VarianceNetwork, bits=6), 4)
    weights = np.stack([flat_parameters(module) for module in modules])
    arguments = (modules[0], weights, data.x.values, data.y.values, losses.gaussian_nll, 0.1, True, 0.25, 1)
    results = []
    for merge in (False, True, None):
        trainer = FastTrainer(*arguments, merge)
        trainer.advance(20)
        results.append(trainer.outputs())
    assert np.abs(results[0] - results[1]).max() < 1e-13
    assert np.array_equal(results[2], results[1])  # 40 rows: merging pays


# --- members


@pytest.mark.parametrize("path", ["fast", "reference"])
def test_a_member_does_not_depend_on_the_number_of_members(path):
    few, many = (ensemble.train(network(), small(m, 12), epochs=30, path=path) for m in (2, 19))
    assert abs(few.mu - many.mu[:2]).max() < 1e-13
    assert (few.x == many.x[:2]).all()


@pytest.mark.parametrize("merge", [False, True])
def test_with_one_graph_a_members_bits_do_not_depend_on_the_number_of_members(merge):
    outputs = []
    for members in (2, 19):
        data, modules = small(members), initial_modules(network(), members)
        weights = np.stack([flat_parameters(module) for module in modules])
        x, y = data.x.values, data.y.values
        trainer = FastTrainer(modules[0], weights, x, y, losses.gaussian_nll, 0.1, True, 0.25, 1, merge)
        trainer.advance(30)
        outputs.append(trainer.outputs()[:2])
    assert np.array_equal(*outputs)


def test_the_fast_path_gives_the_same_bits_for_any_threads_and_strides():
    data = small(40)
    once = ensemble.train(network(), data, epochs=60, threads=1, record=[60])
    again = ensemble.train(network(), data, epochs=60, threads=2, record=range(61))
    assert np.array_equal(once.sigma[:, -1], again.sigma[:, -1], equal_nan=True)
    assert np.isfinite(once.sigma[:, -1]).any()


@pytest.mark.parametrize("path", ["fast", "reference"])
def test_a_member_that_blows_up_touches_no_other_and_keeps_its_values(path):
    data = small(4)
    wild = data.copy(deep=True)
    wild["y"][1] = 1e300
    options = {"epochs": 30, "path": path, "record": range(31)}
    calm, wild = (ensemble.train(network(mean="linear"), d, **options) for d in (data, wild))
    others = [0, 2, 3]
    np.testing.assert_array_equal(calm.mu[others], wild.mu[others])
    assert wild.onset[1] <= 2
    assert not np.isfinite(wild.mu[1, -1]).any()
    assert np.isfinite(wild.mu[1, 0]).all()


def test_an_input_that_is_not_a_members_own_does_not_enter_even_when_it_overflows():
    """Members share the rows of all; a row that a member lacks is masked, not multiplied by zero."""
    x = np.array([[[1.0, 1.0]], [[1e5, 1e5]], [[-1e5, -1e5]]])
    make = part(BitNetwork, ("exponential",), bits=2, layers=1, activation="linear")
    modules = initial_modules(make, 3)
    weights = np.stack([flat_parameters(module) for module in modules])
    weights[1:] = weights[0]
    arguments = (modules[0], weights, x, np.zeros((3, 1)), losses.squared_error, 0.1, True, 0.25, 1)
    merged, plain = FastTrainer(*arguments, True), FastTrainer(*arguments, False)
    assert np.isinf(merged.outputs()[1:]).any()
    for trainer in (merged, plain):
        trainer.advance(5)
    assert np.isfinite(merged.outputs()[0]).all()
    np.testing.assert_allclose(merged.outputs()[0], plain.outputs()[0], rtol=1e-12)


def test_a_members_first_module_is_its_own_whatever_the_number_and_the_global_stream():
    before = torch.random.get_rng_state()
    first, second = initial_modules(network(), 2, seed=5), initial_modules(network(), 4, seed=5)
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.get_default_dtype() == torch.float32
    for a, b in zip(first, second, strict=False):
        assert np.array_equal(flat_parameters(a), flat_parameters(b))
    assert not np.array_equal(flat_parameters(second[0]), flat_parameters(second[1]))
    assert not np.array_equal(*(flat_parameters(initial_modules(network(), 1, s)[0]) for s in (0, 1)))


# --- the reference path


@pytest.mark.parametrize(
    "optimizer",
    [torch.optim.SGD, part(torch.optim.SGD, momentum=0.9, nesterov=True), part(torch.optim.Adam, amsgrad=True),
     part(torch.optim.AdamW, weight_decay=0.1), torch.optim.RMSprop],
    ids=ensemble._name,
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
    assert largest_difference(full, batch) < 1e-13
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


# --- the record


@pytest.mark.parametrize("path", ["fast", "reference"])
def test_what_is_kept_is_what_was_asked_for(path):
    run = ensemble.train(network(), small(), epochs=20, record=[0, 3, 20], path=path, keep_parameters=True)
    assert run.epoch.values.tolist() == [0, 3, 20]
    assert run.mu.dims == run.sigma.dims == ("member", "epoch", "point")
    assert run.parameters.dims == ("member", "epoch", "parameter")
    for member, module in enumerate(initial_modules(network(), 3)):
        start = module(torch.as_tensor(run.x.values[member])).detach()
        np.testing.assert_allclose(run.mu[member, 0], start[:, 0], rtol=1e-13)
        for epoch in range(3):
            then = with_parameters(module, run.parameters[member, epoch].values)
            outputs = then(torch.as_tensor(run.x.values[member])).detach()
            np.testing.assert_allclose(run.sigma[member, epoch], outputs[:, 1], rtol=1e-12)
            expected = losses.gaussian_nll(outputs, torch.as_tensor(run.y.values[member])).mean()
            assert run.loss[member, epoch].item() == pytest.approx(expected.item(), rel=1e-12)


def test_sums_of_losses_are_recorded_as_sums():
    runs = [ensemble.train(network(), small(), epochs=0, reduction=how) for how in ("mean", "sum")]
    np.testing.assert_allclose(runs[1].loss, 6 * runs[0].loss)


def test_attributes_say_what_ran(tmp_path):
    run = ensemble.train(network(channels=2), small(seed=4), part(losses.beta_nll, beta=0.25), epochs=3, seed=7)
    wanted = {"learning_rate": 0.1, "epochs": 3, "reduction": "mean", "jump": 0.25, "dtype": "float64", "seed": 7,
              "data_seed": 4, "data_bits": 5, "path": "fast", "batch_size": 6, "optimizer": "gradient descent",
              "network": "VarianceNetwork(bits=5, channels=2)", "loss": "beta_nll(beta=0.25)"}  # fmt: skip
    assert wanted.items() <= run.attrs.items()
    run.to_netcdf(tmp_path / "run.nc", engine="scipy")
    with xr.open_dataset(tmp_path / "run.nc", engine="scipy") as opened:
        xr.testing.assert_identical(opened.load(), run)


def test_training_on_and_nothing_to_train():
    run = ensemble.train(network(), small(), epochs=0)
    assert run.sizes["epoch"] == 1
    assert np.isinf(run.onset).all()


@FEW
@given(epochs=st.integers(0, 10**6), count=st.integers(2, 300))
def test_epoch_grid_rises_from_the_start_to_the_end(epochs, count):
    grid = epoch_grid(epochs, count)
    assert grid[0] == 0
    assert grid[-1] == epochs
    assert (np.diff(grid) > 0).all()
    assert len(grid) <= count
    if epochs > 1000:  # even on a logarithmic axis, once the steps are longer than one epoch
        steps = np.diff(np.log(grid[grid > 100 * count] + 1))
        assert steps.size == 0 or steps.max() < 1.1 * steps.min()


# --- progress and interrupts


class Slow:
    """A trainer whose epoch takes a hundredth of a second."""

    def __init__(self) -> None:
        self.strides: list[int] = []

    def advance(self, epochs: int) -> None:
        self.strides.append(epochs)
        time.sleep(0.01 * epochs)

    def outputs(self) -> np.ndarray:
        return np.full((1, 1, 1), float(sum(self.strides)))


def test_strides_are_short_however_slow_an_epoch_is():
    trainer = Slow()
    kept = follow(trainer, np.array([0, 2, 50]), 60, 1)
    assert kept["outputs"].ravel().tolist() == [0, 2, 50]
    assert sum(trainer.strides) == 60
    assert max(trainer.strides) <= 20  # a fifth of a second
    assert len(trainer.strides) < 20


@pytest.mark.skipif(os.name != "posix", reason="a process cannot interrupt itself there")
@pytest.mark.parametrize("path", ["fast", "reference"])
def test_an_interrupt_ends_a_long_training_soon(path):
    ensemble.train(network(), small(), epochs=1, path=path)  # what has to be compiled, is
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    # a process that was started in the background may ignore interrupts: then Python raises none
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    started = time.perf_counter()
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            ensemble.train(network(), small(40), epochs=10**8, path=path, record=[0])
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, before)
    assert time.perf_counter() - started < 4  # half a second, and room for a busy machine


# --- which path, and bad input


@pytest.mark.parametrize("options", [
    {"optimizer": torch.optim.Adam}, {"batch_size": 2}, {"loss": part(losses.beta_nll, beta=0.1, **{})},
])  # fmt: skip
def test_the_fast_path_is_taken_where_it_applies(options):
    run = ensemble.train(network(), small(), epochs=1, **options)
    assert run.attrs["path"] == ("fast" if "loss" in options else "reference")


class Other(VarianceNetwork):
    def features(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * super().features(x)


def frozen() -> nn.Module:
    module = VarianceNetwork(bits=5)
    module.heads[0].bias.requires_grad_(False)
    return module


def without_masks() -> nn.Module:
    module = VarianceNetwork(bits=5, dropout=0.1)
    module.dropout.eval()
    return module


@pytest.mark.parametrize(("changes", "reason"), [
    ({"optimizer": torch.optim.Adam}, "no optimizer but gradient descent"),
    ({"batch_size": 2}, "full batch only"),
    ({"device": "meta"}, "does not run on meta"),
    ({"network": part(Other, bits=5)}, "computes otherwise"),
    ({"network": part(nn.Linear, 5, 2)}, "computes otherwise"),
    ({"network": frozen}, "require no gradient"),
    ({"network": without_masks}, "drop-out is not the one"),
    ({"loss": lambda output, target: output[..., 0] - target}, "no compiled form"),
    ({"loss": part(losses.gaussian_nll)}, None),
])  # fmt: skip
def test_the_fast_path_says_why_it_cannot_be_taken(changes, reason):
    options = {"network": network(), "data": small(), "epochs": 1, "path": "fast"} | changes
    if reason is None:
        assert ensemble.train(**options).attrs["path"] == "fast"
    else:
        with pytest.raises(ValueError, match=reason):
            ensemble.train(**options)
        if "device" not in changes:
            assert ensemble.train(**options | {"path": "auto"}).attrs["path"] == "reference"


NOT_POSITIVE = st.one_of(st.floats(max_value=0), st.sampled_from([np.nan, np.inf, "1", None, True, [1]]))
NOT_COUNTS = st.one_of(st.integers(max_value=-1), st.floats(), st.sampled_from(["3", True, None]))


@FEW
@given(bad=st.one_of(
    st.tuples(st.sampled_from(["learning_rate", "jump"]), NOT_POSITIVE),
    st.tuples(st.sampled_from(["epochs", "seed"]), NOT_COUNTS),
    st.tuples(st.sampled_from(["batch_size", "threads"]), st.one_of(st.integers(max_value=0), st.floats())),
    st.tuples(st.sampled_from(["reduction", "path", "dtype"]), st.one_of(st.text(max_size=3), st.none(), st.just(1))),
    st.tuples(st.just("record"), st.sampled_from([[], [3, 2], [1, 1], [-1], [9], [0.5], "all", [[1]], [np.nan]])),
    st.tuples(st.just("batch_size"), st.just(7)),
    st.tuples(st.just("optimizer"), st.sampled_from(["adam", 1])),
    st.tuples(st.just("device"), st.sampled_from(["gpu", "cuda:99", 1.5, None])),
))  # fmt: skip
def test_bad_arguments_are_refused_by_name(bad):
    name, value = bad
    with pytest.raises(ValueError, match=name):
        ensemble.train(network(), small(), **{"epochs": 5, name: value})


@pytest.mark.parametrize(("data", "message"), [
    (None, "data is a NoneType"),
    (np.ones((2, 3)), "data is a ndarray"),
    (small().drop_vars("y"), "variables x and y"),
    (small().assign(y=small().y * np.nan), "data.y holds NaN"),
    (small().assign(x=small().y), "data.x has shape"),
    (small().isel(point=slice(0)), "at least one element"),
    (small().isel(member=0), "data.y has shape"),
])  # fmt: skip
def test_bad_data_are_refused(data, message):
    with pytest.raises(ValueError, match=message):
        ensemble.train(network(), data, epochs=1)


@pytest.mark.parametrize(("make", "loss", "message"), [
    (VarianceNetwork(bits=5), losses.gaussian_nll, "must be a callable that makes a torch module"),
    (None, losses.gaussian_nll, "must be a callable that makes a torch module"),
    (nn.ReLU, losses.gaussian_nll, "with parameters"),
    (lambda: 3, losses.gaussian_nll, "must make a torch module"),
    (network(bits=6), losses.gaussian_nll, "must be the 6 bits"),
    (part(AverageNetwork, bits=5), losses.gaussian_nll, "at least 2 heads"),
    (network(), lambda output, target: (output[..., 0] - target).mean(), "loss gives shape"),
    (lambda: nn.Sequential(nn.Linear(5, 1), nn.Flatten(0)), losses.squared_error, "must be .points, heads."),
])  # fmt: skip
def test_networks_and_losses_that_do_not_fit_are_refused(make, loss, message):
    with pytest.raises(ValueError, match=message):
        ensemble.train(make, small(), loss, epochs=1)


@FEW
@given(count=st.integers(0, 200), dimensions=st.integers(1, 2))
def test_parameters_of_another_length_are_refused(count, dimensions):
    module = VarianceNetwork(bits=5)
    needed = len(flat_parameters(module))
    if count != needed or dimensions != 1:
        with pytest.raises(ValueError, match=f"the module has {needed} parameters"):
            with_parameters(module, np.zeros((count,) * dimensions))


def test_parameters_go_round():
    module = VarianceNetwork(bits=5).double()
    values = np.linspace(-1, 1, len(flat_parameters(module)))
    assert np.array_equal(flat_parameters(with_parameters(module, values)), values)
    assert not np.array_equal(flat_parameters(module), values)


class Odd(nn.Linear):
    def __init__(self, kind: str) -> None:
        super().__init__(5, 2)
        self.kind = kind

    def forward(self, x: torch.Tensor) -> object:
        output = super().forward(x).sigmoid()
        if self.kind == "fails":
            raise RuntimeError("boom\nand a second line")
        if self.kind == "branches" and output.sum() < 0:
            output = -output
        return {"pair": (output, 1), "detached": output.detach(), "complex": output * 1j}.get(self.kind, output)


ONE = nn.Linear(5, 2)
WIDTHS = iter(range(2, 99))


@pytest.mark.parametrize(("changes", "message"), [
    ({"network": part(Odd, "fails")}, "network fails on the points .*boom"),
    ({"network": part(Odd, "pair")}, "network gives a tuple"),
    ({"network": part(Odd, "detached")}, "network gives .* without a gradient"),
    ({"network": part(Odd, "complex")}, "network gives torch.complex128"),
    ({"network": part(Odd, "branches")}, "network fails for all members at once"),
    ({"network": nn.Linear}, "network fails when it is called without arguments"),
    ({"network": lambda: ONE}, "must make new modules"),
    ({"network": lambda: nn.Linear(5, next(WIDTHS))}, "new modules of one shape"),
    ({"loss": None}, "loss is None"),
    ({"loss": lambda output, target: 1 / 0}, "loss fails on the output"),
    ({"loss": lambda output, target: 1}, "loss gives a int"),
    ({"loss": lambda output, target: output[..., 0].detach()}, "loss gives .* without a gradient"),
    ({"optimizer": torch.optim.LBFGS}, "optimizer makes .* nothing that steps"),
    ({"optimizer": lambda parameters, lr: None}, "optimizer makes"),
    ({"optimizer": nn.Linear}, "optimizer makes"),
    ({"device": "meta"}, "device is 'meta'"),
    ({"device": "hpu"}, "device is 'hpu'"),
    ({"threads": 10**9}, "threads is 1000000000"),
    ({"epochs": 2**70}, "epochs is"),
    ({"keep_parameters": "no"}, "keep_parameters is 'no'"),
    ({"data": small().transpose("point", "member", "bit")}, "data.x has dimensions"),
    ({"data": small().rename(point="place")}, "data.x has dimensions"),
])  # fmt: skip
def test_what_is_handed_over_and_fails_is_named_in_one_sentence(changes, message):
    with pytest.raises(ValueError, match=message) as raised:
        ensemble.train(**{"network": network(), "data": small(), "epochs": 1} | changes)
    assert "\n" not in str(raised.value)


def test_the_data_of_chosen_members_stay_theirs():
    chosen = small().isel(member=[1, 0])
    run = ensemble.train(network(), chosen, epochs=1)
    assert np.array_equal(run.y, chosen.y) and np.array_equal(run.x, chosen.x)
    assert run.member.values.tolist() == [1, 0]
    again = chosen.assign_coords(member=[5, 5])
    assert np.array_equal(ensemble.train(network(), again, epochs=1).y, chosen.y)


def test_the_trial_of_a_network_leaves_the_random_stream_of_others_alone():
    before = torch.random.get_rng_state()
    ensemble.train(lambda: nn.Sequential(nn.Dropout(0.5), nn.Linear(5, 2), nn.Sigmoid()), small(), epochs=1)
    assert torch.equal(torch.random.get_rng_state(), before)
