"""How constant kernels are in training: eq. 5 and 12 against networks whose kernel is known."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
import xarray as xr

from kbe import losses, networks
from kbe.data import encoding
from kbe.response import drift, profiles, tangent_kernel
from kbe.training import ensemble, weights

DATA = encoding.random_encoding(6, 4, 3, seed=1)
SMALL = partial(networks.AverageNetwork, "sigmoid", bits=4, layers=1, channels=2)
TWO = partial(networks.VarianceNetwork, bits=4, layers=1, channels=2)
INPUTS = encoding.all_inputs(4)
DISTANCE = encoding.hamming_distance(INPUTS, INPUTS)


class Line(torch.nn.Module):
    """Linear in its weights: its kernel is x.x' and never changes."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x @ self.weight)[:, None]


def train(network, data=DATA, **settings):
    options = {"epochs": 40, "record": [0, 10, 40], "keep_parameters": True} | settings
    return ensemble.train(network, data, losses.squared_error, **options)


def test_eq5_a_factor_changes_the_size_and_not_the_shape():
    kernel = np.exp(-encoding.hamming_distance(encoding.all_inputs(3), encoding.all_inputs(3)))
    ages = np.array([1.0, 2.0, 10.0]) ** -0.7
    found = drift.kernel_drift(kernel, ages[:, None, None] * kernel)
    np.testing.assert_allclose(found["size"], ages)
    np.testing.assert_allclose(found["shape"], 0, atol=1e-15)


def test_drift_of_orthogonal_and_opposite_kernels():
    first, second = np.diag([1.0, 0]), np.diag([0, 2.0])
    found = drift.kernel_drift(first, np.stack([second, -first, first + second]))
    np.testing.assert_allclose(found["shape"], [1, 2, 1 - 1 / np.sqrt(5)])
    np.testing.assert_allclose(found["size"], [2, 1, np.sqrt(5)])


def test_leading_dimensions_are_repeated_and_keep_their_names():
    generator = np.random.default_rng(0)
    start, now = generator.normal(size=(3, 1, 4, 4)), generator.normal(size=(3, 2, 4, 4))
    found = drift.kernel_drift(start, now)
    assert found["size"].sizes == {"member": 3, "epoch": 2}
    for member, epoch in np.ndindex(3, 2):
        xr.testing.assert_equal(
            found.isel(member=member, epoch=epoch), drift.kernel_drift(start[member, 0], now[member, epoch])
        )
    named = xr.DataArray(now, dims=("setting", "head", "n", "m"))
    assert drift.kernel_drift(start, named)["shape"].dims == ("setting", "head")


def test_eq12_a_linear_model_does_not_drift_and_a_deep_one_does():
    x = torch.as_tensor(encoding.all_inputs(3))
    for module, moves in [
        (torch.nn.Linear(3, 1), False),
        (torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1)), True),
    ]:
        module.double()
        before = tangent_kernel.neural_tangent_kernel(module, x)[..., 0, 0]
        with torch.no_grad():
            for p in module.parameters():
                p += torch.linspace(-1, 1, p.numel(), dtype=torch.float64).view_as(p)
        found = drift.kernel_drift(before, tangent_kernel.neural_tangent_kernel(module, x)[..., 0, 0])
        assert (abs(found["size"] - 1) > 1e-3) == moves
        assert (found["shape"] > 1e-3) == moves


def test_drift_of_a_kernel_that_is_not_finite_or_zero_is_nan():
    found = drift.kernel_drift(np.eye(2), np.stack([np.eye(2), np.full((2, 2), np.nan)]))
    np.testing.assert_array_equal(np.isnan(found["shape"]), [False, True])
    assert np.isnan(drift.kernel_drift(np.zeros((2, 2)), np.eye(2))["size"])


def test_eq12_kernel_of_a_linear_model_does_not_drift_and_that_of_a_network_does():
    still = drift.drift_in_training(Line(), train(Line, learning_rate=0.1))
    np.testing.assert_allclose(still["size"], 1)
    np.testing.assert_allclose(still["shape"], 0, atol=1e-12)
    run = train(SMALL, learning_rate=1.0, epochs=400, record=[0, 400])
    moving = drift.drift_in_training(SMALL(), run)
    assert (abs(moving["shape"][:, 0]) < 1e-12).all() and (moving["shape"][:, 1] > 1e-3).all()
    own, shared = moving["size"][0, 1, 0], drift.drift_in_training(SMALL(), run, DATA.x[0])["size"][0, 1, 0]
    assert float(own) == pytest.approx(float(shared)) and not np.isclose(
        own, drift.drift_in_training(SMALL(), run, INPUTS)["size"][0, 1, 0]
    )


