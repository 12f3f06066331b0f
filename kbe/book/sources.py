"""What code reads: the modules of the package that it imports, near and far, and the libraries that those import.

Imports are read off the syntax, so nothing is run. A package whose `__init__` only passes names on is looked
through: who says `figures.bit_encoding` reads the file that defines it, not the other figures.
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
    """The package's source files as they are now; each is read once.

    Parameters
    ----------
    root : str or Path
        The folder that holds the package.
    """

    def __init__(self, root: str | Path) -> None:
        self._root = Path(root)
        self._trees: dict[str, ast.Module | None] = {}
        self._digests: dict[str, str] = {}
        self._imports: dict[str, set[str]] = {}

    def reached(self, code: str) -> tuple[set[str], set[str]]:
        """All that a piece of code imports, directly or through the package's own modules.

        Parameters
        ----------
        code : str
            Python source.

        Returns
        -------
        (set of str, set of str)
            The package's modules, and the top-level names of what is imported from elsewhere.

        Raises
        ------
        ValueError
            If a module of the package is imported that is not there, or an import is relative.
        """
        inside: set[str] = set()
        outside: set[str] = set()
        todo = set(self._imported(ast.parse(code)))
        while todo:
            name = todo.pop()
            if name.partition(".")[0] != PACKAGE:
                outside.add(name.partition(".")[0])
            elif name not in inside:
                inside.add(name)
                todo |= self._imports_of(name) - inside
        return inside, outside - sys.stdlib_module_names

    def digest(self, module: str) -> str:
        """A short digest of a module's code; comments, docstrings and layout are no code.

        Parameters
        ----------
        module : str
            The dotted name of one of the package's modules.

        Returns
        -------
        str
            Hexadecimal digits.
        """
        if module not in self._digests:
            tree = self._tree(module)
            self._digests[module] = digest(ast.dump(_without_docstrings(tree)) if tree else "")
        return self._digests[module]

    def _imports_of(self, module: str) -> set[str]:
        if module not in self._imports:
            tree = self._tree(module)
            if tree is None:
                raise ValueError(f"{module} is imported, but {self._root} holds no such module.")
            self._imports[module] = set(self._imported(tree))
        return self._imports[module]

    def _tree(self, module: str) -> ast.Module | None:
        if module not in self._trees:
            path = self._root.joinpath(*module.split("."))
            file = next((f for f in (path.with_suffix(".py"), path / "__init__.py") if f.is_file()), None)
            self._trees[module] = ast.parse(file.read_text(encoding="utf-8"), str(file)) if file else None
        return self._trees[module]

    def _imported(self, tree: ast.Module) -> Iterator[str]:
        """The modules that one source imports itself, and the packages around them that do more than pass on."""
        for name in self._named(tree):
            yield name
            parts = name.split(".")
            if parts[0] == PACKAGE:
                around = (".".join(parts[:n]) for n in range(1, len(parts)))
                yield from (package for package in around if not self._passed_on(package))

    def _named(self, tree: ast.Module) -> Iterator[str]:
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                if node.level:
                    raise ValueError(f"from {'.' * node.level}{node.module or ''} import: imports must be absolute.")
                for alias in node.names:
                    yield from self._from(node.module or "", alias, tree)

    def _from(self, package: str, alias: ast.alias, tree: ast.Module) -> Iterator[str]:
        """What `from package import alias` reads, in a source with this tree."""
        whole = f"{package}.{alias.name}"
        if package.partition(".")[0] != PACKAGE:
            yield package
        elif self._tree(whole) is None:
            yield self._defining(package, alias.name)
        elif passed_on := self._passed_on(whole):
            names = _attributes(tree, alias.asname or alias.name)
            yield from {self._defining(whole, name) for name in (passed_on if names is None else names)}
        else:
            yield whole

    def _passed_on(self, package: str) -> dict[str, tuple[str, str]]:
        """Where each name comes from in a package that only passes names on; empty for any other module."""
        body = getattr(self._tree(package), "body", [])
        imports = [node for node in body if isinstance(node, ast.ImportFrom)]
        rest = [node for node in body if node not in imports and not _is_text(node)]
        if rest or not imports:
            return {}
        return {alias.asname or alias.name: (node.module or "", alias.name) for node in imports for alias in node.names}

    def _defining(self, package: str, name: str) -> str:
        """The module that defines a name, followed through packages that pass it on."""
        if self._tree(f"{package}.{name}") is not None:
            return f"{package}.{name}"
        source, original = self._passed_on(package).get(name, (None, name))
        return package if source is None else self._defining(source, original)


def versions(modules: Iterable[str]) -> dict[str, str]:
    """The installed versions of the libraries that provide modules, and of all that those require.

    Parameters
    ----------
    modules : iterable of str
        Top-level names of modules.

    Returns
    -------
    dict
        Versions, by the library's name.
    """
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
    """Sixteen hexadecimal digits that stand for a text.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        The start of its SHA-256.
    """
    return hashlib.sha256(text.encode()).hexdigest()[:16]


_libraries = functools.cache(metadata.packages_distributions)


def _applies(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def _attributes(tree: ast.Module, bound: str) -> set[str] | None:
    """The attributes taken of a name, or None if the name is used in any other way."""
    taken = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)]
    through = [node for node in taken if isinstance(node.value, ast.Name) and node.value.id == bound]
    uses = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == bound]
    return {node.attr for node in through} if len(uses) == len(through) else None


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, _DOCUMENTED) and body and _is_text(body[0]):
            node.body = body[1:] or [ast.Pass()]
    return tree
