"""The book's upkeep: notebooks made from their text, outputs stored by one rule, a quick draft.

A chapter is edited as MyST Markdown; the notebook beside it is made from it, in this direction only,
executed, and stored with its text outputs. Pictures and HTML are not stored: they add their whole
size to the history at every regeneration, and a build draws them anew.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from kbe import parameters
from kbe.rerun import rerun

KEPT = re.compile(r"text/(plain|markdown|latex)|application/vnd\.kbe\..*")
CELL_SECONDS = 600
MARK = ".draft"  # the file by which a folder is known as a draft, to be replaced without a question


def pages(root: str | Path = ".") -> list[Path]:
    """The text of every page that runs code, in the order of the table of contents.

    Parameters
    ----------
    root : str or Path
        The folder that holds `_toc.yml`.

    Returns
    -------
    list of Path
        The `.md` files.

    Raises
    ------
    ValueError
        If there is no table of contents.
    """
    contents = Path(root) / "_toc.yml"
    if not contents.is_file():
        raise ValueError(f"root is {str(root)!r}: it must be the folder that holds _toc.yml.")
    files = re.findall(r"file:\s*(\S+)\.ipynb", contents.read_text(encoding="utf-8"))
    return [Path(root) / f"{file}.md" for file in files]


def chapters(root: str | Path = ".") -> list[Path]:
    """The pages that measure something: those with a cell of parameters.

    Parameters
    ----------
    root : str or Path
        The folder that holds `_toc.yml`.

    Returns
    -------
    list of Path
        The `.md` files, in the order of the table of contents.
    """
    return [page for page in pages(root) if re.search(r"^:?tags: *\[.*\bparameters\b", page.read_text("utf-8"), re.M)]


def paired(text: str | Path) -> nbformat.NotebookNode:
    """The notebook that a chapter's text makes, without outputs.

    Parameters
    ----------
    text : str or Path
        The chapter's `.md`.

    Returns
    -------
    nbformat.NotebookNode
        The notebook; its cells are numbered, so that the same text makes the same file.
    """
    made = jupytext.read(Path(text))
    for number, cell in enumerate(made.cells):
        cell["id"] = f"cell-{number:02}"
    return made


def storable(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Apply the rule of what a stored notebook keeps, in place.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        An executed notebook.

    Returns
    -------
    nbformat.NotebookNode
        The same notebook with its text outputs only, and no trace of when and where it ran.
    """
    notebook.metadata.get("language_info", {}).pop("version", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if "outputs" in cell:  # without progress bars
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
        for output in cell.get("outputs", []):
            output.get("metadata", {}).clear()
            for mime in [mime for mime in output.get("data", {}) if not KEPT.fullmatch(mime)]:
                del output["data"][mime]
    return notebook


def regenerate(text: str | Path) -> Path:
    """Make a chapter's notebook from its text, execute it, and store it.

    Parameters
    ----------
    text : str or Path
        The chapter's `.md`.

    Returns
    -------
    Path
        The notebook, beside the text; written whole or not at all.

    Raises
    ------
    ValueError
        If there is no such text.
    RuntimeError
        If a cell failed.
    """
    text = Path(text)
    if text.suffix != ".md" or not text.is_file():
        raise ValueError(f"text is {str(text)!r}: it must be the .md of a page.")
    made, metadata = paired(text), {"path": str(text.parent)}
    try:
        NotebookClient(made, timeout=CELL_SECONDS, record_timing=False, resources={"metadata": metadata}).execute()
    except CellExecutionError as error:
        raise RuntimeError(f"{text.name}: {error.ename}: {error.evalue}") from error
    notebook = text.with_suffix(".ipynb")
    partial = notebook.with_name(f".{os.getpid()}-{notebook.name}")
    try:
        nbformat.write(storable(made), partial)
        os.replace(partial, notebook)
    finally:
        partial.unlink(missing_ok=True)
    return notebook


def draft(root: str | Path, folder: str | Path, **small: Any) -> Path:
    """Copy the book and execute every chapter of the copy with small parameters.

    Parameters
    ----------
    root : str or Path
        The folder that holds `_toc.yml`.
    folder : str or Path
        Where the copy goes: a folder that is new, empty or an earlier draft, which is replaced.
    **small : int
        Values of parameters, by name, for every chapter that declares them.

    Returns
    -------
    Path
        The folder, ready to be built without executing anything.

    Raises
    ------
    ValueError
        If the root is no book, or the folder holds anything but an earlier draft.
    """
    root, folder = Path(root), Path(folder)
    pages(root)
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not (folder / MARK).is_file()):
        raise ValueError(f"folder is {str(folder)!r}: it must be new, empty or an earlier draft.")
    if (root / "book").resolve() in [folder.resolve(), *folder.resolve().parents]:
        raise ValueError(f"folder is {str(folder)!r}: it must not lie in the book.")
    if folder.is_dir():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARK).touch()
    shutil.copytree(root / "book", folder / "book", ignore=shutil.ignore_patterns(".*", "*.ipynb"))
    shutil.copy(root / "_toc.yml", folder)
    config = (root / "_config.yml").read_text(encoding="utf-8")
    (folder / "_config.yml").write_text(config.replace("execute_notebooks: force", "execute_notebooks: off"), "utf-8")
    for text in pages(folder):
        source = text.with_name(f"source-{text.stem}.ipynb")
        nbformat.write(paired(text), source)
        given = {one.name: small[one.name] for one in parameters.declared(source) if one.name in small}
        rerun(source, given, text.with_suffix(".ipynb"))
        source.unlink()
    return folder
