"""The examples in the docstrings run and give what they show; `doctest.testmod` does not see decorated functions."""

from __future__ import annotations

import ast
import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)
EXAMPLES = {
    f"{path.relative_to(ROOT / 'kbe')}:{getattr(node, 'name', '')}": (path, ast.get_docstring(node))
    for path in sorted((ROOT / "kbe").rglob("*.py"))
    for node in ast.walk(ast.parse(path.read_text()))
    if isinstance(node, DOCUMENTED) and ">>> " in (ast.get_docstring(node) or "")
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_gives_what_it_shows(name):
    path, text = EXAMPLES[name]
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    example = doctest.DocTestParser().get_doctest(text, vars(module).copy(), name, str(path), 0)
    said: list[str] = []
    assert doctest.DocTestRunner().run(example, out=said.append).failed == 0, "".join(said)
