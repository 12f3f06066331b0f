"""A tiny book executed, compared, built and stored as the real one is: by commands, in processes of their own."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from pathlib import Path

import nbformat
import pytest

from kbe.book import executing, executions, processes, storing

ROOT = Path(__file__).parents[2]
HEAD = "---\nkernelspec:\n  name: python3\n  display_name: Python 3\n  language: python\n---\n"
PAGE = HEAD + "# {name}\n\nSome text.\n\n```{{code-cell}}\n:tags: [parameters]\n\nn: int = 3  # how many\n```\n\n" \
    "```{{code-cell}}\n:tags: [nbval-check-output]\n\n{code}\n```\n"  # fmt: skip
READS = (
    HEAD
    + """# Reads

```{code-cell}
:tags: [nbval-check-output]

from kbe.book import contents

for page in contents.chapters('..'):
    print(page.stem, page.with_suffix('.ipynb').is_file())
```
"""
)


def write(root, **pages):
    for name, code in pages.items():
        (root / "book" / f"{name}.md").write_text(PAGE.format(name=name, code=code))


@pytest.fixture
def book(tmp_path):
    """Two chapters and a page that reads them; the package is the real one."""
    (tmp_path / "kbe").symlink_to(ROOT / "kbe")
    (tmp_path / "tests").mkdir()
    (tmp_path / "book").mkdir()
    write(tmp_path, one="print(n)", two="print(2 * n)")
    (tmp_path / "book" / "reads.md").write_text(READS)
    (tmp_path / "_toc.yml").write_text("".join(f"- file: book/{name}.ipynb\n" for name in ("one", "two", "reads")))
    (tmp_path / "_config.yml").write_text("execute_notebooks: force\n")
    return tmp_path


def run(root, names=(), **options):
    out = StringIO()
    failures = executing.execute(executions.named(executions.plan(root), names), out=out, **options)
    return failures, out.getvalue()


def kept(root):
    return sorted(path.stem.partition("-")[0] for path in (root / executions.FOLDER).glob("*.ipynb"))


def leftovers(root):
    folder = root / executions.FOLDER
    return [path.name for path in folder.iterdir() if path.name.startswith((".", "running-"))]


def printed(root, name):
    one = next(one for one in executions.plan(root) if one.name == name)
    return "".join(output.text for cell in one.executed().cells for output in cell.get("outputs", []))


def compared(root, *options):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "kbe.book.comparing", "-p", "no:cacheprovider", *options]
    return subprocess.run([*command, "book"], cwd=root, capture_output=True, text=True, check=False).stdout


def test_what_is_missing_is_executed_once_and_pages_about_pages_come_last(book):
    failures, told = run(book)
    assert failures == {} and kept(book) == ["one", "reads", "two"] and leftovers(book) == []
    assert "3 of 3 executed" in told and "reads took" in told.splitlines()[-1]
    assert printed(book, "two") == "6\n" and printed(book, "reads") == "one True\ntwo True\n"
    assert run(book) == ({}, "")

    (book / "book" / "one.md").write_text((book / "book" / "one.md").read_text().replace("Some text", "Other text"))
    assert run(book) == ({}, "") and kept(book) == ["one", "reads", "two"]
    write(book, two="print(7 * n)")
    assert run(book)[0] == {} and kept(book) == ["one", "reads", "reads", "two", "two"]
    assert printed(book, "two") == "21\n"


def test_stored_outputs_are_compared_by_nbval_with_the_kept_execution(book):
    (book / "_toc.yml").write_text("- file: book/one.ipynb\n- file: book/two.ipynb\n")
    run(book)
    storing.store_outputs(executions.plan(book))
    assert "6 passed" in compared(book)  # two cells of each chapter, and its claims
    path = book / "book" / "two.ipynb"
    stored = nbformat.read(path, 4)
    stored.cells[-1].outputs[0].text = "8\n"
    nbformat.write(stored, path)
    write(book, one="print(n)  # other code")
    told = compared(book)
    assert "2 failed, 2 passed" in told and "Cell outputs differ" in told
    assert "one has not been executed as it is now" in told
    run(book, ["one"])
    assert "run `make notebooks`" in compared(book)


def test_a_failing_page_names_itself_its_cell_and_its_error_while_the_others_go_on(book):
    write(book, one="x = n\n1 / (n - 3)")
    failures, told = run(book)
    assert set(failures) == {"one", "reads"} and kept(book) == ["two"] and leftovers(book) == []
    assert "FAILED one, code cell 2 (x = n): ZeroDivisionError: division by zero.\n" in told
    assert "not executed, because it reads one" in failures["reads"]
    write(book, one="import os\nos.kill(os.getpid(), 9)")
    assert "the kernel died" in run(book, ["one"])[0]["one"]


def test_a_page_that_cannot_be_kept_says_so_in_one_sentence(book):
    """As on a full disk: here a limit on the size of files."""
    write(book, one="print('x' * 2_000_000)")
    (book / "_toc.yml").write_text("- file: book/one.ipynb\n")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    try:
        failures, _ = run(book)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "cannot be kept" in failures["one"] and "File too large" in failures["one"]
    assert kept(book) == [] and leftovers(book) == []


COMMAND = "from kbe.book import executing, executions; executing.execute(executions.plan())"


def started(root):
    def heed_interrupts():
        """What was started in the background ignores them, and so would what it starts."""
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    return subprocess.Popen([sys.executable, "-c", COMMAND], cwd=root, stderr=subprocess.PIPE, text=True,
                            env=os.environ | {"PYTHONPATH": str(ROOT)}, preexec_fn=heed_interrupts)  # fmt: skip


def until(happens, seconds=30):
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_two_commands_at_once_execute_a_page_once(book):
    write(book, one=f"open('{book}/log', 'a').write('one ')", two=f"open('{book}/log', 'a').write('two ')")
    (book / "_toc.yml").write_text("- file: book/one.ipynb\n- file: book/two.ipynb\n")
    both = [started(book), started(book)]
    assert [command.communicate()[1] and command.returncode for command in both] == [0, 0]
    assert sorted((book / "log").read_text().split()) == ["one", "two"] and kept(book) == ["one", "two"]


@pytest.fixture
def adopts_orphans():
    """As some containers do: a kernel whose parent is gone has another one, and does not notice."""
    prctl, subreaper = ctypes.CDLL(None).prctl, 36
    prctl(subreaper, 1)
    yield
    prctl(subreaper, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes as Linux tells of them")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_command_leaves_no_half_notebook_and_no_process(book, how, adopts_orphans):
    wait = f"import os, time\nopen('{book}/pid', 'w').write(str(os.getpid()))\ntime.sleep(n)"
    write(book, one=wait.replace("(n)", "(600)"))
    (book / "_toc.yml").write_text("- file: book/one.ipynb\n")
    command = started(book)
    until(lambda: (book / "pid").is_file() and (book / "pid").read_text())
    command.send_signal(how)
    command.communicate(timeout=60)
    kernel = int((book / "pid").read_text())
    until(lambda: not Path(f"/proc/{kernel}").exists() or "(zombie)" in Path(f"/proc/{kernel}/status").read_text())
    assert "one" not in kept(book)
    write(book, one="print(n)")
    assert run(book)[0] == {} and kept(book) == ["one"] and leftovers(book) == []


def test_only_the_newest_executions_of_a_page_are_kept(book):
    for number in range(10):
        write(book, one=f"print({number})")
        stale = book / executions.FOLDER / f"one-{number:016x}.ipynb"
        stale.parent.mkdir(parents=True, exist_ok=True)
        stale.write_text("{}")
        os.utime(stale, (number, number))
    run(book, ["one"])
    assert kept(book).count("one") == 8 and printed(book, "one") == "9\n"


def test_an_execution_is_not_kept_when_what_it_reads_changes_meanwhile(book):
    (book / "kbe").unlink()
    shutil.copytree(ROOT / "kbe", book / "kbe", ignore=shutil.ignore_patterns("__pycache__"))
    source = f"{str(book / 'kbe' / 'book' / 'tables.py')!r}"
    write(book, one=f"from kbe.book import tables\nopen({source}, 'a').write('MORE = 1')")
    failures, _ = run(book, ["one"])
    assert failures == {"one": "one: kbe.book.tables changed while it ran, so it runs again at the next command."}
    assert kept(book) == []


def test_an_execution_that_is_not_whole_is_made_again(book):
    run(book, ["one"])
    (path,) = (book / executions.FOLDER).glob("one-*.ipynb")
    for broken in ("", path.read_text()[:100], "[]", "{}"):
        path.write_text(broken)
        assert run(book, [])[0] == {} if not broken else not executions.plan(book)[0].is_kept()
    assert run(book, ["one"])[0] == {} and printed(book, "one") == "3\n"


def test_what_is_a_users_own_changes_nothing(book, monkeypatch, tmp_path_factory):
    own = tmp_path_factory.mktemp("own")
    (own / "profile_default" / "startup").mkdir(parents=True)
    (own / "profile_default" / "startup" / "00.py").write_text("n_own = 77")
    (own / "matplotlibrc").write_text("lines.linewidth: 55")
    for name in ("IPYTHONDIR", "MATPLOTLIBRC", "PYTHONPATH"):
        monkeypatch.setenv(name, str(own))
    monkeypatch.setenv("MPLBACKEND", "agg")
    write(book, one="import matplotlib\nfrom matplotlib import pyplot as plt\nplt.plot([1])\nplt.show()\n"
          "print(matplotlib.rcParams['lines.linewidth'], 'n_own' in globals())")  # fmt: skip
    assert run(book, ["one"])[0] == {}
    (one,) = (one for one in executions.plan(book) if one.name == "one")
    outputs = one.executed().cells[-1].outputs
    assert [out.text for out in outputs if out.output_type == "stream"] == ["1.5 False\n"]
    assert any("image/png" in out.get("data", {}) for out in outputs)


def test_a_run_that_is_stopped_while_it_waits_does_not_start(book):
    one = executions.plan(book)[0]
    run = processes.Run(one)
    with one.lock(), ThreadPoolExecutor(1) as threads:
        future = threads.submit(processes.run_page, run)
        until(lambda: run.waiting)
        run.stop()
        assert future.result(timeout=10) == ("", "")
    assert not one.is_kept() and leftovers(book) == []


def test_working_folders_of_pages_that_run_stay_and_others_go(book):
    planned = executions.plan(book)
    folders = [book / executions.FOLDER / f"running-{name}-x" for name in ("one", "two")]
    for folder in folders:
        folder.mkdir(parents=True)
    with planned[0].lock():
        processes.clear(planned)
    assert [folder.exists() for folder in folders] == [True, False]


def test_the_page_that_takes_longest_runs_first(book):
    (book / "_toc.yml").write_text("- file: book/one.ipynb\n- file: book/two.ipynb\n")
    for name, seconds in (("one", 5), ("two", 50)):
        (book / "book" / f"{name}.ipynb").write_text(f'{{"metadata": {{"kbe": {{"seconds": {seconds}}}}}}}')
    _, told = run(book, workers=1)
    assert told.index("two took") < told.index("one took")
