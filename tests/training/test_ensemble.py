"""Ensembles: two paths, one result; members that know nothing of each other; bad input."""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from kbe import losses
from kbe.data import arrays
from kbe.data.encoding import random_encoding
from kbe.networks import AverageNetwork, BitNetwork, VarianceNetwork
from kbe.training import ensemble

FEW = settings(max_examples=25, deadline=None)
part = functools.partial


def small(members: int = 3, points: int = 6, bits: int = 5, **drawn) -> xr.Dataset:
    return random_encoding(points, bits, members, **drawn)


def network(**architecture):
    return part(VarianceNetwork, **{"bits": 5, **architecture})


def both_paths(make, data, loss=losses.gaussian_nll, **options):
    return [ensemble.train(make, data, loss, path=path, **options) for path in ("fast", "reference")]


def largest_difference(first: xr.Dataset, second: xr.Dataset) -> float:
    return max(float(abs(first[name] - second[name]).max()) for name in ("mu", "sigma", "loss") if name in first)


# --- the two paths


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize(
    "options",
    [{"bits": bits} for bits in (1, 2, 7)]
    + [{"layers": layers} for layers in (1, 2, 4)]
    + [{"channels": channels} for channels in (1, 5)]
    + [{"kernel_size": size} for size in (1, 2, 4, 5)]
    + [{"padding": "circular"}, {"padding": "circular", "kernel_size": 4}, {"padding": "valid", "layers": 2}]
    + [{"activation": name} for name in ("relu", "tanh", "sigmoid", "linear")]
    + [{"mean": name} for name in ("linear", "softplus", "exponential")]
    + [{"deviation": name} for name in ("softplus", "exponential")]
    + [{"deviation": "softplus", "mean": "linear", "sigma_floor": 0.1}],
    ids=str,
)
def test_eq9_paths_agree_for_every_architecture(options):
    make = network(**options)
    data = small(bits=options.get("bits", 5), points=8, repeat=True, seed=3)
    fast, reference = both_paths(make, data, epochs=10)
    assert largest_difference(fast, reference) < 1e-12
    assert fast.attrs["path"] == "fast"
    assert reference.attrs["path"] == "reference"


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("repeat", [False, True])
@pytest.mark.parametrize(
    "loss",
    [losses.squared_error, losses.gaussian_nll, losses.gaussian_nll_misprinted, losses.laplace_nll,
     losses.student_t_nll, part(losses.student_t_nll, degrees=1), losses.beta_nll, part(losses.beta_nll, beta=1),
     losses.faithful_nll, losses.clamped_gaussian_nll, part(losses.clamped_gaussian_nll, floor=0.3)],
    ids=lambda loss: getattr(loss, "func", loss).__name__,
)  # fmt: skip
def test_paths_agree_for_every_loss(loss, repeat, reduction):
    data = small(repeat=repeat)
    fast, reference = both_paths(network(), data, loss, reduction=reduction, epochs=10, learning_rate=0.03)
    assert largest_difference(fast, reference) < 1e-12


def test_eq13_paths_agree_for_the_average_network():
    fast, reference = both_paths(part(AverageNetwork, bits=5), small(), losses.squared_error, epochs=50)
    assert largest_difference(fast, reference) < 1e-12
    assert "sigma" not in fast


def test_paths_agree_for_three_heads_of_which_the_third_is_idle():
    three = part(BitNetwork, ("linear", "sigmoid", "sigmoid"), bits=5, sigma_floor=0.05)
    fast, reference = both_paths(three, small(), epochs=20)
    assert abs(fast.output - reference.output).max() < 1e-12
    assert (abs(fast.output[..., 2] - fast.output[:, 0, :, 2]) > 1e-3).any()  # its features move all the same


@pytest.mark.parametrize("merge", [False, True])
def test_paths_agree_where_the_second_heads_gradient_stops_at_the_features(merge):
    data = small(points=28 if merge else 3)
    fast, reference = both_paths(network(detach_deviation=True), data, epochs=25)
    assert largest_difference(fast, reference) < 1e-12
    attached = ensemble.train(network(), data, epochs=25)
    assert largest_difference(fast, attached) > 1e-3


