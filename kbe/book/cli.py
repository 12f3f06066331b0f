"""The command line: `parameters`, `rerun` and `sweep` to rerun chapters; the rest to build and edit the book."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from kbe.book import kinds, parameters

if TYPE_CHECKING:
    from kbe.book.executions import Execution

_SMALL = {"members": 8, "epochs": 100}  # for a draft


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Answer bad input with one sentence rather than with the whole usage."""
        self.exit(2, f"{message[:1].upper()}{message[1:].rstrip('.')}.\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, given as the words after `python -m kbe`; None takes those of the process.

    Returns
    -------
    int
        The exit status: 0, or 1 if a chapter failed, 2 for bad input, 130 if interrupted.
    """
    given = _parser().parse_args(arguments)
    try:
        given.run(given)
    except ValueError as error:
        print(*str(error).split(), file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{error.filename2 or error.filename or 'A file'} cannot be used: {error.strerror}.", file=sys.stderr)
        return 2
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; what was finished is there.", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m kbe", description="Rerun the book's chapters with other parameters.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    listing = _command(commands, "parameters", _parameters, "list a chapter's parameters: name, type, value, meaning")
    rerun = _command(commands, "rerun", _rerun, "execute a chapter with other parameters")
    sweep = _command(commands, "sweep", _sweep, "execute a chapter at every point of a grid; goes on where it stopped")
    for command in (listing, rerun, sweep):
        command.add_argument("chapter", help="the chapter's .ipynb, or its name")
    for command, value, output in ((rerun, "VALUE", "FILE"), (sweep, "V1,V2,...", "FOLDER")):
        command.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", value), dest="values")
        command.add_argument("-o", required=True, metavar=output, dest="output")
        command.add_argument("--timeout", type=float, metavar="SECONDS", help="what a cell may take")
        command.add_argument("--keep-failed", action="store_true", help="keep the notebook of what fails, as it came")
    sweep.add_argument("--workers", type=int, default=2, help="points that run at once, on this machine")
    sweep.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask scheduler elsewhere whose workers run them")
    sweep.add_argument("--retry-failed", action="store_true", help="run only those again that have failed")
    collecting = _command(commands, "collect", _collect, "put the claims of a sweep's points into one table")
    collecting.add_argument("folder", help="where the sweep is kept")
    comparing = _command(commands, "compare", _compare, "the claims of two runs side by side; what differs is marked")
    for run in ("first", "second"):
        comparing.add_argument(run, help="an executed .ipynb, or the name of a chapter as it is published")
    executing = _command(commands, "execute", _execute, "execute the pages that have not been executed as they are now")
    building = _command(commands, "build", _build, "execute what is missing and build the pages, or the PDF")
    building.add_argument("--pdf", action="store_true", help="the PDF in place of the pages")
    serving = _command(commands, "serve", _serve, "build the pages, show them, and build them again at every save")
    serving.add_argument("--port", type=int, default=8000, help="where the server listens, on this machine alone")
    storing = _command(commands, "notebooks", _notebooks, "store what the pages' executions print, and say what moved")
    storing.add_argument("--accept", nargs="*", default=[], metavar="CHAPTER:NAME", help="claims whose change is meant")
    for command in (executing, storing):
        command.add_argument("pages", nargs="*", help="pages by name or path; none means all of the book's")
    _command(commands, "draft", _draft, "execute and build the book with small parameters, in _build/draft")
    return parser


def _command(commands: Any, name: str, run: Any, summary: str) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=summary, description=summary)
    command.set_defaults(run=run)
    return command


def _parameters(given: argparse.Namespace) -> None:
    rows = [(one.name, one.kind, repr(one.value), one.meaning) for one in parameters.declared(given.chapter)]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    for row in rows:
        print("  ".join([text.ljust(width) for text, width in zip(row[:3], widths, strict=True)] + [row[3]]))


def _rerun(given: argparse.Namespace) -> None:
    import nbformat

    from kbe.book import beside, files, page, progress, report
    from kbe.book.rerun import rerun

    values, published = _given(given, kinds.typed), parameters.find_notebook(given.chapter)
    judged, members = report.stored(published), values.get("members")
    if isinstance(members, int) and (told := beside.needed(judged, members)):
        print(told, file=sys.stderr)
    with progress.watched(published.stem, sys.stderr) as begin:
        made = rerun(published, values, given.output, tell=begin, timeout=given.timeout, keep_failed=given.keep_failed)
    compared = repr(beside.compare(published, made)) if judged else ""
    shown = made.with_suffix(".html")
    files.write(page.as_html(nbformat.read(made, 4), made.stem, compared), shown)
    print(*filter(None, (compared, made, shown)), sep="\n")


def _compare(given: argparse.Namespace) -> None:
    from kbe.book import beside

    print(beside.compare(*map(parameters.find_notebook, (given.first, given.second))))


def _sweep(given: argparse.Namespace) -> None:
    from kbe.book import collect, sweep

    grid = _given(given, kinds.typed_values)
    try:
        sweep.sweep(given.chapter, grid, given.output, workers=given.workers, scheduler=given.scheduler,
                    retry_failed=given.retry_failed, keep_failed=given.keep_failed, timeout=given.timeout,
                    out=sys.stderr)  # fmt: skip
    except RuntimeError:
        with contextlib.suppress(ValueError, OSError):  # nothing is done yet, or nothing can be written
            collect.collect(given.output)
        raise
    print(*collect.collect(given.output), sep="\n")


def _collect(given: argparse.Namespace) -> None:
    from kbe.book import collect

    print(*collect.collect(given.folder), sep="\n")


def _execute(given: argparse.Namespace) -> None:
    _executed(given.pages)


def _build(given: argparse.Namespace) -> None:
    from kbe.book import building

    print(building.build(".", _executed(), builder="pdflatex" if given.pdf else "html"))


def _serve(given: argparse.Namespace) -> None:
    from kbe.book import building

    building.serve(".", given.port)


def _notebooks(given: argparse.Namespace) -> None:
    from kbe.book import storing

    storing.store_outputs(_executed(given.pages), given.accept)


def _draft(given: argparse.Namespace) -> None:
    from kbe.book import building

    print(building.build(".", _executed(given=_SMALL), output="_build/draft"))


def _executed(pages: Sequence[str] = (), given: Mapping[str, Any] | None = None) -> Sequence[Execution]:
    """The executions of the pages that are named, or of all, made where they are missing."""
    from kbe.book import executing, executions

    wanted = executions.named(executions.plan(given=given), pages)
    failures = executing.execute(wanted)
    if failures:
        raise RuntimeError(f"{len(failures)} of {len(wanted)} pages failed: {', '.join(failures)}.")
    return wanted


def _given(given: argparse.Namespace, read: Callable[[str, str, str], Any]) -> dict[str, Any]:
    """What was typed after every `-p`, read as the chapter's parameters are declared."""
    annotations = {one.name: one.kind for one in parameters.declared(given.chapter)}
    values: dict[str, Any] = {}
    for name, text in given.values:
        if name in values:
            raise ValueError(f"-p {name} is given more than once: it must be given once.")
        values[name] = read(name, text, annotations[name]) if name in annotations else [text]
    return values
