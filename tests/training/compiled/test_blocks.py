"""Members as lanes, and back."""

from __future__ import annotations

import numpy as np
import pytest

from kbe.training.compiled.blocks import by_lane, filled, in_lanes
from kbe.training.compiled.simd import WIDTH


@pytest.mark.parametrize("members", [1, 15, 16, 17, 40])
def test_each_member_has_a_lane_and_the_last_one_those_to_spare(members):
    lanes = filled(np.arange(members) + 5)
    assert len(lanes) % WIDTH == 0 and 0 <= len(lanes) - members < WIDTH
    assert (lanes[:members] == np.arange(members) + 5).all() and (lanes[members:] == members + 4).all()
    values = np.random.default_rng(0).random((len(lanes), 7))
    laid = in_lanes(values, values.dtype)
    assert laid.shape == (len(lanes) // WIDTH, 7, WIDTH) and laid.ctypes.data % 64 == 0
    assert (by_lane(laid) == values).all()
    assert (laid[0, :, 3] == values[3]).all()
