"""The environment of Binder, Codespaces and Docker does what README and Makefile do, as far as can be tried here."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[1]
IMAGE = (ROOT / ".binder" / "Dockerfile").read_text()
STEPS = [step.strip() for line in re.findall(r"^RUN (.*)$", IMAGE, re.MULTILINE) for step in line.split("&&")]


def test_its_python_is_one_that_the_package_takes():
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert re.search(r"^FROM python:(\d+\.\d+)-", IMAGE, re.MULTILINE)[1] in SpecifierSet(wanted)


def test_it_installs_by_the_same_command_as_a_checkout(tmp_path):
    """`make` says what it would run in a fresh copy."""
    made = next(step for step in STEPS if step.startswith("make "))
    for name in ("Makefile", "requirements.txt", "pyproject.toml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    said = subprocess.run([*made.split(), "--dry-run"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert "-m venv .venv" in said and re.search(r"pip install .*-r requirements.txt", said)


def test_what_it_adds_is_pinned_and_not_pinned_elsewhere():
    added = [Requirement(word) for step in STEPS if "pip install" in step for word in step.split() if "==" in word]
    pinned = {Requirement(line).name for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line}
    assert [one.name for one in added] == ["jupyterlab"] and "jupyterlab" not in pinned


def test_its_programs_are_those_that_readme_asks_for():
    installed = next(step for step in STEPS if "apt-get install" in step).partition("--yes ")[2].split()
    assert installed == ["git", "make"] and "Python 3.11, git and make" in (ROOT / "README.md").read_text()


def test_codespaces_builds_the_same_image_and_the_copy_leaves_builds_out():
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    assert (ROOT / ".devcontainer" / container["build"]["dockerfile"]).resolve() == ROOT / ".binder" / "Dockerfile"
    assert (ROOT / ".devcontainer" / container["build"]["context"]).resolve() == ROOT
    assert container["postCreateCommand"] in STEPS
    assert {".venv", "_build"} <= set((ROOT / ".dockerignore").read_text().split())
