"""The package as others install it: a wheel from the tree, put into an empty folder, holds all modules and trains."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
# In a process that heeds no `.pth` file, so that the checkout, which is installed too, cannot help out.
USE = """
import importlib, json, pkgutil, sys
sys.path += sys.argv[1:]
import kbe
names = ["kbe", *(found.name for found in pkgutil.walk_packages(kbe.__path__, "kbe."))]
for name in names:
    if name != "kbe.__main__":  # it runs a command
        importlib.import_module(name)
from kbe.data.encoding import random_encoding
from kbe.networks import VarianceNetwork
from kbe.training import ensemble
run = ensemble.train(VarianceNetwork, random_encoding(5, 8, 3), epochs=2, path="fast")
print(json.dumps([kbe.__file__, names, run.attrs["path"], list(run.mu.shape)]))
"""


@pytest.fixture
def installed(tmp_path):
    """The folder with the wheel's content."""
    tree = tmp_path / "tree"
    shutil.copytree(ROOT / "kbe", tree / "kbe", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    build = [*PIP, "wheel", "--no-index", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), str(tree)]
    subprocess.run(build, check=True)
    (wheel,) = tmp_path.glob("kernel_balanced_equation-*.whl")
    install = [*PIP, "install", "--no-index", "--no-deps", "--no-compile", "--target", str(tmp_path / "installed")]
    subprocess.run([*install, str(wheel)], check=True)
    return tmp_path / "installed"


def test_the_wheel_holds_every_module_and_trains(installed):
    paths = sysconfig.get_paths()
    command = [sys.executable, "-I", "-S", "-c", USE, str(installed), paths["purelib"], paths["platlib"]]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=installed)
    assert ran.returncode == 0, ran.stderr
    file, names, path, shape = json.loads(ran.stdout)
    assert Path(file) == installed / "kbe" / "__init__.py"
    sources = [source.relative_to(ROOT).with_suffix("") for source in (ROOT / "kbe").rglob("*.py")]
    modules = {".".join(source.parts).removesuffix(".__init__") for source in sources}
    assert set(names) == modules and path == "fast" and shape[-1] == 5
