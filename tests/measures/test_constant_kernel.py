"""What a constant kernel predicts: a linear model to the order of the step, and the network itself at its start."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from kbe import losses, networks
from kbe.data import encoding
from kbe.measures import constant_kernel
from kbe.response import tangent_kernel
from kbe.training import ensemble, weights

DATA = encoding.random_encoding(6, 4, 3, seed=1)
SMALL = partial(networks.AverageNetwork, "sigmoid", bits=4, layers=1, channels=2)
TWO = partial(networks.VarianceNetwork, bits=4, layers=1, channels=2)


class Line(torch.nn.Module):
    """Linear in its weights: its kernel is x.x' and never changes."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x @ self.weight)[:, None]


def train(network, loss=losses.squared_error, **settings):
    options = {"epochs": 1, "record": [0, 1], "keep_parameters": True} | settings
    return ensemble.train(network, DATA, loss, **options)


def test_eq13_constant_kernel_prediction_of_a_linear_model_is_exact_to_the_order_of_the_step():
    rates = np.array([0.08, 0.04, 0.02])
    errors = []
    for rate in rates:
        epochs = round(4 / rate)
        run = train(Line, learning_rate=float(rate), epochs=epochs, record=[0, epochs])
        errors.append(constant_kernel.predict(Line(), run).error[0, -1])
    assert np.polyfit(np.log(rates), np.log(errors), 1)[0] == pytest.approx(1, abs=0.1)


def test_eq13_prediction_starts_at_the_network_and_takes_the_mean_over_points_into_account():
    run, summed = (train(SMALL, learning_rate=1e-4, reduction=reduction) for reduction in ("mean", "sum"))
    for one in (run, summed):
        predicted = constant_kernel.predict(SMALL(), one)
        np.testing.assert_allclose(predicted.mu[:, 0], one.mu[:, 0], rtol=1e-13)
        assert np.isnan(predicted.error[:, 0]).all()
        assert float(predicted.error[:, 1].max()) < 1e-4
    theta = tangent_kernel.neural_tangent_kernel(
        weights.with_parameters(SMALL(), run.parameters[0, 0].values), DATA.x[0]
    )
    largest = np.linalg.eigvalsh(theta[..., 0, 0]).max()
    leading = constant_kernel.predict(SMALL(), run).leading
    assert float(leading[0]) == pytest.approx(6 / (1e-4 * largest))


def test_runs_on_another_loss_or_in_batches_or_without_weights_are_refused():
    run = train(SMALL)
    for module, other in ((TWO(), train(TWO, losses.gaussian_nll)), (SMALL(), train(SMALL, batch_size=2))):
        with pytest.raises(ValueError, match="squared error with the full batch"):
            constant_kernel.predict(module, other)
    for other, word in ((run.drop_vars("parameters"), "run lacks parameters"), (None, "run"), (run.mu, "run")):
        with pytest.raises(ValueError, match=word):
            constant_kernel.predict(SMALL(), other)
    with pytest.raises(ValueError, match="module"):
        constant_kernel.predict(SMALL, run)
