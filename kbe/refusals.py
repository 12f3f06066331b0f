"""What one value may be: each function returns it as it is wanted, or refuses it in one sentence.

The sentence names the parameter, the value and what is allowed. `kbe.checks` asks the same by annotated types.
"""

from __future__ import annotations

import contextlib
import math
import numbers
from collections.abc import Collection, Iterator, Mapping, Set
from typing import Any

import numpy as np
import xarray as xr

LARGEST = 2**53  # beyond it not every whole number is a float, and few files hold it


def integer(name: str, value: Any, low: int | None = None, high: int | None = None) -> int:
    """Return `value` as an int within [low, high]; True and False are not integers here."""
    whole = isinstance(value, numbers.Integral) and not isinstance(value, (bool, np.bool_))
    if whole and low is not None and high is None and value > LARGEST:
        high = LARGEST
    if not whole or (low is not None and value < low) or (high is not None and value > high):
        raise ValueError(f"{name} is {shown(value)}: it must be an integer{_between(low, high)}.")
    return int(value)


def number(
    name: str,
    value: Any,
    low: float | None = None,
    high: float | None = None,
    *,
    above: float | None = None,
    below: float | None = None,
) -> float:
    """Return `value` as a finite float within [low, high], greater than `above` and less than `below`."""
    if (
        not is_finite_number(value)
        or (low is not None and value < low)
        or (high is not None and value > high)
        or (above is not None and value <= above)
        or (below is not None and value >= below)
    ):
        raise ValueError(f"{name} is {shown(value)}: it must be a finite number{_between(low, high, above, below)}.")
    return float(value)


