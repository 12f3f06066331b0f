"""Data with a known mean and deviation: scattered as they say, smooth, and the same on all inputs."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from kbe.data import encoding, known_noise


def standard(data: xr.Dataset) -> np.ndarray:
    return ((data.y - data["mean"]) / data.deviation).values.ravel()


@pytest.mark.parametrize(
    ("noise", "distribution"), [("gaussian", stats.norm()), ("laplace", stats.laplace(0, 0.5**0.5))]
)
def test_targets_are_scattered_as_mean_and_deviation_say(noise, distribution):
    data = known_noise.known_encoding(64, members=20, repeats=3, noise=noise)
    assert stats.kstest(standard(data), distribution.cdf).pvalue > 0.01
    assert stats.kstest(standard(known_noise.on_all_inputs(data)), distribution.cdf).pvalue > 0.01


def test_the_functions_reach_their_bounds_and_do_not_leave_them():
    data = known_noise.known_encoding(256, members=5, lowest=0.02, highest=0.3)
    for name, bounds in (("mean", (0.25, 0.75)), ("deviation", (0.02, 0.3))):
        np.testing.assert_allclose(data[name].min("point"), bounds[0], rtol=1e-12)
        np.testing.assert_allclose(data[name].max("point"), bounds[1], rtol=1e-12)


def test_flips_of_all_bits_one_after_another_cover_the_range():
    """The mean and the logarithm of the deviation are linear: the effects of the single bits add up to the range."""
    whole = known_noise.on_all_inputs(known_noise.known_encoding(4, bits=5, lowest=0.1, highest=0.4))
    for values, span in ((whole["mean"], 0.5), (np.log2(whole.deviation), 2.0)):
        flips = [abs(values.values[0, 0] - values.values[0, 2**k]) for k in range(5)]
        np.testing.assert_allclose(sum(flips), span)


def test_inputs_are_those_of_the_random_encoding_and_repeats_follow_each_other():
    data = known_noise.known_encoding(6, members=3, repeats=2, seed=4)
    assert np.array_equal(data.x[:, ::2], encoding.random_encoding(6, members=3, seed=4).x)
    assert np.array_equal(data.x[:, ::2], data.x[:, 1::2]) and (data.y.values[:, ::2] != data.y.values[:, 1::2]).all()
    assert np.array_equal(data["mean"][:, ::2], data["mean"][:, 1::2])


def test_all_inputs_has_the_members_functions_and_says_what_is_held_out():
    data = known_noise.known_encoding(10, bits=5, members=4).isel(member=[3, 1])
    whole = known_noise.on_all_inputs(data)
    assert whole.held_out.sum("point").values.tolist() == [22, 22]
    for k in range(2):
        places = encoding.indices(data.x[k])
        assert not whole.held_out.values[k, places].any()
        np.testing.assert_allclose(whole["mean"].values[k, places], data["mean"][k], rtol=1e-12)
        assert (whole.y.values[k, places] != data.y.values[k]).all()


REFUSED = {
    "points": 257, "repeats": 0, "noise": "cauchy", "lowest": 0, "highest": 0.01, "members": 0, "seed": -1,
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), REFUSED.items())
def test_what_cannot_be_drawn_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"^{name} is {value!r}: "):
        known_noise.known_encoding(**{"points": 8} | {name: value})


@pytest.mark.parametrize("data", [None, encoding.random_encoding(3)])
def test_data_of_another_kind_are_refused(data):
    with pytest.raises(ValueError, match=r"^data is "):
        known_noise.on_all_inputs(data)
