"""Compiling by numba, with machine code that is kept under a digest of all the sources that it is made from.

numba looks for changes in a function's own file alone, not in the files of what it calls. Here the folder in which
machine code lies is named after everything that is compiled and numba's settings, so that old code is never run for a
new source.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import config, njit


def compiled(function: Callable | None = None, **options: Any) -> Any:
    """Compile a function when it is first called, or take its machine code from an earlier process.

    The `options` are numba's own, such as `nogil=True` or `inline="always"`; with them alone it is a decorator. Where
    no folder can be written, each process compiles anew.
    """
    if function is None:
        return lambda one: compiled(one, **options)
    kept_in, before = _folder(), config.CACHE_DIR
    config.CACHE_DIR = str(kept_in or "")  # numba looks here once for each function, when it is decorated
    try:
        return njit(cache=kept_in is not None, error_model="numpy", **options)(function)
    finally:
        config.CACHE_DIR = before


@functools.cache
def _folder(package: Path = Path(__file__).parent) -> Path | None:
    """Where the machine code of the sources in `package` as they are now is kept.

    In NUMBA_CACHE_DIR, if that is set, else beside the byte code of the sources, else in the home folder; None where
    nobody can write.
    """
    files = sorted(package.glob("*.py"))
    settings = sorted(
        item for item in os.environ.items() if item[0].startswith("NUMBA_") and item[0] != "NUMBA_CACHE_DIR"
    )
    digest = hashlib.sha256(repr(settings).encode() + b"".join(path.read_bytes() for path in files)).hexdigest()[:16]
    places = [os.environ.get("NUMBA_CACHE_DIR") or package / "__pycache__", os.path.expanduser("~/.cache/kbe")]
    for place in (Path(place).absolute() for place in places if place != "~/.cache/kbe"):  # so where nobody has a home
        kept_in = place / f"machine-code-{digest}"
        with contextlib.suppress(OSError):
            kept_in.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=kept_in).close()
            return kept_in
    return None
