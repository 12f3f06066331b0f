"""Sweeps over a tiny chapter: the folder knows what is done, whoever is killed meanwhile."""

from __future__ import annotations

import contextlib
import io
import os
import random
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
from kbe.book import points
from kbe.book.collect import collect
from kbe.book.sweep import sweep

SLOW = "import os, time\nopen(f'kernel-{os.getpid()}', 'w').close()\ntime.sleep(%d)\nprint(members)"


def start(folder, *words):
    """`python -m kbe sweep tiny.ipynb` in a folder."""
    around = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(kbe.__file__).parents[1]), *sys.path])}
    command = [sys.executable, "-m", "kbe", "sweep", "tiny.ipynb", *words, "-o", "runs"]
    return subprocess.Popen(command, cwd=folder, env=around, stderr=subprocess.PIPE, text=True)


def until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def kernels(folder):
    return [int(path.name.partition("-")[2]) for path in folder.glob("kernel-*")]


def test_points_run_once_and_a_failing_one_does_not_stop_the_others(chapter, tmp_path):
    told = io.StringIO()
    with pytest.raises(RuntimeError, match=r"^1 of 2 points failed: members=2, rate=13 \(tiny\.ipynb, cell 5: Over"):
        sweep(chapter, {"members": [2], "rate": [13, 0.5]}, tmp_path / "runs", out=told)
    assert "done 1 · running 0 · failed 1 · left 0" in told.getvalue()
    (failed,) = points.Store(str(tmp_path / "runs")).records(points.FAILED)
    assert (failed["cell"], failed["parameters"]["rate"], "inputs" in failed) == (5, 13, True)
    told = io.StringIO()
    (key,) = sweep(chapter, {"rate": [0.5], "members": np.array([2])}, tmp_path / "runs", out=told)
    assert told.getvalue() == "" and (tmp_path / "runs" / key / points.NOTEBOOK).is_file()
    pytest.importorskip("pyarrow")
    csv, parquet = collect(tmp_path / "runs")
    assert list(pd.read_csv(csv).rate) == list(pd.read_parquet(parquet).rate) == [0.5, 13]


def key_of(values, folder="x", inputs=None):
    return points.Point("a.ipynb", values, inputs or {"code": "1"}, folder).key


def test_a_key_is_of_the_values_alone_whatever_their_order_and_type():
    assert key_of({"a": 1, "b": [2.0]}) == key_of({"b": [2], "a": 1.0}, "elsewhere")
    others = [{"a": "1"}, {"a": True}, {"a": 1.5}, {"b": 1}, {"a": [1]}, {"a": None}, {"a": "a/b"}, {"a": "ab"}]
    assert len({key_of(values) for values in [{"a": 1}, *others]}) == len(others) + 1
    assert key_of({"a": 1}) != key_of({"a": 1}, inputs={"code": "2"})


def test_a_record_without_bytes_is_none(tmp_path):
    (tmp_path / "k").mkdir()
    (tmp_path / "k" / points.DONE).write_bytes(b"")
    assert points.Store(str(tmp_path)).read(f"k/{points.DONE}") == {}


@pytest.mark.skipif(sys.platform != "linux", reason="kills processes as Linux does")
def test_killed_sweeps_leave_no_kernel_and_no_part_and_go_on(make_chapter, tmp_path):
    make_chapter(SLOW % 600)
    for how in (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP):
        command = start(tmp_path, "-p", "members", "1")
        until(lambda: kernels(tmp_path))
        command.send_signal(how)
        command.communicate(timeout=60)
        until(lambda: not any(map(psutil.pid_exists, kernels(tmp_path))))
        for path in tmp_path.glob("kernel-*"):
            path.unlink()
    assert not list((tmp_path / "runs").glob("*/*"))
    make_chapter("print(members)")
    assert start(tmp_path, "-p", "members", "1").wait(60) in (0, 2)
    assert len(list((tmp_path / "runs").glob(f"*/{points.DONE}"))) == 1


def test_two_sweeps_of_one_folder_run_a_point_once(make_chapter, tmp_path):
    make_chapter(SLOW % 1)
    both = [start(tmp_path, "-p", "members", "3"), start(tmp_path, "-p", "members", "3")]
    for command in both:
        command.communicate(timeout=60)
    assert len(kernels(tmp_path)) == 1


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
        ({"members": [2]}, {"folder": "nothing://at/all"}),
        ({"members": [2]}, {"folder": "/proc/none"}),
        ({"members": [2]}, {"scheduler": "tcp://127.0.0.1:1"}),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(chapter, tmp_path, grid, options):
    options = {"folder": tmp_path / "runs"} | options
    with pytest.raises(ValueError, match=r"must be|no parameter") as raised:
        sweep(chapter, grid, **options)
    assert "\n" not in str(raised.value) and not list(tmp_path.glob("runs/*/*.json"))


@pytest.mark.skipif(sys.platform != "linux", reason="kills processes as Linux does")
def test_random_kills_lose_nothing(make_chapter, tmp_path):
    """`make test-kills` kills 50 times: the client, a worker, the process of a point, a kernel."""
    make_chapter("import time\ntime.sleep(0.5)\nprint(members)")
    draw = random.Random(0)
    for _ in range(int(os.environ.get("KILLS", "2"))):
        command = start(tmp_path, "-p", "members", f"1:{draw.randint(4, 6)}")
        time.sleep(draw.uniform(1, 6))
        tree = [psutil.Process(command.pid), *psutil.Process(command.pid).children(recursive=True)]
        with contextlib.suppress(psutil.NoSuchProcess):
            draw.choice(tree).kill()
        command.communicate(timeout=60)
        until(lambda tree=tree: not any(one.is_running() and one.status() != "zombie" for one in tree))
    for more in ([], ["--retry-failed"]):
        start(tmp_path, "-p", "members", "1:6", *more).communicate(timeout=60)
    records = list(points.Store(str(tmp_path / "runs")).records(points.DONE))
    assert sorted(one["parameters"]["members"] for one in records) == [1, 2, 3, 4, 5]
    left = {path.name for path in (tmp_path / "runs").glob("*/*")}
    assert left == {points.NOTEBOOK, points.DONE}
