"""Claims: what is said, what was measured, the criterion, the verdict.

A claim is declared before the measurement, with its criterion and the number of members that it
needs. The measurement then gives an estimate and an interval, and the verdict follows from the two
alone: the whole interval on the right side of the criterion, on the wrong side, or neither.
"""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from kbe import refusals
from kbe.checks import Confidence, Count, Natural, Seed, Shaped, Whole, checked
from kbe.refusals import shown
from kbe.statistics import bootstrap, share_interval

HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "undecided"
_LONGEST_NAME = 40
_NAME = re.compile("[a-z0-9]+(-[a-z0-9]+){0,2}")


def _name(name: str, value: Any, sizes: dict[str, Any]) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_NAME or not _NAME.fullmatch(value):
        raise ValueError(
            f"{name} is {shown(value)}: it must be one to three words of lower-case letters and digits, "
            f"joined by hyphens, with at most {_LONGEST_NAME} characters."
        )
    return value


def _words(name: str, value: Any, sizes: dict[str, Any]) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} is {shown(value)}: it must be a sentence or a place in words.")
    return value


def _bound(name: str, value: Any, sizes: dict[str, Any]) -> float:
    """A finite number; a whole one stays whole, so that what is stored of `above=0` is 0 and not 0.0."""
    bound = refusals.number(name, value)
    return int(value) if isinstance(value, numbers.Integral) else bound


def _number(name: str, value: Any, sizes: dict[str, Any]) -> float:
    """A number, or what NumPy makes one; it may be NaN or infinite."""
    return float(Shaped("", finite=False)(name, value, sizes))


def _samples(name: str, value: Any, sizes: dict[str, Any]) -> np.ndarray:
    return refusals.array(name, value, finite=False, empty=True)


_Samples = Annotated[np.ndarray, _samples]
_Measured = Annotated[float, _number]
_Words = Annotated[str, _words]
_Bound = Annotated[float, _bound]


