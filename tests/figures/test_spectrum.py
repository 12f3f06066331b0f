"""The figures of the chapter on the spectrum draw what they are given."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest

from kbe.figures import spectrum as figures
from kbe.theory import modes


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def test_fig5_has_the_draws_eigenvalues_on_log_axes_and_the_chosen_eigenvectors():
    draw = modes.line_draws(20, 1).isel(member=0)
    values, vectors = figures.spectrum_of_one_draw(draw, np.ones(20), [1, 5, 20]).axes
    np.testing.assert_array_equal(values.lines[0].get_ydata(), draw.eigenvalue)
    assert (values.get_xscale(), values.get_yscale()) == ("log", "log")
    drawn = vectors.lines[1].get_ydata() + 1
    np.testing.assert_allclose(drawn / np.abs(drawn).max(), draw.eigenvector[4] / np.abs(draw.eigenvector[4]).max())
    assert [label.get_text() for label in vectors.get_yticklabels()] == ["1", "5", "20"]


def test_fig5_ensemble_draws_medians():
    random, even = modes.line_draws(20, 5), modes.line_draws(20, 1, spacing="even")
    _, shares = figures.spectrum_of_draws(random, even, np.ones(20), np.full(20, 0.1)).axes
    np.testing.assert_allclose(shares.lines[0].get_ydata(), random.participation.median("member"))
    assert shares.get_xlabel() == "rank"


def test_mode_decay_shows_each_rank_with_its_forecast():
    left = np.linspace(1, 0, 12).reshape(3, 4)
    axes = figures.mode_decay(np.array([0, 1, 10]), left, left / 2, [2, 4]).axes[0]
    np.testing.assert_array_equal(axes.lines[2].get_ydata(), left[1:, 3])
    np.testing.assert_array_equal(axes.lines[3].get_ydata(), left[1:, 3] / 2)


def test_order_decay_shows_every_order_of_the_kernel():
    above, below = figures.order_decay(np.ones((4, 3)), np.ones(3), np.array([0, 1]), np.ones((2, 3)), [0, 2]).axes
    assert above.get_yscale() == "log" and len(above.lines[0].get_xdata()) == 3
    assert [line.get_label() for line in below.lines] == ["order 0", "order 2"]
