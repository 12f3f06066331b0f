"""One notebook executed by nbval in a process of its own: `python -m kbe.book.running NOTEBOOK TARGET`.

The process tells what happens by lines of JSON on its standard output, and writes the target once every cell has
passed. It ends, and its kernel with it, when it is told to or when whoever started it is gone.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty
from typing import Any

import nbformat
import pytest
from nbval.kernel import CURRENT_ENV_KERNEL_NAME, RunningKernel
from nbval.plugin import IPyNbCell, IPyNbFile

from kbe.book import files

_CELL_SECONDS = 600
_OPTIONS = ("-x", "--capture=no", "-p", "no:cacheprovider", "-p", "no:xdist", "-c", os.devnull)


class _Kernel(RunningKernel):
    """A kernel of which one learns at once that it has died."""

    def await_reply(self, msg_id: str, timeout: float | None = None) -> None:
        """Wait until a request has been answered, at most `timeout` seconds and no longer than the kernel lives."""
        end = time.monotonic() + (float("inf") if timeout is None else timeout)
        while True:
            try:
                return super().await_reply(msg_id, min(1.0, max(0.0, end - time.monotonic())))
            except Empty:
                if not self.is_alive():
                    raise RuntimeError("the kernel died (was there too little memory?)") from None
                if time.monotonic() >= end:
                    raise


class _Notebook(IPyNbFile):
    """nbval's collector of a notebook, run in the notebook's own folder."""

    def setup(self) -> None:
        """Start the kernel."""
        self.kernel = _Kernel(CURRENT_ENV_KERNEL_NAME, cwd=str(self.path.parent))


class _Keeper:
    """A pytest plugin that keeps the outputs that nbval saw of a notebook, and puts it as executed into the target.

    Whenever a cell has passed or something has failed it calls `tell`, with keywords that say what.
    """

    def __init__(self, source: Path, target: Path, tell: Callable[..., None]) -> None:
        self._source, self._target, self._tell, self._start = source, target, tell, time.monotonic()
        self.notebook: _Notebook | None = None

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> _Notebook | None:
        """Take the notebook, of all that lie in its folder."""
        if file_path != self._source:
            return None
        self.notebook = _Notebook.from_parent(parent, path=file_path)
        return self.notebook

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo) -> Generator[None, Any, Any]:
        """Keep a cell's outputs once it has passed."""
        report = yield
        if isinstance(item, IPyNbCell):
            if report.failed:
                self._tell(cell=item.cell_num, source=item.cell.source, **_error(item, call))
            elif call.when == "call":
                item.cell.outputs, item.cell.execution_count = item.test_outputs or [], item.cell_num + 1
                self._tell(done=item.cell_num + 1)
        return report

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Write the executed notebook if all of it has passed."""
        if self.notebook is None or exitstatus != pytest.ExitCode.OK:
            return
        made = self.notebook.nb
        made.metadata.language_info = {"name": "python"}
        made.metadata.kbe.seconds = round(time.monotonic() - self._start, 1)
        made.metadata.kbe.finished = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            files.write(nbformat.writes(made) + "\n", self._target)
        except OSError as error:
            self._tell(error=f"its outputs cannot be kept in {self._target.parent} ({error.strerror})", traceback="")


def _execute(notebook: str, target: str) -> int:
    """Execute the notebook of one path and keep it at the other; returned is pytest's exit status."""
    lines = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)  # what pytest prints is of interest only if this process fails
    keeper = _Keeper(Path(notebook), Path(target), lambda **event: print(json.dumps(event), file=lines))

    def end(*_: Any) -> None:
        if keeper.notebook is not None and keeper.notebook.kernel is not None and keeper.notebook.kernel.is_alive():
            keeper.notebook.kernel.km.shutdown_kernel(now=True)
        os._exit(1)

    signal.signal(signal.SIGTERM, end)
    threading.Thread(target=_follow_parent, args=(os.getppid(), end), daemon=True).start()
    os.chdir(Path(notebook).parent)  # pytest reads more into a path than its letters
    return int(pytest.main([*_OPTIONS, f"--nbval-cell-timeout={_CELL_SECONDS}", Path(notebook).name], plugins=[keeper]))


def _follow_parent(parent: int, end: Callable[[], None]) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    end()


def _error(item: IPyNbCell, call: pytest.CallInfo) -> dict[str, str]:
    """What went wrong, in one line, and the traceback in the notebook if there is one."""
    for output in item.test_outputs or []:
        if output.output_type == "error":
            return {"error": f"{output.ename}: {output.evalue}", "traceback": "\n".join(output.traceback)}
    return {"error": str(call.excinfo.value) if call.excinfo else "", "traceback": ""}


if __name__ == "__main__":
    sys.exit(_execute(*sys.argv[1:]))
