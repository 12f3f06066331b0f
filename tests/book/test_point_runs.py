"""One point of a sweep in a process of its own."""

from __future__ import annotations

import os
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import psutil
import pytest

from kbe.book import point_runs, points
from kbe.book.stores import FAILED_NOTEBOOK, NOTEBOOK, Store

NOTED = "import os\nopen(f'kernel-{members}-{os.getpid()}', 'w').close()\n"


def point(path, again=False, keep_failed=False, **values):
    values = {"members": 2, "rate": 0.5, "sizes": [1, 2]} | values
    folder = str(path.parent / "runs")
    return points.Point(str(path), values, points.inputs(path), folder, again=again, keep_failed=keep_failed)


def kernels(folder):
    return [int(path.name.rpartition("-")[2]) for path in folder.glob("kernel-*")]


def test_a_point_is_kept_with_its_claims_and_runs_once(make_chapter, tmp_path):
    path = make_chapter(
        NOTED + "from kbe.book import claims, report\n"
        "claim = claims.Claim('grows', 'It grows.', 'III', 'growth', above=0)\n"
        "report.claim_table([claim.judge_value(0.5, (0.25, 0.75), 60)])",
        bare=True,
    )
    record = point_runs.run_point(one := point(path))
    assert Store(one.folder).done(one.key) == record == point_runs.run_point(one)
    assert (record["parameters"], record["key"]) == (one.values, one.key)
    (claim,) = record["claims"]
    assert (claim["claim"], claim["verdict"], claim["low"], claim["high"]) == ("grows", "holds", 0.25, 0.75)
    assert len(kernels(tmp_path)) == 1
    kept = tmp_path / "runs" / one.key / NOTEBOOK
    assert str(tmp_path) not in kept.read_text()
    assert not list(Path(tempfile.gettempdir()).glob(f"kbe-{os.getpid()}-*"))


def test_a_failed_point_is_recorded_and_tried_again_only_when_asked(make_chapter, tmp_path):
    path = make_chapter(NOTED + "raise OverflowError('too\\nmuch')", bare=True)
    for again in (False, False, True):
        record = point_runs.run_point(one := point(path, again, keep_failed=again))
        assert (record["cell"], record["error"]) == (3, "cell 3: OverflowError: too much")
    assert len(kernels(tmp_path)) == 2
    made = nbformat.read(tmp_path / "runs" / one.key / FAILED_NOTEBOOK, 4)
    assert made.cells[-1].outputs[-1].ename == "OverflowError"


def test_a_kernel_that_is_killed_is_tried_again(make_chapter, tmp_path):
    path = make_chapter(NOTED + "if members == 1 or not os.path.exists('once'):\n"
                        "    open('once', 'w').close()\n    os.kill(os.getpid(), 9)", bare=True)  # fmt: skip
    assert "error" not in point_runs.run_point(point(path))
    assert point_runs.run_point(point(path, members=1))["error"] == "Kernel died (was there too little memory?)"
    assert len(list(tmp_path.glob("kernel-2-*"))) == 2 and len(list(tmp_path.glob("kernel-1-*"))) == 3


def test_what_changed_while_a_point_ran_does_not_count(make_chapter, tmp_path):
    path = make_chapter("open('tiny.ipynb', 'a').write(' ')\nprint(members)", bare=True)
    assert "error" not in point_runs.run_point(point(path)), "a space is no code"
    other = path.read_text().replace("print(members)", "print(members + 1)")
    path = make_chapter(f"open('tiny.ipynb', 'w').write({other!r})\nprint(members)", bare=True)
    record = point_runs.run_point(one := point(path))
    assert record["error"] == "code is not here as it was where the sweep started"
    assert Store(one.folder).done(one.key) == {}


def test_a_point_that_nobody_wants_any_more_ends_with_its_kernel(make_chapter, tmp_path):
    path = make_chapter(NOTED + "import time\ntime.sleep(600)", bare=True)
    with pytest.raises(RuntimeError):
        point_runs.run_point(point(path), lambda event: not kernels(tmp_path))
    (kernel,) = kernels(tmp_path)
    assert psutil.wait_procs([psutil.Process(kernel)] if psutil.pid_exists(kernel) else [], timeout=30)[1] == []


def test_two_who_want_a_point_at_once_run_it_once(make_chapter, tmp_path):
    path, both = make_chapter(NOTED + "import time\ntime.sleep(1)", bare=True), threading.Barrier(2)
    with ThreadPoolExecutor(2) as threads:
        futures = [threads.submit(lambda: (both.wait(), point_runs.run_point(point(path)))[1]) for _ in range(2)]
        first, second = (future.result() for future in futures)
    assert first == second and len(kernels(tmp_path)) == 1


def test_folders_of_the_killed_are_removed_and_those_of_the_living_stay(monkeypatch, tmp_path):
    ended = psutil.Popen(["sleep", "0"])
    ended.wait()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in (f"kbe-{ended.pid}-x", f"kbe-{os.getpid()}-x", "kbe-mine-x", "other"):
        (tmp_path / name).mkdir()
    point_runs.clear_scratch()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([f"kbe-{os.getpid()}-x", "kbe-mine-x", "other"])
