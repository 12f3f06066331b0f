"""Executions: what each page of the book would read if it ran now, and the runs that are kept under a key of that.

An execution is kept as a notebook with all its outputs. Its key is a digest of everything that it reads: the page's
code and parameters, the package's modules that it imports, the versions of the libraries, the environment that changes
arithmetic, and for a page about other pages those pages' own keys. What has a kept execution under its present key is
not run again. Text, captions and alternative texts are no code: they come from the page when it is built.
"""

from __future__ import annotations

import functools
import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llvmlite.binding
import nbformat
from filelock import FileLock

from kbe.book import contents, index, sources
from kbe.book.parameters import TAG, declared_in

FOLDER = Path("_build") / "executions"
_EXECUTES = ("ipykernel", "IPython", "matplotlib_inline")  # what runs a cell and shows its result
# Variables that begin like this choose threads, instructions or algorithms.
_ARITHMETIC = ("ATEN_", "BLIS_", "CUBLAS_", "CUDA_", "DNNL_", "GLIBC_TUNABLES", "GOMP_", "GOTO_", "KMP_", "LD_PRELOAD",
              "MKL_", "NPY_", "NUMBA_", "OMP_", "ONEDNN_", "OPENBLAS_", "PYTHONHASHSEED", "PYTHONOPTIMIZE", "PYTORCH_",
              "TORCH_")  # fmt: skip
# They only say where files lie, or what is told.
_HARMLESS = ("KMP_WARNINGS", "NUMBA_CACHE_DIR", "NUMBA_DEBUG_CACHE", "OMP_DISPLAY_ENV", "TORCH_HOME")
_RUNS_OTHERWISE = {"nbval-skip", "nbval-raises-exception", "raises-exception"}  # tags


@dataclass(frozen=True)
class Execution:
    """One page's run, whether it has been made or not.

    Parameters
    ----------
    root
        The folder that holds `_toc.yml`.
    page
        The page's `.md`.
    notebook
        What runs, without outputs.
    inputs
        A digest or a version of each thing that it reads, by name.
    planned
        When that was so, in nanoseconds.
    needs
        The pages that it reads the results of.
    """

    root: Path
    page: Path
    notebook: nbformat.NotebookNode
    inputs: dict[str, str]
    planned: int
    needs: tuple[Execution, ...] = ()

    @property
    def name(self) -> str:
        """The page's short name."""
        return self.page.stem

    @property
    def key(self) -> str:
        """A digest of all inputs."""
        return sources.digest(json.dumps(self.inputs, sort_keys=True))

    @property
    def path(self) -> Path:
        """Where the execution is kept, once it has been made."""
        return self.root / FOLDER / f"{self.name}-{self.key}.ipynb"

    def is_kept(self) -> bool:
        """Whether it has been made: its notebook is there, and whole."""
        return "finished" in _told(self.path)

    def executed(self) -> nbformat.NotebookNode:
        """The page as its text is now, with the outputs of its execution, in a new notebook.

        Its `metadata.kbe` says when it ran and how many seconds it took.

        Raises
        ------
        ValueError
            If it has not been made.
        """
        if not self.is_kept():
            raise ValueError(f"{self.name} has not been executed as it is now: run `make book`.")
        kept = nbformat.read(self.path, 4)
        made = nbformat.from_dict(self.notebook)
        for cell, ran in zip(contents.code(made), contents.code(kept), strict=True):
            cell.outputs, cell.execution_count = ran.outputs, ran.execution_count
        made.metadata["language_info"] = kept.metadata["language_info"]
        made.metadata["kbe"] = {name: kept.metadata.kbe[name] for name in ("seconds", "finished")}
        return made

    def lock(self) -> FileLock:
        """What whoever executes the page holds, so that nobody else does; free when its holder ends, in any way."""
        (self.root / FOLDER).mkdir(parents=True, exist_ok=True)
        return FileLock(self.root / FOLDER / f"{self.name}.lock")

    def kept_before(self) -> list[Path]:
        """All executions of the page that are kept, whatever their key, the newest first."""
        runs = (self.root / FOLDER).glob(f"{self.name}-{'[0-9a-f]' * 16}.ipynb")
        return sorted(runs, key=lambda path: path.stat().st_mtime, reverse=True)

    def seconds(self) -> float:
        """How long the page is likely to take: as long as the last time, here or where its outputs were stored.

        It is 30 if nobody knows.
        """
        runs = [*self.kept_before(), self.page.with_suffix(".ipynb")]
        return next((float(told["seconds"]) for told in map(_told, runs) if "seconds" in told), 30.0)

    def changed_since(self) -> list[str]:
        """The inputs whose sources were written since the execution was planned, whatever stands in them now."""
        read = sources.Sources(self.root)
        files = {name: read.file(name) for name in self.inputs if name.partition(".")[0] == sources.PACKAGE}
        written = [name for name, file in files.items() if file is None or file.stat().st_mtime_ns >= self.planned]
        index = _index_digests(self.root) if "kbe.book.index" in self.inputs else {}
        return written + [name for name, now in index.items() if now != self.inputs[name]]

    def changes(self) -> list[str]:
        """The inputs that differ from those of the last execution that is kept of this page; none without one."""
        before = next((told["inputs"] for told in map(_told, self.kept_before()) if "inputs" in told), self.inputs)
        return [name for name in sorted({*before, *self.inputs}) if before.get(name) != self.inputs.get(name)]


