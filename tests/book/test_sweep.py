"""Sweeps over a tiny chapter: the folder knows what is done, whoever is killed meanwhile."""

from __future__ import annotations

import contextlib
import io
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

import kbe
from kbe.book.collect import collect
from kbe.book.stores import FAILED, NOTEBOOK, Store
from kbe.book.sweep import sweep

NOTED = "import os, time\nopen(f'kernel-{members}-{os.getpid()}', 'w').close()\n"
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="kills processes as Linux does")
AROUND = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(kbe.__file__).parents[1]), *sys.path])}
KILLS = int(os.environ.get("KILLS", "1"))
LONG = pytest.mark.skipif(KILLS == 1, reason="long, so that `make test-kills` does it")
LEFT = (".locks", "table.csv", "table.parquet", "index.html", "notebook.html")


@pytest.fixture
def start():
    """`python -m kbe sweep tiny.ipynb` in a folder; none outlives its test."""
    started = []

    def starting(folder, *words):
        command = [sys.executable, "-m", "kbe", "sweep", "tiny.ipynb", *words, "-o", "runs"]
        started.append(subprocess.Popen(command, cwd=folder, env=AROUND, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True))  # fmt: skip
        return started[-1]

    yield starting
    for one in started:
        one.kill()
        one.communicate()


def until(condition):
    end = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def kernels(folder):
    return [int(path.name.rpartition("-")[2]) for path in folder.glob("kernel-*")]


def ended(processes):
    return not any(one.is_running() and one.status() != "zombie" for one in processes)


def files_of_points(folder):
    return [path for path in folder.rglob("*") if path.is_file() and not set(LEFT) & set(path.parts)]


def test_points_run_once_and_a_failing_one_does_not_stop_the_others(make_chapter, tmp_path):
    chapter = make_chapter(NOTED + "assert rate < 13, 'too much'", bare=True)
    told = io.StringIO()
    with pytest.raises(RuntimeError, match=r"^1 of 2 points failed: members=2, rate=13 \(cell 3: AssertionError: too"):
        sweep(chapter, {"members": [2], "rate": [13, 0.5]}, tmp_path / "runs", out=told, workers=1)
    assert "done 1 · running 0 · failed 1 · left 0" in told.getvalue()
    assert len(kernels(tmp_path)) == 2
    told = io.StringIO()
    (key,) = sweep(chapter, {"rate": [0.5], "members": np.array([2])}, tmp_path / "runs", out=told)
    assert told.getvalue() == "" and (tmp_path / "runs" / key / NOTEBOOK).is_file()
    with pytest.raises(RuntimeError, match=r"^1 of 1 points failed"):
        sweep(chapter, {"rate": [13], "members": [2]}, tmp_path / "runs", out=told)
    assert told.getvalue() == "" and len(kernels(tmp_path)) == 2
    csv, parquet, _ = collect(tmp_path / "runs")
    assert list(pd.read_csv(csv).rate) == list(pd.read_parquet(parquet).rate) == [0.5, 13]


@LINUX
def test_sweeps_that_are_killed_leave_no_kernel_and_no_file(make_chapter, tmp_path, start):
    """Even a kernel that is asked to end nicely and does not."""
    ways = {"kill": signal.SIGKILL, "hup": signal.SIGHUP}
    ways |= {"term": signal.SIGTERM, "int": signal.SIGINT} if KILLS > 1 else {}
    for name in ways:
        make_chapter(NOTED + "time.sleep(600)", f"{name}/tiny.ipynb", bare=True)
    commands = {name: start(tmp_path / name, "-p", "members", "1", "--workers", "1") for name in ways}
    until(lambda: all(kernels(tmp_path / name) for name in ways))
    for name, command in commands.items():
        command.send_signal(ways[name])
    for name, command in commands.items():
        told = command.communicate(timeout=300)[1]
        assert command.returncode == (-9 if name == "kill" else 130)
        assert name == "kill" or told.splitlines()[-1] == "Interrupted; what was finished is there."
        until(lambda name=name: not any(map(psutil.pid_exists, kernels(tmp_path / name))))
        assert files_of_points(tmp_path / name / "runs") == []


@LINUX
@LONG
def test_killed_workers_and_points_are_tried_again_and_two_sweeps_share_a_folder(make_chapter, tmp_path, start):
    make_chapter(NOTED + "time.sleep(3)\nprint(members)", bare=True)
    both = [start(tmp_path, "-p", "members", "1:4", "--workers", "1") for _ in range(2)]
    until(lambda: kernels(tmp_path))
    points = [
        one for one in psutil.Process(both[0].pid).children(recursive=True) if "kbe.book.point_process" in one.cmdline()
    ]
    for one in [*points[:1], *(points[0].parents()[:1] if points else [])]:
        one.kill()
    for command in both:
        assert command.communicate(timeout=300)[1].splitlines()[-1].startswith("done 3 ")
    records = list(Store(str(tmp_path / "runs")).records())
    assert [one.get("error") for one in records] == [None] * 3
    assert len(kernels(tmp_path)) == 3 + len(points)


