"""What a chapter says: its claims, declared before anything is measured, and the numbers that its prose holds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any

import numpy as np
from IPython.core.formatters import format_display_data
from IPython.display import display
from numpy.typing import ArrayLike

from kbe.book import report
from kbe.book.claims import Claim, Judged
from kbe.book.tables import Table
from kbe.checks import checked
from kbe.refusals import shown

NUMBERS_MIME = "application/vnd.kbe.numbers+json"
GLUED = "application/papermill.record/"  # MyST-NB puts it before the type of what is shown elsewhere


class Claims:
    """The claims of one chapter: each is declared with its criterion, measured where the story reaches it, and listed.

    As a cell's last expression it is a table: of the criteria as long as nothing is measured, of the results after.

    Parameters
    ----------
    place
        Where the claims stand, unless one says otherwise: sections and figures of the paper, or "this chapter".

    Examples
    --------
    >>> claims = Claims("III.B, Fig. 4")
    >>> claims.add("grows", "The scale grows.", "median rank correlation of the scale and the epoch", above=0.5)
    >>> claims.measure("grows", np.linspace(0.8, 1.0, 101))
    holds: The scale grows. 0.9 (0.882 to 0.918), 101 members; above 0.5
    >>> claims.verdicts()
    holds: The scale grows.
    """

    @checked
    def __init__(self, place: str) -> None:
        self._place = place
        self._declared: dict[str, Claim] = {}
        self._judged: dict[str, Judged] = {}

    def add(self, name: str, statement: str, measure: str, **criterion: Any) -> None:
        """Declare a claim; `criterion` is what else a `Claim` takes, such as above=0.5.

        Raises
        ------
        ValueError
            If there is a claim of this name already.
        """
        if name in self._declared:
            raise ValueError(f"name is {name!r}: there is a claim of this name already.")
        options = {"place": self._place} | criterion
        self._declared[name] = Claim(name=name, statement=statement, measure=measure, **options)

    def measure(self, name: str, samples: Any, *statistic: Any, **options: Any) -> None:
        """Measure a claim over members, as `Claim.judge` does, and show the verdict."""
        self._keep(self._open(name).judge(samples, *statistic, **options))

    def measure_share(self, name: str, members: ArrayLike, **options: Any) -> None:
        """Measure a claim as a share of the members, as `Claim.judge_share` does, and show the verdict."""
        self._keep(self._open(name).judge_share(members, **options))

    def measure_value(self, name: str, estimate: Any, interval: Any, *members: int, **options: Any) -> None:
        """Take a measurement that brings its own interval, as `Claim.judge_value` does, and show the verdict."""
        self._keep(self._open(name).judge_value(estimate, interval, *members, **options))

    def __getitem__(self, name: str) -> Judged:
        """A claim with its measurement."""
        if name not in self._judged:
            raise ValueError(f"name is {shown(name)}: it must be a claim that has been measured.")
        return self._judged[name]

    def verdicts(self) -> None:
        """Print what regression compares, one line a claim, in the order in which they were declared."""
        report.verdicts(self._results())

    def table(self) -> Table:
        """The claims and their criteria or, once something is measured, the results, which all must be there."""
        if self._judged:
            return report.claim_table(self._results())
        rows = [[one.statement, one.cited, f"{one.measure}; {one.criterion}"] for one in self._declared.values()]
        return Table(("Claim", "Place", "Measured; it holds if"), rows)

    def __repr__(self) -> str:
        """The table."""
        return repr(self.table())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return self.table()._repr_mimebundle_()

    def _open(self, name: str) -> Claim:
        """A claim that has been declared and not been measured."""
        if name not in self._declared or name in self._judged:
            left = [one for one in self._declared if one not in self._judged]
            wanted = f"one of {', '.join(left)}" if left else "a claim that is declared first"
            raise ValueError(f"name is {shown(name)}: it must be {wanted}.")
        return self._declared[name]

    def _keep(self, judged: Judged) -> None:
        self._judged[judged.claim.name] = judged
        display(_Verdict(judged))

    def _results(self) -> list[Judged]:
        if missing := [name for name in self._declared if name not in self._judged]:
            raise ValueError(f"Not measured: {', '.join(missing)}; every claim that is declared must be.")
        return [self._judged[name] for name in self._declared]


class _Verdict:
    """A claim that has just been measured, as a page shows it in one line to which others can lead."""

    def __init__(self, judged: Judged) -> None:
        self._judged = judged

    def __repr__(self) -> str:
        one = self._judged
        return f"{one.verdict}: {one.claim.statement} {report.result(one)}; {one.claim.criterion}"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        one = self._judged
        mark = report.badge(one.verdict, f'id="claim-{one.claim.name}"', "span")
        line = f"**{mark}** {one.claim.statement} {report.result(one)}; it holds if {one.claim.criterion}."
        return {"text/markdown": line, "text/plain": repr(self)}


def numbers(**values: Any) -> None:
    """Hand numbers to the chapter's prose, which takes them by their names; nothing is shown here.

    Parameters
    ----------
    values
        Numbers, of Python or NumPy, and words.

    Raises
    ------
    ValueError
        If a value is something else.
    """
    display({NUMBERS_MIME: {name: _plain(name, value) for name, value in values.items()}}, raw=True)


def glue(name: str, shown: Any) -> None:
    """Show something elsewhere: where the page's text says ``{glue:figure} name``, as MyST-NB's function does it.

    That one's library would make every tool that builds pages a part of what the chapter's results depend on.
    """
    bundle, metadata = format_display_data(shown)
    glued = {GLUED + kind: data for kind, data in bundle.items()}
    display(glued, raw=True, metadata=metadata | {"scrapbook": {"name": name, "mime_prefix": GLUED}})


def _plain(name: str, value: Any) -> int | float | str:
    """A number or words as JSON has them; a number that is not finite becomes words."""
    value = value.item() if isinstance(value, np.generic) or getattr(value, "ndim", None) == 0 else value
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        return value
    if not isinstance(value, Real) or isinstance(value, bool):
        raise ValueError(f"{name} is {shown(value)}: it must be one number, or words.")
    return finite_or_words(float(value))


def finite_or_words(value: float | str) -> float | str:
    """A number as it is, one that is not finite in words."""
    if isinstance(value, str) or math.isfinite(value):
        return value
    return "not measured" if math.isnan(value) else "∞" if value > 0 else "−∞"


def handed_on(cells: Iterable[Mapping[str, Any]]) -> dict[str, int | float | str]:
    """The numbers that executed cells hand to their page's prose."""
    bundles = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
    return {name: value for bundle in bundles for name, value in bundle.get(NUMBERS_MIME, {}).items()}