@dataclass(frozen=True)
class Claim:
    """One claim and the criterion that decides it, written down before anything is measured.

    Parameters
    ----------
    name
        What it is called, alone in its chapter: one to three lower-case words joined by hyphens.
    statement
        What is claimed, in one sentence.
    place
        Where it stands: a section or figure of the paper, or a chapter.
    measure
        What is measured to decide it, in words.
    above, below
        It holds where the measure is greater than `above` and less than `below`; at least one is needed.
    no_effect
        The measure where a control equals what it controls, 0 for a difference: finding exactly this in every member
        is refused.
    members
        The least number of independent members that can decide it.
    source
        Who claims it.
    digits
        Significant digits of the estimate that regression compares; None compares the verdict alone.
    timing
        Whether a time is measured, so that the estimate is another one on every machine.

    Raises
    ------
    ValueError
        If there is no criterion, or nothing can meet it.
    """

    name: Annotated[str, _name]
    statement: _Words
    place: _Words
    measure: _Words
    above: _Bound | None = None
    below: _Bound | None = None
    no_effect: _Bound | None = None
    members: Count = 50
    source: Literal["paper", "book"] = "paper"
    digits: Annotated[int, Whole(1, 15)] | None = None
    timing: bool = False

    def __post_init__(self) -> None:
        if self.above is None and self.below is None:
            raise ValueError("above and below are both None: a claim needs a criterion.")
        if self.above is not None and self.below is not None and self.above >= self.below:
            raise ValueError(f"above is {self.above} and below {self.below}: above must be the smaller.")

    @property
    def criterion(self) -> str:
        """The criterion in words."""
        parts = [("above", self.above), ("below", self.below)]
        return " and ".join(f"{name} {bound:g}" for name, bound in parts if bound is not None)

    @property
    def cited(self) -> str:
        """Where it stands, and that this book claims it if the paper does not."""
        return self.place if self.source == "paper" else f"{self.place} (this book)"

    @checked
    def judge(
        self,
        samples: _Samples,
        statistic: Callable[[np.ndarray], Any] = np.median,
        *,
        seed: Seed = 0,
        resamples: Count = 2000,
        confidence: Confidence = 0.95,
        left_out: Natural = 0,
    ) -> Judged:
        """Measure over members: the statistic, and its percentile bootstrap interval.

        Parameters
        ----------
        samples
            One value, or one row of values, a member. A member with a value that is not finite is
            left out, and counted.
        statistic
            Takes the members' samples and returns one number.
        seed
            Start of the resampling.
        resamples
            How many times the members are drawn again, with replacement.
        confidence
            The interval's coverage.
        left_out
            How many members are not among the samples because they gave no finite value.

        Raises
        ------
        ValueError
            If they show that a control equals what it controls.
        """
        rows = np.atleast_1d(samples)
        kept = rows[np.isfinite(rows).all(tuple(range(1, rows.ndim)))]
        left_out += len(rows) - len(kept)
        if len(kept) < 2:  # nothing to draw from: one member has no interval
            return self.judge_value(math.nan, (math.nan, math.nan), len(kept), left_out=left_out)
        if len(kept) >= self.members and (kept == self.no_effect).all():
            raise ValueError(f"samples are {self.no_effect} in every member: the control of {self.name!r} must differ.")
        found = bootstrap(kept, statistic, resamples=resamples, confidence=confidence, seed=seed)
        estimate, low, high = (_number("estimate", one, {}) for one in (found.estimate, found.low, found.high))
        judged = Judged(self, estimate, low, high, len(kept), left_out)
        if judged.low != judged.high:
            return judged
        alike = int(np.unique(kept, axis=0, return_counts=True)[1].max())
        return replace(judged, alike=alike, share=alike == len(kept) and _is_share(kept, statistic))

    @checked
    def judge_share(self, members: ArrayLike, confidence: Confidence = 0.95) -> Judged:
        """Measure the share of members of which something is true, with Wilson's interval.

        Parameters
        ----------
        members
            Whether it is true of each, one bool a member; of none, nothing is decided.
        confidence
            The interval's coverage.

        Raises
        ------
        ValueError
            If it is not one bool a member.
        """
        true = refusals.bools("members", members)
        if true.ndim != 1:
            raise ValueError(f"members has shape {true.shape}: it must be one bool a member.")
        if not true.size:
            return self.judge_value(math.nan, (math.nan, math.nan), 0)
        return self.judge_value(true.mean(), share_interval(int(true.sum()), true.size, confidence), true.size)

    @checked
    def judge_value(
        self, estimate: _Measured, interval: tuple[_Measured, _Measured], members: Natural = 1, *, left_out: Natural = 0
    ) -> Judged:
        """Take a measurement that brings its own interval, such as the slope of a regression.

        Parameters
        ----------
        estimate
            The measured value.
        interval
            Its lower and upper end.
        members
            The number of members that it rests on.
        left_out
            The number of members that gave no finite value.

        Raises
        ------
        ValueError
            If the interval's ends are not in order, or a control equals what it controls.
        """
        if interval[0] > interval[1]:
            raise ValueError(f"interval is {interval}: its lower end must come first.")
        if members >= self.members and {estimate, *interval} == {self.no_effect}:
            raise ValueError(f"estimate is {self.no_effect} without width: the control of {self.name!r} must differ.")
        return Judged(self, estimate, *interval, members, left_out)


Claim.__init__ = checked(Claim.__init__)  # type: ignore[method-assign]


@dataclass(frozen=True)
class Judged:
    """A claim with its measurement, an estimate and its interval; made by `Claim.judge` and its like.

    It rests on a number of `members`; those without a finite value, `left_out`, are not among them. Where the interval
    has no width, `alike` members gave the same, 0 if that is not known, and `share` says whether theirs is a share.
    """

    claim: Claim
    estimate: float
    low: float
    high: float
    members: int
    left_out: int = 0
    alike: int = 0
    share: bool = False

    @property
    def verdict(self) -> str:
        """It "holds", "does not hold" or is "undecided"."""
        if self.members < self.claim.members or any(map(math.isnan, (self.estimate, self.low, self.high))):
            return UNDECIDED
        above = -math.inf if self.claim.above is None else self.claim.above
        below = math.inf if self.claim.below is None else self.claim.below
        if above < self.low and self.high < below:
            return HOLDS
        return FAILS if self.high <= above or self.low >= below else UNDECIDED

    def line(self) -> str:
        """What regression compares: the verdict and, where it is clear and wanted, a coarse figure."""
        digits = self.claim.digits
        line = f"{self.verdict}: {self.claim.statement}"
        if digits is None or self.verdict == UNDECIDED:
            return line
        return f"{line} [about {float(f'{self.estimate:.{digits}g}'):g}]"


def _is_share(rows: np.ndarray, statistic: Callable[[np.ndarray], Any]) -> bool:
    """Whether a statistic of zeros and ones is a share: 1 of all, 0 of none; a median decides between the two."""
    ends = (float(statistic(np.full_like(rows, value))) for value in (0, 1))
    return statistic is not np.median and bool(np.isin(rows, (0, 1)).all()) and tuple(ends) == (0, 1)
