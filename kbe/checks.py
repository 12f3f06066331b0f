"""What an argument may be: annotated types, and a decorator that holds a function's arguments to them.

An annotated type says once what a body then need not ask. It answers bad input with one sentence that names
the parameter, the value and what is allowed::

    @checked
    def rate_local(gram: Gram, targets: Points, mean: Points) -> np.ndarray: ...

Arrays come in as anything that NumPy makes an array of real numbers of, and arrive in the body as float64.
"""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, Union

import numpy as np
import xarray as xr

from kbe import refusals
from kbe.refusals import shown

Function = TypeVar("Function", bound=Callable)


@dataclass(frozen=True)
class Whole:
    """A whole number between bounds that are allowed themselves."""

    low: int | None = None
    high: int | None = None

    def __call__(self, name: str, value: Any, sizes: dict[str, Any]) -> int:
        """Return the value as an int."""
        return refusals.integer(name, value, self.low, self.high)


@dataclass(frozen=True)
class Real:
    """A finite number; `low` and `high` are allowed themselves, `above` and `below` are not."""

    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None

    def __call__(self, name: str, value: Any, sizes: dict[str, Any]) -> float:
        """Return the value as a float."""
        return refusals.number(name, value, self.low, self.high, above=self.above, below=self.below)


@dataclass(frozen=True)
class Shaped:
    """An array of real numbers whose dimensions have names; equal names in one call mean equal sizes.

    Parameters
    ----------
    dims : str
        The names, separated by spaces; a leading `...` stands for any dimensions before them.
    low, above : float or None
        Every element must be at least `low`, or greater than `above`.
    finite : bool
        Refuse NaN and infinity.
    symmetric : bool
        Entry (i, j) must equal entry (j, i), to rounding.
    increasing : bool
        Every element must be greater than the one before.
    """

    dims: str = "..."
    low: float | None = None
    above: float | None = None
    finite: bool = True
    symmetric: bool = False
    increasing: bool = False

    def __call__(self, name: str, value: Any, sizes: dict[str, Any]) -> np.ndarray:
        """Return the value as a float64 array; `sizes` collects what the names stand for in this call."""
        result = refusals.array(name, value, finite=self.finite)
        self._check_shape(name, result.shape, sizes)
        if self.low is not None and not (result[~np.isnan(result)] >= self.low).all():
            raise ValueError(f"{name} holds {np.nanmin(result):g}: every element must be at least {self.low:g}.")
        if self.above is not None and not (result[~np.isnan(result)] > self.above).all():
            raise ValueError(f"{name} holds {np.nanmin(result):g}: every element must be greater than {self.above:g}.")
        if self.increasing and not (np.diff(result) > 0).all():
            raise ValueError(f"{name} is {shown(value)}: it must increase.")
        if self.symmetric and not np.allclose(
            result, np.swapaxes(result, -1, -2), rtol=1e-9, atol=1e-12 * np.abs(result).max()
        ):
            raise ValueError(f"{name} is not symmetric: entry (i, j) must equal entry (j, i).")
        return result

    def _check_shape(self, name: str, shape: tuple[int, ...], sizes: dict[str, Any]) -> None:
        names = self.dims.removeprefix("...").split()
        if len(shape) < len(names) or (len(shape) > len(names) and not self.dims.startswith("...")):
            raise ValueError(f"{name} has shape {shape}: it must be {self._wanted(names)}.")
        for dim, size in zip(names, shape[len(shape) - len(names) :], strict=True):
            known, owner = sizes.setdefault(dim, (size, name))
            if known != size:
                among = f"with {dim} = {known}" + (f" as in {owner}" if owner != name else "")
                raise ValueError(f"{name} has shape {shape}: it must be {self._wanted(names)} {among}.")

    def _wanted(self, names: list[str]) -> str:
        parts = ["..."] * self.dims.startswith("...") + names
        return f"({', '.join(parts)}{',' * (len(parts) == 1)})"


@dataclass(frozen=True)
class Holds:
    """A Dataset that holds variables, or a DataArray with dimensions.

    Parameters
    ----------
    names : str
        The variables of a Dataset or the dimensions of a DataArray that are needed, separated by spaces.
    source : str
        What makes one, for the message.
    """

    names: str
    source: str

    def __call__(self, name: str, value: Any, sizes: dict[str, Any]) -> xr.Dataset | xr.DataArray:
        """Return the value as it is."""
        present = value.dims if isinstance(value, xr.DataArray) else value if isinstance(value, xr.Dataset) else ()
        missing = [wanted for wanted in self.names.split() if wanted not in present]
        if missing:
            raise ValueError(f"{name} lacks {', '.join(missing)}: it must be {self.source}.")
        return refusals.same_labels(name, value, sizes) if isinstance(value, xr.DataArray) else value


