"""The time of a tangent kernel, beside that of other packages.

    python benchmarks/kernels.py [--inputs 256] [--threads 1] [--repeats 5] [--clock cpu] [--modules paper mlp ...]
                                 [--output benchmarks/kernels.json]

Six modules with two outputs, in float64: contraction of Jacobians by `torch.func`, curvlinops and nngeometry, as far as
they are installed (benchmarks/requirements.txt), and kbe. They take turns within a repeat, so that what else the
machine does touches all of them alike. Every answer is compared with the contraction; one that is wrong does not count.
"""

from __future__ import annotations

import argparse
import copy
import json
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from run import CLOCKS, Clock, environment, verdict
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap

from kbe.data import encoding
from kbe.networks import VarianceNetwork
from kbe.response import tangent_kernel
from kbe.training import timing
from kbe.training.weights import flat_parameters, initial_modules

RIGHT = 1e-9  # of the largest entry
SLOWER = 1.1  # than the fastest that is right: allowed

Way = Callable[[Sequence[nn.Module], Tensor], np.ndarray]  # kernels (members, n * heads, n * heads)


class Heads(nn.Module):
    """A trunk that is computed once, and two heads."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(32, 256), nn.Tanh(), nn.Linear(256, 256), nn.Tanh())
        self.heads = nn.ModuleList(nn.Sequential(nn.Linear(256, 64), nn.Tanh(), nn.Linear(64, 1)) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        features = self.trunk(x)
        return torch.cat([head(features) for head in self.heads], -1)


class Block(nn.Module):
    """A block of a transformer, the mean over positions, and a linear readout."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.readout = nn.Linear(16, 64), nn.Linear(64, 2)
        self.block = nn.TransformerEncoderLayer(64, 4, 256, dropout=0.0, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.readout(self.block(self.first(x)).mean(1))


def mlp() -> nn.Module:
    layers: list[nn.Module] = []
    for size, following in pairwise((32, 208, 208, 208)):
        layers += [nn.Linear(size, following), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(208, 2))


def cnn(*channels: int) -> nn.Module:
    layers: list[nn.Module] = []
    for before, after in zip((3, *channels), channels, strict=False):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels[-1], 2))


MODULES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], int]] = {
    "paper": (VarianceNetwork, (8,), 1),
    "20 of the paper": (VarianceNetwork, (8,), 20),
    "mlp": (mlp, (32,), 1),
    "cnn": (lambda: cnn(32, 64, 128), (3, 8, 8), 1),
    "large cnn": (lambda: cnn(64, 128, 256, 256), (3, 16, 16), 1),
    "transformer": (Block, (16, 16), 1),
    "two heads": (Heads, (32,), 1),
}


def contracted(module: nn.Module, x: Tensor) -> np.ndarray:
    """The Jacobians of all inputs, weight by weight, times their transposes."""
    weights = {name: weight.detach() for name, weight in module.named_parameters()}
    at_points = vmap(jacrev(lambda held, point: functional_call(module, held, point[None])[0]), (None, 0))
    jacobians = (slopes.flatten(2).flatten(0, 1) for slopes in at_points(weights, x).values())
    return sum(slopes @ slopes.T for slopes in jacobians).numpy()


def by_curvlinops(module: nn.Module, x: Tensor) -> np.ndarray:
    from curvlinops import JacobianLinearOperator, TransposedJacobianLinearOperator

    weights, data = [*module.parameters()], [(x, torch.zeros(len(x), 2, dtype=x.dtype))]
    forward, back = (
        kind(module, weights, data, check_deterministic=False)
        for kind in (JacobianLinearOperator, TransposedJacobianLinearOperator)
    )
    return (forward @ (back @ torch.eye(2 * len(x), dtype=x.dtype))).detach().numpy()


