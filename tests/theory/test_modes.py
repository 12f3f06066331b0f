"""Modes of response kernels: Fig. 5 and the mode-wise decay of equation 13."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kbe.data import encoding
from kbe.theory import average_network, kernels, modes, spectra


def test_fig5_even_points_have_global_sines_and_random_points_packets():
    even = modes.line_draws(100, 1, spacing="even").participation[0, 5:45]
    random = modes.line_draws(100, 10).participation[:, 1:50]
    np.testing.assert_allclose(even, 2 / 3, atol=0.01)
    assert np.median(random) < 0.25


def test_fig5_eigenvalues_follow_the_closed_form_on_the_line():
    draws = modes.line_draws(400, 4, scale=2.0)
    exact = 400 * spectra.line_spectrum(2.0, 4).eigenvalue
    np.testing.assert_allclose(draws.eigenvalue[:, :4].mean("member"), exact, rtol=0.15)


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
    np.testing.assert_allclose(found.amplitude, start * decay, atol=1e-10)
    np.testing.assert_allclose((found.amplitude[:, 0] ** 2).sum("mode"), np.sum(targets**2))


def test_remaining_is_the_ratio_of_root_mean_squares_and_nan_without_error():
    amplitude = np.array([[[3.0, 0.0], [0.0, 1.0]], [[4.0, 0.0], [2.5, 1.0]]])
    np.testing.assert_allclose(modes.remaining(amplitude), [[1, np.nan], [0.5, np.nan]])


def test_eq16_order_spectrum_of_a_distance_kernel_is_the_binomial_one():
    inputs = encoding.all_inputs(5)
    kernel = kernels.exponential_kernel(encoding.hamming_distance(inputs, inputs), 0.7)
    exact = spectra.hypercube_spectrum(5, 0.7)
    np.testing.assert_allclose(spectra.order_spectrum(kernel[None])[0], exact.eigenvalue)
    order = spectra.mean_order(kernel).order.values
    np.testing.assert_allclose(order, np.repeat(exact.order, exact.multiplicity), atol=1e-9)


def test_order_amplitudes_find_a_parity_of_two_bits_in_any_order_of_the_inputs():
    inputs = encoding.random_encoding(16, 4, 3).x.values
    parity = 1 - 2 * ((inputs[..., 0] + inputs[..., 3]) % 2)
    found = spectra.order_amplitudes(inputs, parity[:, None])
    np.testing.assert_allclose(found**2, np.broadcast_to([0, 0, 1 / 6, 0, 0], (3, 1, 5)), atol=1e-15)


def test_fig5_local_exponents_of_a_power_law_are_equal():
    found = modes.local_exponents(np.arange(1.0, 101.0)[None] ** -2)
    np.testing.assert_allclose(found.exponent, [[-2, -2, -2]])
    assert found.first.values.tolist() == [2, 10, 50]


@given(points=st.integers(-3, 1), members=st.integers(-2, 0), scale=st.sampled_from([0.0, -1.0, np.nan, np.inf]))
@settings(max_examples=25, deadline=None)
def test_line_draws_refuse_bad_input(points, members, scale):
    for arguments in ((points, 2), (5, members), (5, 2, scale)):
        with pytest.raises(ValueError, match=r"points|members|scale"):
            modes.line_draws(*arguments)


@pytest.mark.parametrize(
    "call",
    [
        lambda: modes.line_draws(5, 1, spacing="odd"),
        lambda: modes.localised_participation([0.5], 10),
        lambda: modes.mode_amplitudes(np.eye(3)[None], np.ones((1, 2, 4))),
        lambda: modes.local_exponents(np.ones((1, 15))),
        lambda: modes.remaining(np.full((1, 2, 3), np.nan)),
        lambda: spectra.order_amplitudes(np.ones((1, 4, 2)), np.ones((1, 1, 4))),
        lambda: spectra.order_amplitudes(encoding.all_inputs(2)[None], np.ones((1, 1, 3))),
        lambda: spectra.order_spectrum(np.ones((1, 3, 3))),
        lambda: spectra.mean_order(np.ones((6, 6))),
    ],
)
def test_bad_input_is_refused_in_one_sentence(call):
    with pytest.raises(ValueError, match=r"\.$"):
        call()