Natural = Annotated[int, Whole(0)]
Count = Annotated[int, Whole(1)]
Seed = Natural
Finite = Annotated[float, Real()]
NonNegative = Annotated[float, Real(0)]
Positive = Annotated[float, Real(above=0)]
Share = Annotated[float, Real(0, 1)]
Confidence = Annotated[float, Real(above=0, below=1)]

Array = Annotated[np.ndarray, Shaped()]
Samples = Annotated[np.ndarray, Shaped(finite=False)]  # NaN where there is no value, infinite where an onset never came
Vector = Annotated[np.ndarray, Shaped("elements")]
Points = Annotated[np.ndarray, Shaped("... points")]
Deviations = Annotated[np.ndarray, Shaped("... points", above=0)]
Times = Annotated[np.ndarray, Shaped("times", low=0)]
Distances = Annotated[np.ndarray, Shaped(low=0)]
Gram = Annotated[np.ndarray, Shaped("... points points")]
SymmetricGram = Annotated[np.ndarray, Shaped("points points", symmetric=True)]
Inputs = Annotated[np.ndarray, Shaped("... points bits")]
PointVector = Annotated[np.ndarray, Shaped("points")]

Onsets = Annotated[xr.DataArray, Holds("member", "the onset of an ensemble")]
Run = Annotated[xr.Dataset, Holds("mu y onset", "what ensemble.train returns")]
TwoHeads = Annotated[xr.Dataset, Holds("mu sigma y", "what ensemble.train returns for two heads")]
KeptWeights = Annotated[xr.Dataset, Holds("parameters", "what ensemble.train returns with keep_parameters=True")]
PerMember = Annotated[np.ndarray, Shaped("members", finite=False)]


def checked(function: Function) -> Function:
    """Hold a function's arguments to their annotated types, and hand them on as those types make them.

    Besides the types of this module, `int`, `float`, `bool`, `Literal`, a class and a union with None mean what
    they say, and so does `Callable`; other annotations are for the reader. Equal names of dimensions mean equal sizes
    within one call.
    """
    signature = inspect.signature(function)

    @functools.cache  # at the first call, when all that an annotation names is defined
    def rules() -> dict[str, Callable]:
        hints = typing.get_type_hints(function, include_extras=True)
        found = {name: _rule(hints[name]) for name in signature.parameters if name in hints}
        return {name: rule for name, rule in found.items() if rule}

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            given = signature.bind(*args, **kwargs)
        except TypeError:  # arguments that do not fit: Python's own sentence names the function too
            return function(*args, **kwargs)
        sizes: dict[str, Any] = {}
        for name, rule in rules().items():
            if name not in given.arguments:
                continue
            value, kind = given.arguments[name], signature.parameters[name].kind
            if kind is inspect.Parameter.VAR_POSITIONAL:
                value = tuple(rule(f"argument {k} of {name}", one, sizes) for k, one in enumerate(value, 1))
            elif kind is inspect.Parameter.VAR_KEYWORD:
                value = {key: rule(key, one, sizes) for key, one in value.items()}
            else:
                value = rule(name, value, sizes)
            given.arguments[name] = value
        return function(*given.args, **given.kwargs)

    return typing.cast(Function, call)


def _rule(hint: Any) -> Callable | None:
    """What an annotation asks of a value: a function of name, value and sizes, or None where it asks nothing."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return next(check for check in hint.__metadata__ if callable(check))
    if origin is Literal:
        return lambda name, value, sizes: refusals.choice(name, value, arguments)
    if origin in (Union, types.UnionType):
        (rule, *others) = [_rule(one) for one in arguments if one is not type(None)]
        if others or rule is None:
            return None
        return lambda name, value, sizes: None if value is None else rule(name, value, sizes)
    if hint in PLAIN:
        return PLAIN[hint]
    if origin is Callable or hint is Callable:
        return _function
    is_class = isinstance(hint, type) and origin is None and hint not in (Any, object)
    return functools.partial(_instance, hint) if is_class else None


def _flag(name: str, value: Any, sizes: dict[str, Any]) -> bool:
    return refusals.flag(name, value)


def _function(name: str, value: Any, sizes: dict[str, Any]) -> Any:
    if not callable(value):
        raise ValueError(f"{name} is {shown(value)}: it must be a function.")
    return value


def _instance(kind: type, name: str, value: Any, sizes: dict[str, Any]) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"{name} is {shown(value)}: it must be a {kind.__name__}.")
    return value


PLAIN: Mapping[Any, Callable] = {int: Whole(), float: Real(), bool: _flag}
