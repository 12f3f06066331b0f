"""Calls, and a judgement of what comes of each.

What does not fit its type must be refused by one sentence of ValueError that names the argument; what is the same in
another dress must give the same result; what is allowed but extreme must give finite numbers, or those that the
docstring speaks of. Nothing that was handed over is changed, and nothing global.
"""

from __future__ import annotations

import contextlib
import copy
import io
import re
import signal
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import hypothesis
import matplotlib.pyplot as plt
import numpy as np
import torch
import xarray as xr
from hypothesis import strategies as st

from fuzzing import recipes
from fuzzing.bad import Change, changes
from fuzzing.good import Entry, Maker

LONGEST = 300  # characters of a sentence
HANGS = 20.0  # seconds after which a call is given up


@dataclass
class Call:
    """Good arguments, and what stands in the place of some."""

    entry: Entry
    good: dict[str, Any]
    changed: list[Change]

    @property
    def arguments(self) -> dict[str, Any]:
        """What is handed over."""
        return self.good | {one.parameter: one.value for one in self.changed}

    def __str__(self) -> str:
        """What was changed in it."""
        return f"{self.entry.name}: {' and '.join(f'{one.parameter} is {one.what}' for one in self.changed)}"


@st.composite
def _calls(draw: Callable, entry: Entry, most: int) -> Call:
    maker = Maker(draw, entry)
    good = maker.arguments()
    some = st.lists(st.sampled_from(sorted(good)), min_size=min(1, most), max_size=most, unique=True)
    names = draw(some) if good else []
    possible = [found for found in (changes(maker, good, name) for name in names) if found]
    return Call(entry, good, [draw(st.sampled_from(found)) for found in possible])


def _run(entry: Entry, arguments: Mapping[str, Any]) -> tuple[Any, bool]:
    """What a call returns, and whether numpy has said that numbers overflow."""
    hidden = io.StringIO()
    with (
        contextlib.redirect_stdout(hidden),
        contextlib.redirect_stderr(hidden),
        warnings.catch_warnings(record=True) as said,
    ):
        warnings.simplefilter("always")
        before = signal.signal(signal.SIGALRM, _hangs)
        signal.setitimer(signal.ITIMER_REAL, HANGS)
        try:
            return entry.function(**arguments), any("overflow" in str(one.message) for one in said)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
            plt.close("all")


def _hangs(*_: Any) -> None:
    raise TimeoutError(f"no answer after {HANGS:g} seconds")


def judged(call: Call) -> tuple[str, str]:
    """What came of a call, "refused", "computed", "foreign" or "accepted", and what is wrong with the last two."""
    before, outside = copy.deepcopy(_plain(call.arguments)), _globals()
    try:
        result, overflows = _run(call.entry, call.arguments)
    except ValueError as error:
        fault = _no_sentence(str(error), call)
        came = "foreign" if fault else "refused"
    except Exception as error:
        return "foreign", f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    else:
        fault = _accepted(call, result, overflows)
        came = "accepted" if fault else "computed"
    if not fault and not _equal(_plain(call.arguments), before):
        return "accepted", "it changed what was handed over"
    if not fault and _globals() != outside and call.entry.name not in recipes.DRAWN:
        return "accepted", "it changed something global"
    return came, fault


def _no_sentence(text: str, call: Call) -> str:
    named = [*call.good, *call.entry.parameters]
    named += [str(name) for one in call.good.values() if isinstance(one, xr.Dataset) for name in one]
    named += ["x"] * bool({"module", "network"} & {*named})  # as a module of the package calls its inputs
    if "\n" in text or len(text) > LONGEST or not text.endswith("."):
        return f"no sentence: {text[:200]!r}"
    if not any(name in text for name in named):
        return f"names no parameter: {text[:200]!r}"
    if all(one.outcome == "same" for one in call.changed):
        return f"refused what is good: {text[:200]!r}"
    return ""


def _accepted(call: Call, result: Any, overflows: bool) -> str:
    outcomes = {one.outcome for one in call.changed}
    if "refused" in outcomes:
        return "accepted though malformed"
    compared = outcomes == {"same"} and call.entry.folder != "figures" and call.entry.name not in recipes.DRAWN
    if compared and not _equal(result, _run(call.entry, call.good)[0]):
        return "another result for the same"
    given, found, text = list(_numbers(call.arguments)), list(_numbers(result)), call.entry.documentation
    blind = any("NaN" in one.what for one in call.changed) and all(np.isfinite(one).all() for one in found)
    if blind and found and not re.search("NaN|finite", text):
        return "NaN passes for a number"
    for what, is_so, word in (("NaN", np.isnan, "NaN"), ("infinity", np.isinf, "infini|overflow")):
        comes_in = any(is_so(one).any() for one in given)
        if any(is_so(one).any() for one in found) and not comes_in and not overflows and not re.search(word, text):
            return f"{what} that nobody speaks of"
    return ""


