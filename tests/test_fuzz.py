"""Nobody's input breaks it: a few malformed calls of each function, always the same; `make fuzz` makes others."""

from __future__ import annotations

import collections

import numpy as np
import pytest
from fuzzing.good import entries, entry_of
from fuzzing.judging import Report, tried

from kbe import checks

CALLS = 4  # of each function
FOLDERS = collections.defaultdict(list)
for entry in entries():
    FOLDERS[entry.folder].append(entry)


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.filterwarnings("ignore")  # of numbers that overflow
def test_malformed_calls_are_refused_in_one_sentence_or_compute_something_right(folder):
    report = Report()
    for one in FOLDERS[folder]:
        tried(one, CALLS, report)
    assert not report.faults, f"{report}"
    assert report.outcomes[folder]["refused"] > len(FOLDERS[folder])


@checks.checked
def careless(points: checks.Samples, steps: int) -> np.ndarray:
    """It divides by what may be 0, and asks for what need not be there."""
    points[0] = 1 / (steps - 1)
    return points + np.arange(10)[steps + 2]


@checks.checked
def blind(points: checks.Samples) -> float:
    """It says nothing of what it leaves out."""
    return float(np.nanmean(points))


def test_the_judge_sees_what_is_wrong():
    report = Report()
    for function in (careless, blind):
        tried(entry_of(function.__name__, "tests", function), 300, report)
    found = " ".join(report.faults)
    for fault in ("IndexError", "ZeroDivisionError", "changed what was handed over", "NaN passes for a number"):
        assert fault in found, f"{report}"
    assert report.outcomes["tests"]["refused"] > 100
