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
import typing
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, cast

import numpy as np
import xarray as xr

from kbe import hints, labels, refusals
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
class OneOf:
    """One of some names."""

    names: Collection[str]

    def __call__(self, name: str, value: Any, sizes: dict[str, Any]) -> str:
        """Return the value as it is."""
        return refusals.choice(name, value, self.names)


@dataclass(frozen=True)
class Shaped:
    """An array of real numbers whose dimensions have names; equal names in one call mean equal sizes.

    A DataArray whose dimensions have these names in the singular is brought into their order, and where two of them
    have labels along one name, these must be the same.

    Parameters
    ----------
    dims : str
        The names, separated by spaces; `...` stands for any dimensions before them, or after them.
    low, above : float or None
        Every element must be at least `low`, or greater than `above`.
    finite : bool
        Refuse NaN and infinity.
    symmetric : bool
        Entry (i, j) must equal entry (j, i), to rounding.
    increasing : bool
        Every element must be greater than the one before.
    broadcast : bool
        The dimensions that dots stand for must broadcast against those of the call's other such arguments.
    """

    dims: str = "..."
    low: float | None = None
    above: float | None = None
    finite: bool = True
    symmetric: bool = False
    increasing: bool = False
    broadcast: bool = False

    def __call__(self, name: str, value: Any, sizes: dict[str, Any]) -> np.ndarray:
        """Return the value as a float64 array; `sizes` collects what the names stand for in this call."""
        value = self._by_name(name, value, sizes)
        result = refusals.array(name, value, finite=self.finite)
        refusals.shape(name, result.shape, self.dims, sizes, broadcast=self.broadcast)
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

    def _by_name(self, name: str, value: Any, sizes: dict[str, Any]) -> Any:
        order = [... if dim == "..." else dim.removesuffix("s") for dim in self.dims.split()]
        dims = [dim for dim in order if dim is not ...]
        if not isinstance(value, xr.DataArray) or not dims or len(set(dims)) < len(dims) or set(dims) - set(value.dims):
            return value
        return labels.same_labels(name, value, sizes).transpose(*order, *([] if ... in order else [...]))


@dataclass(frozen=True)
class Holds:
    """A Dataset that holds variables, or a DataArray, with dimensions that have names and the same labels in a call.

    Parameters
    ----------
    names : str
        As for `labels.labelled`: "mu(member epoch point) x(... bit) stage", or "(member epoch)" of a DataArray.
    source : str
        What makes one, for the message.
    attributes : str
        What else it needs, separated by spaces.
    """

    names: str
    source: str
    attributes: str = ""

    def __call__(self, name: str, value: Any, sizes: dict[str, Any]) -> xr.Dataset | xr.DataArray:
        """Return the value with its dimensions in the order of the names, or as they come where dots are first."""
        found = labels.labelled(name, value, self.names, self.source)
        if missing := [one for one in self.attributes.split() if one not in found.attrs]:
            raise ValueError(f"{name} lacks the attributes {', '.join(missing)}: it must be {self.source}.")
        return cast(xr.Dataset | xr.DataArray, labels.same_labels(name, found, sizes))


Natural = Annotated[int, Whole(0)]
Count = Annotated[int, Whole(1, 10**6)]  # of what is held in memory at once
Steps = Annotated[int, Whole(0, 10**6)]
Seed = Natural
Finite = Annotated[float, Real()]
NonNegative = Annotated[float, Real(0)]
Positive = Annotated[float, Real(above=0)]
Share = Annotated[float, Real(0, 1)]
Confidence = Annotated[float, Real(above=0, below=1)]

Array = Annotated[np.ndarray, Shaped()]
Samples = Annotated[np.ndarray, Shaped(finite=False)]  # NaN where there is no value, infinite where an onset never came
Vector = Annotated[np.ndarray, Shaped("elements")]
Points = Annotated[np.ndarray, Shaped("... points", broadcast=True)]
Deviations = Annotated[np.ndarray, Shaped("... points", above=0, broadcast=True)]
Times = Annotated[np.ndarray, Shaped("times", low=0)]
Distances = Annotated[np.ndarray, Shaped(low=0)]
Gram = Annotated[np.ndarray, Shaped("... points points", broadcast=True)]
SymmetricGram = Annotated[np.ndarray, Shaped("points points", symmetric=True)]
Inputs = Annotated[np.ndarray, Shaped("... points bits", broadcast=True)]
ModuleInputs = Annotated[np.ndarray, Shaped("n ...")]
PointVector = Annotated[np.ndarray, Shaped("points")]

Onsets = Annotated[xr.DataArray, Holds("(... member)", "the onset of an ensemble")]
TwoHeads = Annotated[
    xr.Dataset,
    Holds("mu(... point) sigma(... point) y(... point)", "what ensemble.train returns for two heads"),
]
KeptWeights = Annotated[
    xr.Dataset, Holds("parameters(member epoch parameter)", "what ensemble.train returns with keep_parameters=True")
]
PerMember = Annotated[np.ndarray, Shaped("members", finite=False)]


def checked(function: Function) -> Function:
    """Hold a function's arguments to their annotated types, and hand them on as those types make them.

    Besides the types of this module Python's own mean what they say, as `kbe.hints` reads them. Equal names of
    dimensions mean equal sizes within one call.
    """
    signature = inspect.signature(function)

    @functools.cache  # at the first call, when all that an annotation names is defined
    def rules() -> dict[str, Callable]:
        found = typing.get_type_hints(function, include_extras=True)
        return {name: hints.rule(found[name]) for name in signature.parameters if name in found}

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

    return cast(Function, call)
