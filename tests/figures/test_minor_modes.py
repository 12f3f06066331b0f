"""Figures on minor modes and on the local variance: the given data on labelled axes, also where much is missing."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest

from kbe.figures import minor_modes as figures
from kbe.figures.local_variance import against_truth, rank_over_epochs, residual_parts

EPOCHS = np.array([0, 1, 10, 100])


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


@pytest.mark.parametrize("missing", [0, 1, 3])
def test_learning_times_are_drawn_and_the_theory_goes_through_the_densest(missing):
    times = np.array([[50.0, 30, 8], [60, 40, 10], [90, 60, 20]])
    times[:, :missing] = np.inf
    figure = figures.learning_times(np.array([1, 4, 16]), {"a": times, "b": times / 7}, ["epochs", "tau"])
    figure.draw_without_rendering()
    above, below = figure.axes
    drawn = above.containers[0].lines[0].get_ydata()
    np.testing.assert_allclose(drawn, np.where(np.isfinite(times[1]), times[1], np.nan))
    assert [axis.get_ylabel() for axis in (above, below)] == ["epochs", "tau"] and above.get_xscale() == "log"
    if missing < 3:
        dashed = next(line for line in above.lines if line.get_linestyle() == "--")
        np.testing.assert_allclose(dashed.get_ydata(), [160, 40, 10])


def test_growth_and_modes_leaves_out_what_is_not_learnt():
    strength = np.array([[1, 1, 2, 3], [2, 2, 3, 4], [3, 3, 4, 5]]) / 10
    measured = np.array([5.0, 50, np.inf])
    above, below = figures.growth_and_modes(EPOCHS, strength, np.array([9.0, 1, 0.1]), measured, 2 * measured).axes
    np.testing.assert_allclose(above.lines[0].get_ydata(), strength[1])
    np.testing.assert_allclose(below.lines[1].get_ydata(), [5, 50])
    assert "eigenvalue" in below.get_xlabel() and below.get_yscale() == "log"


def test_designs_and_variability_draw_each_line_as_given():
    shares, errors = {"a": EPOCHS / 100, "b": EPOCHS / 200}, {"a": 1 / (1 + EPOCHS), "b": 2 / (1 + EPOCHS)}
    above, below = figures.designs(EPOCHS, shares, errors).axes
    np.testing.assert_allclose(above.lines[1].get_ydata(), shares["b"][1:])
    np.testing.assert_allclose(below.lines[0].get_ydata(), errors["a"][1:])
    spread = np.arange(12.0).reshape(4, 3)
    figure = figures.variability(EPOCHS, spread, np.array([1, 4, 0]))
    np.testing.assert_allclose(figure.axes[0].lines[2].get_ydata(), spread[:, 2])
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["1 point", "4 points", "no data"]


def test_the_parts_of_a_residual_have_the_level_of_no_bias():
    lines = {"square": np.array([3.0, 1, 0.5]), "error": np.array([2.0, 0.3, 0.5])}
    panels = {"theory": (EPOCHS[1:], lines), "networks": (EPOCHS[1:], lines)}
    above, below = residual_parts(panels, ["time", "epoch"]).axes
    assert set(above.lines[0].get_ydata()) == {1} and below.get_xlabel() == "epoch"
    np.testing.assert_allclose(below.lines[2].get_ydata(), lines["error"])


def test_rank_correlations_stand_beside_the_best_that_one_residual_has():
    lines = {"formula": np.array([0.1, 0.2, 0.3]), "target": np.array([0.2, np.nan, 0.4])}
    axis = rank_over_epochs({"few": (EPOCHS[1:], lines)}, {"few": 0.4}).axes[0]
    assert set(axis.lines[0].get_ydata()) == {0.4} and axis.get_xscale() == "log"
    np.testing.assert_allclose(axis.lines[2].get_ydata(), lines["target"])


def test_estimates_are_drawn_over_the_truth():
    truth = np.array([0.05, 0.1, 0.2])
    left, right = against_truth(truth, {"alone": truth / 2, "averaged": truth}).axes
    np.testing.assert_allclose(left.lines[0].get_ydata(), truth / 2)
    np.testing.assert_allclose(left.lines[0].get_xdata(), truth)
    assert right.get_title() == "averaged" and "sigma" in left.get_ylabel()