@pytest.mark.parametrize("options", [
    {}, {"dropout": 0.5, "padding": "valid", "layers": 2, "channels": 4}, {"activation": "relu", "layers": 1},
    {"padding": "circular", "activation": "tanh", "channels": 2}, {"kernel_size": 2, "detach_deviation": True},
], ids=str)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
def test_paths_draw_the_same_masks_and_agree(options):
    make, data = network(**{"dropout": 0.2, **options}), small(19, repeat=True)
    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    options = {"epochs": 30, "learning_rate": 0.03, "seed": 3}
    fast, reference = both_paths(make, data, keep_parameters=True, **options)
    assert torch.equal(torch.random.get_rng_state(), state) and torch.get_num_threads() == threads
    assert largest_difference(fast, reference) < 1e-12
    assert abs(fast.parameters - reference.parameters).max() < 1e-12
    other = ensemble.train(make, data, threads=2, record=[30], **options)
    assert np.array_equal(other.mu[:, -1], fast.mu[:, -1])


def test_single_precision_agrees_to_its_rounding():
    fast, reference = both_paths(network(), small(), epochs=25, dtype="float32")
    exact = ensemble.train(network(), small(), epochs=25)
    assert fast.mu.dtype == reference.mu.dtype == np.float32
    assert largest_difference(fast, reference) < 2e-6
    assert 1e-9 < largest_difference(fast, exact) < 2e-6


@pytest.mark.parametrize("points", [1, 2, 5])
def test_onsets_are_those_of_the_reference_path(points):
    data = random_encoding(points, 8, 12)
    fast, reference = both_paths(VarianceNetwork, data, epochs=130, record=[130])
    assert np.isfinite(fast.onset).sum() >= 6
    both_infinite = np.isinf(fast.onset) & np.isinf(reference.onset)
    assert (both_infinite | (abs(fast.onset - reference.onset) <= 1)).all()


# --- members


@pytest.mark.parametrize("path", ["fast", "reference"])
def test_a_member_does_not_depend_on_the_number_of_members(path):
    few, many = (ensemble.train(network(), small(m, 12), epochs=30, path=path) for m in (2, 19))
    assert abs(few.mu - many.mu[:2]).max() < 1e-13
    assert (few.x == many.x[:2]).all()


@pytest.mark.parametrize("path", ["fast", "reference"])
def test_a_member_that_blows_up_touches_no_other_and_keeps_its_values(path):
    data = small(4)
    wild = data.copy(deep=True)
    wild["y"][1] = 1e300
    options = {"epochs": 30, "path": path, "record": range(31)}
    calm, wild = (ensemble.train(network(mean="linear"), d, **options) for d in (data, wild))
    others = [0, 2, 3]
    np.testing.assert_array_equal(calm.mu[others], wild.mu[others])
    assert wild.onset[1] <= 2
    assert not np.isfinite(wild.mu[1, -1]).any()
    assert np.isfinite(wild.mu[1, 0]).all()


def test_attributes_say_what_ran(tmp_path):
    run = ensemble.train(network(channels=2), small(seed=4), part(losses.beta_nll, beta=0.25), epochs=3, seed=7)
    wanted = {"learning_rate": 0.1, "epochs": 3, "reduction": "mean", "jump": 0.25, "dtype": "float64", "seed": 7,
              "data_seed": 4, "data_bits": 5, "path": "fast", "batch_size": 6, "optimizer": "gradient descent",
              "network": "VarianceNetwork(bits=5, channels=2)", "loss": "beta_nll(beta=0.25)"}  # fmt: skip
    assert wanted.items() <= run.attrs.items()
    run.to_netcdf(tmp_path / "run.nc", engine="scipy")
    with xr.open_dataset(tmp_path / "run.nc", engine="scipy") as opened:
        xr.testing.assert_identical(opened.load(), run)


