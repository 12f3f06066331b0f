"""Where a sweep is kept, a folder or any address that fsspec opens; the truth about its points is what lies there."""

from __future__ import annotations

import contextlib
import json
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
from filelock import FileLock, Timeout

from kbe.book import files

NOTEBOOK, FAILED_NOTEBOOK = "notebook.ipynb", "failed.ipynb"
DONE, FAILED = "point.json", "failed.json"
_PAGES = ("notebook.html", "failed.html")  # of these notebooks, made by whoever collects
TABLE = "table"  # how the files are called that stand for the whole folder; its lock too
_LOCKS = ".locks"
_PARTS = ".*.part"


class Store:
    """A folder for each point, under its key: a point is done when its `point.json` is there, which is written last.

    Raises
    ------
    ValueError
        If nothing opens the address.
    """

    def __init__(self, address: str) -> None:
        try:
            self._files, self.root = fsspec.core.url_to_fs(address)
        except Exception as error:  # each scheme has errors of its own
            raise ValueError(
                f"folder is {address!r}: it must be a folder or an address to write to ({_told(error)})."
            ) from error
        self.is_local = "file" in self._files.protocol

    def check(self) -> None:
        """Write something, and remove it, rather than fail after the work; what killed sweeps left half is removed."""
        try:
            if self.is_local:
                Path(self.root).mkdir(parents=True, exist_ok=True)
                with tempfile.TemporaryFile(dir=self.root) as file:
                    file.write(bytes(2**16))
                self._clear()
            else:
                with self.marked():
                    pass
        except Exception as error:
            raise ValueError(f"folder is {self.root!r}: it must be a folder to write in ({_told(error)}).") from error

    @contextlib.contextmanager
    def marked(self) -> Iterator[str]:
        """A file of that name is there meanwhile."""
        name = f".mark-{uuid.uuid4().hex}"
        try:
            self._files.pipe_file(f"{self.root}/{name}", b"x")
            yield name
        finally:
            self.remove(name)

    def has(self, name: str) -> bool:
        """Whether there is a file of that name."""
        return self._files.exists(f"{self.root}/{name}")

    def write(self, name: str, data: bytes) -> None:
        """Write a file whole or not at all."""
        if self.is_local:
            files.write(data, Path(self.root, name))
        else:
            self._files.pipe_file(f"{self.root}/{name}", data)

    def read(self, name: str) -> bytes:
        """A file's bytes; none if it is not there."""
        try:
            return self._files.cat_file(f"{self.root}/{name}")
        except (FileNotFoundError, NotADirectoryError):
            return b""

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            self._files.rm_file(f"{self.root}/{name}")

    def keep(self, record: dict[str, Any], notebook: bytes) -> dict[str, Any]:
        """Keep a point that is done; its record is returned."""
        key, record = record["key"], record | {"bytes": len(notebook)}
        self.write(f"{key}/{NOTEBOOK}", notebook)
        self.write(f"{key}/{DONE}", json.dumps(record, indent=1).encode())
        for name in (FAILED, FAILED_NOTEBOOK, *_PAGES):
            self.remove(f"{key}/{name}")
        return record

    def keep_failed(self, record: dict[str, Any], notebook: bytes | None) -> dict[str, Any]:
        """Keep what is known of a point that has failed, with its unfinished notebook if there is one."""
        for name in (FAILED_NOTEBOOK, *_PAGES):
            self.remove(f"{record['key']}/{name}")
        if notebook is not None:
            self.write(f"{record['key']}/{FAILED_NOTEBOOK}", notebook)
        self.write(f"{record['key']}/{FAILED}", json.dumps(record, indent=1).encode())
        return record

    def done(self, key: str) -> dict[str, Any]:
        """The record of a point that is done, with its whole notebook; nothing if it is not."""
        record = self._record(key, DONE)
        try:
            whole = bool(record) and self._files.size(f"{self.root}/{key}/{NOTEBOOK}") == record["bytes"]
        except (FileNotFoundError, NotADirectoryError, KeyError):
            return {}
        return record if whole else {}

    def failed(self, key: str) -> dict[str, Any]:
        """The record of a point that has failed; nothing if it has not."""
        return self._record(key, FAILED)

    def records(self) -> Iterator[dict[str, Any]]:
        """The records of all points that are done or have failed, in the order of their keys."""
        self._files.invalidate_cache()
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            for path in sorted(self._files.ls(self.root, detail=False)):
                key = path.rstrip("/").rpartition("/")[2]
                if record := self.done(key) or self.failed(key):
                    yield record

    def held(self, key: str) -> contextlib.AbstractContextManager:
        """Nobody else writes that meanwhile; only in a local folder, where a lock ends with its holder."""
        return self._lock(key) if self.is_local else contextlib.nullcontext()

    def _lock(self, key: str) -> FileLock:
        folder = Path(self.root, _LOCKS)
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / key)

    def _record(self, key: str, name: str) -> dict[str, Any]:
        """A point's record; nothing if there is only part of one, or that of another point."""
        try:
            found = json.loads(self.read(f"{key}/{name}"))
        except ValueError:
            return {}
        return found if isinstance(found, dict) and found.get("key") == key else {}

    def _clear(self) -> None:
        """Remove the parts of files that nobody writes any more."""
        for part in [*Path(self.root).glob(_PARTS), *Path(self.root).glob(f"*/{_PARTS}")]:
            key = part.parent.name if part.parent != Path(self.root) else TABLE
            with contextlib.suppress(Timeout), self._lock(key).acquire(timeout=0):
                part.unlink(missing_ok=True)


def _told(error: Exception) -> str:
    return getattr(error, "strerror", None) or " ".join(str(error).split()).rstrip(".")
