"""The scale alpha of section III.B: the fit of equation 20 to outputs."""

from __future__ import annotations

import tracemalloc
from functools import partial

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import optimize

from kbe.data.encoding import hamming_distance, random_encoding
from kbe.measures.scales import prediction_scale, run_scale
from kbe.theory import kernels
from kbe.theory.average_network import linear_response, local_average
from kbe.theory.kernels import exponential_kernel

KERNELS = [
    exponential_kernel,
    kernels.gaussian_kernel,
    partial(kernels.rational_quadratic_kernel, shape=2.0),
    kernels.measured_kernel(np.arange(9.0), np.linspace(1, 0, 9) ** 3),
    lambda distance, scale: kernels.multi_scale_kernel(scale * distance, [0.2, 1.0], [0.5, 0.5]),
]


def problem(points=20, members=None):
    data = random_encoding(points, 8, members or 1)
    distance = np.stack([hamming_distance(x, x) for x in data.x.values])
    return (distance, data.y.values) if members else (distance[0], data.y.values[0])


@pytest.mark.parametrize("normalise", ["weights", "count"])
@pytest.mark.parametrize("alpha", [0.05, 0.3, 1.0, 4.0])
def test_alpha_of_eq20_is_recovered_from_its_own_averages(normalise, alpha):
    distance, targets = problem(members=3)
    outputs = local_average(distance, targets, alpha, normalise)
    fit = prediction_scale(distance, targets, outputs, normalise=normalise)
    assert_allclose(fit.alpha, alpha, rtol=1e-5)
    assert_allclose(fit.rms, 0, atol=1e-6)
    assert_allclose(fit.explained, 1, atol=1e-6)
    assert not fit.at_bound.any()


@pytest.mark.parametrize("kernel", KERNELS)
def test_alpha_of_eq20_is_recovered_with_any_kernel_and_not_with_another(kernel):
    distance, targets = problem(members=3)
    outputs = local_average(distance, targets, 0.8, kernel=kernel)
    fit = prediction_scale(distance, targets, outputs, kernel=kernel)
    assert_allclose(fit.alpha, 0.8, rtol=1e-5)
    assert_allclose(fit.rms, 0, atol=1e-6)
    other = prediction_scale(distance, targets, outputs, kernel=KERNELS[kernel is exponential_kernel])
    assert other.rms.min() > 1e-3


@pytest.mark.parametrize("normalise", ["weights", "count"])
def test_alpha_is_the_minimum_that_an_independent_search_finds(normalise):
    distance, targets = problem()
    outputs = local_average(distance, targets, 0.8) + 0.1 * np.random.default_rng(0).standard_normal(20)
    fit = prediction_scale(distance, targets, outputs, normalise=normalise)

    def rms(alpha):
        return np.sqrt(np.mean((local_average(distance, targets, alpha, normalise) - outputs) ** 2))

    search = optimize.shgo(lambda a: rms(a[0]), [(0, 13)], n=60, sampling_method="sobol")
    assert fit.rms <= search.fun + 1e-12
    assert_allclose(fit.rms, rms(float(fit.alpha)))
    assert_allclose(fit.alpha, search.x[0], rtol=1e-3)


@pytest.mark.parametrize("normalise", ["weights", "count"])
@pytest.mark.parametrize("number", [30, 150])  # the larger one takes one Gram matrix after the other
def test_alpha_on_the_line_where_every_distance_is_its_own(number, normalise):
    points = np.random.default_rng(0).random(number)
    distance, targets = kernels.line_distance(points, points), np.random.default_rng(1).random(number)
    outputs = [local_average(distance, targets, alpha, normalise) for alpha in (7.0, 20.0)]
    fit = prediction_scale(distance, targets, np.stack(outputs), normalise=normalise)
    assert_allclose(fit.alpha, [7.0, 20.0], rtol=1e-5)
    assert_allclose(fit.rms, 0, atol=1e-6)


def test_a_fit_on_the_line_takes_memory_with_the_square_of_the_points():
    points = np.random.default_rng(0).random(300)
    distance = kernels.line_distance(points, points)
    tracemalloc.start()
    prediction_scale(distance, points, local_average(distance, points, 7.0), grid=10)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 15 * distance.nbytes  # the third power would be 150


def test_alpha_flags_its_bounds_and_is_nan_where_it_does_not_matter():
    distance, targets = problem()
    assert_allclose(prediction_scale(distance, targets, np.full(20, targets.mean())).alpha, 0)
    assert prediction_scale(distance, targets, np.full(20, targets.mean())).at_bound == -1
    exact = prediction_scale(distance, targets, targets)
    assert exact.at_bound == 1
    assert_allclose(exact.alpha, -np.log(1e-6))
    assert prediction_scale(distance, targets, targets, highest=3.0).alpha == 3.0
    assert np.isnan(prediction_scale(distance, np.ones(20), np.full(20, 0.5)).alpha)
    assert np.isnan(prediction_scale(np.zeros((1, 1)), np.ones(1), np.full(1, 0.5)).alpha)


