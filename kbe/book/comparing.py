"""A pytest plugin: nbval's own comparison, on the executions that are kept.

nbval runs a stored notebook and compares what each tagged cell prints with what is stored, a test a cell. Here the
kernel that nbval talks to gives again what the page's kept execution has given, so the comparison is nbval's and
the run is the one from which the pages are built. `pytest --nbval-lax book` leaves this plugin out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbval.plugin import IPyNbFile

from kbe.book import contents, executions, report
from kbe.book.executions import Execution
from kbe.book.moving import NEW, claims_moved

_PLANS = pytest.StashKey[dict[Path, dict[str, Execution]]]()


class _Replay:
    """A kernel for nbval that answers with the outputs of an executed notebook, as far as nbval asks."""

    def __init__(self, notebook: nbformat.NotebookNode) -> None:
        self._cells = deque(contents.code(notebook))
        self._messages: deque[dict[str, Any]] = deque()

    def is_alive(self) -> bool:
        """It can always be asked."""
        return True

    def stop(self) -> None:
        """Nothing runs, so nothing stops."""

    def execute_cell_input(self, source: str, allow_stdin: bool | None = None) -> str:
        """Take the next cell; its code is that of the kept one. Returned is the request's name."""
        for output in self._cells.popleft().outputs:
            content = {name: value for name, value in output.items() if name != "output_type"}
            self._say(output.output_type, content)
        self._say("status", {"execution_state": "idle"})
        return "kept"

    def _say(self, kind: str, content: dict[str, Any]) -> None:
        self._messages.append({"msg_type": kind, "parent_header": {"msg_id": "kept"}, "content": content})

    def await_reply(self, msg_id: str, timeout: float | None = None) -> None:
        """The answer is there at once."""

    def get_message(self, stream: str, timeout: float | None = None) -> dict[str, Any]:
        """The next of the messages that the cell's outputs came as, in Jupyter's protocol, as far as nbval reads it."""
        return self._messages.popleft()


class _Sentence(pytest.Item):
    """A test that fails with a sentence, where there is one to say."""

    def __init__(self, *, find: Callable[[], str], **options: Any) -> None:
        super().__init__(**options)
        self._find = find

    def runtest(self) -> None:
        """Fail if there is something to say."""
        if found := self._find():
            raise ValueError(found)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        """The sentence is enough."""
        return str(excinfo.value)


class _StoredNotebook(IPyNbFile):
    """nbval's collector of a stored notebook, compared with the page's kept execution."""

    execution: Execution

    def collect(self) -> Iterator[pytest.Item]:
        """A test a cell and one of the claims, or one that fails if the page has not been executed as it is now."""
        self.compare_outputs = False  # lax: only the cells that are tagged
        page = self.path.stem
        if not self.execution.is_kept():
            sentence = f"{page} has not been executed as it is now: `make book` does so, or says why not."
            yield _Sentence.from_parent(self, name="not executed", find=lambda: sentence)
            return
        cells = list(super().collect())
        if _code(self.nb) == _code(self.execution.notebook):
            yield from cells
            yield _Sentence.from_parent(self, name="Claims", find=self._claims_moved)
        else:
            sentence = f"The stored notebook of {page} has other code than its text: run `make notebooks`."
            yield _Sentence.from_parent(self, name="other code", find=lambda: sentence)

    def setup(self) -> None:
        """Put the kept outputs where nbval expects a kernel."""
        self.kernel = _Replay(self.execution.executed()) if self.execution.is_kept() else None

    def _claims_moved(self) -> str:
        """Where a verdict or a criterion is another, an estimate has left its interval, or a claim is not stored."""
        stored, ran = report.stored(self.path), report.stored(self.execution.path)
        moved = [move for move in claims_moved(self.path.stem, stored, ran) if move.needs_accepting or move.what == NEW]
        return "\n".join(f"{m.name} has {m.what}: it was {m.before}, it is {m.after}." for m in moved)


def _code(notebook: nbformat.NotebookNode) -> list[tuple[str, list[str]]]:
    return [(cell.source, cell.metadata.get("tags", [])) for cell in contents.code(notebook)]


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> _StoredNotebook | None:
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
    found = _StoredNotebook.from_parent(parent, path=file_path)
    found.execution = plans[root][file_path.stem]
    return found
