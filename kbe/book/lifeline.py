"""A process that ends when the one that started it does, in any way: `python -m kbe.book.lifeline` is such a kernel."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

PARENT = "KBE_PARENT"  # the variable that names the process whose end is followed
_PR_SET_PDEATHSIG = 1
_SECONDS = 1.0


def follow_parent() -> None:
    """End with the process that PARENT names, killed or not; a kernel's own watch sees no parent that has a reaper."""
    parent = int(os.environ[PARENT])
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before it could be followed
        os._exit(1)
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    follow_parent()
    from ipykernel import kernelapp

    kernelapp.launch_new_instance()
