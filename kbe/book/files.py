"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write(text: str, path: Path) -> None:
    """Write a file that appears whole or not at all.

    Parameters
    ----------
    text : str
        What it holds.
    path : Path
        Where; its folder is made if it is missing.

    Raises
    ------
    OSError
        If it cannot be written, such as on a full disk; what was there stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