def by_nngeometry(module: nn.Module, x: Tensor) -> np.ndarray:
    from nngeometry.gram import GramMatrix
    from torch.utils.data import DataLoader, TensorDataset

    loader = DataLoader(TensorDataset(x, torch.zeros(len(x))), batch_size=len(x))
    gram = GramMatrix(module, loader, function=lambda x, _: module(x)).data  # (heads, n, heads, n)
    return gram.detach().permute(1, 0, 3, 2).reshape(2 * len(x), -1).numpy()


def by_kbe(modules: Sequence[nn.Module], x: Tensor) -> np.ndarray:
    if len(modules) == 1:
        return tangent_kernel.gram_matrix(tangent_kernel.neural_tangent_kernel(modules[0], x))[None]
    weights = np.stack([flat_parameters(module) for module in modules])
    return tangent_kernel.gram_matrix(tangent_kernel.ensemble_kernel(modules[0], weights, x))


def one_by_one(way: Callable[[nn.Module, Tensor], np.ndarray]) -> Way:
    return lambda modules, x: np.stack([way(module, x) for module in modules])


WAYS: dict[str, Way] = {
    "contraction": one_by_one(contracted),
    "curvlinops": one_by_one(by_curvlinops),
    "nngeometry": one_by_one(by_nngeometry),
    "kbe": by_kbe,
}


def fault(way: Way, modules: Sequence[nn.Module], x: Tensor, exact: np.ndarray) -> str:
    """What is wrong with an answer, or nothing."""
    try:
        off = np.abs(way(copy.deepcopy(modules), x) - exact).max() / np.abs(exact).max()
    except ImportError as error:
        return f"missing: {error.name}"
    except Exception as error:  # of another package, on a module that it does not know
        return f"fails: {type(error).__name__}"
    return "" if off < RIGHT else f"wrong: {off:.0%}"


def measured(name: str, inputs: int, repeats: int, clock: Clock) -> dict[str, list[float] | str]:
    """Milliseconds a module of each way in every repeat, or what is wrong with it."""
    make, shape, members = MODULES[name]
    modules = [module.double() for module in initial_modules(make, members)]
    x = torch.as_tensor(encoding.all_inputs(8)[:inputs]) if shape == (8,) else torch.randn(inputs, *shape).double()
    exact = WAYS["contraction"](modules, x)
    faults = {way: fault(function, modules, x, exact) for way, function in WAYS.items()}
    right = {way: partial(WAYS[way], modules, x) for way, wrong in faults.items() if not wrong}
    times = 1e3 / members * timing.interleaved(right, repeats, clock)
    return faults | {way: times.sel(action=way).values.tolist() for way in right}


def report(name: str, times: dict[str, list[float] | str]) -> None:
    """Median milliseconds, and how kbe stands to the fastest of the others that is right."""
    medians = {way: float(np.median(taken)) for way, taken in times.items() if not isinstance(taken, str)}
    cells = [f"{medians[way]:.1f}" if way in medians else times[way] for way in WAYS]
    best = min((way for way in medians if way != "kbe"), key=medians.get)
    ratio = np.median(np.array(times["kbe"]) / np.array(times[best]))
    print(f"{name:<18}" + "".join(f"{cell:>18}" for cell in cells) +
          f"   {ratio:.2f} ({best}); wanted at most {SLOWER}: {verdict(ratio <= SLOWER)}", flush=True)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in {"inputs": 256, "threads": 1, "repeats": 5}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--clock", choices=CLOCKS, default="cpu")
    parser.add_argument("--modules", nargs="+", choices=MODULES, default=list(MODULES))
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "kernels.json")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    clock = CLOCKS[arguments.clock]
    print(f"{'milliseconds':<18}" + "".join(f"{way:>18}" for way in WAYS) + "   kbe / fastest other", flush=True)
    found = {}
    for name in arguments.modules:
        found[name] = measured(name, arguments.inputs, arguments.repeats, clock)
        report(name, found[name])
    surroundings = environment(arguments) | {"output": arguments.output.name}
    arguments.output.write_text(json.dumps({"environment": surroundings, **found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
