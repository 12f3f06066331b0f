"""A Sphinx extension: the execution table shows when the executions that a page was built from were made."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from myst_nb.sphinx_ import NbMetadataCollector


def take_times(app: Any, env: Any) -> None:
    """Hand on what the staged notebooks say of their executions."""
    for page in env.found_docs:
        path = env.doc2path(page)
        if path.endswith(".ipynb"):
            with open(path, encoding="utf-8") as file:
                ran = json.load(file)["metadata"].get("kbe")
            if ran:
                found = {"mtime": datetime.fromisoformat(ran["finished"]).timestamp(), "runtime": ran["seconds"],
                         "method": "nbval", "succeeded": True, "error": None, "traceback": None}  # fmt: skip
                if NbMetadataCollector.get_exec_data(env, page) != found:
                    NbMetadataCollector.set_exec_data(env, page, found)


def setup(app: Any) -> dict[str, bool]:
    """Connect to Sphinx, before the table is updated."""
    app.connect("env-updated", take_times, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
