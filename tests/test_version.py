"""The version stands in three files and is one."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_version_is_the_same_everywhere():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"version: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"myst_substitutions: {{version: {version}}}" in (ROOT / "_config.yml").read_text()
    assert re.search(rf"^{re.escape(version.rpartition('.')[0])}$", (ROOT / "book" / "about.md").read_text(), re.M)
