"""What one value may be: each function returns it as it is wanted, or refuses it in one sentence.

The sentence names the parameter, the value and what is allowed. `kbe.checks` asks the same by annotated types.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Collection
from typing import Any

import numpy as np

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
    """Return `value` as a float64 array of a wanted number of dimensions; no copy if it is one already."""
    try:
        result = np.asarray(value)
    except (TypeError, ValueError, RuntimeError):  # the last from a torch tensor that requires a gradient
        result = np.array(None)
    if result.dtype.kind not in "biuf":
        raise ValueError(f"{name} is {shown(value)}: it must be an array of real numbers.")
    result = result.astype(np.float64, copy=False)
    allowed = (ndim,) if isinstance(ndim, int) else ndim
    if allowed is not None and result.ndim not in allowed:
        wanted = " or ".join(map(str, allowed))
        raise ValueError(f"{name} has shape {result.shape}: it must have {wanted} dimension{'s' * (wanted != '1')}.")
    if not empty and result.size == 0:
        raise ValueError(f"{name} has shape {result.shape}: it must have at least one element.")
    if finite and not np.isfinite(result).all():
        raise ValueError(f"{name} holds NaN or infinity: every element must be finite.")
    return result


def same_labels(name: str, value: Any, known: dict[str, Any]) -> Any:
    """Return a DataArray whose labels are those that `known` collects: xarray would cut what is not in both of two."""
    for dim, labels in value.indexes.items():
        others, owner = known.setdefault(f"labels of {dim}", (labels, name))
        if not labels.equals(others):
            raise ValueError(f"{name} has other labels along {dim} than {owner}: they must be the same.")
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
