"""The program in C beside which the benchmark puts the fast path: the same training, by another hand."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from kbe import losses
from kbe.data.encoding import random_encoding
from kbe.networks import VarianceNetwork
from kbe.training.compiled.fast import FastTrainer
from kbe.training.weights import flat_parameters, initial_modules

FILE = Path(__file__).parents[2] / "benchmarks" / "yardstick.py"
SPECIFICATION = importlib.util.spec_from_file_location("yardstick", FILE)
yardstick = importlib.util.module_from_spec(SPECIFICATION)
SPECIFICATION.loader.exec_module(yardstick)
CODE = yardstick.load()


@pytest.mark.skipif(CODE is None, reason="no C compiler here")
@pytest.mark.parametrize("way", yardstick.WAYS)
@pytest.mark.parametrize("points", [3, 40])
def test_the_yardstick_trains_as_the_fast_path_does(points, way):
    data, modules = random_encoding(points, 8, 11), initial_modules(VarianceNetwork, 11)
    weights = np.stack([flat_parameters(module) for module in modules])
    x, y = data.x.values, data.y.values
    fast = FastTrainer(modules[0], weights, x, y, losses.gaussian_nll, 0.02, True, 0.25, 1)
    program = yardstick.Yardstick(CODE, way, data, weights, 0.02)
    for trainer in (fast, program):
        trainer.advance(30)
    assert np.abs(fast.parameters() - weights).max() > 1e-2
    np.testing.assert_allclose(program.parameters(), fast.parameters(), atol=1e-13)