def _globals() -> tuple:
    streams = torch.default_generator.get_state().sum().item(), np.random.get_state()[1].sum()  # noqa: NPY002
    torch_wide = torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_num_threads()
    return (*streams, *torch_wide, np.geterr(), tuple(plt.get_fignums()))


def _plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """The arrays of some arguments."""
    return {name: one for name, one in value.items() if isinstance(one, (np.ndarray, xr.Dataset, xr.DataArray, list))}


def _numbers(result: Any) -> Iterator[np.ndarray]:
    if isinstance(result, xr.Dataset):
        yield from (one.values for one in result.variables.values() if one.dtype.kind == "f")
    elif isinstance(result, np.ma.MaskedArray):
        yield np.ma.filled(result.astype(float), np.nan)
    elif isinstance(result, (np.ndarray, xr.DataArray, np.generic, float)):
        yield from [np.asarray(result)] if np.asarray(result).dtype.kind == "f" else []
    elif isinstance(result, torch.Tensor):
        yield result.detach().numpy()
    elif isinstance(result, (list, tuple)):
        yield from (number for one in result for number in _numbers(one))
    elif isinstance(result, Mapping):
        yield from _numbers(list(result.values()))


def _equal(first: Any, second: Any) -> bool:
    if isinstance(first, xr.Dataset):
        return _equal(dict(first.variables), dict(second.variables))
    if isinstance(first, (xr.DataArray, xr.Variable)):
        return set(first.dims) == set(second.dims) and _equal(first.values, second.transpose(*first.dims).values)
    if isinstance(first, (list, tuple)) and isinstance(second, (list, tuple)):
        return len(first) == len(second) and all(map(_equal, first, second))
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return first.keys() == second.keys() and all(_equal(one, second[name]) for name, one in first.items())
    if isinstance(first, torch.Tensor):
        return torch.equal(first.isnan(), second.isnan()) and torch.allclose(first, second, equal_nan=True)
    if isinstance(first, (np.ndarray, float)):
        array = np.asarray(first)
        if array.dtype.kind not in "biufc":
            return array.shape == np.shape(second)
        return array.shape == np.shape(second) and np.allclose(first, second, rtol=1e-7, equal_nan=True)
    return True


@dataclass
class Report:
    """What came of many calls: how many of each, by folder, and every fault once."""

    outcomes: dict[str, Counter] = field(default_factory=dict)
    faults: set[str] = field(default_factory=set)

    def __str__(self) -> str:
        """A table, and the faults."""
        columns = ("refused", "computed", "foreign", "accepted")
        rows = [(folder, sum(counts.values()), *(counts[one] for one in columns)) for folder, counts in
                sorted(self.outcomes.items())]  # fmt: skip
        total = ("all", *(sum(column) for column in list(zip(*rows, strict=True))[1:])) if rows else ()
        table = [f"{'folder':<12}{'calls':>8}" + "".join(f"{one:>10}" for one in columns)]
        table += [f"{row[0]:<12}{row[1]:>8}" + "".join(f"{one:>10}" for one in row[2:]) for row in (*rows, total)]
        return "\n".join([*sorted(self.faults), *table])


def tried(entry: Entry, count: int, report: Report, seed: int | None = None) -> None:
    """Make a good call of one entry, and so many malformed ones, the same ones each time unless there is a seed."""

    def one(call: Call) -> None:
        came, fault = judged(call)
        report.outcomes.setdefault(entry.folder, Counter())[came] += 1
        if fault:
            report.faults.add(f"{call}\n    {came}: {fault}")

    for changed, examples in ((0, 1), (2, count)):
        quick = hypothesis.settings(
            max_examples=examples, derandomize=seed is None, deadline=None, database=None,
            phases=[hypothesis.Phase.generate], suppress_health_check=list(hypothesis.HealthCheck),
        )  # fmt: skip
        made = quick(hypothesis.given(_calls(entry, changed))(one))
        (made if seed is None else hypothesis.seed(seed)(made))()