@pytest.mark.parametrize("engine", ["h5netcdf", "scipy"])
def test_a_run_is_stored_whatever_the_data_have_for_attributes(tmp_path, engine):
    given = {"none": None, "true": True, "numpy": np.bool_(False), "list": [1, None], "flags": np.array([True]),
             "of": {}, "kept": 0.5, "name": "x", "many": [1.0, 2.0], "empty": [], "large": 2**70, 3: 4}  # fmt: skip
    data = small().assign_attrs(given)
    data.y.attrs, data.x.attrs = {"unit": None}, {"scaled": True}
    run = ensemble.train(network(), data, epochs=1)
    stored = {"none": "None", "true": 1, "numpy": 0, "list": "[1, None]", "flags": "[ True]", "of": "{}", "kept": 0.5,
              "name": "x", "many": [1.0, 2.0], "empty": "[]", "large": str(2**70), "3": 4}  # fmt: skip
    assert {f"data_{name}": value for name, value in stored.items()}.items() <= run.attrs.items()
    run.to_netcdf(tmp_path / "run.nc", engine=engine)
    with xr.open_dataset(tmp_path / "run.nc", engine=engine) as opened:
        assert (opened.y.attrs, opened.x.attrs) == ({"unit": "None"}, {"scaled": 1})
        xr.testing.assert_equal(opened.load(), run)
    assert data.attrs["none"] is None and data.y.attrs == {"unit": None}


# --- data of one's own: a regression on standardised targets


class Regression(nn.Module):
    """A small network with an unbounded mean, and a deviation that is positive or linear."""

    def __init__(self, positive: bool = True) -> None:
        super().__init__()
        self.layers, self.positive = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)), positive

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean, deviation = self.layers(x).unbind(-1)
        return torch.stack([mean, nn.functional.softplus(deviation) if self.positive else deviation], -1)


def standardised() -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(60, 4))
    y = x @ [1.0, -2.0, 1.0, 0.0] + 0.5 * x[:, 0] * x[:, 1] + draw.normal(size=60)
    return x, (y - y.mean()) / y.std()


def test_a_regression_that_trains_well_has_no_onset_and_one_that_does_not_has():
    data = arrays.repeated(*standardised(), members=10)
    options = {"epochs": 60, "record": range(61)}
    calm, wild = (ensemble.train(Regression, data, learning_rate=rate, **options) for rate in (0.075, 9))
    assert (abs(calm.mu.diff("epoch")).max(("epoch", "point")) > 0.25).sum() >= 3  # a quarter alone would tell of one
    assert np.isinf(calm.onset).all() and (calm.loss[:, -1] < calm.loss[:, 0] - 0.3).all()
    assert np.isfinite(wild.onset).all()


@pytest.mark.parametrize("path", ["fast", "reference"])
def test_a_jump_is_in_units_of_the_spread_of_each_members_own_targets(path):
    """With a step that is so small that the first epoch is the longest, the onset is there or nowhere."""
    data = small(4, 20, seed=2)
    data["y"] = data.y * [[1.0], [4.0], [8.0], [0.0]]
    options = {"learning_rate": 1e-3, "epochs": 1, "record": [0, 1], "path": path}
    linear = part(AverageNetwork, bits=5, mean="linear")
    run = ensemble.train(linear, data, losses.squared_error, **options)
    moved = abs(run.mu[:, 1] - run.mu[:, 0]).max("point").values / [1, 4, 8, 1]
    jump = np.sort(moved)[1:3].mean()
    again = ensemble.train(
        part(AverageNetwork, bits=5, mean="linear"), data, losses.squared_error, jump=jump, **options
    )
    assert again.onset.values.tolist() == np.where(moved > jump, 1, np.inf).tolist()
    assert set(again.onset.values) == {1, np.inf}


