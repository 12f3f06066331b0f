"""The record: what is kept of a training and when; strides, interrupts."""

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

from kbe import losses
from kbe.data.encoding import random_encoding
from kbe.networks import VarianceNetwork
from kbe.training import ensemble
from kbe.training.record import epoch_grid, follow, target_spread
from kbe.training.weights import initial_modules, with_parameters

FEW = settings(max_examples=25, deadline=None)
part = functools.partial


def small(members: int = 3, points: int = 6, bits: int = 5, **drawn) -> xr.Dataset:
    return random_encoding(points, bits, members, **drawn)


def network(**architecture):
    return part(VarianceNetwork, **{"bits": 5, **architecture})


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


def test_training_on_and_nothing_to_train():
    run = ensemble.train(network(), small(), epochs=0)
    assert run.sizes["epoch"] == 1
    assert np.isinf(run.onset).all()


def test_the_data_of_chosen_members_stay_theirs():
    chosen = small().isel(member=[1, 0])
    run = ensemble.train(network(), chosen, epochs=1)
    assert np.array_equal(run.y, chosen.y) and np.array_equal(run.x, chosen.x)
    assert run.member.values.tolist() == [1, 0]
    again = chosen.assign_coords(member=[5, 5])
    assert np.array_equal(ensemble.train(network(), again, epochs=1).y, chosen.y)


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


def test_the_spread_of_targets_is_their_range_without_outliers_and_at_least_one():
    assert target_spread([[0, 1, 0, 1], [0, 0, 0, 0], [0.2, 0.3, 0.25, 0.4], [0, 0, 0, 1]]).tolist() == [1, 1, 1, 1]
    even = np.linspace(-2, 3, 101)
    assert target_spread(even) == pytest.approx(4.9)
    assert target_spread([*even, 1e6]) == pytest.approx(4.95, abs=0.05)
    assert target_spread(1e300 * even) == pytest.approx(4.9e300)
    assert np.isfinite(target_spread([-1.7e308, 0, 1]))


class Slow:
    """A trainer whose epoch takes a hundredth of a second."""

    def __init__(self) -> None:
        self.strides: list[int] = []

    def advance(self, epochs: int) -> None:
        self.strides.append(epochs)
        time.sleep(0.01 * epochs)

    def outputs(self) -> np.ndarray:
        return np.full((1, 1, 1), float(sum(self.strides)))

    def parameters(self) -> np.ndarray:
        return np.full((1, 1), float(sum(self.strides)))

    def onset(self) -> np.ndarray:
        return np.array([-1])


def test_strides_are_short_however_slow_an_epoch_is():
    trainer = Slow()
    kept = follow(trainer, np.array([0, 2, 50]), 60, 1, keep_parameters=True)
    assert kept["outputs"].ravel().tolist() == kept["parameters"].ravel().tolist() == [0, 2, 50]
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
