"""The strength of a local response and the time that it makes, on cases known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from kbe.discussion import minor_modes
from kbe.measures import progress


def test_the_local_strength_of_a_broad_and_a_local_part_is_the_local_part():
    gram = 0.7 + 0.2 * np.eye(5)
    assert minor_modes.local_strength(gram) == pytest.approx(0.2)
    assert minor_modes.local_strength(np.stack([gram, 3 * gram])) == pytest.approx([0.2, 0.6])


def test_eq13_with_a_growing_kernel_is_that_of_a_constant_one_in_its_own_time():
    epochs, share, step = np.arange(4001), np.array([0.1, 0.4]), 0.05
    strength = 0.01 * (1 + (epochs / 500) ** 2)
    error = np.ones((len(epochs), 2))
    for t in range(len(epochs) - 1):
        error[t + 1] = error[t] * np.exp(-step * strength[t] * share)
    tau = step * minor_modes.rescaled_time(strength, epochs)
    told = np.interp(progress.time_to_learn(error, epochs), epochs, tau)
    np.testing.assert_allclose(told, np.log(2) / share, rtol=2e-3)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: minor_modes.local_strength(np.ones((1, 1))), "gram"),
        (lambda: minor_modes.local_strength(np.ones((2, 3))), "gram"),
        (lambda: minor_modes.rescaled_time(np.ones(3), [1, 2, 3]), "epochs"),
        (lambda: minor_modes.rescaled_time(np.ones(3), [0, 2, 2]), "epochs"),
        (lambda: minor_modes.rescaled_time(np.ones(3), [0, 1]), "epochs"),
    ],
)
def test_bad_input_is_named(call, named):
    with pytest.raises(ValueError, match=f"^{named} "):
        call()
