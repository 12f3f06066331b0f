"""What README and the page on reading show as Python runs as it stands there."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "book" / "reading.md"]
SHOWN = [(page, code) for page in PAGES for code in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)]
ELSEWHERE = {"distributed"}  # not installed with the package


@pytest.mark.parametrize(("page", "code"), SHOWN, ids=[f"{page.stem}-{k}" for k, (page, _) in enumerate(SHOWN)])
def test_code_that_is_shown_runs(page, code):
    modules = {node.module: node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ImportFrom)}
    if modules.keys() & ELSEWHERE:
        for name, node in modules.items():
            module = None if name in ELSEWHERE else importlib.import_module(name)
            assert module is None or all(hasattr(module, alias.name) for alias in node.names)
    else:
        exec(compile(code, str(page), "exec"), {})


def test_files_that_readme_names_are_there():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / "README.md").read_text()):
        assert (ROOT / target).exists(), target
