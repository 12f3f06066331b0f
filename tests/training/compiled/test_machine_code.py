"""Machine code is kept for the sources that it was made from, and for no others."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import kbe
from kbe.training.compiled import lanes, machine_code

PACKAGE = Path(kbe.__file__).parent
CALLED = "from kbe.machine_code import compiled\n\n\n@compiled(inline='always')\ndef f(x):\n    return {} * x\n"
CALLING = """
from kbe.machine_code import compiled
from kbe.simd import f


@compiled
def g(x):
    return f(x) + 1.0
"""
RUN = "from kbe.lane_g import g; print(g(1.0), sum(g.stats.cache_hits.values()), g.stats.cache_path)"


@pytest.fixture
def package(tmp_path):
    (tmp_path / "kbe").mkdir()
    shutil.copy(machine_code.__file__, tmp_path / "kbe")
    (tmp_path / "kbe" / "simd.py").write_text(CALLED.format("2.0"))
    (tmp_path / "kbe" / "lane_g.py").write_text(CALLING)
    return tmp_path


def run(package, code=RUN, **environment):
    around = {name: value for name, value in os.environ.items() if name not in ("NUMBA_CACHE_DIR", "PYTHONPATH")}
    told = subprocess.run([sys.executable, "-c", code], env=around | environment, cwd=package, capture_output=True,
                          text=True, check=True).stdout.split()  # fmt: skip
    return float(told[0]), int(told[1]), told[2:]


def test_a_change_in_what_is_called_renews_the_machine_code_of_what_calls_it(package):
    assert run(package)[:2] == (3.0, 0) and run(package)[:2] == (3.0, 1)
    (package / "kbe" / "simd.py").write_text(CALLED.format("5.0"))
    assert run(package)[:2] == (6.0, 0)


def test_a_folder_of_ones_own_is_taken_and_none_where_nobody_can_write(package):
    assert run(package, NUMBA_CACHE_DIR=str(package / "mine"))[2][0].startswith(str(package / "mine" / "machine-code-"))
    shutil.rmtree(package / "kbe" / "__pycache__", ignore_errors=True)
    (package / "kbe" / "__pycache__").write_text("no folder")
    assert run(package, HOME="/proc/none") == (3.0, 0, ["None"])
    nobody = "import os, sys; sys.modules['pwd'] = None; del os.environ['HOME']; "  # as in a container without users
    assert run(package, nobody + RUN) == (3.0, 0, ["None"]) and not (package / "~").exists()


def test_every_compiled_source_is_part_of_the_folders_name():
    using = [path for path in PACKAGE.rglob("*.py") if "machine_code import" in path.read_text()]
    assert using and {path.parent for path in using} == {Path(machine_code.__file__).parent}
    assert not [path for path in PACKAGE.rglob("*.py") if "njit" in path.read_text() and path.stem != "machine_code"]
    assert "machine-code-" in lanes.advance.stats.cache_path