@pytest.mark.parametrize("kernel", KERNELS[:2])
@pytest.mark.parametrize("power", [1.0, 0.5])
def test_the_scale_of_a_run_whose_outputs_are_local_averages_is_theirs(power, kernel):
    data = random_encoding(20, 8, 3, seed=1)
    wanted = np.array([0.3, 1.0])
    outputs = np.zeros((3, 2, 20))
    for member, (x, y) in enumerate(zip(data.x.values, data.y.values, strict=True)):
        for k, alpha in enumerate(wanted):
            outputs[member, k] = local_average(hamming_distance(x, x) ** power, y, alpha, kernel=kernel)
    run = data.assign(mu=(("member", "epoch", "point"), outputs)).assign_coords(epoch=[5, 9])
    fit = run_scale(run, power=power, kernel=kernel)
    assert_allclose(fit.alpha, np.tile(wanted, (3, 1)), rtol=1e-6)
    assert fit.epoch.values.tolist() == [5, 9]


def test_alpha_shapes_dims_and_non_finite_outputs():
    distance, targets = problem(members=3)
    outputs = np.random.default_rng(0).random((3, 4, 20))
    whole = prediction_scale(distance, targets, outputs)
    assert whole.alpha.dims == ("axis_0", "axis_1")
    outputs[1, 2, 7], outputs[2, 0, 0] = np.nan, np.inf
    fit = prediction_scale(distance, targets, xr.DataArray(outputs, dims=("member", "epoch", "point")))
    assert fit.alpha.dims == ("member", "epoch")
    lost = np.zeros((3, 4), bool)
    lost[1, 2] = lost[2, 0] = True
    assert (np.isnan(fit.alpha) == lost).all() and (np.isnan(fit.rms) == lost).all()
    assert_allclose(fit.alpha.values[~lost], whole.alpha.values[~lost], rtol=1e-6)


def test_alpha_grows_along_eq17_with_the_weights_sum_and_does_not_with_the_printed_count():
    distance, targets = problem(members=20)
    times = np.geomspace(0.1, 100, 7)
    mean = [
        linear_response(exponential_kernel(d, 0.5), y, np.full(20, 0.5), times).mu.values
        for d, y in zip(distance, targets, strict=True)
    ]
    grown = prediction_scale(distance, targets, np.array(mean)).alpha.median("axis_0")
    assert (np.diff(grown) > 0).all() and grown[-1] > 10 * grown[0]
    printed = prediction_scale(distance, targets, np.array(mean), normalise="count")
    assert printed.alpha.median("axis_0").max() < 0.05
    assert printed.rms.median("axis_0")[-1] > 0.4


TWO = {"distance": np.ones((2, 2)), "targets": np.ones(2), "outputs": np.ones(2)}
RUN = xr.Dataset(
    {"x": (("member", "point", "bit"), np.eye(2)[None]), "y": (("member", "point"), np.ones((1, 2)))}
).assign(mu=(("member", "epoch", "point"), np.ones((1, 1, 2))))


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("targets", lambda: prediction_scale(**TWO | {"distance": np.ones((3, 3))})),
        ("distance", lambda: prediction_scale(**TWO | {"distance": -np.ones((2, 2))})),
        ("distance", lambda: prediction_scale(**TWO | {"distance": np.ones((3, 2, 2))})),
        ("outputs", lambda: prediction_scale(**TWO | {"targets": np.ones((3, 2)), "distance": np.ones((3, 2, 2))})),
        ("normalise", lambda: prediction_scale(**TWO, normalise="N")),
        ("highest", lambda: prediction_scale(**TWO, highest=np.inf)),
        ("highest", lambda: prediction_scale(**TWO, highest=0.001)),
        ("grid", lambda: prediction_scale(**TWO, grid=2)),
        ("kernel", lambda: prediction_scale(**TWO, kernel=np.ones((2, 2)))),
        ("power", lambda: run_scale(RUN, power=0)),
        ("run", lambda: run_scale(RUN.drop_vars("mu"))),
    ],
)
def test_bad_input_is_refused_with_a_sentence(name, call):
    with pytest.raises(ValueError, match=rf"\b{name}\b.*\.$"):
        call()


@settings(max_examples=25, deadline=None)
@given(shape=st.lists(st.integers(0, 3), max_size=3))
def test_alpha_bad_shapes(shape):
    if tuple(shape) != (2,):
        with pytest.raises(ValueError, match=r"\.$"):
            prediction_scale(np.ones((2, 2)), np.ones(shape), np.ones((2,)))
