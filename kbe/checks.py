"""The checks of arguments: each answers bad input with a sentence on parameter, value and what is allowed."""

from __future__ import annotations

import math
import numbers
from collections.abc import Collection
from typing import Any

import numpy as np

LARGEST = 2**53  # beyond it not every whole number is a float, and few files hold it


def integer(name: str, value: Any, low: int | None = None, high: int | None = None) -> int:
    """Return `value` as an int within [low, high].

    Parameters
    ----------
    name : str
        The parameter's name, for the message.
    value : Any
        What was given; True and False are not integers here.
    low, high : int or None
        The bounds, both allowed values themselves; None leaves that side open.

    Returns
    -------
    int
        The value.

    Raises
    ------
    ValueError
        If it is not an integer or lies outside the bounds.
    """
    whole = isinstance(value, numbers.Integral) and not isinstance(value, (bool, np.bool_))
    if whole and low is not None and high is None and value > LARGEST:
        high = LARGEST
    if not whole or (low is not None and value < low) or (high is not None and value > high):
        raise ValueError(f"{name} is {shown(value)}: it must be an integer{_between(low, high)}.")
    return int(value)


def number(
    name: str, value: Any, low: float | None = None, high: float | None = None, *, above: float | None = None
) -> float:
    """Return `value` as a finite float within [low, high], or greater than `above`.

    Parameters
    ----------
    name : str
        The parameter's name, for the message.
    value : Any
        What was given.
    low, high : float or None
        The bounds, both allowed values themselves; None leaves that side open.
    above : float or None
        A bound that is not itself allowed.

    Returns
    -------
    float
        The value.

    Raises
    ------
    ValueError
        If it is not a finite real number or lies outside the bounds.
    """
    if (
        not is_finite_number(value)
        or (low is not None and value < low)
        or (high is not None and value > high)
        or (above is not None and value <= above)
    ):
        most = f" and at most {high}" if high is not None else ""
        limit = f" greater than {above}{most}" if above is not None else ""
        raise ValueError(f"{name} is {shown(value)}: it must be a finite number{limit or _between(low, high)}.")
    return float(value)


def choice(name: str, value: Any, allowed: Collection[str]) -> str:
    """Return `value` if it is one of the allowed names.

    Parameters
    ----------
    name : str
        The parameter's name, for the message.
    value : Any
        What was given.
    allowed : collection of str
        The names to choose from.

    Returns
    -------
    str
        The value.

    Raises
    ------
    ValueError
        If it is not one of them.
    """
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} is {shown(value)}: it must be one of {', '.join(map(repr, allowed))}.")
    return value


def array(
    name: str, value: Any, ndim: int | tuple[int, ...] | None = None, *, finite: bool = True, empty: bool = False
) -> np.ndarray:
    """Return `value` as a float64 array of the wanted number of dimensions.

    Parameters
    ----------
    name : str
        The parameter's name, for the message.
    value : Any
        What NumPy turns into an array of real numbers.
    ndim : int, tuple of int or None
        The allowed numbers of dimensions; None allows any.
    finite : bool
        Refuse NaN and infinity.
    empty : bool
        Allow an array without elements.

    Returns
    -------
    numpy.ndarray
        The array, float64; not a copy if it is one already.

    Raises
    ------
    ValueError
        If it is ragged, not numeric, of another dimension, empty, or not finite.
    """
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


def same_shape(**arrays: np.ndarray) -> None:
    """Refuse arrays whose shapes differ.

    Parameters
    ----------
    **arrays : numpy.ndarray
        The arrays by the names of their parameters.

    Raises
    ------
    ValueError
        If their shapes are not all the same.
    """
    if len({a.shape for a in arrays.values()}) > 1:
        shapes = ", ".join(f"{name} {a.shape}" for name, a in arrays.items())
        raise ValueError(f"The shapes are {shapes}: they must be the same.")


def symmetric(name: str, value: Any, size: int | None = None) -> np.ndarray:
    """Return `value` as a float64 stack of symmetric matrices.

    Parameters
    ----------
    name : str
        The parameter's name, for the message.
    value : Any
        One matrix, shape (n, n), or a stack of them, shape (..., n, n).
    size : int or None
        The wanted n; None allows any.

    Returns
    -------
    numpy.ndarray
        The matrices.

    Raises
    ------
    ValueError
        If it is not finite, not square, of another size, or not symmetric to rounding.
    """
    result = array(name, value)
    if result.ndim < 2 or result.shape[-1] != result.shape[-2]:
        raise ValueError(f"{name} has shape {result.shape}: its last two dimensions must be equal.")
    if size is not None and result.shape[-1] != size:
        raise ValueError(f"{name} has shape {result.shape}: it must have {size} rows and columns, one a point.")
    if not np.allclose(result, np.swapaxes(result, -1, -2), rtol=1e-9, atol=1e-12 * np.abs(result).max()):
        raise ValueError(f"{name} is not symmetric: entry (i, j) must equal entry (j, i).")
    return result


def flag(name: str, value: Any) -> bool:
    """Return `value` as a bool.

    Parameters
    ----------
    name : str
        The parameter's name, for the message.
    value : Any
        What was given; 0 and 1 are allowed, as a stored attribute holds them.

    Returns
    -------
    bool
        The value.

    Raises
    ------
    ValueError
        If it is neither True nor False.
    """
    if not isinstance(value, (bool, np.bool_)) and not (isinstance(value, numbers.Integral) and value in (0, 1)):
        raise ValueError(f"{name} is {shown(value)}: it must be True or False.")
    return bool(value)


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


def _between(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f" from {low} to {high}"
    if low is not None:
        return f" of at least {low}"
    return f" of at most {high}" if high is not None else ""
