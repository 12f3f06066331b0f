"""Modes of response kernels: Fig. 5 and the mode-wise decay of equation 13."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from kbe.theory import average_network, kernels, modes, spectra

EVEN = modes.line_draws(100, 1, spacing="even")


def test_fig5_even_points_have_global_sines_and_random_points_packets():
    random = modes.line_draws(100, 10).participation[:, 1:50]
    assert_allclose(EVEN.participation[0, 5:45], 2 / 3, atol=0.01)
    assert np.median(random) < 0.25


def test_fig5_minor_modes_are_wave_packets_on_random_points_alone():
    """Evenly spaced points: sines throughout. Random points: the minor modes are localised by the disorder."""
    assert EVEN.participation[0, 1:].min() > 0.66
    random = modes.line_draws(100, 8).participation.mean("member")
    assert random[1] > 0.6
    assert random[29] < 0.2
    assert random[-1] < 0.05


def test_fig5_oscillation_theorem():
    assert_allclose(EVEN.sign_changes[0], np.arange(100))
    assert_allclose(modes.line_draws(100, 1).sign_changes[0, :25], np.arange(25))
    assert modes.sign_changes(np.array([1.0, 0.0, 2.0, -1.0, 0.0, 3.0])) == 2


def test_participation_ratio_known_cases():
    places = (np.arange(4000) + 0.5) / 4000
    assert_allclose(modes.participation_ratio(np.ones(7)), 1)
    assert_allclose(modes.participation_ratio(np.eye(5)[2]), 1 / 5)
    assert_allclose(modes.participation_ratio(np.sin(40 * np.pi * places)), 2 / 3, rtol=1e-6)
    packet = np.exp(-((places - 0.5) ** 2) / (4 * 0.03**2)) * np.cos(600 * places)
    assert_allclose(modes.participation_ratio(packet), 4 / 3 * np.sqrt(np.pi) * 0.03, rtol=1e-3)


def test_fig5_eigenvalues_follow_the_closed_form_on_the_line():
    draws = modes.line_draws(400, 4, scale=2.0)
    exact = 400 * spectra.line_spectrum(2.0, 4).eigenvalue
    assert_allclose(draws.eigenvalue[:, :4].mean("member"), exact, rtol=0.15)


@pytest.mark.parametrize(
    "kernel",
    [
        kernels.exponential_kernel,
        kernels.gaussian_kernel,
        partial(kernels.rational_quadratic_kernel, shape=0.5),
        kernels.measured_kernel([0, 1, 2], [1.0, 0.4, 0.2]),
    ],
)
def test_draws_of_any_kernel_rebuild_its_matrix(kernel):
    draws = modes.line_draws(30, 2, 1.5, kernel=kernel)
    for draw in (draws.isel(member=m) for m in range(2)):
        vectors = draw.eigenvector.values
        rebuilt = (vectors.T * draw.eigenvalue.values) @ vectors
        assert_allclose(rebuilt, kernel(abs(draw.x.values[:, None] - draw.x.values), 1.5), atol=1e-13)


def test_a_smooth_kernel_has_few_modes_and_one_with_a_kink_a_power_law():
    """Eigenvalues of a Gaussian fall faster than any power, those of the exponential as the power -2."""
    kinked, smooth = (
        modes.line_draws(100, 1, spacing="even", kernel=kernel).eigenvalue[0]
        for kernel in (kernels.exponential_kernel, kernels.gaussian_kernel)
    )
    assert kinked[9] / kinked[0] > 1e-3
    assert smooth[9] / smooth[0] < 1e-12


def test_fig5_packets_have_the_width_of_a_chain_with_random_springs():
    draws = modes.line_draws(400, 6)
    rank = np.arange(80, 121)
    ratio = draws.participation[:, rank - 1] / modes.localised_participation(rank, 400)
    assert np.median(ratio) == pytest.approx(1, abs=0.2)


def test_fig5_a_draw_depends_on_its_number_and_the_seed_alone():
    np.testing.assert_array_equal(modes.line_draws(10, 2).x[1], modes.line_draws(10, 5).x[1])
    assert (modes.line_draws(10, 2, seed=1).x != modes.line_draws(10, 2).x).all()


def test_eq13_each_mode_decays_at_its_own_eigenvalue():
    draws = modes.line_draws(12, 2)
    gram = np.stack([kernels.exponential_kernel(kernels.line_distance(x, x), 1.0) for x in draws.x.values])
    targets = np.random.default_rng(0).normal(size=12)
    times = np.array([0.0, 0.3, 1.0])
    outputs = np.stack([average_network.linear_response(k, targets, np.zeros(12), times).mu.values for k in gram])
    found = modes.mode_amplitudes(gram, targets - outputs)
    start = found.amplitude[:, :1].values
    decay = np.exp(-found.eigenvalue.values[:, None] * times[:, None])
    assert_allclose(found.amplitude, start * decay, atol=1e-10)
    assert_allclose((found.amplitude[:, 0] ** 2).sum("mode"), np.sum(targets**2))


def test_remaining_is_the_ratio_of_root_mean_squares_and_nan_without_error():
    amplitude = np.array([[[3.0, 0.0], [0.0, 1.0]], [[4.0, 0.0], [2.5, 1.0]]])
    assert_allclose(modes.remaining(amplitude), [[1, np.nan], [0.5, np.nan]])


@given(points=st.integers(-3, 1), members=st.integers(-2, 0), scale=st.sampled_from([0.0, -1.0, np.nan, np.inf]))
@settings(max_examples=25, deadline=None)
def test_line_draws_refuse_bad_input(points, members, scale):
    for name, arguments in (("points", (points, 2)), ("members", (5, members)), ("scale", (5, 2, scale))):
        with pytest.raises(ValueError, match=rf"^{name} is .*\.$"):
            modes.line_draws(*arguments)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("spacing", lambda: modes.line_draws(5, 1, spacing="odd")),
        ("kernel", lambda: modes.line_draws(5, 1, kernel="exponential")),
        ("eigenvectors", lambda: modes.participation_ratio(np.zeros(3))),
        ("eigenvectors", lambda: modes.sign_changes(np.array([np.inf]))),
        ("rank", lambda: modes.localised_participation([0.5], 10)),
        ("error", lambda: modes.mode_amplitudes(np.eye(3)[None], np.ones((1, 2, 4)))),
        ("gram", lambda: modes.mode_amplitudes(np.triu(np.ones((3, 3)))[None], np.ones((1, 2, 3)))),
        ("amplitude", lambda: modes.remaining(np.full((1, 2, 3), np.nan))),
    ],
)
def test_bad_input_is_refused_with_a_sentence(name, call):
    with pytest.raises(ValueError, match=rf"\b{name}\b.*\.$"):
        call()
