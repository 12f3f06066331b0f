"""Members at rest: they leave the lanes, and nothing that is recorded shows it."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from kbe import losses
from kbe.data.encoding import random_encoding
from kbe.networks import BitNetwork, VarianceNetwork
from kbe.training.compiled.blocks import by_lane, filled, in_lanes
from kbe.training.compiled.fast import FastTrainer
from kbe.training.compiled.simd import WIDTH
from kbe.training.weights import flat_parameters, initial_modules

MAKE = functools.partial(VarianceNetwork, bits=4)


def trainer(members=37, points=2, make=MAKE, rate=0.1, change=lambda weights: None, **options) -> FastTrainer:
    data = random_encoding(points, 4, members)
    modules = initial_modules(make, members)
    weights = np.stack([flat_parameters(module) for module in modules])
    change(weights)
    loss, settings = losses.gaussian_nll, {"threads": 1} | options
    return FastTrainer(modules[0], weights, data.x.values, data.y.values, loss, rate, True, 0.25, **settings)


def record(made: FastTrainer, epochs: list[int]) -> list[np.ndarray]:
    """Outputs, weights and onsets at some epochs."""
    kept = []
    for stride in np.diff(epochs, prepend=0):
        made.advance(int(stride))
        kept += [made.outputs(), made.parameters(), made.onset()]
    return kept


def same(first: list[np.ndarray], second: list[np.ndarray]) -> bool:
    """Bit for bit, any NaN being as good as another."""
    signs = all((np.signbit(a) == np.signbit(b))[~np.isnan(a)].all() for a, b in zip(first, second, strict=True))
    return signs and all(np.array_equal(a, b, equal_nan=True) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("members", "points", "merge"), [(37, 2, None), (33, 3, True), (5, 1, False)])
def test_whatever_is_recorded_is_bit_for_bit_what_it_is_when_none_rests(members, points, merge, threads):
    epochs = [0, 1, 100, 101, 102, 299, 600, 1300]
    some, none = (trainer(members, points, merge=merge, rest=rest, threads=threads) for rest in (True, False))
    kept = record(some, epochs)
    assert same(kept, record(none, epochs))
    at_nan = np.isnan(kept[-2]).all(1)
    assert at_nan.any()
    assert some.active < none.active or not members > at_nan.sum() > members - WIDTH


def test_members_that_no_epoch_moves_all_leave_and_later_epochs_cost_nothing():
    still = trainer(rate=1e-30)
    first = record(still, [0])
    assert still.active == 48
    assert same(first, record(still, [300]))
    assert still.active == 0
    still.advance(10**12)
    assert same(first, record(still, [0]))


def test_of_members_that_rest_and_members_that_move_the_latter_stay_themselves():
    """Every second member is NaN from the start, so that the others change their lanes at once."""

    def spoil(weights):
        weights[::2] = np.nan

    some, none = (trainer(points=8, rate=1e-3, change=spoil, rest=rest) for rest in (True, False))
    kept = record(some, [0, 105, 140])
    assert some.active == 32 < none.active
    assert same(kept, record(none, [0, 105, 140]))
    assert (kept[-1][::2] == 1).all()  # their outputs never were finite


def test_a_member_of_which_one_weight_moves_does_not_rest():
    """Behind ReLU units that are all off, the biases of the heads alone learn."""
    make = functools.partial(BitNetwork, ("linear", "softplus"), bits=4, layers=1, activation="relu")

    def switch_off(weights):
        weights[:, 9:12] = -10.0  # the layer's biases

    some, none = (trainer(points=8, make=make, rate=1e-3, change=switch_off, rest=rest) for rest in (True, False))
    kept = record(some, [0, 350])
    assert some.active == 48
    assert ((kept[1] != kept[4]).sum(1) == 2).all()
    assert same(kept, record(none, [0, 350]))


def test_with_drop_out_none_rests_since_the_next_masks_are_others():
    masked = trainer(make=functools.partial(MAKE, dropout=0.3), rate=1e-30)
    masked.advance(250)
    assert masked.active == 48


def test_looks_depend_neither_on_strides_nor_on_what_is_read():
    once, often = trainer(), trainer()
    once.advance(450)
    for _ in range(90):
        often.advance(5)
        often.outputs()
    assert once.active == often.active < 48
    assert same(record(once, [0]), record(often, [0]))


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
