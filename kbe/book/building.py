"""The book built from its executions: pages, print, and a server that follows what is edited."""

from __future__ import annotations

import ctypes
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Literal

from filelock import FileLock, Timeout

from kbe.book import contents, files, sources
from kbe.book.executions import Execution
from kbe.book.staging import stage
from kbe.checks import Whole, checked

_BUILDERS = {"html": ["-W", "--keep-going"], "pdflatex": ["--builder", "pdflatex"]}
_PAGES = (".md", ".ipynb")
_LOOPBACK = "127.0.0.1"
# Lines on which other pages depend: titles, labels, names and captions of figures.
_SHARED = ("#", "(", ":label:", ":name:", "name:", "caption:", "```{figure}")


@checked
def build(
    root: str | Path,
    executions: Sequence[Execution],
    output: str | Path = ".",
    builder: Literal["html", "pdflatex"] = "html",
) -> Path:
    """Build the book from kept executions, without running anything; returned is the first page, or the PDF.

    Parameters
    ----------
    root
        The folder that holds `_toc.yml`.
    executions
        All pages that run code.
    output
        The folder in which `_build` appears.
    builder
        What is made: pages or a PDF.

    Raises
    ------
    RuntimeError
        If the prose names what no page has measured, or the pages have a fault that Sphinx warns of.
    """
    root, made = Path(root), Path(output) / "_build"
    staged = made / "stage"
    staged.mkdir(parents=True, exist_ok=True)
    with _alone(made / "build.lock"):
        if unknown := stage(root, staged, executions):
            raise RuntimeError(f"What the prose names must have been measured: {'; '.join(unknown)}.")
        stamp, shared = made / f".{builder}", _shared(staged)
        # Sphinx would not warn again of a page that it has read, nor see a new title in the others' menus.
        afresh = not stamp.is_file() or stamp.read_text(encoding="utf-8") != shared
        stamp.unlink(missing_ok=True)
        program = str(Path(sys.executable).with_name("jupyter-book"))
        command = [program, "build", str(staged), "--path-output", str(output), "--quiet"]
        command += [*_BUILDERS[builder], *(["--all"] if afresh else [])]
        if subprocess.run(command, check=False, preexec_fn=_end_with_parent()).returncode:
            raise RuntimeError("The pages could not be built: what Sphinx says of them stands above.")
        if builder == "html":
            _add_wheel(root, made / "html" / "_static")
        files.write(shared, stamp)
    return made / ("html/index.html" if builder == "html" else "latex/book.pdf")


@checked
def serve(root: str | Path = ".", port: Annotated[int, Whole(1024, 65535)] = 8000) -> None:
    """Build the book, show it on this machine alone, and build it again whenever a source is saved.

    Raises
    ------
    ValueError
        If the root is no book, or something else listens there.
    """
    from livereload import Server

    root = Path(root)
    contents.pages(root)
    try:
        socket.create_server((_LOOPBACK, port)).close()
    except OSError as error:
        raise ValueError(f"port is {port}: it must be free on this machine ({error.strerror}).") from error
    threading.Thread(target=_follow, args=(root,), daemon=True).start()
    pages = root / "_build" / "html"
    while not (pages / "index.html").is_file():
        time.sleep(0.5)
    server = Server()
    server.watch(str(root / "_build" / ".html"))
    webbrowser.open(f"http://{_LOOPBACK}:{port}")
    server.serve(port=port, host=_LOOPBACK, root=str(pages))


def _add_wheel(root: Path, folder: Path) -> None:
    """Put the package beside the pages, for the notebooks that they offer; a book without one has none to put there."""
    if (root / "pyproject.toml").is_file():
        pip = [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--disable-pip-version-check",
            "--no-index",
            "--no-deps",
        ]
        with tempfile.TemporaryDirectory() as tree:  # setuptools leaves a folder where it builds
            shutil.copytree(root / "kbe", Path(tree) / "kbe", ignore=shutil.ignore_patterns("__pycache__"))
            for name in ("pyproject.toml", "README.md", "LICENSE"):
                shutil.copy(root / name, tree)
            subprocess.run([*pip, "--no-build-isolation", "--wheel-dir", str(folder), tree], check=True)


def _end_with_parent() -> Callable[[], None] | None:
    """What a new process has to call so that it ends when its parent is gone, however that happens.

    None where the system is not Linux: there a killed command leaves the builder running to its end.
    """
    if sys.platform != "linux":
        return None
    prctl, set_signal_of_death = ctypes.CDLL(None).prctl, 1
    return lambda: prctl(set_signal_of_death, signal.SIGTERM)


def _follow(root: Path) -> None:
    """Build in a process of its own, which reads the package as it is then; wait for the next change."""
    while True:
        seen = _times(root)
        command = [sys.executable, "-m", "kbe", "build"]
        subprocess.run(command, cwd=root, check=False, preexec_fn=_end_with_parent())
        while _times(root) == seen:
            time.sleep(0.5)


def _times(root: Path) -> dict[Path, int]:
    folders = [path for name in ("book", "kbe", "tests") for path in (root / name).rglob("*")]
    read = [path for path in folders if path.suffix in (".bib", ".css", ".html", ".js", ".md", ".png", ".py")]
    return {path: path.stat().st_mtime_ns for path in [*read, root / "_config.yml", root / "_toc.yml"] if path.exists()}


def _shared(staged: Path) -> str:
    """A digest of all that more than one page depends on."""
    files_of_all = sorted(path for path in (staged / "book").rglob("*") if path.is_file() and path.suffix not in _PAGES)
    whole = [staged / "_config.yml", staged / "_toc.yml", *files_of_all]
    parts = [sources.digest(str(path) + path.read_bytes().hex()) for path in whole]
    for page in sorted((staged / "book").glob("*.md")):
        lines = page.read_text(encoding="utf-8").splitlines()
        parts += [page.name, *(line for line in lines if line.lstrip().startswith(_SHARED))]
    return sources.digest("\n".join(parts))


def _alone(path: Path) -> FileLock:
    """The lock of a build, so that two do not write the same pages."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print("Another command is building; this one waits for it.", file=sys.stderr)
        lock.acquire()
    return lock
