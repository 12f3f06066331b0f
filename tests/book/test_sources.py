"""What code reads is what Python loads for it, and nothing in the package reads its own text."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from kbe.book import contents, sources

ROOT = Path(__file__).parents[2]


def test_no_module_is_loaded_that_the_key_does_not_know():
    """By another way: what Python has loaded after a chapter's imports."""
    code = "\n".join(cell.source for cell in contents.code(contents.make_notebook(ROOT / "book" / "bayes.md")))
    imports = "\n".join(line for line in code.splitlines() if line.startswith(("import ", "from ")))
    listing = "import sys, json; print(json.dumps([m for m in sys.modules if m.split('.')[0] == 'kbe']))"
    ran = subprocess.run([sys.executable, "-c", f"{imports}\n{listing}"], capture_output=True, text=True, check=True)
    inside, _ = sources.Sources(ROOT).reached(code)
    assert set(json.loads(ran.stdout)) == inside
    assert "kbe.figures.bayes" in inside and "kbe.training.ensemble" in inside


def test_nothing_in_the_package_reads_docstrings_or_sources_at_run_time_but_the_index():
    for path in (ROOT / "kbe").rglob("*.py"):
        if path.stem not in ("index", "sources"):
            assert not re.search(r"getsource|getdoc|(?<!, choose)\.__doc__ *[^ =,]", path.read_text()), path
