"""A Sphinx extension: what a page offers to download lies beside it as a script too, for pages opened from a disk.

There a browser lets a page read no other file and shows a notebook rather than save it, but it runs scripts.
`book/_static/downloads.js` saves what the script holds.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def write_script(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Write a page's source as a call of the function that saves it."""
    if doctree is not None and context.get("sourcename"):
        source = Path(app.env.doc2path(page))
        script = Path(app.outdir, "_sources", f"{context['sourcename']}.js")
        script.parent.mkdir(parents=True, exist_ok=True)
        call = f"save({json.dumps(source.name)}, {json.dumps(source.read_text(encoding='utf-8'))});\n"
        script.write_text(call, encoding="utf-8")


def setup(app: Any) -> dict[str, bool]:
    """Connect to Sphinx."""
    app.connect("html-page-context", write_script)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
