"""The equation index: for each equation of the paper the chapter, the functions and the tests.

It is read from the sources: the first paragraph of a docstring says `Eq. (20)`, a test has `eq20` in its name, and a
chapter puts the label `(eq-20)=` before the equation.
"""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import kbe
from kbe.book.tables import Table

_EQUATIONS = range(1, 25)
_ROOT = Path(kbe.__file__).parent.parent
_MENTION = re.compile(r"Eqs?\. (\(\d+\)(?:(?:, and |, | and | or |-|–| to )\(\d+\))*)")
_TEST = re.compile(r"eq_?(\d+(?:_(?:to|and)_(?:eq)?\d+)*)(?!\d)")


def functions(package: Path = _ROOT / "kbe") -> dict[int, list[str]]:
    """The public functions and classes that are an equation: their dotted names, by equation.

    Their docstrings say so in the first paragraph: `Eq. (20)`, `Eq. (12), (13)` and `Eq. (9)-(11)` are understood.
    """
    return _collect(
        (number, f"{'.'.join(path.relative_to(package.parent).with_suffix('').parts)}.{name}")
        for path in _visible(package.rglob("*.py"))
        if path.name != Path(__file__).name  # this one speaks of equations without being one
        for name, docstring in _public(ast.parse(path.read_text(encoding="utf-8")))
        for number in sorted(_mentioned(docstring))
    )


def tests(folder: Path = _ROOT / "tests") -> dict[int, list[str]]:
    """The tests that name an equation, `folder/file::test`, by equation.

    `test_eq20_...`, `test_eq12_and_13_...` and `test_eq9_to_11_...` are understood.
    """
    return _collect(
        (number, f"{path.relative_to(folder)}::{name}")
        for path in _visible(folder.rglob("test_*.py"))
        for name in re.findall(r"def (test_\w+)", path.read_text(encoding="utf-8"))
        for group in _TEST.findall(name)
        for number in _numbers(group, "_to_")
    )


def explained(folder: Path = _ROOT / "book") -> dict[int, list[str]]:
    """The pages that explain an equation, those with its label, `(eq-20)=`: their titles, by equation."""
    return _collect(
        (int(number), text.partition("\n# ")[2].partition("\n")[0])
        for text in (path.read_text(encoding="utf-8") for path in _visible(folder.glob("*.md")))
        for number in re.findall(r"^\(eq-(\d+)\)=", text, re.MULTILINE)
    )


def missing(found: Callable[[], dict[int, list[str]]]) -> list[int]:
    """The paper's equations that one of the three listings, `functions`, `tests` or `explained`, lacks."""
    present = found()
    return [number for number in _EQUATIONS if number not in present]


def equation_table() -> Table:
    """The equation index, one row an equation of the paper, with links to the equations in the book."""
    pages, code, checks = explained(), functions(), tests()
    rows = []
    for number in _EQUATIONS:
        where = f"[{pages[number][0]}](#eq-{number})" if number in pages else "–"
        files = Counter(Path(test.partition("::")[0]).stem for test in checks.get(number, []))
        tested = ", ".join(f"`{file}` ({count})" for file, count in files.items()) or "–"
        computed = ", ".join(f"`{name.removeprefix('kbe.')}`" for name in code.get(number, [])) or "–"
        rows.append((f"({number})", where, computed, tested))
    return Table(("Eq.", "Explained in", "Functions of `kbe`", "Tests"), rows)


def _visible(paths: Iterable[Path]) -> list[Path]:
    """In order, without the files that editors put beside those that they hold open."""
    return sorted(path for path in paths if not path.name.startswith("."))


def _public(module: ast.Module) -> Iterator[tuple[str, str]]:
    for node in module.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            yield node.name, ast.get_docstring(node) or ""
            for part in node.body if isinstance(node, ast.ClassDef) else ():
                if isinstance(part, ast.FunctionDef) and not part.name.startswith("_"):
                    yield f"{node.name}.{part.name}", ast.get_docstring(part) or ""


def _mentioned(docstring: str) -> set[int]:
    """The equations that a docstring's first paragraph names; what is further down speaks of them in passing."""
    groups = _MENTION.findall(docstring.partition("\n\n")[0])
    return {number for group in groups for number in _numbers(group, r"-|–| to ")}


def _numbers(text: str, to: str) -> list[int]:
    numbers = [int(digits) for digits in re.findall(r"\d+", text)]
    if re.search(rf"\d\)?(?:{to})", text) and len(numbers) == 2:
        return list(range(numbers[0], numbers[1] + 1))
    return numbers


def _collect(pairs: Iterator[tuple[int, str]]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    for number, name in pairs:
        if name not in found[number]:
            found[number].append(name)
    return dict(found)
