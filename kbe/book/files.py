"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write(text: str, path: Path) -> None:
    """Write a file, in a folder that is made if it is missing; what was there stays if it cannot be written whole."""
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
