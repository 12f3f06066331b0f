"""Measurements of time: turns, and trainers that train."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
from torch import nn

from kbe.data.encoding import random_encoding
from kbe.networks import VarianceNetwork
from kbe.training import timing

SMALL = functools.partial(VarianceNetwork, bits=4, layers=1)


def test_actions_take_turns_and_are_called_once_before():
    calls, ticks = [], itertools.count()
    times = timing.interleaved(
        {"a": lambda: calls.append("a"), "b": lambda: [calls.append("b"), next(ticks)]}, 3, lambda: next(ticks)
    )
    assert "".join(calls) == "ab" * 4
    assert times.sel(action="a").values.tolist() == [1, 1, 1]
    assert times.sel(action="b").values.tolist() == [2, 2, 2]  # it made the clock tick once itself


@pytest.mark.parametrize("path", ["fast", "reference"])
def test_a_trainer_is_ready_and_hardly_moves(path):
    trainer = timing.prepare(SMALL, random_encoding(3, 4, 2), path=path)
    before = trainer.outputs()
    trainer.advance(5)
    assert 0 < np.abs(trainer.outputs() - before).max() < 1e-4


def at_rest() -> nn.Module:
    module = SMALL()
    for parameter in module.parameters():
        nn.init.constant_(parameter, np.nan)
    return module


def test_no_member_leaves_the_lanes_while_epochs_are_measured():
    trainer = timing.prepare(at_rest, random_encoding(3, 4, 33))
    trainer.advance(500)
    assert trainer.active == 48


def test_time_of_an_epoch_does_not_depend_on_how_long_is_measured():
    trainers = {"one": timing.prepare(VarianceNetwork, random_encoding(20, 8, 16))}
    short, long = (float(timing.epoch_times(trainers, 5, seconds).min()) for seconds in (0.002, 0.02))
    assert 0.2 < short / long < 5


@pytest.mark.parametrize(("setting", "values"), [
    ("points", [2, 200]), ("members", [1, 16]), ("bits", [3, 8]), ("layers", [1, 3]), ("channels", [1, 6]),
    ("kernel_size", [1, 3]),
])  # fmt: skip
def test_cost_is_measured_and_foretold_over_every_setting(setting, values):
    found = timing.over(setting, values, members=4, points=8, repeats=3, merge=False)
    assert found.seconds.dims == ("value", "repeat")
    assert (found.seconds > 0).all()
    ratio = found.model.values[1] / found.model.values[0]
    if setting == "points":
        assert ratio == 100
    elif setting == "members":
        assert ratio == 1 / 16  # idle lanes cost as much
    else:
        assert ratio > 1.1


def test_a_larger_network_takes_longer():
    found = timing.over("channels", [1, 12], members=16, repeats=3)
    times = found.seconds.median("repeat").values
    assert times[1] > 4 * times[0]  # in theory 30 times; a coarse bar, as for any time in a test


@pytest.mark.parametrize(("call", "message"), [
    (lambda: timing.interleaved({}), "actions is {}: it must be a dictionary that is not empty"),
    (lambda: timing.interleaved({"a": print}, 0), "repeats"),
    (lambda: timing.prepare(SMALL, random_encoding(2, 4), path="slow"), "path"),
    (lambda: timing.prepare(SMALL, random_encoding(2, 4), threads=0), "threads"),
    (lambda: timing.epoch_times({"a": timing.prepare(SMALL, random_encoding(2, 4))}, 1, 0.0), "seconds"),
    (lambda: timing.over("depth", [1]), "setting"),
    (lambda: timing.over("bits", [0]), r"values\[0\]"),
    (lambda: timing.prepare(VarianceNetwork(), random_encoding(2)), "network"),
    (lambda: timing.prepare(SMALL, None), "data"),
])  # fmt: skip
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
