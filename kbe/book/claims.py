"""Claims: what is said, what was measured, the criterion, the verdict.

A claim is declared before the measurement, with its criterion and the number of members that it
needs. The measurement then gives an estimate and an interval, and the verdict follows from the two
alone: the whole interval on the right side of the criterion, on the wrong side, or neither.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from kbe import checks
from kbe.statistics import bootstrap, share_interval

HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "undecided"
LONGEST_NAME = 40
_NAME = re.compile("[a-z0-9]+(-[a-z0-9]+){0,2}")


@dataclass(frozen=True)
class Claim:
    """One claim and the criterion that decides it, written down before anything is measured.

    Parameters
    ----------
    name : str
        What it is called, alone in its chapter: one to three lower-case words joined by hyphens.
    statement : str
        What is claimed, in one sentence.
    place : str
        Where it stands: a section or figure of the paper, or a chapter.
    measure : str
        What is measured to decide it, in words.
    above, below : float or None
        It holds where the measure is greater than `above` and less than `below`; at least one is needed.
    members : int
        The least number of independent members that can decide it.
    source : {"paper", "book"}
        Who claims it.
    digits : int or None
        Significant digits of the estimate that regression compares; None compares the verdict alone.
    timing : bool
        Whether a time is measured, so that the estimate is another one on every machine.

    Raises
    ------
    ValueError
        If the criterion is missing or empty, or another argument is out of range.
    """

    name: str
    statement: str
    place: str
    measure: str
    above: float | None = None
    below: float | None = None
    members: int = 50
    source: str = "paper"
    digits: int | None = None
    timing: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or len(self.name) > LONGEST_NAME or not _NAME.fullmatch(self.name):
            raise ValueError(
                f"name is {checks.shown(self.name)}: it must be one to three words of lower-case letters and digits, "
                f"joined by hyphens, with at most {LONGEST_NAME} characters."
            )
        for name in ("statement", "place", "measure"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name).strip():
                given = checks.shown(getattr(self, name))
                raise ValueError(f"{name} is {given}: it must be a sentence or a place in words.")
        bounds = {name: getattr(self, name) for name in ("above", "below") if getattr(self, name) is not None}
        if not bounds:
            raise ValueError("above and below are both None: a claim needs a criterion.")
        for name, bound in bounds.items():
            checks.number(name, bound)
        if len(bounds) == 2 and bounds["above"] >= bounds["below"]:
            raise ValueError(f"above is {self.above} and below {self.below}: above must be the smaller.")
        checks.integer("members", self.members, 1)
        checks.choice("source", self.source, ("paper", "book"))
        if self.digits is not None:
            checks.integer("digits", self.digits, 1, 15)
        checks.flag("timing", self.timing)

    @property
    def criterion(self) -> str:
        """The criterion in words."""
        parts = [("above", self.above), ("below", self.below)]
        return " and ".join(f"{name} {bound:g}" for name, bound in parts if bound is not None)

    def judge(
        self,
        samples: np.ndarray,
        statistic: Callable[[np.ndarray], Any] = np.median,
        *,
        seed: int = 0,
        resamples: int = 2000,
        confidence: float = 0.95,
    ) -> Judged:
        """Measure over members: the statistic, and its percentile bootstrap interval.

        Parameters
        ----------
        samples : array, shape (members, ...)
            One value, or one row of values, a member. A member with a value that is not finite is
            left out, and counted.
        statistic : callable
            Takes the members' samples and returns one number.
        seed : int
            Start of the resampling.
        resamples : int
            How many times the members are drawn again, with replacement.
        confidence : float
            The interval's coverage, between 0 and 1.

        Returns
        -------
        Judged
            The claim with its measurement.

        Raises
        ------
        ValueError
            If an argument is out of range.
        """
        samples = np.atleast_1d(checks.array("samples", samples, finite=False, empty=True))
        if not callable(statistic):
            raise ValueError(f"statistic is {checks.shown(statistic)}: it must be a function of the samples.")
        finite = np.isfinite(samples).all(tuple(range(1, samples.ndim)))
        kept = samples[finite]
        if len(kept) < 2:  # nothing to draw from: one member has no interval
            return self.judge_value(math.nan, (math.nan, math.nan), len(kept), left_out=len(samples) - len(kept))
        found = bootstrap(kept, statistic, resamples=resamples, confidence=confidence, seed=seed)
        return self.judge_value(found.estimate, (found.low, found.high), len(kept), left_out=len(samples) - len(kept))

    def judge_share(self, members: ArrayLike, confidence: float = 0.95) -> Judged:
        """Measure the share of members of which something is true, with Wilson's interval.

        Parameters
        ----------
        members : array of bool, shape (members,)
            Whether it is true of each; of none, nothing is decided.
        confidence : float
            The interval's coverage, between 0 and 1.

        Returns
        -------
        Judged
            The claim with its measurement.

        Raises
        ------
        ValueError
            If an argument is not as described.
        """
        true = np.asarray(members)
        if true.dtype != bool or true.ndim != 1:
            raise ValueError(f"members has shape {true.shape} and type {true.dtype}: it must be one bool a member.")
        if not true.size:
            return self.judge_value(math.nan, (math.nan, math.nan), 0)
        return self.judge_value(true.mean(), share_interval(int(true.sum()), true.size, confidence), true.size)

    def judge_value(self, estimate: float, interval: Sequence[float], members: int = 1, *, left_out: int = 0) -> Judged:
        """Take a measurement that brings its own interval, such as the slope of a regression.

        Parameters
        ----------
        estimate : float
            The measured value.
        interval : (float, float)
            Its lower and upper end.
        members : int
            The number of members that it rests on.
        left_out : int
            The number of members that gave no finite value.

        Returns
        -------
        Judged
            The claim with its measurement.

        Raises
        ------
        ValueError
            If the interval is not a pair in order or a number of members is negative.
        """
        try:
            value, ends = float(estimate), [float(end) for end in interval]
        except (TypeError, ValueError) as error:
            given = f"{checks.shown(estimate)} and interval {checks.shown(interval)}"
            raise ValueError(f"estimate is {given}: they must be a number and two numbers.") from error
        if len(ends) != 2 or ends[0] > ends[1]:
            raise ValueError(f"interval is {checks.shown(interval)}: it must be two numbers, the lower one first.")
        checks.integer("members", members, 0)
        checks.integer("left_out", left_out, 0)
        return Judged(self, value, ends[0], ends[1], int(members), int(left_out))


@dataclass(frozen=True)
class Judged:
    """A claim with its measurement; made by `Claim.judge` and `Claim.judge_value`.

    Parameters
    ----------
    claim : Claim
        The claim.
    estimate, low, high : float
        The measured value and its interval.
    members : int
        The number of members that it rests on.
    left_out : int
        The number of members without a finite value.
    """

    claim: Claim
    estimate: float
    low: float
    high: float
    members: int
    left_out: int = 0

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
        """What regression compares: the verdict and, where it is clear and wanted, a coarse figure.

        Returns
        -------
        str
            One line.
        """
        digits = self.claim.digits
        line = f"{self.verdict}: {self.claim.statement}"
        if digits is None or self.verdict == UNDECIDED:
            return line
        return f"{line} [about {float(f'{self.estimate:.{digits}g}'):g}]"