def test_a_deviation_that_starts_below_zero_is_said_once_with_the_number_of_members():
    data = arrays.repeated(*standardised(), members=10)
    with pytest.warns(UserWarning, match=r"^sigma starts at or below 0 at a point in \d+ of 10 members") as said:
        run = ensemble.train(part(Regression, positive=False), data, epochs=1)
    assert len(said) == 1 and said[0].filename == __file__
    below = (run.sigma[:, 0] <= 0).any("point").sum().item()
    assert str(said[0].message).split(" members")[0].endswith(f" {below} of 10") and below > 0


@pytest.mark.parametrize(("loss", "positive"), [(losses.squared_error, False), (losses.gaussian_nll, True)])
@pytest.mark.filterwarnings("error")
def test_nothing_is_said_where_the_loss_is_finite(loss, positive):
    ensemble.train(part(Regression, positive=positive), standardised(), loss, epochs=1)


def test_two_arrays_are_the_data_of_one_member():
    x, y = standardised()
    run = ensemble.train(Regression, (x, y), epochs=2)
    same = ensemble.train(Regression, arrays.repeated(x, y), epochs=2)
    assert run.sizes["member"] == 1 and run.mu.values.tobytes() == same.mu.values.tobytes()
    tensors = ensemble.train(Regression, [torch.as_tensor(x), torch.as_tensor(y)], epochs=2)
    assert tensors.mu.values.tobytes() == same.mu.values.tobytes()


def test_whole_numbers_of_numpy_and_a_device_itself_are_taken():
    options = {"batch_size": np.int64(2), "epochs": np.int32(3), "threads": np.uint8(1), "seed": np.int64(1)}
    run = ensemble.train(network(), small(), device=torch.device("cpu", 0), record=np.arange(4), **options)
    same = ensemble.train(network(), small(), device="cpu", batch_size=2, epochs=3, seed=1, record=range(4))
    xr.testing.assert_identical(run, same)
    assert run.attrs["device"] == "cpu"


# --- which path, and bad input


