"""The speed of the ways to train an ensemble, as ratios to the loop that a user would write.

    python benchmarks/run.py [--members 100] [--threads 2] [--repeats 5] [--clock wall]
                             [--output benchmarks/latest.json]

All ways take turns within a repeat, so that what else the machine does touches all of them alike. On a busy
machine `--clock cpu --threads 1` compares what the ways compute, thread for thread.
A time alone says little about another machine; the ratios say more. The yardstick is a program in C, where the machine
has a compiler (yardstick.c).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import naive
import numba
import numpy as np
import torch
import yardstick

from kbe.data import encoding
from kbe.networks import VarianceNetwork
from kbe.response import tangent_kernel
from kbe.training import timing
from kbe.training.weights import flat_parameters, initial_modules

Clock = Callable[[], float]
SIZES = (2, 20, 64, 256)
BARS = [("fast", 20, 80.0), ("fast", 256, 200.0), ("reference", 20, 3.0)]
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
START = """
import time
from kbe import networks
from kbe.data import encoding
from kbe.training import ensemble
start = time.CLOCK()
ensemble.train(networks.VarianceNetwork, encoding.random_encoding(5), epochs=1, path="fast")
print(time.CLOCK() - start)
"""


def ways(members: int, points: int, threads: int, share: float) -> dict[str, tuple[Callable[[], object], int]]:
    """Each way to train: what to call, and how many member-epochs it trains."""
    data = encoding.random_encoding(points, 8, members)
    fast, reference = (
        timing.prepare(VarianceNetwork, data, path=path, threads=threads) for path in ("fast", "reference")
    )
    one, loop, few, many = (
        data.isel(member=[0]),
        max(2, int(60 * share)),
        max(1, int(8 * share)),
        max(10, int(400 * share)),
    )
    return {
        "naive": (lambda: naive.train(one.x.values, one.y.values, loop), loop),
        "reference": (lambda: reference.advance(few), few * members),
        "fast": (lambda: fast.advance(many), many * members),
    }


def training(members: int, threads: int, repeats: int, clock: Clock) -> dict[str, dict[str, list[float]]]:
    """Microseconds a member-epoch, of each way at each size, in every repeat."""
    result: dict[str, dict[str, list[float]]] = {}
    for points in SIZES:
        actions = ways(members, points, threads, min(1.0, 40 / points))
        times = timing.interleaved({name: call for name, (call, _) in actions.items()}, repeats, clock)
        result[str(points)] = {n: (1e6 * times.sel(action=n) / w).values.tolist() for n, (_, w) in actions.items()}
    return result


def beside_c(members: int, repeats: int) -> dict[str, dict[str, list[float]]] | None:
    """Processor time of a member-epoch in microseconds, on one thread: the fast path, and both ways of the yardstick.

    No member rests. None without a C compiler.
    """
    code = yardstick.load()
    if code is None:
        return None
    result: dict[str, dict[str, list[float]]] = {}
    for points in SIZES:
        data, modules = encoding.random_encoding(points, 8, members), initial_modules(VarianceNetwork, members)
        weights = np.stack([flat_parameters(module) for module in modules])
        trainers = {w: yardstick.Yardstick(code, w, data, weights, 1e-6) for w in yardstick.WAYS}
        times = timing.epoch_times({"fast": timing.prepare(VarianceNetwork, data)} | trainers, repeats, 0.2)
        result[str(points)] = {n: (1e6 * times.sel(action=n) / members).values.tolist() for n in times.action.values}
    return result


def kernels(members: int, repeats: int, clock: Clock) -> dict[str, list[float]]:
    """Microseconds for the kernel of one network on all inputs: in a loop, and in an ensemble."""
    inputs = encoding.all_inputs(8)
    modules = initial_modules(VarianceNetwork, members)
    weights, one = np.stack([flat_parameters(module) for module in modules]), naive.Network().double()
    times = timing.interleaved(
        {
            "naive": lambda: naive.kernel(one, inputs),
            "ensemble": lambda: tangent_kernel.ensemble_kernel(modules[0], weights, inputs),
        },
        repeats,
        clock,
    )
    return {"naive": (1e6 * times[0]).values.tolist(), "ensemble": (1e6 * times[1] / members).values.tolist()}


def starts(clock: Clock) -> list[float]:
    """Seconds of a first training in a new process: with compilation, then from the cache."""
    with tempfile.TemporaryDirectory() as folder:
        script, environment = START.replace("CLOCK", clock.__name__), os.environ | {"NUMBA_CACHE_DIR": folder}
        command = [sys.executable, "-c", script]
        return [
            float(subprocess.run(command, env=environment, capture_output=True, check=True).stdout) for _ in range(2)
        ]


def environment(arguments: argparse.Namespace) -> dict[str, object]:
    versions = {module.__name__: module.__version__ for module in (np, torch, numba)}
    machine = {"machine": platform.machine(), "system": platform.system(), "processors": os.cpu_count()}
    vector = torch.backends.cpu.get_cpu_capability()
    return {"python": platform.python_version(), **versions, **machine, "vector": vector, **vars(arguments)}


def against(times: dict[str, list[float]], name: str) -> np.ndarray:
    """How many times faster than the loop, repeat by repeat."""
    return np.array(times["naive"]) / np.array(times[name])


def verdict(reached: bool) -> str:
    return "yes" if reached else "NO"


def report_beside_c(found: dict[str, dict[str, list[float]]] | None) -> None:
    if found is None:
        print("no yardstick: this machine has no C compiler (cc, gcc or clang) that makes benchmarks/yardstick.c")
        return
    for points, times in found.items():
        best = min(yardstick.WAYS, key=lambda way: np.median(times[way]))
        ratio = np.array(times["fast"]) / np.array(times[best])
        print(f"fast at N={points:>3}, on one thread: {np.median(ratio):.2f} times what the program in C takes "
              f"({ratio.min():.2f}-{ratio.max():.2f}; {best}, {np.median(times[best]):.2f} microseconds); "
              f"wanted at most 2: {verdict(np.median(ratio) <= 2)}")  # fmt: skip


def report(found: dict) -> None:
    print("microseconds a member-epoch (median), and times faster than the loop (median, least to most)")
    for points, times in found["training"].items():
        cells = [f"N={points:>3}  naive {np.median(times['naive']):8.1f}"]
        for name in ("reference", "fast"):
            ratio = against(times, name)
            cells.append(
                f"{name} {np.median(times[name]):8.2f}  x{np.median(ratio):6.1f} ({ratio.min():.1f}-{ratio.max():.1f})"
            )
        print("   ".join(cells))
    for name, points, bar in BARS:
        ratio = np.median(against(found["training"][str(points)], name))
        print(f"{name} at N={points}: {ratio:.1f} times the loop; wanted at least {bar:g}: {verdict(ratio >= bar)}")
    growth = np.median(found["training"]["256"]["fast"]) / np.median(found["training"]["20"]["fast"])
    print(f"fast from N=20 to N=256: {growth:.2f} times the cost; wanted less than 1.5: {verdict(growth < 1.5)}")
    report_beside_c(found["yardstick"])
    ratio = np.median(against(found["kernels"], "ensemble"))
    print(f"kernels on 256 inputs: {ratio:.1f} times the loop; wanted at least 15: {verdict(ratio >= 15)}")
    first, cached = found["starts"]
    print(
        f"first training of a process: {first:.1f} s with compilation, {cached:.1f} s from the cache; wanted under 10 s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in {"members": 100, "threads": 2, "repeats": 5}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "latest.json")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    clock = CLOCKS[arguments.clock]
    found = {
        "training": training(arguments.members, arguments.threads, arguments.repeats, clock),
        "yardstick": beside_c(arguments.members, arguments.repeats),
        "kernels": kernels(arguments.members, arguments.repeats, clock),
        "starts": starts(clock),
    }
    report(found)
    surroundings = environment(arguments) | {"output": arguments.output.name}
    arguments.output.write_text(json.dumps({"environment": surroundings, **found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
