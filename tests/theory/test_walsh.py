"""Kernels and errors on all bit strings, by Walsh order."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from kbe.data import encoding
from kbe.theory import kernels, spectra, walsh


def test_eq16_order_spectrum_of_a_distance_kernel_is_the_binomial_one():
    inputs = encoding.all_inputs(5)
    kernel = kernels.exponential_kernel(encoding.hamming_distance(inputs, inputs), 0.7)
    exact = spectra.hypercube_spectrum(5, 0.7)
    assert_allclose(walsh.order_spectrum(kernel[None])[0], exact.eigenvalue)
    order = walsh.mean_order(kernel).order.values
    assert_allclose(order, np.repeat(exact.order, exact.multiplicity), atol=1e-9)


def test_order_amplitudes_find_a_parity_of_two_bits_in_any_order_of_the_inputs():
    inputs = encoding.random_encoding(16, 4, 3).x.values
    parity = 1 - 2 * ((inputs[..., 0] + inputs[..., 3]) % 2)
    found = walsh.order_amplitudes(inputs, parity[:, None])
    assert_allclose(found**2, np.broadcast_to([0, 0, 1 / 6, 0, 0], (3, 1, 5)), atol=1e-15)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("inputs", lambda: walsh.order_amplitudes(np.ones((1, 4, 2)), np.ones((1, 1, 4)))),
        ("error", lambda: walsh.order_amplitudes(encoding.all_inputs(2)[None], np.ones((1, 1, 3)))),
        ("kernel", lambda: walsh.order_spectrum(np.ones((1, 3, 3)))),
        ("kernel", lambda: walsh.order_spectrum(np.ones((1, 1, 1)))),
        ("kernel", lambda: walsh.mean_order(np.ones((6, 6)))),
    ],
)
def test_bad_input_is_refused_with_a_sentence(name, call):
    with pytest.raises(ValueError, match=rf"\b{name}\b.*\.$"):
        call()
