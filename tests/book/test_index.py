"""The equation index finds what docstrings, test names and labels say, and leads from each equation to its formula."""

from __future__ import annotations

import ast
import functools
import itertools
from pathlib import Path

import pytest

from kbe.book import index

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("docstring", "numbers"),
    [
        ("The loss, Eq. (8).", {8}),
        ("A network, Eq. (9)-(11).", {9, 10, 11}),
        ("Rates, Eq. (12), (13).", {12, 13}),
        ("Heads, Eq. (6) and (7).", {6, 7}),
        ("Both Eq. (22) and Eq. (24).", {22, 24}),
        ("A sum, over two\nlines Eq. (3).", {3}),
        ("A sum.\n\nIt speaks of Eq. (4).", set()),
        ("The loss, Eq. (8).\n\nNot Eq. (14).", {8}),
        ("Nothing of the paper (20).", set()),
    ],
)
def test_the_first_paragraph_of_a_docstring_names_its_equations(tmp_path, docstring, numbers):
    (tmp_path / "m.py").write_text(f"def one():\n    {docstring!r}\n")
    assert index.functions(tmp_path) == {number: [f"{tmp_path.name}.m.one"] for number in numbers}


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
    assert [row[0] for row in index.equation_table().rows] == [f"({number})" for number in range(1, 25)]


LIBRARIES = ("numpy.", "scipy.", "torch.", "math.", "kbe.training.compiled.simd.")  # the last has operators on lanes
# Of those libraries, what puts numbers in place without computing any.
ARRANGES = {
    "arange", "array", "as_tensor", "asarray", "atleast_1d", "atleast_2d", "broadcast_to", "concatenate", "default_rng",
    "empty", "empty_like", "errstate", "expand_dims", "from_numpy", "full", "full_like", "linspace", "moveaxis",
    "no_grad", "ones", "ones_like", "ravel", "reshape", "stack", "swapaxes", "tensor", "tile", "transpose", "zeros",
    "zeros_like",
}  # fmt: skip
METHODS = {
    "abs",
    "baddbmm_",
    "cumsum",
    "dot",
    "einsum",
    "exp",
    "log",
    "max",
    "mean",
    "min",
    "prod",
    "sqrt",
    "square",
    "sum",
    "var",
}
OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.MatMult)


@functools.cache
def module(name: str) -> ast.Module:
    return ast.parse(ROOT.joinpath(*name.split(".")).with_suffix(".py").read_text())


def imported(tree: ast.Module) -> dict[str, str]:
    """Where a module's names come from: full dotted names."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.asname or alias.name.partition(".")[0]: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return found


def called(call: ast.Call, names: dict[str, str]) -> str:
    """The full name of what is called, as far as it can be read; `.sum` of what is no module."""
    parts, node = [], call.func
    while isinstance(node, ast.Attribute):
        parts, node = [node.attr, *parts], node.value
    root = names.get(node.id, "") if isinstance(node, ast.Name) else ""
    return ".".join([root, *parts])


def computes(node: ast.AST, names: dict[str, str]) -> bool:
    """Whether it is arithmetic itself: an operator between numbers, or a call that computes."""
    if isinstance(node, (ast.BinOp, ast.AugAssign)):
        sides = [getattr(node, side, None) for side in ("left", "right", "value")]
        no_numbers = any(isinstance(side, (ast.JoinedStr, ast.List, ast.Tuple)) or is_text(side) for side in sides)
        return isinstance(node.op, OPERATORS) and not no_numbers
    if not isinstance(node, ast.Call):
        return False
    name = called(node, names)
    last = name.rpartition(".")[2]
    return last not in ARRANGES if name.startswith(LIBRARIES) else last in METHODS and not name.startswith("kbe.")


def is_text(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def forwards(body: list[ast.stmt], names: dict[str, str], own: set[str]) -> bool:
    """Whether all that it does is to call another function of the package."""
    call = body[0].value if len(body) == 1 and isinstance(body[0], (ast.Return, ast.Expr)) else None
    if not isinstance(call, ast.Call):
        return False
    name = called(call, names)
    in_package = name.startswith("kbe.") and not name.startswith(LIBRARIES)
    return in_package or (isinstance(call.func, ast.Name) and call.func.id in own)


def fault(tree: ast.Module, path: list[str]) -> str | None:
    """Why a function or class of a module does not evaluate a formula itself, or None if it does."""
    node: ast.Module | ast.stmt = tree
    for part in path:
        node = next(inner for inner in node.body if getattr(inner, "name", None) == part)
    own = {inner.name for inner in tree.body if isinstance(inner, (ast.FunctionDef, ast.ClassDef))}
    names = imported(tree)
    body = node.body[1:] if ast.get_docstring(node) else node.body
    if forwards(body, names, own):
        return "only calls another function of kbe"
    if not any(computes(inner, names) for statement in body for inner in ast.walk(statement)):
        return "holds no arithmetic"
    return None


LISTED = sorted(set(itertools.chain(*index.functions().values())))


@pytest.mark.parametrize("name", LISTED)
def test_what_the_index_leads_to_evaluates_the_formula_itself(name):
    """The reader who follows an equation finds it computed there, not handed on.

    By the syntax of its body, the docstring aside: it holds arithmetic, which is an operator (+ - * / ** @) between
    numbers, a call of a function of NumPy, SciPy, torch or math that computes rather than arranges arrays, or a method
    of arrays such as `sum` and `exp`; and it is not one single call of another function of the package.
    """
    parts = name.split(".")
    depth = next(n for n in range(len(parts), 0, -1) if ROOT.joinpath(*parts[:n]).with_suffix(".py").is_file())
    found = fault(module(".".join(parts[:depth])), parts[depth:])
    assert found is None, f"{name} {found}"


HEAD = "import numpy as np\nfrom scipy import special\nfrom kbe.theory import modes\n\ndef _f(x):\n    return x + x\n\n"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return gram @ y", None),
        ("return np.exp(gram)", None),
        ("return special.ndtr(gram)", None),
        ("return gram.sum(-1)", None),
        ("gram *= y\n    return gram", None),
        ("return _f(gram) - y", None),
        ("return _f(gram)", "only calls another function of kbe"),
        ("return modes.f(gram * y)", "only calls another function of kbe"),
        ("gram = np.asarray(gram)\n    return _f(gram)", "holds no arithmetic"),
        ("y = 'a' + y\n    return modes.sum(y)", "holds no arithmetic"),
        ("names = ['a'] + y\n    return names", "holds no arithmetic"),
        ("", "holds no arithmetic"),
    ],
)
def test_a_body_that_evaluates_nothing_is_recognised(body, expected):
    tree = ast.parse(f'{HEAD}def one(gram, y):\n    """A docstring."""\n    {body}\n')
    assert fault(tree, ["one"]) == expected
