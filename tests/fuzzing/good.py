"""The checked functions of the package, and good arguments for them, made from their annotated types."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
import re
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union

import numpy as np
import xarray as xr
from hypothesis import strategies as st

import kbe
from fuzzing import recipes
from kbe import checks

KNOWN = (checks.Whole, checks.Real, checks.OneOf, checks.Shaped, checks.Holds)
CHECKED = checks.checked(lambda: None).__code__
NOT_IMPORTED = re.compile(r"kbe\.(__main__|book\.(comparing|running)$)")  # they act when they are


@dataclass(frozen=True)
class Entry:
    """A checked function, class or method of one."""

    name: str
    folder: str
    function: Callable
    hints: Mapping[str, Any] = field(hash=False, repr=False)
    parameters: Mapping[str, inspect.Parameter] = field(hash=False, repr=False)
    documentation: str = field(repr=False)


def entries(folders: str = "") -> list[Entry]:
    """All entries of the folders that a regular expression finds."""
    found = []
    for module in pkgutil.walk_packages(kbe.__path__, "kbe."):
        folder = module.name.split(".")[1]
        if re.search(folders, folder) and not NOT_IMPORTED.match(module.name):
            for name, thing in vars(importlib.import_module(module.name)).items():
                if getattr(thing, "__module__", "") == module.name and not name.startswith("_"):
                    found += _entries_of(name, thing, folder)
    return found


def _entries_of(name: str, thing: Any, folder: str) -> Iterator[Entry]:
    if name in recipes.ACT_OUTSIDE | recipes.INNER:
        return
    if _is_checked(thing):
        yield entry_of(name, folder, thing)
    elif inspect.isclass(thing):
        if _is_checked(thing.__init__):
            yield entry_of(name, folder, thing, thing.__init__, thing.__doc__)
        for part, method in vars(thing).items():
            if not part.startswith("_") and _is_checked(method):
                call = functools.partial(_call_method, name, part)
                yield entry_of(f"{name}.{part}", folder, call, method)


def _is_checked(thing: Any) -> bool:
    return getattr(thing, "__code__", None) is CHECKED


def _call_method(name: str, part: str, /, *args: Any, **kwargs: Any) -> Any:
    return getattr(recipes.INSTANCES[name](), part)(*args, **kwargs)


def entry_of(
    name: str, folder: str, function: Callable, signed: Callable | None = None, documentation: str | None = None
) -> Entry:
    """What is known of a checked function, or of what calls one, `signed`."""
    signed = signed or function
    inner = inspect.unwrap(signed)
    hints = typing.get_type_hints(inner, include_extras=True)
    parameters = {key: one for key, one in inspect.signature(signed).parameters.items() if key != "self"}
    module = inspect.getmodule(inner).__doc__ or ""
    return Entry(name, folder, function, hints, parameters, f"{documentation or signed.__doc__} {module}")


class Maker:
    """Good arguments of one call, whose dimensions of one name have one size."""

    def __init__(self, draw: Callable, entry: Entry) -> None:
        self.draw, self.entry = draw, entry
        self.sizes: dict[str, Any] = dict(recipes.SIZES.get(entry.name, {}))
        self.random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def arguments(self) -> dict[str, Any]:
        """What the call needs, and of what it does not need some."""
        made: dict[str, Any] = {}
        for name, parameter in self.entry.parameters.items():
            hint = self.entry.hints.get(name, Any)
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                made |= {f"any_{k}": self.make(name, hint) for k in range(2)} if hint is not Any else {}
            elif parameter.kind is not inspect.Parameter.VAR_POSITIONAL and (
                parameter.default is inspect.Parameter.empty or self.draw(st.booleans())
            ):
                made[name] = self.make(name, hint)
        return recipes.ALSO.get(self.entry.name, {}) | made

    def make(self, name: str, hint: Any) -> Any:
        """A good argument for a parameter, by its own recipe, or that of its name where its type tells too little."""
        for key in (f"{self.entry.name}.{name}", *([] if isinstance(rule(without_none(hint)), KNOWN) else [name])):
            if key in recipes.ARGUMENTS:
                return recipes.ARGUMENTS[key](self)
        return self.of(hint)

    def of(self, hint: Any) -> Any:
        """What an annotation allows."""
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin in (Union, UnionType):
            return self.of(self.draw(st.sampled_from([one for one in arguments if one is not NoneType])))
        match rule(hint):
            case checks.Whole(low, high):
                least = -3 if low is None else low
                return self.draw(st.integers(least, min(least + 4, 2**53 if high is None else high)))
            case checks.Real() as real:
                return self.number(real)
            case checks.Shaped() as shaped:
                return self.array(shaped)
            case checks.OneOf(names):
                return self.draw(st.sampled_from(sorted(names)))
            case checks.Holds(names):
                return self.labelled(names)
        if origin is Literal:
            return self.draw(st.sampled_from(arguments))
        if origin is Annotated:
            return self.of(arguments[0])
        if kind(hint) == "mapping":
            return {f"name {k}": self.of(arguments[1]) for k in range(2)}
        if kind(hint) == "tuple" and ... not in arguments:
            return tuple(self.of(one) for one in arguments)
        if kind(hint) in ("list", "tuple"):
            return [self.of(arguments[0]) for _ in range(2)]
        if hint in recipes.CLASSES:
            return recipes.CLASSES[hint](self)
        raise LookupError(f"{self.entry.name}: tests/fuzzing/recipes.py has nothing for {hint}.")

    def number(self, real: checks.Real) -> float:
        """A number between the bounds."""
        low = real.low if real.low is not None else real.above if real.above is not None else -1.0
        high = real.high if real.high is not None else real.below if real.below is not None else low + 2.0
        return float(low + (high - low) * self.draw(st.sampled_from([0.25, 0.5, 0.75])))

    def size(self, dim: str) -> int:
        """The size of a dimension, small."""
        if dim not in self.sizes:
            self.sizes[dim] = recipes.LENGTHS.get(dim.removesuffix("s")) or self.draw(st.integers(2, 4))
        return self.sizes[dim]

    def array(self, shaped: checks.Shaped) -> np.ndarray:
        """An array of numbers with its dimensions."""
        names = [dim for dim in shaped.dims.split() if dim != "..."]
        lead = self.sizes.setdefault("...", self.draw(st.sampled_from([(), (2,), (2, 3)])))
        shape = tuple(map(self.size, names))
        if shaped.dims.startswith("...") and self.draw(st.booleans()):
            shape = (*lead, *shape)
        if shaped.dims.endswith("..."):
            shape = (*shape, recipes.BITS)
        if type(shaped) is not checks.Shaped:  # bit strings, each but once
            rows = int(np.prod(shape[-2:-1]))
            codes = np.stack([self.random.permutation(2 ** shape[-1])[:rows] for _ in range(int(np.prod(shape[:-2])))])
            return (codes.reshape(*shape[:-1], 1) >> np.arange(shape[-1])[::-1] & 1).astype(float)
        least = shaped.low if shaped.low is not None else shaped.above if shaped.above is not None else 0.0
        if shaped.increasing:
            return np.arange(shape[0]) + least + float(shaped.above is not None)
        if shaped.symmetric or len(set(names)) < len(names):
            return np.broadcast_to(np.exp(-abs(np.subtract.outer(*[np.arange(shape[-1])] * 2)) / 2), shape).copy()
        return least + self.random.uniform(0.1, 0.9, shape)

    def labelled(self, names: str) -> xr.Dataset | xr.DataArray:
        """A run, if it holds what is asked for, or random numbers under these names."""
        found = held(names)
        for made in map(recipes.run, ("variance", "average")):
            if "" not in found and set(found) <= set(made.variables):
                return made.copy()
        variables = {name: self.variable(dims or "point") for name, dims in found.items()}
        if "" in found:
            return variables[""]
        return xr.Dataset({name: one for name, one in variables.items() if one.dims != (name,)})

    def variable(self, dims: str) -> xr.DataArray:
        """Random numbers with the labels 0, 1, ... along each dimension."""
        names = [dim for dim in dims.split() if dim != "..."]
        values = self.random.uniform(0.1, 0.9, tuple(map(self.size, [f"{dim}s" for dim in names])))
        return xr.DataArray(values, dims=names, coords={dim: np.arange(self.size(f"{dim}s")) for dim in names})


def held(names: str) -> dict[str, str]:
    """The variables that a `Holds` names, with their dimensions; of a DataArray its dimensions, under no name."""
    return {"": names[1:-1]} if names.startswith("(") else dict(re.findall(r"(\w+)(?:\((.*?)\))?", names))


def rule(hint: Any) -> Any:
    """What an annotated type asks."""
    return next((one for one in getattr(hint, "__metadata__", ()) if callable(one)), None)


def without_none(hint: Any) -> Any:
    """An annotation that may be None, otherwise."""
    inner = [one for one in typing.get_args(hint) if one is not NoneType]
    return inner[0] if typing.get_origin(hint) in (Union, UnionType) and len(inner) == 1 else hint


def kind(hint: Any) -> str:
    """What sort of thing an annotation asks for."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, UnionType):
        return "|".join(sorted({kind(one) for one in arguments if one is not NoneType}))
    if isinstance(rule(hint), KNOWN):
        named = {"Whole": "whole", "Real": "real", "Holds": "labelled", "OneOf": "choice"}
        return named.get(type(rule(hint)).__name__, "array")
    if origin is Annotated:
        return f"special {kind(arguments[0])}"
    if origin is Literal:
        return "choice"
    if origin is Callable or hint is Callable:
        return "function"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return "mapping"
    if isinstance(origin, type) and issubclass(origin, Iterable):
        return "tuple" if origin is tuple else "list"
    return {int: "whole", float: "real", bool: "flag", str: "text", np.ndarray: "array"}.get(hint, "instance")
