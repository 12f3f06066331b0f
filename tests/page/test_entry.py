"""What trains in the page is what trains in Python: all bits of weights, outputs and onsets, past the onset too."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from kbe import losses, networks
from kbe.data import encoding
from kbe.measures import variances
from kbe.page import entry
from kbe.training import ensemble

VARIANCE = networks.VarianceNetwork
EXPONENTIAL = functools.partial(VARIANCE, deviation="exponential")
FLOOR = functools.partial(VARIANCE, sigma_floor=0.01)
LINEAR = functools.partial(VARIANCE, mean="linear")
STUDENT = functools.partial(losses.student_t_nll, degrees=3.0)
SETTINGS = {
    "one point": (VARIANCE, losses.gaussian_nll, 1, 0.1, "mean", 400),
    "Fig. 4": (VARIANCE, losses.gaussian_nll, 20, 0.1, "mean", 900),
    "sum": (VARIANCE, losses.gaussian_nll, 20, 0.1, "sum", 300),
    "all inputs": (VARIANCE, losses.gaussian_nll, 256, 0.2, "mean", 60),
    "a floor": (FLOOR, losses.gaussian_nll, 3, 0.05, "sum", 300),
    "exponential": (EXPONENTIAL, losses.laplace_nll, 7, 0.1, "mean", 500),
    "as printed": (LINEAR, losses.gaussian_nll_misprinted, 5, 0.02, "mean", 400),
    "Student t": (VARIANCE, STUDENT, 50, 0.3, "mean", 200),
}

UNSTABLE = {"one point", "Fig. 4", "exponential"}  # beyond the onset of most members


def differ(found: np.ndarray, wanted: np.ndarray) -> int:
    """How many words differ, every NaN counting as one."""
    assert found.shape == wanted.shape
    words = (np.ascontiguousarray(values).view(np.int64) for values in (found, wanted))
    return int((np.not_equal(*words) & ~(np.isnan(found) & np.isnan(wanted))).sum())


@pytest.mark.parametrize("name", SETTINGS)
def test_weights_outputs_and_onsets_are_those_of_the_package_to_the_bit(page, name):
    make, loss, points, rate, reduction, epochs = SETTINGS[name]
    data = encoding.random_encoding(points, 8, 16, seed=3)
    middle = epochs // 3
    run = ensemble.train(make, data, loss, learning_rate=rate, epochs=epochs, record=[0, middle, epochs],
                         reduction=reduction, seed=3, path="fast", keep_parameters=True)  # fmt: skip
    trained, before = page(make, data, loss, rate, reduction == "mean", 3), 0
    for number, epoch in enumerate(run.epoch.values):
        trained.advance(int(epoch) - before)
        before, now = int(epoch), run.isel(epoch=number)
        assert differ(trained.read("weights").T, now.parameters.values) == 0
        assert differ(trained.outputs(), np.stack([now.mu, now.sigma], 1)) == 0
    assert np.array_equal(trained.onset(), np.where(np.isinf(run.onset), -1, run.onset))
    if name in UNSTABLE:
        assert np.isfinite(run.onset).sum() >= 8


@pytest.mark.parametrize("points", [2, 20])
def test_the_measures_are_those_of_the_package(page, points):
    data = encoding.random_encoding(points, 8, 16, seed=1)
    run = ensemble.train(VARIANCE, data, epochs=30, record=[30], seed=1, path="fast")
    trained = page(VARIANCE, data, losses.gaussian_nll, 0.1, True, 1)
    trained.advance(30)
    wanted = variances.variances(run).isel(epoch=0).assign(least_sigma=run.sigma.isel(epoch=0).min("point"))
    for found, name in zip(trained.measures(), entry.MEASURES, strict=True):
        np.testing.assert_allclose(found, wanted[name], rtol=1e-13, atol=1e-15, err_msg=name)
