"""A process that ends when the one that started it does, in any way: `python -m kbe.book.lifeline` is such a kernel."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

_PARENT = "KBE_PARENT"  # the variable that names the process whose end is followed
_PR_SET_PDEATHSIG = 1
_SECONDS = 1.0


def surroundings() -> dict[str, str]:
    """The environment of a process that imports what this one does, and follows its end."""
    paths = os.pathsep.join(map(os.path.abspath, sys.path))
    return os.environ | {"PYTHONPATH": paths, _PARENT: str(os.getpid())}


def follow_parent() -> None:
    """End with the process that started this one, killed or not; a kernel's own watch sees no parent with a reaper."""
    parent = int(os.environ[_PARENT])
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
