"""What an annotation asks of a value, read off Python's own types.

A rule is a function of a parameter's name, a value, and the sizes that dimensions have in this call. It returns the
value as it is wanted, or refuses it in one sentence. `Annotated` types bring their own.
"""

from __future__ import annotations

import contextlib
import functools
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, Union

from kbe import refusals

Rule = Callable[[str, Any, dict[str, Any]], Any]


def rule(hint: Any) -> Rule:
    """What an annotation asks of a value; of what this module does not know it asks nothing."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return next(check for check in hint.__metadata__ if callable(check))
    if origin is Literal:
        return lambda name, value, sizes: refusals.choice(name, value, arguments)
    if origin in (Union, types.UnionType):
        return _either(arguments)
    if origin is Callable or hint is Callable:
        return lambda name, value, sizes: refusals.function(name, value)
    if origin is tuple and ... not in arguments:
        return functools.partial(_parts, list(map(rule, arguments)))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return functools.partial(_mapping, rule(arguments[0]), rule(arguments[1]))
    if isinstance(origin, type) and issubclass(origin, Iterable):
        return functools.partial(_items, rule(arguments[0]))
    if hint in _PLAIN:
        return _PLAIN[hint]
    is_class = isinstance(hint, type) and hint not in (Any, object)
    return (lambda name, value, sizes: refusals.instance(name, value, (hint,))) if is_class else _anything


def _either(hints: tuple) -> Rule:
    """The first of several types that a value fits; where it fits none, the sentence is that of the last."""
    wanted, optional = [one for one in hints if one is not type(None)], type(None) in hints
    rules = [rule(one) for one in wanted]
    if _anything in rules:
        return _anything
    if all(isinstance(one, type) and one not in _PLAIN for one in wanted):
        rules = [lambda name, value, sizes: refusals.instance(name, value, tuple(wanted))]

    def fitting(name: str, value: Any, sizes: dict[str, Any]) -> Any:
        if value is None and optional:
            return None
        for one in rules[:-1]:
            with contextlib.suppress(ValueError):
                return one(name, value, dict(sizes))
        return rules[-1](name, value, sizes)

    return fitting


def _mapping(key: Rule, each: Rule, name: str, value: Any, sizes: dict[str, Any]) -> dict:
    """A dictionary that holds something; each of its values is compared with what came before the dictionary alone."""
    found = {key(f"a name in {name}", one, {}): item for one, item in refusals.mapping(name, value).items()}
    return {one: each(f"{name}[{refusals.shown(one)}]", item, dict(sizes)) for one, item in found.items()}


def _items(each: Rule, name: str, value: Any, sizes: dict[str, Any]) -> list:
    """A list, likewise."""
    return [each(f"{name}[{k}]", one, dict(sizes)) for k, one in enumerate(refusals.several(name, value))]


def _parts(each: list[Rule], name: str, value: Any, sizes: dict[str, Any]) -> tuple:
    """A tuple of so many parts, which are compared with each other."""
    found = zip(each, refusals.several(name, value, len(each)), strict=True)
    return tuple(one(f"{name}[{k}]", part, sizes) for k, (one, part) in enumerate(found))


def _anything(name: str, value: Any, sizes: dict[str, Any]) -> Any:
    return value


_PLAIN: Mapping[Any, Rule] = {
    int: lambda name, value, sizes: refusals.integer(name, value),
    float: lambda name, value, sizes: refusals.number(name, value),
    bool: lambda name, value, sizes: refusals.flag(name, value),
}
