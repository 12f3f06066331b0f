"""What is put in the place of a good argument, and what must come of it."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from inspect import Parameter
from types import NoneType
from typing import Annotated, Any, Literal

import numpy as np
import torch
import xarray as xr

from fuzzing import recipes
from fuzzing.good import Maker, held, kind, rule, without_none
from kbe import checks

Outcome = Literal["refused", "same", "either"]


@dataclass(frozen=True)
class Change:
    """What stands in the place of a good argument: it must be refused, or give the same as that, or either."""

    parameter: str
    what: str
    value: Any
    outcome: Outcome


def junk() -> dict[str, Any]:
    """What is no good argument of nearly anything."""
    return {
        "None": None, "a word": "no such word", "an empty text": "", "bytes": b"1", "a complex number": 1j,
        "NaN": float("nan"), "infinity": float("inf"), "a huge number": 10**400, "True": True, "a fraction": 0.5,
        "a decimal": Decimal(1), "an empty list": [], "a ragged list": [[1], [1, 2]], "texts": ["a", "b"],
        "a dictionary": {"a": 1}, "an empty dictionary": {}, "a set": {1}, "an object": object(), "a class": dict,
        "a function": _fails, "a generator": (k for k in range(2)), "an empty Dataset": xr.Dataset(),
        "a DataArray": xr.DataArray(np.ones((2, 2)), dims=("some", "other")), "a date": np.datetime64("2020-01-01"),
        "a tensor with a gradient": torch.ones(2, requires_grad=True), "complex numbers": np.ones(2) * 1j,
        "a module": torch.nn.Linear(1, 1), "an empty array": np.zeros((0,)), "objects": np.array([None, 1]),
    }  # fmt: skip


def _fails(*_: Any, **__: Any) -> None:
    """A function that gives nothing."""


ALLOWED = {  # of the junk, what is no junk for that sort of argument
    "array": {"True", "a fraction", "a DataArray", "NaN", "infinity"},
    "real": {"a fraction"},
    "flag": {"True"},
    "text": {"a word", "an empty text"},
    "function": {"a function"},
    "labelled": {"a DataArray", "an empty Dataset"},
    "mapping": {"a dictionary"},
    "list": {"an empty list", "texts", "a ragged list", "a generator", "an empty array", "objects", "a DataArray"},
    "tuple": {"a generator"},
    "instance": {"a module"},
}


def changes(maker: Maker, arguments: Mapping[str, Any], name: str) -> list[Change]:
    """All that can be put in the place of one argument."""
    entry, value = maker.entry, arguments[name]
    wild = [one for one in entry.parameters.values() if one.kind is Parameter.VAR_KEYWORD]
    parameter = entry.parameters.get(name) or wild[0]
    hint = entry.hints.get(parameter.name, Any)
    sort = kind(hint).removeprefix("special ")
    sort = "array" if sort == "instance" and isinstance(value, np.ndarray) else sort
    optional = parameter.default is None or NoneType in typing.get_args(hint)
    found = []
    for what, other in junk().items():
        allowed = what in recipes.NO_JUNK.get(f"{entry.name}.{name}", ())
        allowed |= any(what in ALLOWED.get(one, ()) for one in sort.split("|")) or (what == "None" and optional)
        if hint is not Any and not (sort == "function" and callable(other) and what != "a function"):
            found.append(Change(name, what, other, "either" if allowed else "refused"))
    special = rule(hint) if typing.get_origin(hint) is Annotated else rule(without_none(hint))
    if isinstance(special, checks.Shaped) and isinstance(value, np.ndarray):
        found += [Change(name, *one) for one in _arrays(value, special, _shared(maker, arguments, name))]
    elif isinstance(special, checks.Holds) and isinstance(value, (xr.Dataset, xr.DataArray)):
        found += [Change(name, *one) for one in _labelled(value, held(special.names))]
    elif value is None:
        pass
    elif isinstance(special, checks.Whole) or hint is int:
        found += [Change(name, *one) for one in _whole(value, special or checks.Whole(), name in recipes.LONG)]
    elif isinstance(special, checks.Real) or hint is float:
        found += [Change(name, *one) for one in _real(value, special or checks.Real())]
    elif sort == "choice":
        found.append(Change(name, "another case", value.upper(), "refused" if value.upper() != value else "either"))
    elif sort == "flag":
        found += [
            Change(name, "a numpy bool", np.bool_(value), "same"),
            Change(name, "0 or 1", int(value), "same"),
            Change(name, "2", 2, "refused"),
            Change(name, "a text of it", "True", "refused"),
        ]
    elif sort == "mapping":
        first = next(iter(value))
        found += [
            Change(name, f"{what} in it", dict(value) | {first: other}, "either") for what, other in junk().items()
        ]
    return found


def _shared(maker: Maker, arguments: Mapping[str, Any], name: str) -> set[str]:
    """The names of dimensions that another argument of the call has too."""
    others: set[str] = set()
    for other in arguments:
        special = rule(without_none(maker.entry.hints.get(other, Any)))
        if other != name and isinstance(special, checks.Shaped):
            others |= set(special.dims.removeprefix("...").split())
    return others


def _whole(value: int, whole: checks.Whole, takes_long: bool) -> list[tuple[str, Any, Outcome]]:
    found: list[tuple[str, Any, Outcome]] = [
        ("one half more", value + 0.5, "refused"),
        ("a float", float(value), "refused"),
        ("a numpy float", np.float64(value), "refused"),
        ("an array of it", np.array([value]), "refused"),
        ("a text of it", str(value), "refused"),
        ("a numpy integer", np.int32(value), "same"),
        ("an unsigned integer", np.uint16(abs(value)), "same" if value >= 0 else "either"),
    ]
    if whole.low is not None:
        found += [("one too few", whole.low - 1, "refused"), ("negative", whole.low - 7, "refused")]
        found += [("the least", whole.low, "either"), ("beyond the floats", 2**53 + 1, "refused")]
        found += [("a billion", 10**9, "either")] if not takes_long else []
    if whole.high is not None:
        found.append(("one too many", whole.high + 1, "refused"))
    return found


def _real(value: float, real: checks.Real) -> list[tuple[str, Any, Outcome]]:
    found: list[tuple[str, Any, Outcome]] = [
        ("minus infinity", -np.inf, "refused"),
        ("an array of it", np.array([value]), "refused"),
        ("a text of it", str(value), "refused"),
        ("a numpy float", np.float64(value), "same"),
        ("half precision", np.float16(value), "either"),
    ]
    for bound, step in ((real.low, -1e-9), (real.above, -1e-9), (real.high, 1e-9), (real.below, 1e-9)):
        if bound is not None:
            found.append(("beyond the bound", bound + step, "refused"))
    found += [("the bound itself", bound, "refused") for bound in (real.above, real.below) if bound is not None]
    found += [("at the bound", bound, "either") for bound in (real.low, real.high) if bound is not None]
    if real.high is None and real.below is None:
        found += [("large", 1e12, "either"), ("enormous", 1e300, "either")]
    if real.low is not None or real.above is not None:
        found += [("small", (real.low or real.above or 0) + 1e-12, "either")]
    return found


def _arrays(value: np.ndarray, shaped: checks.Shaped, shared: set[str]) -> list[tuple[str, Any, Outcome]]:
    names, dots = shaped.dims.removeprefix("...").split(), shaped.dims.startswith("...")
    positive = shaped.above is not None or shaped.increasing or (shaped.low or 0) > 0
    bounded = positive or shaped.low is not None or shaped.symmetric
    moving = shaped.increasing and value.size > 1
    tracked = torch.tensor(value, dtype=torch.float64, requires_grad=True)
    masked = np.ma.masked_array(value, np.arange(value.size).reshape(value.shape) == 0)
    found: list[tuple[str, Any, Outcome]] = [
        ("a list", value.tolist(), "same"),
        ("a tensor", torch.as_tensor(value), "same"),
        ("another order in memory", np.asfortranarray(value), "same"),
        ("texts of it", value.astype(str), "refused"),
        ("complex numbers of it", value.astype(complex), "refused"),
        ("a tensor of it with a gradient", tracked, "refused"),
        ("masked", masked, "refused" if shaped.finite else "either"),
        ("zeros", 0 * value, "refused" if positive else "either"),
        ("all the same", np.full_like(value, value.flat[0]), "refused" if moving else "either"),
        ("tiny", value * 1e-12, "either"),
        ("large", value * 1e12, "either"),
        ("enormous", value * 1e300, "either"),
    ]
    for what, number in (("NaN", np.nan), ("infinity", np.inf), ("minus infinity", -np.inf)):
        if value.ndim:
            refused = shaped.finite or (what == "minus infinity" and bounded)
            found.append((f"{what} in it", _with_first(value, number), "refused" if refused else "either"))
    if shaped.low is not None or shaped.above is not None:
        bound = shaped.low if shaped.low is not None else shaped.above
        found.append(("too small in one place", _with_first(value, bound - 1e-6), "refused"))
    else:
        found.append(("negative", -value, "refused" if moving else "either"))
    if dots:
        strange = np.broadcast_to(value, (5, *value.shape)) if names else np.full(5, value.flat[0])
        found += [("many", strange.copy(), "either"), ("many of many", np.stack([strange] * 7), "either")]
    else:
        found.append(("one dimension more", value[None], "refused"))
    return found + _sized(value, names, shared) + _renamed(value, names, dots)


def _sized(value: np.ndarray, names: list[str], shared: set[str]) -> list[tuple[str, Any, Outcome]]:
    found: list[tuple[str, Any, Outcome]] = []
    if names:
        fewer = value.reshape(-1)[0] if len(names) == 1 else value.reshape(-1)
        found += [("too few dimensions", fewer, "refused"), ("empty", value[..., :0], "refused")]
    for axis, dim in enumerate(names, -len(names)):
        outcome: Outcome = "refused" if dim in shared or names.count(dim) > 1 else "either"
        found.append((f"more {dim}", np.concatenate([value, value.take([-1], axis)], axis), outcome))
        if value.shape[axis] > 1:
            found.append((f"one of {dim}", value.take([0], axis), outcome))
    return found


def _renamed(value: np.ndarray, names: list[str], dots: bool) -> list[tuple[str, Any, Outcome]]:
    single = [dim.removesuffix("s") for dim in names]
    if single[1:] == ["..."]:
        single[1:] = [f"other {axis}" for axis in range(value.ndim - 1)]
    if len(set(single)) < len(single) or len(single) < 2 or dots:
        return []
    turned = xr.DataArray(value, dims=single).transpose(*single[::-1])
    return [("with names in another order", turned, "same")]


def _with_first(value: np.ndarray, number: float) -> np.ndarray:
    changed = value.astype(float)
    changed.flat[0] = number
    return changed


def _labelled(value: Any, asked: Mapping[str, str]) -> list[tuple[str, Any, Outcome]]:
    numbers = value.to_array().values if isinstance(value, xr.Dataset) else value.values
    found: list[tuple[str, Any, Outcome]] = [
        ("its numbers alone", numbers, "refused"),
        ("dimensions in another order", value.transpose(*list(value.dims)[::-1]), "same"),
        ("without attributes", value.drop_attrs(), "either"),
    ]
    for one, dims in asked.items():
        if one:
            found.append((f"without {one}", value.drop_vars(one), "refused"))
        if not dims:
            continue
        inner = value[one] if one else value
        for what, other, outcome in _numbers(inner) if one not in inner.dims else ():
            found.append((f"{what} in {one}", value.assign({one: other}) if one else other, outcome))
        for dim in (dim for dim in dims.split() if dim in value.dims):
            found += _over(value, dim)
    return found


def _numbers(inner: xr.DataArray) -> list[tuple[str, Any, Outcome]]:
    first = inner.copy(data=_with_first(inner.values, np.nan)) if inner.size else inner
    return [
        ("texts", inner.astype(str), "refused"),
        ("complex numbers", inner.astype(complex), "refused"),
        ("objects", inner.astype(object), "refused"),
        ("zeros", 0 * inner, "either"),
        ("all the same", 0 * inner + 0.5, "either"),
        ("all NaN", inner * np.nan, "either"),
        ("negative", -inner, "either"),
        ("NaN in one place", first, "either"),
    ]


def _over(value: Any, dim: str) -> list[tuple[str, Any, Outcome]]:
    backwards = value.isel({dim: slice(None, None, -1)})
    ordered = dim in ("epoch", "time", "step") and value.sizes[dim] > 1
    found: list[tuple[str, Any, Outcome]] = [
        (f"{dim} by another name", value.rename({dim: "stranger"}), "refused"),
        (f"no {dim}", value.isel({dim: slice(0)}), "refused"),
        (f"one {dim}", value.isel({dim: slice(1)}), "either"),
        (f"without {dim}", value.isel({dim: 0}, drop=True), "refused"),
        (f"{dim} backwards", backwards, "refused" if ordered else "either"),
    ]
    if dim in value.coords:
        texts = value.assign_coords({dim: [f"a{k}" for k in range(value.sizes[dim])]})
        found += [(f"{dim} without labels", value.drop_vars(dim), "either"), (f"texts for {dim}", texts, "either")]
    return found
