"""Good arguments that no annotated type can make: networks, runs, losses, notebooks; each is made once."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from scipy import stats
from scipy.sparse.linalg import aslinearoperator
from torch import nn

from kbe import losses, networks
from kbe.book import claims
from kbe.checks import Shaped
from kbe.data import encoding, known_noise
from kbe.discussion import bayes, dropout
from kbe.measures import variances
from kbe.theory import kernels
from kbe.training import ensemble, timing

BITS = 3
AVERAGE = functools.partial(networks.AverageNetwork, bits=BITS, layers=1, channels=2, kernel_size=BITS, padding="valid")
VARIANCE = functools.partial(networks.VarianceNetwork, bits=BITS, layers=1, channels=2, kernel_size=2)

BOOK = Path(__file__).parents[2] / "book"
ACT_OUTSIDE = {
    "build",
    "serve",
    "rerun",
    "sweep",
    "collect",
}  # they write files or wait for a browser: tests/book holds them
INNER = {
    "add_columns",
    "columns_of",
    "contracted",
    "each",
    "mirror",
    "scattered",
    "tangent_features",
    "tiles",
}  # handed tensors that other checked functions have made

NO_JUNK = {
    "crps.scale": {"infinity"},  # what an unstable network predicts
    "Claim.judge.samples": {"an empty array"},  # undecided, for no members
    "Claim.judge_value.estimate": {"NaN", "infinity", "True"},  # what a measurement may be
    "mixture_crps.target": {"a DataArray", "NaN", "infinity", "a fraction"},
    "mixture_crps.scale": {"a DataArray"},
    "mixture_log_score.target": {"a DataArray", "NaN", "infinity", "a fraction"},
    "mixture_log_score.scale": {"a DataArray"},
}
# Each call goes on where the last one ended, or takes the time.
DRAWN = {"AverageNetwork", "VarianceNetwork", "BitNetwork", "follow", "over"}
LENGTHS = {"bit": BITS, "quantile": 3, "parameter": 11}  # sizes of dimensions that are not free
LONG = {
    "epochs",
    "steps",
    "seed",
    "total",
    "successes",
    "masks",
    "points",
}  # a billion is allowed, and takes as long as it takes


@functools.cache
def data() -> xr.Dataset:
    return encoding.random_encoding(4, BITS, 3, seed=1)


@functools.cache
def run(which: str) -> xr.Dataset:
    network, loss = (AVERAGE, losses.squared_error) if which == "average" else (VARIANCE, losses.gaussian_nll)
    return ensemble.train(network, data(), loss, epochs=4, record=np.arange(5), keep_parameters=True, path="reference")


@functools.cache
def masked() -> xr.Dataset:
    return dropout.masked_outputs(VARIANCE, run("variance"), 2)


SIZES: dict[str, dict[str, Any]] = {
    "response_kernel_dynamics": {"kept": 1, "watched": 4, "points": 3},
    "shrunk_heads": {"members": 3},
    **{name: {"...": ()} for name in ("features", "outputs", "response_factors", "size_factors")},
    "in_order": {"members": 2, "member": 2, "points": 2**BITS, "...": (2,)},
    "at_losses": {"epochs": 4},
    "prediction_scale": {"...": (), "points": 4},
    "sharpness": {"members": 3, "points": 4},
    "pair_responses": {"members": 3, "n": 2},
    "profile_in_training": {"n": 4},
    "compare_shapes": {"distances": 6},
    "fit_profile": {"distances": 4},
    "kernel_vector_product": {"n": 4, "heads": 1},
    "predicted_change": {"...": ()},
    "cross_response": {"heads": 2, "trained_heads": 2},
    "own_and_cross": {"heads": 2, "trained_heads": 2},
    "local_exponents": {"ranks": 20},
    "variance_map": {"...": ()},
    "expand_kernel": {"...": (3,)},
    "power_law_exponent": {"elements": 8},
    "mean_order": {"points": 2**BITS},
    "order_amplitudes": {"points": 2**BITS},
    "order_spectrum": {"points": 2**BITS},
    "scores": {"points": 4, "...": ()},
    "noise_ceiling": {"points": 4},
    "method_factor": {"members": 3, "points": 4},
}


def over_epochs(m: Any, count: int) -> xr.DataArray:
    values = 1 + m.random.random((3, count))
    return xr.DataArray(values, {"epoch": np.arange(1, count + 1)}, dims=("member", "epoch"))


def anywhere(m: Any) -> np.ndarray:
    return m.random.uniform(0.1, 0.9, 4)


def some(*values: Any) -> Any:
    return lambda m: values[m.random.integers(len(values))]


def weights(m: Any) -> np.ndarray:
    return run("average").parameters.values[:, -1]


ARGUMENTS: dict[str, Any] = {
    "Claim.name": some("one-claim", "two"), "Claim.above": some(0, 0.5), "Claim.below": some(1, 2.0),
    "Claim.judge.samples": lambda m: m.random.random((5, 2)),
    "Claim.judge_share.members": lambda m: m.random.random(5) > 0.5,
    "Claim.judge_value.estimate": some(0.5), "Claim.judge_value.interval": some((0.2, 0.6), [0, 1]),
    "compare.first": some(BOOK / "scale.ipynb"), "compare.second": some(str(BOOK / "scale.ipynb")),
    "loss": some(losses.squared_error),
    "kernel": some(kernels.exponential_kernel),
    "module": lambda m: AVERAGE(),
    "network": some(VARIANCE),
    "statistic": some(np.median, np.mean),
    "distribution": some(stats.norm(), stats.t(3)),
    "axis": some(0, -1),
    "sides": lambda m: m.random.random((2, 2**BITS)) > 0.5,
    "target": anywhere, "location": anywhere,
    "optimizer": some(torch.optim.Adam),
    "trainer": lambda m: timing.prepare(VARIANCE, data()),
    "closure": some(lambda: 1.0),
    "dim": some("member"),
    "in_groups.networks": some(3, 1),
    "on_pairs.distance": lambda m: m.random.integers(0, m.size("distances"), (2, 3, m.size("points"))),
    "share_explained.network": lambda m: run("average").mu,
    "share_explained.model": lambda m: run("variance").mu,
    "method_factor.before": weights,
    "method_factor.after": lambda m: weights(m) + 0.1,
    "method_factor.x": lambda m: data().x.values,
    "method_factor.loss": some(losses.squared_error),
    "resumed.parameters": weights,
    "shrunk_heads.parameters": weights,
    "draw.counts": some(np.array([1.0, 2.0]), np.array([2.0, 0.0])),
    "draw.members": some(1, 2),
    "draw.bits": some(5, 6),
    "draw.radius": some(0, 1),
    "draw.separation": some(3, 4),
    "in_order.values": lambda m: m.random.random((2, 3, 2**BITS)),
    "random_encoding.bits": some(4, 5),
    "known_encoding.bits": some(4, 5),
    "known_encoding.lowest": some(0.03),
    "known_encoding.highest": some(0.2),
    "on_all_inputs.data": lambda m: known_noise.known_encoding(3, BITS, 2),
    "Langevin.parameters": lambda m: [torch.ones(2, requires_grad=True)],
    "in_groups.run": lambda m: run("variance"),
    "covered.target": anywhere, "log_score.target": anywhere,
    "expected_coverage.mean": anywhere,
    "expected_coverage.deviation": anywhere,
    "covered.scale": anywhere, "log_score.scale": anywhere,
    "expected_coverage.scale": anywhere,
    "in_training.run": lambda m: run("average"), "outputs_everywhere.run": lambda m: run("average"),
    "features.parameters": weights, "outputs.parameters": weights,
    "response_factors.parameters": weights, "size_factors.parameters": weights,
    "over_masks.drawn": lambda m: masked(),
    "least_spread.bias": some(0.5),
    "rescaled_time.epochs": lambda m: np.arange(m.size("epochs")) * 2.0,
    "predict.run": lambda m: run("average"),
    "at_fractions.values": lambda m: run("average").mu,
    "at_fractions.onset": lambda m: 2 + 0 * run("average").onset,
    "last_before.values": lambda m: run("average").mu,
    "last_before.limit": lambda m: 2 + 0 * run("average").onset,
    "width_in_epochs.low": some(0.1), "width_in_epochs.high": some(0.9),
    "width_in_sizes.low": some(0.1), "width_in_sizes.high": some(0.9),
    "stages.begins": some(0.1), "stages.ends": some(0.9),
    "time_to_learn.error": lambda m: m.random.random((2, m.size("epochs"))),
    "time_to_learn.axis": some(-1, 1),
    "prediction_scale.outputs": lambda m: m.random.random((2, 4)),
    "prediction_scale.highest": some(5.0),
    "prediction_scale.distance": lambda m: np.abs(np.subtract.outer(np.arange(4.0), np.arange(4.0))),
    "sharpness.parameters": weights,
    "sharpness.x": lambda m: data().x.values,
    "over_sizes.sizes": some([2, 3], (1, 4)),
    "over_sizes.measure": some(variances.variances), "initial_modules.members": some(1, 2),
    "over_sizes.members": some(1, 2),
    "over_sizes.bits": some(4),
    "over_sizes.network": some(functools.partial(networks.VarianceNetwork, bits=4, layers=1)),
    "over_sizes.progress": some(False),
    "BitNetwork.bits": some(8), "BitNetwork.kernel_size": some(1, 2),
    "BitNetwork.features.x": lambda m: torch.ones(2, BITS), "BitNetwork.forward.x": lambda m: torch.ones(BITS),
    "fit_aging.profile": lambda m: over_epochs(m, 6).expand_dims(distance=[0, 1]).to_dataset(name="mean"),
    "fit_aging.window": some([1, 4]), "fit_aging.resamples": some(3),
    "kernel_drift.initial": lambda m: np.eye(3),
    "kernel_drift.current": lambda m: m.random.random((2, 3, 3)),
    "drift_in_training.run": lambda m: run("average"),
    "profile_in_training.run": lambda m: run("average"),
    "pair_responses.run": lambda m: run("average"),
    "outputs_at.network": some(AVERAGE),
    "outputs_at.parameters": lambda m: run("average").parameters.values,
    "outputs_at.own_inputs": some(False),
    "classify.size": lambda m: over_epochs(m, 5),
    "compare_extrapolations.size": lambda m: over_epochs(m, 30),
    "compare_extrapolations.window": some([1, 30]),
    "response_profile.kernel": lambda m: m.random.random((2, m.size("n"), m.size("m"))),
    "ensemble_kernel.parameters": weights,
    "ensemble_kernel.own_inputs": some(False),
    "median_onset.axis": some(0, None), "median_onset.onset": lambda m: m.random.random((3, 2)),
    "rank_correlation.values": lambda m: m.random.random((4, 3)), "share_interval.successes": some(0, 1),
    "kernel_average.targets": lambda m: m.array(Shaped("points")),
    "kernel_average.divisor": some(3.0),
    "scale": some(0.5, np.array([0.5])),
    "line_spectrum.points": lambda m: np.linspace(0, 1, 3),
    "power_law_exponent.first": some(2), "power_law_exponent.last": some(5),
    "one_point_path.error": lambda m: m.random.uniform(0.01, 0.5, 3),
    "one_point_path.start_error": some(0.5),
    "variance_flow.times": lambda m: np.array([0.0, 0.1, 0.3]),
    "variance_flow.floor": some(1e-3),
    "variance_flow.tolerance": some(1e-6),
    "variance_map.gram": lambda m: m.array(Shaped("points points", symmetric=True)),
    "variance_map.deviation_gram": lambda m: np.eye(m.size("points")),
    "expand_kernel.distance": lambda m: np.arange(3.0), "expand_kernel.values": lambda m: m.random.random(3),
    "variance_rates.deviation": lambda m: m.array(Shaped("points", above=0)),
    "variance_rates_local.deviation": lambda m: m.array(Shaped("points", above=0)),
    "order_amplitudes.inputs": lambda m: encoding.all_inputs(BITS)[
        m.random.permuted(np.tile(np.arange(2**BITS), (m.size("members"), 1)), axis=1)
    ],
    "train.data": lambda m: data(),
    "train.epochs": some(0, 3), "train.record": lambda m: None,
    "train.device": some("cpu"), "train.path": some("auto", "reference"),
    "train.optimizer": lambda m: None, "train.batch_size": lambda m: None,
    "follow.trainer": lambda m: timing.prepare(VARIANCE, data(), path="reference"),
    "follow.kept": lambda m: np.array([0, 2]), "follow.epochs": some(3),
    "as_dataset.history": lambda m: {"outputs": np.ones((3, 2, 4, 2))},
    "as_dataset.onset": lambda m: np.array([-1, 2, 3]),
    "as_dataset.kept": lambda m: np.array([0, 2]),
    "as_dataset.data": lambda m: data(),
    "point_losses.outputs": lambda m: torch.ones(2, 4, 2), "point_losses.targets": lambda m: torch.ones(2, 4),
    "prepare.data": lambda m: data(),
    "interleaved.actions": some({"a": int, "b": float}),
    "interleaved.clock": lambda m: iter(range(10**6)).__next__,
    "epoch_times.trainers": lambda m: {"a": timing.prepare(VARIANCE, data())},
    "epoch_times.seconds": some(1e-6),
    "over.setting": some("points", "members", "bits"), "over.values": some([2, 3]),
    "over.members": some(3), "over.points": some(3), "over.repeats": some(1),
    "initial_modules.network": some(AVERAGE, VARIANCE),
    "layer_sizes.network": lambda m: AVERAGE(),
    "mixture_crps.location": lambda m: run("variance").mu, "mixture_crps.scale": lambda m: run("variance").sigma,
    "mixture_crps.dim": some("epoch"), "mixture_crps.target": some(0.5),
    "mixture_log_score.location": lambda m: run("variance").mu,
    "mixture_log_score.scale": lambda m: run("variance").sigma,
    "mixture_log_score.dim": some("epoch"), "mixture_log_score.target": some(0.5),
    "with_parameters.parameters": lambda m: weights(m)[0],
    "first": lambda m: data().x.values[0],
    "second": lambda m: data().x.values[1],
    "inputs": lambda m: data().x.values[0],
    "largest_eigenpairs.count": some(1, 2),
    "operator": lambda m: aslinearoperator(np.diag([3.0, 2.0, 1.0])),
    "hessian_operator.x": lambda m: data().x.values[0],
    "hessian_operator.y": lambda m: data().y.values[0],
    "linearised_training.x": lambda m: data().x.values[0],
    "linearised_training.y": lambda m: data().y.values[0],
    "linearised_training.watched": lambda m: data().x.values[1],
}  # fmt: skip
ALSO = {
    "Claim": {"above": 0.5},
    "over_sizes": {
        "epochs": 3,
        "bits": 4,
        "members": 2,
        "network": functools.partial(networks.VarianceNetwork, bits=4, layers=1),
    },
    "sharpness": {"loss": losses.squared_error},
    "hessian_operator": {"y": data().y.values[0], "loss": losses.squared_error},
    "linearised_training": {"loss": losses.squared_error},
}  # what keeps a good call short
CLASSES: dict[Any, Any] = {
    bool: some(False, True),
    int: some(0, 1),
    float: some(0.25, 0.5),
    str: some("some words that are long enough"),
    torch.Tensor: lambda m: torch.ones(4, 2, dtype=torch.float64),
    nn.Module: lambda m: AVERAGE(),
    networks.BitNetwork: lambda m: AVERAGE(),
    torch.dtype: lambda m: torch.float64,
}
INSTANCES: dict[str, Any] = {
    "Claim": lambda: claims.Claim("a-claim", "Something is so.", "III", "a number", above=0),
    "Langevin": lambda: bayes.Langevin([torch.ones(2, requires_grad=True)]),
    "BitNetwork": AVERAGE,
}
