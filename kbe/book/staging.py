"""The book as it is built: a copy of its pages, with the outputs of their executions put in."""

from __future__ import annotations

import filecmp
import shutil
from collections.abc import Iterable
from pathlib import Path

import nbformat

from kbe.book import contents, files
from kbe.book.executions import Execution
from kbe.book.prose import Prose


def stage(root: str | Path, folder: str | Path, executions: Iterable[Execution]) -> list[str]:
    """Bring a copy of the book up to date, in a folder; files that are right already are not touched.

    Parameters
    ----------
    root
        The folder that holds `_toc.yml`.
    folder
        The copy.
    executions
        The pages to put in as executed.

    Returns
    -------
    list of str
        The names in the pages' prose that stand for nothing that one of them has measured.
    """
    root, folder = Path(root), Path(folder)
    wanted = {folder / "book" / f"{one.name}.ipynb": one for one in executions}
    prose = Prose({one.name: one.path for one in wanted.values()}.__getitem__)
    copied = {folder / path.relative_to(root): path for path in _sources(root)}
    for target, source in copied.items():
        if target.suffix == ".md":
            _update(target, prose.in_text(contents.text(source), source.stem))
        elif not target.is_file() or not filecmp.cmp(source, target, shallow=False):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    for target, one in wanted.items():
        made = prose.in_notebook(contents.without_progress(one.executed()), one.name)
        _update(target, nbformat.writes(made) + "\n")
    config = (root / "_config.yml").read_text(encoding="utf-8")
    _update(folder / "_config.yml", config.replace("execute_notebooks: force", "execute_notebooks: off"))
    for path in (folder / "book").rglob("*"):
        if path.is_file() and path not in wanted and path not in copied:
            path.unlink()
    return list(dict.fromkeys(prose.faults))


def _sources(root: Path) -> list[Path]:
    found = [path for path in (root / "book").rglob("*") if path.is_file() and path.suffix not in (".ipynb", ".pyc")]
    visible = [path for path in found if not any(part.startswith(".") for part in path.relative_to(root).parts)]
    return [root / "_toc.yml", *visible]


def _update(path: Path, text: str) -> None:
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        files.write(text, path)
