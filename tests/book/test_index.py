"""The equation index finds what docstrings, test names and labels say, and the paper's equations are all there."""

from __future__ import annotations

import pytest

from kbe.book import index


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
    assert [row[0] for row in index.equation_table().rows] == [f"({number})" for number in range(1, 25)]