def plan(root: str | Path = ".", given: Mapping[str, Any] | None = None) -> list[Execution]:
    """The executions that the book is made of, as its sources and this environment are now.

    There is one for each page that runs code, in the order of the table of contents.

    Parameters
    ----------
    root
        The folder that holds `_toc.yml` and the package.
    given
        Values of parameters, by name, for every chapter that declares them.

    Raises
    ------
    ValueError
        If a page cannot be read, is not plain Python, or imports something that cannot be followed.
    """
    root, now = Path(root), time.time_ns()
    read, around, versions = sources.Sources(root), environment(), functools.cache(sources.versions)
    chapters = contents.chapters(root)
    planned: dict[Path, Execution] = {}
    pages = contents.pages(root)
    for page in [*chapters, *(page for page in pages if page not in chapters)]:
        made = _notebook(page, given or {})
        try:
            inside, outside = read.reached("\n".join(cell.source for cell in contents.code(made)))
        except (SyntaxError, ValueError) as error:
            raise ValueError(f"{page}: its code cannot be read: {_where(error, made)}.") from error
        inputs = {"code": _code_digest(made), **around, **versions(frozenset({*outside, *_EXECUTES}))}
        inputs |= {name: read.digest(name) for name in inside}
        needs: tuple[Execution, ...] = ()
        if "kbe.book.contents" in inside:
            needs = tuple(planned[chapter] for chapter in chapters)
            inputs |= {f"execution of {one.name}": one.key for one in needs}
            inputs["order of chapters"] = " ".join(one.name for one in needs)
        if "kbe.book.index" in inside:
            inputs |= _index_digests(root)
        planned[page] = Execution(root, page, made, inputs, now, needs)
    return [planned[page] for page in pages]


def environment() -> dict[str, str]:
    """What of this process's surroundings changes arithmetic: Python, processor, and some variables.

    These choose threads, instructions or algorithms; it is one thread unless OMP_NUM_THREADS says otherwise.
    """
    variables = {"OMP_NUM_THREADS": "1"} | {
        name: value for name, value in os.environ.items() if name.startswith(_ARITHMETIC) and name not in _HARMLESS
    }
    features = sorted(name for name, has in llvmlite.binding.get_host_cpu_features().items() if has)
    return variables | {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.machine()} {' '.join(platform.libc_ver())}".strip(),
        "processor": f"{llvmlite.binding.get_host_cpu_name()} {sources.digest(' '.join(features))}",
    }


def named(planned: Sequence[Execution], pages: Sequence[str | Path]) -> list[Execution]:
    """Those executions that somebody asked for, in the order of the book.

    Parameters
    ----------
    planned
        All of them.
    pages
        Pages by name or by the path of their `.md` or `.ipynb`; none means all.

    Raises
    ------
    ValueError
        If a page is none of the book's.
    """
    names = [Path(page).stem for page in pages]
    for page, name in zip(pages, names, strict=True):
        if name not in [one.name for one in planned]:
            known = ", ".join(one.name for one in planned)
            raise ValueError(f"page is {str(page)!r}: it must be one of those that run code, {known}.")
    return [one for one in planned if not names or one.name in names]


def _where(error: Exception, notebook: nbformat.NotebookNode) -> str:
    """An error in the joined code of a notebook, by the cell and the line in it."""
    line = error.lineno or 1 if isinstance(error, SyntaxError) else 0
    for number, cell in enumerate(contents.code(notebook), 1):
        lines = cell.source.count("\n") + 1
        if 0 < line <= lines:
            return f"{error.args[0]} in line {line} of code cell {number} (only plain Python runs)"
        line -= lines
    return str(error).rstrip(".")


def _told(path: Path) -> dict[str, Any]:
    """What a notebook's metadata say of its execution; nothing if it has gone or was not made here."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))["metadata"]["kbe"]
    except (OSError, KeyError, TypeError, ValueError):
        return {}


def _notebook(page: Path, given: Mapping[str, Any]) -> nbformat.NotebookNode:
    plain = contents.make_notebook(page)
    if not contents.code(plain):
        raise ValueError(f"{page} runs no code: _toc.yml must name it without .ipynb.")
    cells = [cell.source for cell in contents.code(plain) if TAG in cell.metadata.get("tags", [])]
    names = [one.name for cell in cells for one in declared_in(cell)]
    mine = {name: value for name, value in given.items() if name in names}
    return contents.make_notebook(page, mine) if mine else plain


def _code_digest(notebook: nbformat.NotebookNode) -> str:
    """What of a page runs: the sources of its cells, the tags by which nbval runs them otherwise, and the kernel."""
    cells = [
        [cell.source, *sorted(_RUNS_OTHERWISE & set(cell.metadata.get("tags", [])))] for cell in contents.code(notebook)
    ]
    return sources.digest(json.dumps([cells, notebook.metadata.get("kernelspec", {}).get("name")]))


def _index_digests(root: Path) -> dict[str, str]:
    """What the equation index takes from docstrings, tests and labels; not their whole text."""
    found = {"functions": index.functions(root / "kbe"), "tests": index.tests(root / "tests"),
             "labels": index.explained(root / "book")}  # fmt: skip
    return {f"index of {name}": sources.digest(json.dumps(listed)) for name, listed in found.items()}
