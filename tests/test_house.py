"""The rules of the house, as tests: what may import what, how long a module may be, who uses a public name."""

from __future__ import annotations

import ast
import functools
import io
import re
import tokenize
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "kbe").rglob("*.py"))

# From the ground up: a part imports its own modules and what stands below it.
FLOORS = [
    {"refusals"},
    {"hints", "labels"},
    {"checks"},
    {"statistics", "networks", "losses", "data"},
    {"training"},
    {"response", "theory"},
    {"measures"},
    {"discussion", "companions", "figures"},
    {"book"},
    {"page"},
]
THEORY_IMPORTS = {"refusals", "hints", "labels", "checks", "statistics", "data"}
DRAWN = {"refusals", "hints", "labels", "checks", "statistics", "theory"}  # what a figure may import: no measure


def part(path: Path) -> str:
    """The top-level module or folder of the package that a file belongs to."""
    return path.relative_to(ROOT / "kbe").parts[0].removesuffix(".py")


@functools.cache
def imports(path: Path) -> set[str]:
    """The parts of the package that a file imports."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    dotted = [
        f"{node.module}.{alias.name}" for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names
    ]
    dotted += [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return {name.split(".")[1] for name in dotted if name.startswith("kbe.")}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT / "kbe"))


def test_every_part_has_its_floor():
    assert {part(path) for path in SOURCES} - {"__init__", "__main__"} == set().union(*FLOORS)


@pytest.mark.parametrize("path", [path for path in SOURCES if part(path) != "__main__"], ids=named)
def test_a_module_imports_only_from_below_its_own_part(path):
    level = next((level for level, parts in enumerate(FLOORS) if part(path) in parts), 0)
    assert imports(path) - {part(path)} <= set().union(*FLOORS[:level])
    if part(path) == "theory":
        assert imports(path) - {"theory"} <= THEORY_IMPORTS
    if part(path) == "figures":
        assert imports(path) - {"figures"} <= DRAWN


def test_no_part_imports_in_a_circle():
    """Within a part too, for else one module could not be read before the other."""
    inner = {}
    for path in SOURCES:
        nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
        inner[path] = {
            file
            for node in nodes
            for alias in node.names
            for file in (
                ROOT.joinpath(*f"{node.module}.{alias.name}".split(".")).with_suffix(".py"),
                ROOT.joinpath(*f"{node.module}".split(".")).with_suffix(".py"),
            )
            if file in SOURCES
        }
    while leaves := {path for path, needed in inner.items() if not needed & set(inner)}:
        inner = {path: needed for path, needed in inner.items() if path not in leaves}
    assert not inner


@pytest.mark.parametrize("path", [path for path in SOURCES if path.name == "__init__.py"], ids=named)
def test_a_folder_says_what_it_holds_and_passes_no_names_on(path):
    tree = ast.parse(path.read_text())
    assert len(tree.body) == 1 and ast.get_docstring(tree)


def lines_of_computation(source: str) -> int:
    """Lines with code, without docstrings, comments and blank lines."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    tree = ast.parse(source)
    texts = [node.body[0] for node in ast.walk(tree) if isinstance(node, documented) and ast.get_docstring(node)]
    silent = {number for text in texts for number in range(text.lineno, text.end_lineno + 1)}
    skipped = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    tokens = [t for t in tokenize.generate_tokens(io.StringIO(source).readline) if t.type not in skipped]
    return len({number for t in tokens for number in range(t.start[0], t.end[0] + 1)} - silent)


def test_lines_of_computation_are_those_that_compute():
    assert lines_of_computation('"""A\ndocstring."""\n\n# a comment\nx = 1  # one\ny = [\n    x,\n]\n') == 4


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_modules_are_short_enough_to_read(path):
    """A module holds one idea; a bound on all lines would count docstrings and split files for its own sake."""
    assert lines_of_computation(path.read_text()) <= 150


def public(path: Path) -> list[str]:
    body = ast.parse(path.read_text()).body
    return [n.name for n in body if isinstance(n, (ast.FunctionDef, ast.ClassDef)) and not n.name.startswith("_")]


PUBLIC = [(path, name) for path in SOURCES for name in public(path)]
USERS = {
    path: path.read_text()
    for path in [*SOURCES, *(ROOT / "book").glob("*.md"), *(ROOT / "benchmarks").glob("*.py"), ROOT / "README.md"]
}
CALLED_BY_NAME = {"pytest_collect_file"}  # pytest's


def test_no_name_is_borne_twice():
    twice = [name for name, times in Counter(name for _, name in PUBLIC).items() if times > 1]
    assert not twice


@pytest.mark.parametrize(("path", "name"), PUBLIC, ids=[f"{named(path)}:{name}" for path, name in PUBLIC])
def test_a_public_name_has_a_user_outside_its_module_and_its_tests(path, name):
    """An example in its own docstring is a user too: `tests/test_examples.py` runs it."""
    users = [other for other, text in USERS.items() if other != path and re.search(rf"\b{name}\b", text)]
    shown = re.search(rf">>> .*\b{name}\(", path.read_text())
    assert users or shown or name in CALLED_BY_NAME


CHECKED = {"statistics", "data", "response", "theory", "measures", "discussion", "companions"}


def functions(path: Path) -> list[ast.FunctionDef]:
    return [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]


def is_checked(function: ast.FunctionDef) -> bool:
    return any(getattr(mark, "id", getattr(mark, "attr", "")) == "checked" for mark in function.decorator_list)


@pytest.mark.parametrize("path", [path for path in SOURCES if part(path) in CHECKED], ids=named)
def test_what_an_argument_may_be_stands_in_its_type(path):
    """So that a body holds its equation and nothing else."""
    open_doors = [one.name for one in functions(path) if one.name[0] != "_" and one.args.args and not is_checked(one)]
    assert not open_doors
    assert not re.search(r"\brefusals\.(integer|number|choice|flag|array)\(", path.read_text())


def test_no_kernel_is_wired_into_what_takes_one():
    """The exponential is a default, never a call: a new kernel is one function."""
    for path in SOURCES:
        tree = ast.parse(path.read_text())
        calls = {getattr(node.func, "id", getattr(node.func, "attr", "")) for node in ast.walk(tree)
                 if isinstance(node, ast.Call)}  # fmt: skip
        assert path.stem == "kernels" or "exponential_kernel" not in calls, path


def test_no_test_looks_at_a_private_name():
    looked_at = re.compile(r"\b(?:from kbe[\w.]* import [^\n]*\b_[a-z]\w*|[a-z_]+\._[a-z]\w+)")
    allowed = re.compile(r"pytest\._|tmp_path|sys\._")
    for path in (ROOT / "tests").rglob("*.py"):
        found = [m.group() for m in looked_at.finditer(path.read_text()) if not allowed.match(m.group())]
        assert not found, path


def test_tests_stand_as_the_package_does():
    for path in (ROOT / "tests").rglob("test_*.py"):
        assert path.parent == ROOT / "tests" or (ROOT / "kbe" / path.relative_to(ROOT / "tests")).parent.is_dir(), path
