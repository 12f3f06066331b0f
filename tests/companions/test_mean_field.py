"""The mean-field model: closed forms, time as mere pace, a network followed with its own kernel (equations 5, 13)."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from kbe import losses, networks
from kbe.companions import mean_field
from kbe.data import encoding
from kbe.response import tangent_kernel
from kbe.theory import average_network
from kbe.training import ensemble

DIMS = ("member", "epoch", "point")
TIMES = np.array([0.0, 0.5, 2, 7, 30])


def problem(members: int = 3, points: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    draw = np.random.default_rng(3)
    features = draw.standard_normal((members, points, 8))
    return features @ features.swapaxes(1, 2) / 8, draw.random((members, points)), draw.random((members, points))


def test_eq5_a_product_is_taken_apart():
    time, kernel = np.array([1, 3, 0.5]), np.array([2, 1, -0.1])
    found = mean_field.factorised(np.outer(time, kernel))
    np.testing.assert_allclose(found[0], time)
    np.testing.assert_allclose(found[1], kernel)


def test_eq13_a_constant_kernel_gives_the_closed_form():
    gram, y, start = problem()
    found = mean_field.response_kernel_dynamics(gram[:, None], y, start, TIMES)
    for m in range(len(gram)):
        np.testing.assert_allclose(
            found[m], average_network.linear_response(gram[m], y[m], start[m], TIMES).mu, atol=1e-12
        )


def test_eq13_a_factor_of_time_only_changes_the_pace():
    gram, y, start = problem()
    aging = np.array([1, 1, 0.2, 0.2, 0.2])
    aged = mean_field.response_kernel_dynamics(gram[:, None] * aging[:, None, None], y, start, TIMES)
    means = (aging[1:] + aging[:-1]) / 2
    clock = np.concatenate([[0], np.cumsum(means * np.diff(TIMES))])
    np.testing.assert_allclose(aged, mean_field.response_kernel_dynamics(gram[:, None], y, start, clock), atol=1e-12)


def test_eq13_watched_inputs_end_at_the_kernel_regression():
    gram, y, start = problem(points=7)
    whole, watched = (
        gram[:, :, :4],
        mean_field.response_kernel_dynamics(gram[:, None, :, :4], y[:, :4], start, [0, 1e7])[:, 1],
    )
    pulled = np.linalg.solve(gram[:, :4, :4], (y - start)[:, :4, None])
    np.testing.assert_allclose(watched, start + (whole @ pulled)[..., 0], atol=1e-6)
    np.testing.assert_allclose(watched[:, :4], y[:, :4], atol=1e-6)


def test_eq13_a_negative_eigenvalue_lets_no_error_grow():
    gram = np.diag([1.0, -1.0])[None, None]
    np.testing.assert_allclose(
        mean_field.response_kernel_dynamics(gram, [[1, 1]], [[0, 0]], [0, 50])[0, 1], [1, 0], atol=1e-12
    )


def test_eq13_of_the_kernel_between_trained_points_the_symmetric_part_counts():
    uneven, even = np.array([[1.0, 0.6], [0, 2]]), np.array([[1.0, 0.3], [0.3, 2]])
    one, other = (
        mean_field.response_kernel_dynamics(gram[None, None], [[1, 0]], [[0, 0.5]], [0, 0.7]) for gram in (uneven, even)
    )
    np.testing.assert_allclose(one, other, atol=1e-12)


def test_a_kernel_of_the_distance_stands_where_the_distance_says():
    law = np.array([[1.0, 0.5, 0.1], [2, 1, 0]])
    found = mean_field.on_pairs(law, [[[0, 2], [1, 0]]])
    np.testing.assert_allclose(found[0], [[[1, 0.1], [0.5, 1]], [[2, 0], [1, 2]]])


def test_eq13_a_network_is_followed_with_its_own_kernel():
    data = encoding.random_encoding(6, 8, 2, seed=1)
    options = {"epochs": 300, "record": np.arange(0, 301, 10), "keep_parameters": True, "learning_rate": 0.5}
    run = ensemble.train(networks.AverageNetwork, data, losses.squared_error, **options)
    weights = run.parameters.transpose("epoch", "member", "parameter").to_numpy()
    module = networks.AverageNetwork()
    own = [
        tangent_kernel.ensemble_kernel(module, now, data.x.to_numpy(), own_inputs=True)[..., 0, 0] for now in weights
    ]
    mu = mean_field.response_kernel_dynamics(np.stack(own, 1), run.y, run.mu[:, 0], run.epoch * 0.5 / 6)
    model = run.mu.transpose("member", "epoch", "point").copy(data=mu)
    assert (mean_field.share_explained(run.mu, model)[:, 1:] > 0.98).all()


def test_the_share_explained_by_hand():
    network = xr.DataArray([[[0.0, 0], [2, 0]]], dims=DIMS)
    model = xr.DataArray([[[0.0, 0], [1, 1]]], dims=DIMS)
    np.testing.assert_allclose(mean_field.share_explained(network, model), [[np.nan, 1 - 2 / 4]])
    np.testing.assert_allclose(mean_field.share_explained(network, model, pattern=True), [[np.nan, 1 - 2 / 2]])
    assert mean_field.share_explained(network, network)[0, 1] == 1


def dynamics(kernel, start=((0, 0),), times=(0, 1)):
    return mean_field.response_kernel_dynamics(np.ones(kernel), [[1, 0]], start, times)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: dynamics((1, 3, 2, 2)), "kernel"),
        (lambda: dynamics((1, 1, 1, 2), [[0]]), "kernel"),
        (lambda: dynamics((1, 1, 2, 2), [[0, 0, 0]]), "start"),
        (lambda: dynamics((1, 1, 2, 2), times=[1, 1]), "times"),
        (lambda: mean_field.factorised([[0.0, 0], [1, 1]]), "response"),
        (lambda: mean_field.on_pairs(np.ones((2, 3)), [[[3]]]), "distance"),
        (lambda: mean_field.on_pairs(np.ones((2, 3)), [[[0.5]]]), "distance"),
        (lambda: mean_field.share_explained(xr.DataArray([[[1.0]]], dims=DIMS), xr.DataArray([1.0])), "model"),
    ],
)
def test_what_does_not_fit_is_refused(call, named):
    with pytest.raises(ValueError, match=f"^{named} "):
        call()