def test_eq5_profiles_in_training_are_those_of_each_kernel_for_itself():
    run = ensemble.train(TWO, DATA, epochs=5, record=[0, 5], keep_parameters=True)
    found = drift.profile_in_training(TWO(), run, INPUTS, DISTANCE)
    module = weights.with_parameters(TWO(), run.parameters[1, 1].values)
    theta = tangent_kernel.neural_tangent_kernel(module, INPUTS)
    for head in (0, 1):
        expected = profiles.response_profile(theta[..., head, head], DISTANCE)
        np.testing.assert_allclose(found["mean"][1, 1, head], expected["mean"])
        np.testing.assert_allclose(found["spread"][1, 1, head], expected["spread"])


def test_eq5_profiles_in_training_do_not_depend_on_how_members_are_grouped(monkeypatch):
    run = train(SMALL)
    whole = drift.profile_in_training(SMALL(), run, INPUTS, DISTANCE)
    monkeypatch.setattr(drift, "KERNEL_NUMBERS", 1)
    xr.testing.assert_allclose(whole, drift.profile_in_training(SMALL(), run, INPUTS, DISTANCE))


def test_eq5_kinds_of_pairs_by_hand():
    data = encoding.random_encoding(3, 4, 2, seed=5)
    run = train(partial(networks.AverageNetwork, bits=4), data, record=[0, 2], epochs=2)
    unseen = encoding.random_encoding(5, 4, 2, seed=5).x[:, 3:].to_numpy()
    found = drift.pair_responses(networks.AverageNetwork(bits=4), run, unseen)
    module = weights.with_parameters(networks.AverageNetwork(bits=4), run.parameters[1, 1].to_numpy())
    x, far = run.x[1].to_numpy(), unseen[1]
    for kind, (left, right) in enumerate(((x, x), (far, x), (far, far))):
        kernel = tangent_kernel.neural_tangent_kernel(module, left, right)[..., 0, 0]
        np.testing.assert_allclose(found["size"][kind, 1, 1], np.sqrt(np.mean(kernel**2)))
        distance = encoding.hamming_distance(left, right)
        for d in range(5):
            at = kernel[distance == d]
            np.testing.assert_allclose(found["mean"][kind, 1, 1, d], at.mean() if at.size else np.nan)


def test_member_that_blew_up_has_no_drift_and_leaves_the_others_alone():
    run = train(SMALL)
    broken = run.copy(deep=True)
    broken.parameters[1, 2] = np.nan
    before, after = (drift.drift_in_training(SMALL(), one) for one in (run, broken))
    assert np.isnan(after["shape"][1, 2]).all() and float(after["size"][0, 2, 0]) == float(before["size"][0, 2, 0])


RUN = train(SMALL, epochs=1, record=[0, 1])
WITHOUT = r"run(\.parameters)? lacks .*: it must be what ensemble.train returns"


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        *[(lambda call=call, run=run: call(SMALL(), run), WITHOUT)
          for call in (drift.drift_in_training, lambda *given: drift.profile_in_training(*given, INPUTS, DISTANCE),
                       lambda *given: drift.pair_responses(*given, np.zeros((3, 2, 4))))
          for run in (None, 0.0, [1.0], xr.Dataset(), RUN.drop_vars("parameters"), RUN.isel(epoch=-1))],
        (lambda: drift.drift_in_training(SMALL(), RUN[["parameters"]]), "run lacks x"),
        (lambda: drift.pair_responses(SMALL(), RUN[["parameters"]], np.zeros((3, 2, 4))), "run lacks x"),
        (lambda: drift.pair_responses(SMALL(), RUN, np.zeros((1, 2, 4))), "unseen has shape"),
        (lambda: drift.pair_responses(SMALL(), RUN, np.zeros((3, 2, 5))), "unseen has shape"),
        (lambda: drift.profile_in_training(SMALL(), RUN, INPUTS, DISTANCE[1:]), "distance has shape"),
        (lambda: drift.profile_in_training(SMALL(), RUN, INPUTS, DISTANCE[1:, 1:]), "distance has shape"),
        *[(lambda shape=shape: drift.kernel_drift(np.ones((5, 5)), np.ones(shape)), "current has shape")
          for shape in ((), (5,), (4, 5), (2, 5, 4), (2, 2, 2, 5, 5))],
        *[(lambda shape=shape: drift.kernel_drift(np.ones(shape), np.ones((2, 3, 4, 4))), "initial has shape")
          for shape in ((2, 4, 4), (3, 3, 4, 4))],
        (lambda: drift.kernel_drift(np.ones((2, 4, 4)), np.ones((4, 4))), "initial has shape"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
