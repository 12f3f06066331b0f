"""What code reads: the modules of the package that it imports, near and far, and the libraries that those import.

Imports are read off the syntax, so nothing is run. The package's folders pass no names on: who says
`from kbe.figures import scale` reads that file, and none of its neighbours.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PACKAGE = "kbe"
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


class Sources:
    """The source files of the package in a folder as they are now; each is read once."""

    def __init__(self, root: str | Path) -> None:
        self._root = Path(root)
        self._texts: dict[str, str | None] = {}
        self._imports: dict[str, set[str]] = {}

    def reached(self, code: str) -> tuple[set[str], set[str]]:
        """All that a piece of Python code imports, directly or through the package's own modules.

        These are the package's modules, and the top-level names of what is imported from elsewhere.

        Raises
        ------
        ValueError
            If an import cannot be followed: it is relative or made at run time, or there is no such module.
        SyntaxError
            If the code is not Python.
        """
        inside: set[str] = set()
        outside: set[str] = set()
        todo = set(self._imported(code))
        while todo:
            name = todo.pop()
            if name.partition(".")[0] != PACKAGE:
                outside.add(name.partition(".")[0])
            elif name not in inside:
                inside.add(name)
                todo |= self._imports_of(name) - inside
        outside -= sys.stdlib_module_names
        if unknown := outside - set(_libraries()):
            raise ValueError(f"{' and '.join(sorted(unknown))} is imported, but no installed library provides it.")
        return inside, outside

    def digest(self, module: str) -> str:
        """A short digest of the code of one of the package's modules; comments, docstrings and layout are no code."""
        text = self._text(module)
        return digest("") if text is None else _digest_of_code(text)

    def _imports_of(self, module: str) -> set[str]:
        if module not in self._imports:
            text = self._text(module)
            if text is None:
                raise ValueError(f"{module} is imported, but {self._root} holds no such module.")
            self._imports[module] = set(self._imported(text))
        return self._imports[module]

    def file(self, module: str) -> Path | None:
        """Where the source of a module of that dotted name is; None if the package has no such module."""
        path = self._root.joinpath(*module.split("."))
        return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)

    def _text(self, module: str) -> str | None:
        if module not in self._texts:
            file = self.file(module)
            self._texts[module] = file.read_text(encoding="utf-8") if file else None
        return self._texts[module]

    def _imported(self, code: str) -> Iterator[str]:
        """The modules that one source imports itself, and the packages around them."""
        for name in self._named(code):
            parts = name.split(".")
            yield from (".".join(parts[:n]) for n in range(1, len(parts) + 1))

    def _named(self, code: str) -> Iterator[str]:
        for node in _import_statements(code):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            else:
                yield from self._from(node)

    def _from(self, node: ast.ImportFrom) -> Iterator[str]:
        """What `from package import name` reads: the module of that name, or the one that defines the name."""
        package = node.module or ""
        if node.level:
            raise ValueError(f"from {'.' * node.level}{package} import: imports must be absolute.")
        for name in (alias.name for alias in node.names):
            if name == "*" and package.partition(".")[0] == PACKAGE:
                raise ValueError(f"from {package} import *: what is imported must be named.")
            yield package if self.file(f"{package}.{name}") is None else f"{package}.{name}"


# The same text is read for many pages, and planned with again and again where a book is served.
@functools.lru_cache(maxsize=2**10)
def _import_statements(code: str) -> list[ast.Import | ast.ImportFrom]:
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found.append(node)
        elif {getattr(node, "id", None), getattr(node, "attr", None)} & {"__import__", "import_module"}:
            raise ValueError("An import is made at run time: it must be a statement, so that it can be read.")
    return found


@functools.lru_cache(maxsize=2**10)
def _digest_of_code(code: str) -> str:
    return digest(ast.dump(_without_docstrings(ast.parse(code))))


def versions(modules: Iterable[str]) -> dict[str, str]:
    """The installed versions, by name, of the libraries that provide top-level modules, and of what those require."""
    found: dict[str, str] = {}
    todo = {library for module in modules for library in _libraries().get(module, [])}
    while todo:
        name = canonicalize_name(todo.pop())
        if name not in found and name != PACKAGE:
            try:
                installed = metadata.distribution(name)
            except metadata.PackageNotFoundError:
                continue  # an optional one, or one for another system
            found[name] = installed.version
            todo |= {wanted.name for wanted in map(Requirement, installed.requires or []) if _applies(wanted)}
    return found


def digest(text: str) -> str:
    """Sixteen hexadecimal digits that stand for a text, the start of its SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


_libraries = functools.cache(metadata.packages_distributions)


def _applies(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, _DOCUMENTED) and body and _is_text(body[0]):
            node.body = body[1:] or [ast.Pass()]
    return tree
