"""A book of one page whose execution can be kept without running it, and a tiny chapter to rerun."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from kbe.book import contents, executions, files

HEAD = "---\nkernelspec:\n  name: python3\n  display_name: Python 3\n  language: python\n---\n"
CELLS = """
```{code-cell}
:tags: [parameters]

n: int = 3  # how many
```

```{code-cell}
:tags: [nbval-check-output]

alt = "By 0.512, as one sees."
print(n)
```
"""


class OnePage:
    """The book in a folder: `_toc.yml`, `book/one.md` and an empty package."""

    def __init__(self, root: Path) -> None:
        self.root, self.page, self.stored = root, root / "book" / "one.md", root / "book" / "one.ipynb"
        (root / "book").mkdir()
        (root / "kbe").mkdir()
        (root / "_toc.yml").write_text("- file: book/one.ipynb\n")
        (root / "_config.yml").write_text("execute_notebooks: force # why\n")
        self.write("# Title\n\nText.\n")

    def write(self, text: str) -> None:
        """Give the page another text before its two cells."""
        self.page.write_text(HEAD + text + CELLS)

    def execution(self) -> executions.Execution:
        """The page's, as it is now."""
        (one,) = executions.plan(self.root)
        return one

    def executed(self, *outputs: nbformat.NotebookNode) -> executions.Execution:
        """The page's execution, kept as if its last cell had given these outputs."""
        one = self.execution()
        made = nbformat.from_dict(one.notebook)
        contents.code(made)[-1].outputs = list(outputs)
        told = {"seconds": 14.2, "finished": "2026", "inputs": {}}
        made.metadata |= {"language_info": {"name": "python"}, "kbe": told}
        files.write(nbformat.writes(made), one.path)
        return self.execution()


@pytest.fixture
def one_page(tmp_path: Path) -> OnePage:
    return OnePage(tmp_path)


DECLARED = """members: int = 100  # independent networks
rate: float = 0.5  # step
sizes: list[int] = [1, 2]  # sizes"""
CHECKED = "parameters.check(globals(), members=(1, None))"
COMPUTED = "if rate == 13:\n    raise OverflowError('too\\nmuch')\nprint(members * rate)"


@pytest.fixture
def make_chapter(tmp_path: Path) -> Callable[..., Path]:
    """Write a tiny chapter: what it computes, where it lies, the kernel that its notebook names.

    A bare one checks nothing, and imports nothing for that.
    """

    def make(
        computed: str = COMPUTED, name: str = "tiny.ipynb", kernel: str | None = "python3", bare: bool = False
    ) -> Path:
        sources = {"from kbe.book import parameters": [], DECLARED: ["parameters"], CHECKED: [], computed: []}
        if bare:
            sources = {DECLARED: ["parameters"], computed: []}
        cells = [nbformat.v4.new_code_cell(source, metadata={"tags": tags}) for source, tags in sources.items()]
        metadata = {"kernelspec": {"name": kernel, "display_name": "Python 3", "language": "python"}} if kernel else {}
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), path)
        return path

    return make


@pytest.fixture
def chapter(make_chapter: Callable[..., Path]) -> Path:
    return make_chapter()
