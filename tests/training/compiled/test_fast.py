"""The fast path as a whole: one result whatever is merged, who trains beside whom, and who rests."""

from __future__ import annotations

import functools
import hashlib

import numpy as np
import pytest
import xarray as xr

from kbe import losses
from kbe.data.encoding import random_encoding
from kbe.networks import BitNetwork, VarianceNetwork
from kbe.training import ensemble
from kbe.training.compiled.fast import FastTrainer
from kbe.training.compiled.layout import choose_graph
from kbe.training.compiled.simd import WIDTH
from kbe.training.weights import flat_parameters, initial_modules

MAKE = functools.partial(VarianceNetwork, bits=4)


def start(make, data, loss=losses.gaussian_nll, rate=0.1, change=lambda weights: None, jump=0.25, **options):
    modules = initial_modules(make, len(data.y))
    weights = np.stack([flat_parameters(module) for module in modules])
    change(weights)
    settings = {"threads": 1} | options
    return FastTrainer(modules[0], weights, data.x.values, data.y.values, loss, rate, True, jump, **settings)


def trainer(members=37, points=2, make=MAKE, **options) -> FastTrainer:
    return start(make, random_encoding(points, 4, members), **options)


# --- what is merged, and who trains beside whom


@pytest.mark.parametrize(("points", "dtype", "expected"), [
    (3, "float64", "7ce53bb0f59ac13a"), (31, "float64", "3d3d268705b52ff8"),
    (3, "float32", "df4e702aca6e5610"), (31, "float32", "2eca34c3f10e21d7"),
])  # fmt: skip
def test_no_sum_is_reordered_and_no_operation_fused_on_any_processor(points, dtype, expected):
    """The bits of outputs and weights after some epochs, as they first were: without and with merged windows."""
    draw = np.random.default_rng(0)
    module = BitNetwork(("sigmoid", "sigmoid"), bits=5, channels=4)
    weights = draw.random((5, len(flat_parameters(module)))).astype(dtype) - 0.5
    codes = np.argsort(draw.random((5, 32)), axis=1)[:, :points]
    x, y = (codes[..., None] >> np.arange(5) & 1).astype(float), codes % 3 % 2 * 1.0
    made = FastTrainer(module, weights, x, y, losses.gaussian_nll, 0.02, True, 0.25, 1)
    made.advance(25)
    assert (choose_graph(module, x, None)[1].max() >= points) == (points == 31)
    found = np.ascontiguousarray(made.outputs()).tobytes() + made.parameters().tobytes()
    assert hashlib.sha256(found).hexdigest()[:16] == expected


def test_merging_windows_changes_rounding_alone_and_costs_are_right_about_the_points():
    data, results = random_encoding(40, 6, 4), []
    for merge in (False, True, None):
        made = start(functools.partial(VarianceNetwork, bits=6), data, merge=merge)
        made.advance(20)
        results.append(made.outputs())
    assert np.abs(results[0] - results[1]).max() < 1e-13
    assert np.array_equal(results[2], results[1])  # 40 rows: merging pays


@pytest.mark.parametrize("merge", [False, True])
def test_with_one_graph_a_members_bits_do_not_depend_on_the_number_of_members(merge):
    outputs = []
    for members in (2, 19):
        made = start(functools.partial(VarianceNetwork, bits=5), random_encoding(6, 5, members), merge=merge)
        made.advance(30)
        outputs.append(made.outputs()[:2])
    assert np.array_equal(*outputs)


def test_the_fast_path_gives_the_same_bits_for_any_threads_and_strides():
    make, data = functools.partial(VarianceNetwork, bits=5), random_encoding(6, 5, 40)
    once = ensemble.train(make, data, epochs=60, threads=1, record=[60])
    again = ensemble.train(make, data, epochs=60, threads=2, record=range(61))
    assert np.array_equal(once.sigma[:, -1], again.sigma[:, -1], equal_nan=True)
    assert np.isfinite(once.sigma[:, -1]).any()


def test_an_input_that_is_not_a_members_own_does_not_enter_even_when_it_overflows():
    """Members share the rows of all; a row that a member lacks is masked, not multiplied by zero."""
    x = np.array([[[1.0, 1.0]], [[1e5, 1e5]], [[-1e5, -1e5]]])
    data = xr.Dataset({"x": (("member", "point", "bit"), x), "y": (("member", "point"), np.zeros((3, 1)))})
    make = functools.partial(BitNetwork, ("exponential",), bits=2, layers=1, activation="linear")

    def make_equal(weights):
        weights[1:] = weights[0]

    merged, plain = (start(make, data, losses.squared_error, change=make_equal, merge=merge) for merge in (True, False))
    assert np.isinf(merged.outputs()[1:]).any()
    for made in (merged, plain):
        made.advance(5)
    assert np.isfinite(merged.outputs()[0]).all()
    np.testing.assert_allclose(merged.outputs()[0], plain.outputs()[0], rtol=1e-12)


# --- members at rest: they leave the lanes, and nothing that is recorded shows it


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


def test_each_member_has_a_jump_of_its_own_that_moves_with_it():
    def spoil(weights):
        weights[::2] = np.nan

    jumps = np.random.default_rng(0).permutation(np.geomspace(0.01, 0.9, 37))
    some, none = (trainer(points=4, change=spoil, rest=rest, jump=jumps) for rest in (True, False))
    kept = record(some, [0, 105, 800])
    assert some.active < none.active == 48 and same(kept, record(none, [0, 105, 800]))
    late = np.flatnonzero(kept[-1] > 105)
    assert len(late) >= 3
    for member in late[:2]:
        alone = trainer(points=4, change=spoil, jump=np.full(37, jumps[member]))
        assert record(alone, [800])[-1][member] == kept[-1][member]


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
