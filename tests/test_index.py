"""The equation index finds what docstrings, test names and labels say, and the paper's equations are all there."""

from __future__ import annotations

import ast
import functools
import io
import tokenize
from pathlib import Path

import pytest

from kbe import index


@pytest.mark.parametrize(
    ("docstring", "numbers"),
    [
        ("The loss, Eq. (8).", [8]),
        ("A network, Eq. (9)-(11).", [9, 10, 11]),
        ("Rates, Eq. (12), (13).", [12, 13]),
        ("Heads, Eq. (6) and (7).", [6, 7]),
        ("Both Eq. (22) and Eq. (24).", [22, 24]),
        ("A sum.\n\nIt is Eq. (4); compare Eq. (13).", [4]),
        ("The loss, Eq. (8).\n\nNot Eq. (14).", [8]),
        ("Nothing of the paper (20).", []),
    ],
)
def test_a_docstring_names_its_equations(docstring, numbers):
    assert index.mentioned(docstring) == numbers


def test_a_test_names_its_equations(tmp_path):
    names = ["eq20_weights_of_100_points", "eq12_and_13_agree", "eq9_to_11_by_hand", "eq1_eq3_slope", "equal_values"]
    (tmp_path / "test_x.py").write_text("\n".join(f"def test_{name}(): ..." for name in names))
    found = index.tests(tmp_path)
    assert sorted(found) == [1, 3, 9, 10, 11, 12, 13, 20] and found[13] == ["test_x.py::test_eq12_and_13_agree"]


def test_a_page_explains_the_equation_that_it_labels(tmp_path):
    (tmp_path / "page.md").write_text("---\n---\n\n# The title\n\n(eq-20)=\n\\begin{equation*}\n\nas (eq-19)= not\n")
    assert index.explained(tmp_path) == {20: ["The title"]}


def test_private_functions_are_not_listed(tmp_path):
    (tmp_path / "kbe").mkdir()
    source = (
        'def one():\n    """Eq. (1)."""\n\n\ndef _two():\n    """Eq. (2)."""\n\n\n'
        'class A:\n    def b(self):\n        """Eq. (3)."""\n'
    )
    (tmp_path / "kbe" / "m.py").write_text(source)
    assert index.functions(tmp_path / "kbe") == {1: ["kbe.m.one"], 3: ["kbe.m.A.b"]}


@pytest.mark.parametrize("found", [index.functions, index.tests, index.explained])
def test_each_equation_of_the_paper_has_a_function_a_test_and_an_explanation(found):
    assert index.missing(found) == []


def test_the_table_has_a_row_for_each_equation():
    assert [row[0] for row in index.table().rows] == [f"({number})" for number in range(1, 25)]


def sources() -> list[Path]:
    return sorted((index.ROOT / "kbe").rglob("*.py"))


# Modules that are not named here are the inner rooms of those that are.
FLOORS = [
    {"checks", "tables", "machine_code", "windows"},
    {"encoding", "resampling", "association", "simd"},
    {"clusters", "synthetic", "networks", "losses", "kernels", "spectra", "heads", "functional", "weights", "history"},
    {"blocks", "lane_functions"},
    {"lane_activations", "lane_losses"},
    {"lane_layout"},
    {"lane_forward", "lane_backward"},
    {"lanes"},
    {"fast", "reference"},
    {"ensemble"},
    {
        "calibration",
        "zero_error",
        "response",
        "evaluation",
        "profiles",
        "aging",
        "sharpness",
        "architecture",
        "timing",
        "variances",
        "transition",
        "trajectories",
        "dynamics",
        "rates",
        "variance_dynamics",
        "stability",
        "balance",
        "scales",
        "modes",
        "walsh",
        "masks",
        "bayes",
        "one_hidden_layer",
        "feature_space",
    },
    {"outcomes"},
    {"local_variance", "constancy", "response_law", "separation", "mean_field", "splitting", "plasticity"},
    {"fragility", "methods", "stages"},
    {"figures", "claims"},
    {"parameters", "index"},
    {"rerun"},
    {"book"},
    {"cli"},
]


@functools.cache
def imports(name: str) -> set[str]:
    path = index.ROOT / "kbe" / f"{name}.py"
    nodes = [
        node
        for source in ([path] if path.exists() else path.with_suffix("").glob("*.py"))
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "kbe"
    ]
    named = [(node.module or "").split(".")[1:2] or [alias.name for alias in node.names] for node in nodes]
    return {each for group in named for each in group} - {name}


def test_every_module_has_its_floor():
    names = {path.stem if path.parent.name == "kbe" else path.parent.name for path in sources()}
    assert names - {"__init__", "__main__"} == set().union(*FLOORS)


@pytest.mark.parametrize("name", sorted(set().union(*FLOORS)))
def test_a_module_imports_only_from_floors_below_its_own(name):
    reached: set[str] = set()
    while new := {each for one in reached | {name} for each in imports(one)} - reached:
        reached |= new
    level = next(level for level, names in enumerate(FLOORS) if name in names)
    assert not (reached - {name}) & set().union(*FLOORS[level:])


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


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.stem)
def test_modules_are_short_enough_to_read(path):
    """A module holds one idea; a bound on all lines would count docstrings and split files for its own sake."""
    assert lines_of_computation(path.read_text()) <= 150