@pytest.fixture
def scheduler(tmp_path):
    """A scheduler and a worker started by Dask's own commands in other folders."""
    (tmp_path / "there").mkdir()
    around, run = AROUND | {"TMPDIR": str(tmp_path / "there")}, [sys.executable, "-m", "distributed.cli"]
    address = tmp_path / "there" / "scheduler.json"
    said = (tmp_path / "there" / "said").open("w")
    listening = ["--scheduler-file", str(address), "--no-dashboard"]
    commands = [["dask_scheduler", "--host", "127.0.0.1", "--port", "0", *listening],
                ["dask_worker", "--nthreads", "2", *listening]]  # fmt: skip
    started = []
    for name, *words in commands:
        one = subprocess.Popen([*run[:2], f"{run[2]}.{name}", *words], cwd=tmp_path / "there", env=around, stderr=said)
        started.append(one)
        until(address.is_file)
    yield re.search(r"tcp://[\d.:]+", address.read_text())[0], started
    for one in started:
        one.kill()
        one.wait()


@LINUX
def test_a_scheduler_elsewhere_runs_points_until_their_client_is_gone(make_chapter, tmp_path, scheduler, start):
    """The workers go on living, the kernels do not; nor when the scheduler is lost."""
    address, (process, _) = scheduler
    make_chapter(NOTED + "time.sleep(600 * (members > 2))\nprint(members)", bare=True)
    killed = start(tmp_path, "-p", "members", "1:4", "--scheduler", address)
    other = start(tmp_path, "-p", "members", "4", "--scheduler", address)
    until(lambda: list(tmp_path.glob("kernel-3-*")) and list(tmp_path.glob("kernel-4-*")))
    killed.kill()
    until(lambda: sum(map(psutil.pid_exists, kernels(tmp_path))) == 1)
    assert other.poll() is None and len(list(tmp_path.glob("runs/*/point.json"))) == 2
    process.kill()
    assert "The scheduler was lost; the same command goes on" in other.communicate(timeout=300)[1]
    until(lambda: not any(map(psutil.pid_exists, kernels(tmp_path))))
    assert not list(tmp_path.glob(f"runs/*/{FAILED}"))


@pytest.mark.parametrize(
    ("grid", "options"),
    [
        ({"members": []}, {}),
        ({"members": [2, 2.5]}, {}),
        ({"members": [2, -3]}, {}),
        ({"membres": [1]}, {}),
        ({"rate": [1, 1.0]}, {}),
        ({"members": 5}, {}),
        ({"members": "12"}, {}),
        ({}, {}),
        ({"members": [2]}, {"workers": 0}),
        ({"members": [2]}, {"timeout": 0}),
        ({"members": [2]}, {"folder": "nothing://at/all"}),
        ({"members": [2]}, {"folder": "/proc/none"}),
        ({"members": [2]}, {"scheduler": "tcp://127.0.0.1:1"}),
        ({"members": [2]}, {"scheduler": "nothing"}),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(chapter, tmp_path, grid, options):
    options = {"folder": tmp_path / "runs"} | options
    with pytest.raises(ValueError, match=r"must be|no parameter|twice") as raised:
        sweep(chapter, grid, **options)
    assert "\n" not in str(raised.value) and not list(tmp_path.glob("runs/*/*.json"))


@LINUX
def test_random_kills_lose_nothing(make_chapter, tmp_path, start):
    """`make test-kills` kills 50 times: the client, a worker, the process of a point, a kernel."""
    make_chapter(NOTED + "time.sleep(0.3)\nprint(members)", bare=True)
    draw = random.Random(os.environ.get("SEED") or "0")
    for count in range(KILLS):
        command = start(tmp_path, "-p", "members", f"1:{5 + count}")  # there is always something to do
        time.sleep(draw.uniform(2, 6))
        with contextlib.suppress(psutil.NoSuchProcess):
            tree = [psutil.Process(command.pid), *psutil.Process(command.pid).children(recursive=True)]
            draw.choice(tree).kill()
        command.communicate(timeout=300)
        until(lambda tree=tree: ended(tree))
    last = start(tmp_path, "-p", "members", f"1:{5 + count}")
    assert last.wait(600) == 0, last.stderr.read()
    records = list(Store(str(tmp_path / "runs")).records())
    assert sorted(one["parameters"]["members"] for one in records) == list(range(1, 5 + count))
    assert {path.name for path in files_of_points(tmp_path / "runs")} == {NOTEBOOK, "point.json"}
