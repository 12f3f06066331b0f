"""Signs of life: a line that is written over on a terminal, and elsewhere one a minute."""

from __future__ import annotations

import contextlib
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TextIO

_A_LINE = 60.0  # seconds
_TICK = 1.0


class Progress:
    """What is told while something runs, where `out` leads."""

    def __init__(self, out: TextIO = sys.stderr) -> None:
        self._out, self._last = out, time.monotonic()

    def tell(self, text: str, *, keep: bool = False) -> None:
        """Tell how far it is; `keep` tells it at once, and for good."""
        if self._out.isatty():
            width = shutil.get_terminal_size().columns
            self._out.write("\r\033[K" + (f"{text}\n" if keep else text[: width - 1]))
        elif keep or time.monotonic() - self._last >= _A_LINE:
            self._last = time.monotonic()
            self._out.write(f"{text.rstrip()}\n")
        self._out.flush()

    def clear(self) -> None:
        """Leave an empty line on a terminal."""
        if self._out.isatty():
            self._out.write("\r\033[K")
            self._out.flush()


@contextlib.contextmanager
def watched(name: str, out: TextIO = sys.stderr) -> Iterator[Callable[[int, int, str], None]]:
    """Tell which cell of a chapter runs and how long the rest may take; given is what is called as each begins."""
    progress, start, ended = Progress(out), time.monotonic(), threading.Event()
    now = (0, 0, "")

    def begin(cell: int, cells: int, line: str) -> None:
        nonlocal now
        now = cell, cells, line
        show()

    def show() -> None:
        cell, cells, line = now
        seconds = time.monotonic() - start
        to_go = f", about {duration(seconds / (cell - 1) * (cells - cell + 1))} to go" if cell > 1 else ""
        progress.tell(f"{name}: cell {cell} of {cells} ({line}) · {duration(seconds)}{to_go}")

    def tick() -> None:
        while not ended.wait(_TICK):
            show()

    ticking = threading.Thread(target=tick, daemon=True)
    ticking.start()
    try:
        yield begin
    finally:
        ended.set()
        ticking.join()
        progress.clear()


def duration(seconds: float) -> str:
    """Seconds as one reads them."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02} s"
