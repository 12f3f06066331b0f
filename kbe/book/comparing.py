"""A pytest plugin: nbval's own comparison, on the executions that are kept.

nbval runs a stored notebook and compares what each tagged cell prints with what is stored, a test a cell. Here the
kernel that nbval talks to gives again what the page's kept execution has given, so the comparison is nbval's and
the run is the one from which the pages are built. `pytest --nbval-lax book` leaves this plugin out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbval.plugin import IPyNbFile

from kbe.book import contents, executions, report
from kbe.book.executions import Execution
from kbe.book.moving import NEW, claims_moved

_PLANS = pytest.StashKey[dict[Path, dict[str, Execution]]]()


class Replay:
    """A kernel for nbval that answers with kept outputs.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        An executed notebook.
    """

    def __init__(self, notebook: nbformat.NotebookNode) -> None:
        self._cells = deque(contents.code(notebook))
        self._messages: deque[dict[str, Any]] = deque()

    def is_alive(self) -> bool:
        """Whether it can be asked.

        Returns
        -------
        bool
            True.
        """
        return True

    def stop(self) -> None:
        """Nothing runs, so nothing stops."""

    def execute_cell_input(self, source: str, allow_stdin: bool | None = None) -> str:
        """Take the next cell.

        Parameters
        ----------
        source : str
            Its code, which is that of the kept cell.
        allow_stdin : bool or None
            Not used; nbval's kernel has it.

        Returns
        -------
        str
            The request's name.
        """
        for output in self._cells.popleft().outputs:
            content = {name: value for name, value in output.items() if name != "output_type"}
            self._say(output.output_type, content)
        self._say("status", {"execution_state": "idle"})
        return "kept"

    def _say(self, kind: str, content: dict[str, Any]) -> None:
        self._messages.append({"msg_type": kind, "parent_header": {"msg_id": "kept"}, "content": content})

    def await_reply(self, msg_id: str, timeout: float | None = None) -> None:
        """The answer is there at once.

        Parameters
        ----------
        msg_id : str
            The request.
        timeout : float or None
            Not used; nbval's kernel has it.
        """

    def get_message(self, stream: str, timeout: float | None = None) -> dict[str, Any]:
        """The next of the messages that the cell's outputs came as.

        Parameters
        ----------
        stream : str
            Not used; nbval's kernel has it.
        timeout : float or None
            Not used; nbval's kernel has it.

        Returns
        -------
        dict
            A message of Jupyter's protocol, as far as nbval reads it.
        """
        return self._messages.popleft()


class StoredNotebook(IPyNbFile):
    """nbval's collector of a stored notebook, compared with the page's kept execution."""

    execution: Execution

    def collect(self) -> Iterator[pytest.Item]:
        """A test a cell, or one that fails if the page has not been executed as it is now."""
        self.compare_outputs = False  # lax: only the cells that are tagged
        if not self.execution.is_kept():
            yield _NotExecuted.from_parent(self, name="not executed")
            return
        cells = list(super().collect())
        if _code(self.nb) == _code(self.execution.notebook):
            yield from cells
            yield _Claims.from_parent(self, name="Claims")
        else:
            yield _OtherCode.from_parent(self, name="other code")

    def setup(self) -> None:
        """Put the kept outputs where nbval expects a kernel."""
        self.kernel = Replay(self.execution.executed()) if self.execution.is_kept() else None


class _Sentence(pytest.Item):
    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        """The sentence is enough."""
        return str(excinfo.value)


class _Claims(_Sentence):
    def runtest(self) -> None:
        """Fail if a verdict or a criterion is another, an estimate has left its interval, or a claim is not stored."""
        parent = self.parent
        assert isinstance(parent, StoredNotebook)
        stored, ran = report.stored(self.path), report.stored(parent.execution.path)
        moved = [move for move in claims_moved(self.path.stem, stored, ran) if move.needs_accepting or move.what == NEW]
        if moved:
            raise ValueError("\n".join(f"{m.name} has {m.what}: it was {m.before}, it is {m.after}." for m in moved))


class _OtherCode(_Sentence):
    def runtest(self) -> None:
        """Fail."""
        raise ValueError(f"The stored notebook of {self.path.stem} has other code than its text: run `make notebooks`.")


class _NotExecuted(_Sentence):
    def runtest(self) -> None:
        """Fail."""
        raise ValueError(f"{self.path.stem} has not been executed as it is now: `make book` does so, or says why not.")


def _code(notebook: nbformat.NotebookNode) -> list[tuple[str, list[str]]]:
    return [(cell.source, cell.metadata.get("tags", [])) for cell in contents.code(notebook)]


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> StoredNotebook | None:
    """Take the stored notebooks of a book's pages."""
    chosen = parent.config.option
    root = file_path.parent.parent
    if file_path.suffix != ".ipynb" or chosen.nbval or chosen.nbval_lax or not (root / "_toc.yml").is_file():
        return None
    plans = parent.session.stash.setdefault(_PLANS, {})
    if root not in plans:
        plans[root] = {one.name: one for one in executions.plan(root)}
    if file_path.stem not in plans[root]:
        return None
    found = StoredNotebook.from_parent(parent, path=file_path)
    found.execution = plans[root][file_path.stem]
    return found
