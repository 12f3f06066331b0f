"""The figures of the chapter on calibration draw what they are given."""

from __future__ import annotations

import numpy as np
import xarray as xr

from kbe.figures import calibration


def test_intervals_stand_in_the_order_of_the_true_mean():
    truth = xr.Dataset({"mean": ("point", [0.6, 0.4]), "deviation": ("point", [0.1, 0.2]), "y": ("point", [0.7, 0.3])})
    one = xr.Dataset({"mu": ("point", [0.5, 0.45]), "sigma": ("point", [0.01, 0.02])})
    first, second = calibration.intervals(truth, {"early": one, "late": one}, 2.0).axes
    assert list(first.lines[0].get_ydata()) == [0.3, 0.7] and second.get_title() == "late"
    low, high = first.containers[0].lines[2][0].get_segments()[0][:, 1]
    np.testing.assert_allclose([low, high], [0.41, 0.49])
    assert second.get_xlabel().startswith("held-out")


def curve(offset: float) -> xr.Dataset:
    names = ("own", "held_out", "score", "squared_error")
    values = {name: ("epoch", np.array([0.9, 0.8]) - offset - k / 10) for k, name in enumerate(names)}
    return xr.Dataset(values, coords={"epoch": [10, 100]})


def test_coverages_have_their_level_and_the_score_its_unit():
    axes = calibration.over_training({"a": curve(0), "b": curve(0.1)}, 0.9).axes
    for axis, name in zip(axes, ("own", "held_out", "score"), strict=True):
        np.testing.assert_allclose(axis.lines[1].get_ydata(), curve(0.1)[name])
    assert list(axes[1].lines[2].get_ydata()) == [0.9, 0.9] and len(axes[2].lines) == 2
    assert axes[2].get_ylabel().endswith("nats") and axes[2].get_xlabel() == "epochs"


def test_coverage_against_the_error_runs_to_the_right():
    (axes,) = calibration.against_error({"a": curve(0)}, 0.9, 0.5).axes
    np.testing.assert_allclose(axes.lines[0].get_xdata(), curve(0).squared_error)
    assert axes.xaxis_inverted() and list(axes.lines[2].get_xdata()) == [0.5, 0.5]