class Other(VarianceNetwork):
    def features(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * super().features(x)


def frozen() -> nn.Module:
    module = VarianceNetwork(bits=5)
    module.heads[0].bias.requires_grad_(False)
    return module


def tied() -> nn.Module:
    module = VarianceNetwork(bits=5)
    module.heads[1] = module.heads[0]
    return module


def hooked() -> nn.Module:
    module = VarianceNetwork(bits=5)
    module.nonlinearity.register_forward_hook(lambda layer, given, output: output / 2)
    return module


def without_masks() -> nn.Module:
    module = VarianceNetwork(bits=5, dropout=0.1)
    module.dropout.eval()
    return module


@pytest.mark.parametrize(("changes", "reason"), [
    ({"optimizer": torch.optim.Adam}, "no optimizer but gradient descent"),
    ({"batch_size": 2}, "full batch only"),
    ({"device": "meta"}, "does not run on meta"),
    ({"network": part(Other, bits=5)}, "computes otherwise"),
    ({"network": part(nn.Linear, 5, 2)}, "computes otherwise"),
    ({"network": frozen}, "require no gradient"),
    ({"network": tied}, "not those that a BitNetwork is made with"),
    ({"network": hooked}, "network gives other outputs on the fast path"),
    ({"network": without_masks}, "drop-out is not the one"),
    ({"loss": lambda output, target: output[..., 0] - target}, "no compiled form"),
    ({"loss": part(losses.gaussian_nll)}, None),
    ({"loss": part(losses.beta_nll, beta=0.1)}, None),
])  # fmt: skip
@pytest.mark.filterwarnings("ignore:sigma starts at or below 0")
def test_the_fast_path_says_why_it_cannot_be_taken(changes, reason):
    options = {"network": network(), "data": small(), "epochs": 1, "path": "fast"} | changes
    if reason is None:
        assert ensemble.train(**options).attrs["path"] == "fast"
    else:
        with pytest.raises(ValueError, match=reason):
            ensemble.train(**options)
        if "device" not in changes:
            assert ensemble.train(**options | {"path": "auto"}).attrs["path"] == "reference"


NOT_POSITIVE = st.one_of(st.floats(max_value=0), st.sampled_from([np.nan, np.inf, "1", None, True, [1]]))
NOT_COUNTS = st.one_of(st.integers(max_value=-1), st.floats(), st.sampled_from(["3", True, None]))


@FEW
@given(bad=st.one_of(
    st.tuples(st.sampled_from(["learning_rate", "jump"]), NOT_POSITIVE),
    st.tuples(st.sampled_from(["epochs", "seed"]), NOT_COUNTS),
    st.tuples(st.sampled_from(["batch_size", "threads"]), st.one_of(st.integers(max_value=0), st.floats())),
    st.tuples(st.sampled_from(["reduction", "path", "dtype"]), st.one_of(st.text(max_size=3), st.none(), st.just(1))),
    st.tuples(st.just("record"), st.sampled_from([[], [3, 2], [1, 1], [-1], [9], [0.5], "all", [[1]], [np.nan]])),
    st.tuples(st.just("batch_size"), st.just(7)),
    st.tuples(st.just("optimizer"), st.sampled_from(["adam", 1])),
    st.tuples(st.just("device"), st.sampled_from(["gpu", "cuda:99", 1.5, None, torch.device("meta"), [], b"cpu"])),
))  # fmt: skip
def test_bad_arguments_are_refused_by_name(bad):
    name, value = bad
    with pytest.raises(ValueError, match=name):
        ensemble.train(network(), small(), **{"epochs": 5, name: value})


class Odd(nn.Linear):
    def __init__(self, kind: str) -> None:
        super().__init__(5, 2)
        self.kind = kind

    def forward(self, x: torch.Tensor) -> object:
        output = super().forward(x).sigmoid()
        if self.kind == "fails":
            raise RuntimeError("boom\nand a second line")
        if self.kind == "normalised":
            output = output / output.sum(0)
        return {"pair": (output, 1), "detached": output.detach(), "complex": output * 1j}.get(self.kind, output)


class OnceOnly:
    """A loss that fails in training, with many more points than it is tried with."""

    def __call__(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        if len(target) > 12 and output.requires_grad:
            raise RuntimeError("enough")
        return losses.squared_error(output, target)


ONE = nn.Linear(5, 2)
WIDTHS = iter(range(2, 99))


@pytest.mark.parametrize(("changes", "message"), [
    ({"network": part(Odd, "fails")}, "network fails on inputs .*boom"),
    ({"network": part(Odd, "pair")}, "network gives a tuple: it must be one tensor"),
    ({"network": part(Odd, "detached")}, "network gives .* without a gradient"),
    ({"network": part(Odd, "complex")}, "network gives torch.complex128"),
    ({"network": part(Odd, "normalised")}, "network gives another output at a point where other points stand beside"),
    ({"network": lambda: nn.Sequential(nn.Linear(5, 2), nn.BatchNorm1d(2))}, "network changes 1.running_mean"),
    ({"network": VarianceNetwork(bits=5)}, "network is .* must be a callable that makes a torch module"),
    ({"network": None}, "network is None: it must be a callable that makes a torch module"),
    ({"network": nn.ReLU}, "with parameters"),
    ({"network": lambda: 3}, "must make a torch module"),
    ({"network": network(bits=6)}, "must be the 6 bits"),
    ({"network": part(AverageNetwork, bits=5)}, "at least 2 heads"),
    ({"network": lambda: nn.Sequential(nn.Linear(5, 1), nn.Flatten(0))}, "network gives .* must be .points, heads."),
    ({"network": nn.Linear}, "network fails when it is called without arguments"),
    ({"network": lambda: ONE}, "must make new modules"),
    ({"network": lambda: nn.Linear(5, next(WIDTHS))}, "new modules of one shape"),
    ({"loss": None}, "loss is None"),
    ({"loss": lambda output, target: 1 / 0}, "loss fails on the output"),
    ({"loss": lambda output, target: 1}, "loss gives a int"),
    ({"loss": lambda output, target: (output[..., 0] - target).mean()}, "loss gives shape"),
    ({"loss": lambda output, target: output[..., 0].detach()}, "loss gives .* without a gradient"),
    ({"loss": lambda output, target: output[:, 0].softmax(0) - target}, "loss gives another value at a point"),
    ({"loss": OnceOnly()}, "training fails: RuntimeError"),
    ({"optimizer": torch.optim.LBFGS}, "optimizer makes .* nothing that steps"),
    ({"optimizer": lambda parameters, lr: None}, "optimizer makes"),
    ({"optimizer": nn.Linear}, "optimizer makes"),
    ({"optimizer": torch.optim.Adafactor}, "optimizer moves a number by the gradient of others"),
    ({"device": "meta"}, "device is 'meta'"),
    ({"device": "hpu"}, "device is 'hpu'"),
    ({"threads": 10**9}, "threads is 1000000000"),
    ({"epochs": 2**70}, "epochs is"),
    ({"keep_parameters": "no"}, "keep_parameters is 'no'"),
    ({"data": None}, "data lacks x, y"),
    ({"data": np.ones((2, 3))}, "data lacks x, y: it must be .* or two arrays"),
    ({"data": (np.ones((2, 3)), np.ones(3))}, r"y has shape \(3,\): it must be \(points,\) with points = 2"),
    ({"data": (np.ones((2, 3)), np.ones(2), 1)}, "data lacks x, y"),
    ({"data": small().drop_vars("y")}, "data lacks y"),
    ({"data": small().assign(y=small().y * np.nan)}, "data.y holds NaN"),
    ({"data": small().assign(x=small().y)}, "data.x has dimensions"),
    ({"data": small().isel(point=slice(0))}, "at least one element"),
    ({"data": small().isel(member=0)}, "data.y .'point',."),
    ({"data": small().transpose("point", "member", "bit")}, "data.x has dimensions"),
    ({"data": small().rename(point="place")}, "data.x has dimensions"),
])  # fmt: skip
def test_what_is_handed_over_and_fails_is_named_in_one_sentence(changes, message):
    with pytest.raises(ValueError, match=message) as raised:
        ensemble.train(**{"network": network(), "data": small(), "epochs": 1} | changes)
    assert "\n" not in str(raised.value)


# --- what is one for the whole process


def raising() -> nn.Module:
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float16)
    raise RuntimeError("on purpose")


@pytest.mark.parametrize("make", [network(), network(dropout=0.2)], ids=["plain", "with drop-out"])
def test_trainings_from_several_threads_are_those_alone_and_leave_torch_as_it_was(make):
    def start(seed: int) -> bytes:
        run = ensemble.train(make, small(9, seed=seed), epochs=3, seed=seed, path="reference")
        return run.mu.values.tobytes() + run.sigma.values.tobytes()

    def fail(seed: int) -> None:
        with pytest.raises(ValueError, match="on purpose"):
            ensemble.train(raising, small(), seed=seed)

    before = torch.get_default_dtype(), torch.random.get_rng_state()
    alone = [start(seed) for seed in range(6)]
    with ThreadPoolExecutor(4) as pool:
        failing = [pool.submit(fail, seed) for seed in range(6)]
        together = list(pool.map(start, range(6)))
        assert [one.result() for one in failing] == [None] * 6
    assert together == alone and len(set(alone)) == 6
    assert torch.get_default_dtype() == before[0] and torch.equal(torch.random.get_rng_state(), before[1])


def test_the_trial_of_a_network_leaves_the_random_stream_of_others_alone():
    before = torch.random.get_rng_state()
    ensemble.train(lambda: nn.Sequential(nn.Dropout(0.5), nn.Linear(5, 2), nn.Sigmoid()), small(), epochs=1)
    assert torch.equal(torch.random.get_rng_state(), before)