def choice(name: str, value: Any, allowed: Collection[str]) -> str:
    """Return `value` if it is one of the allowed names."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} is {shown(value)}: it must be one of {', '.join(map(repr, allowed))}.")
    return value


def flag(name: str, value: Any) -> bool:
    """Return `value` as a bool; 0 and 1 are allowed, as a stored attribute holds them."""
    if not isinstance(value, (bool, np.bool_)) and not (isinstance(value, numbers.Integral) and value in (0, 1)):
        raise ValueError(f"{name} is {shown(value)}: it must be True or False.")
    return bool(value)


def array(
    name: str, value: Any, ndim: int | tuple[int, ...] | None = None, *, finite: bool = True, empty: bool = False
) -> np.ndarray:
    """Return `value` as a float64 array of so many dimensions, not copied if it is one; what is masked is NaN."""
    result = _as_array(np.ma.filled(value.astype(float), np.nan) if np.ma.isMaskedArray(value) else value)
    if result.dtype.kind not in "biuf":
        raise ValueError(f"{name} is {shown(value)}: it must be an array of real numbers.")
    result = result.astype(np.float64, copy=False)
    if min(result.strides, default=0) < 0:  # torch takes no array that runs backwards in memory
        result = result.copy()
    allowed = (ndim,) if isinstance(ndim, int) else ndim
    if allowed is not None and result.ndim not in allowed:
        wanted = " or ".join(map(str, allowed))
        raise ValueError(f"{name} has shape {result.shape}: it must have {wanted} dimension{'s' * (wanted != '1')}.")
    if not empty and result.size == 0:
        raise ValueError(f"{name} has shape {result.shape}: it must have at least one element.")
    if finite and not np.isfinite(result).all():
        raise ValueError(f"{name} holds NaN or infinity: every element must be finite.")
    return result


def function(name: str, value: Any) -> Any:
    """Return `value` if it can be called."""
    if not callable(value):
        raise ValueError(f"{name} is {shown(value)}: it must be a function.")
    return value


def bools(name: str, value: Any) -> np.ndarray:
    """Return `value` as an array of True and False."""
    result = _as_array(value)
    if result.dtype != bool:
        raise ValueError(f"{name} is {shown(value)}: it must be an array of True and False.")
    return result


def _as_array(value: Any) -> np.ndarray:
    """What NumPy makes of it, which is an object if it makes nothing of it."""
    try:
        return np.asarray(value)
    except (TypeError, ValueError, RuntimeError):  # the last from a torch tensor that requires a gradient
        return np.array(None)


def shape(name: str, given: tuple[int, ...], dims: str, seen: dict[str, Any], *, broadcast: bool = False) -> None:
    """Refuse a shape that has not the named dimensions, or with other sizes than those `seen`, and note them.

    A leading `...` stands for any dimensions before them, which may have to broadcast, one at the end for any after
    them; equal names mean equal sizes.

    Raises
    ------
    ValueError
        If the shape is another.
    """
    parts = dims.split()
    names = [part for part in parts if part != "..."]
    wanted = f"({', '.join(parts)}{',' * (len(parts) == 1)})"
    if len(given) < len(names) or (len(given) > len(names) and "..." not in parts):
        raise ValueError(f"{name} has shape {given}: it must be {wanted}.")
    lead = given[: len(given) - len(names)] if parts[:1] == ["..."] else ()
    if broadcast:
        known, owner = seen.get("...", (lead, name))
        if any(1 not in (one, other) and one != other for one, other in zip(lead[::-1], known[::-1], strict=False)):
            raise ValueError(f"{name} has shape {given}: {lead} must fit {known} as in {owner}.")
        seen["..."] = (np.broadcast_shapes(lead, known), owner)
    for dim, size in zip(names, given[len(lead) :], strict=False):
        known, owner = seen.setdefault(dim, (size, name))
        if known != size:
            among = f"with {dim} = {known}" + (f" as in {owner}" if owner != name else "")
            raise ValueError(f"{name} has shape {given}: it must be {wanted} {among}.")


@contextlib.contextmanager
def told(what: str) -> Iterator[None]:
    """Turn whatever fails in code that was handed over into one sentence; a ValueError already is one."""
    try:
        yield
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(f"{what}: {shown(error)}.") from error


def instance(name: str, value: Any, kinds: tuple[type, ...]) -> Any:
    """Return `value` if it is of one of some classes."""
    if not isinstance(value, kinds):
        wanted = " or ".join(kind.__name__ for kind in kinds)
        raise ValueError(f"{name} is {shown(value)}: it must be a {wanted}.")
    return value


def mapping(name: str, value: Any) -> Mapping:
    """Return `value` if it is a dictionary, or the like, that holds something."""
    if not isinstance(value, Mapping) or not value:
        raise ValueError(f"{name} is {shown(value)}: it must be a dictionary that is not empty.")
    return value


def several(name: str, value: Any, count: int | None = None) -> list:
    """Return what `value` holds in an order, which must be so many things; a text is one thing."""
    try:
        found = None if isinstance(value, (str, bytes, Mapping, Set, xr.Dataset)) else list(value)
    except TypeError:
        found = None
    if found is None or count not in (None, len(found)):
        raise ValueError(f"{name} is {shown(value)}: it must be a list of {'several' if count is None else count}.")
    return found


def axis(name: str, value: int, owner: str, array: np.ndarray) -> int:
    """Return `value` if the array, a parameter itself, has such an axis."""
    if not -array.ndim <= value < array.ndim:
        raise ValueError(f"{name} is {shown(value)}: it must be an axis of {owner}, whose shape is {array.shape}.")
    return value


def shown(value: Any) -> str:
    """Whatever was given, for a message: one line of at most 80 characters."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else text[:77] + "..."


def is_finite_number(value: Any) -> bool:
    """Whether it is a real number, within the range of floats, and no bool."""
    try:
        return isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_)) and math.isfinite(value)
    except OverflowError:  # a whole number or a fraction beyond the range of floats
        return False


def _between(low: float | None, high: float | None, above: float | None = None, below: float | None = None) -> str:
    if low is not None and high is not None:
        return f" from {low} to {high}"
    least = f" of at least {low}" if low is not None else f" greater than {above}" if above is not None else ""
    most = f"at most {high}" if high is not None else f"less than {below}" if below is not None else ""
    if not most:
        return least
    return f"{least} and {most}" if least else f" of {most}" if high is not None else f" {most}"
