"""Which function drew a figure, read from the page's code: `show(FUNCTION, ...)` or `FUNCTION(...)`."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

import nbformat

from kbe.book import contents, plain

_FIGURES = "kbe.figures"


def drawn_by(notebook: nbformat.NotebookNode) -> dict[str, str]:
    r"""The function that draws each figure of a notebook, as `density.gap_map`, by the figure's name.

    Examples
    --------
    >>> code = 'from kbe.figures import density as figures\nshow(figures.gap_map, run)'
    >>> cell = nbformat.v4.new_code_cell(code, metadata={"mystnb": {"figure": {"name": "fig-map"}}})
    >>> drawn_by(nbformat.v4.new_notebook(cells=[cell]))
    {'fig-map': 'density.gap_map'}
    """
    trees = [(cell, ast.parse(cell.source)) for cell in contents.code(notebook)]
    known = dict(pair for _, tree in trees for pair in _imported(tree))
    drawn: dict[str, str] = {}
    glued: dict[str, str] = {}
    for cell, tree in trees:
        drawings = list(_drawings([tree], known))
        if drawings and (name := cell.metadata.get("mystnb", {}).get("figure", {}).get("name")):
            drawn[name] = drawings[-1]
        for call in _calls([tree], "glue"):
            if found := list(_drawings(call.args[1:], known)) or drawings:
                glued[ast.literal_eval(call.args[0])] = found[-1]
    shown_elsewhere = {name: glued[key] for key, name in plain.glued_figures(notebook) if key in glued}
    return drawn | shown_elsewhere


def _imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """What a cell calls a module or a function of `kbe.figures`, and what it is."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(_FIGURES):
            inside = (node.module or "").removeprefix(_FIGURES).strip(".")
            yield from ((one.asname or one.name, f"{inside}.{one.name}".strip(".")) for one in node.names)


def _drawings(nodes: Sequence[ast.AST], known: dict[str, str]) -> Iterator[str]:
    """The functions that `show` is given or, where it is not needed, that are called themselves."""
    given = [call.args[0] for call in _calls(nodes, "show")]
    called = [node.func for outer in nodes for node in ast.walk(outer) if isinstance(node, ast.Call)]
    for function in given or called:
        base, _, rest = ast.unparse(function).partition(".")
        if base in known:
            yield f"{known[base]}.{rest}".strip(".")


def _calls(nodes: Sequence[ast.AST], name: str) -> Iterator[ast.Call]:
    for node in (inner for outer in nodes for inner in ast.walk(outer)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == name:
            yield node
