"""The activations of the two heads of a variance network, and their slopes.

The response kernel acts on what enters an activation, while the paper writes its dynamics in the outputs mu and
sigma. With linear heads the two are one; with others the chain rule comes between.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import numpy as np
from scipy import special

from kbe.checks import OneOf


class _HeadFunction(NamedTuple):
    """A head's activation p(z): its value, its inverse, and p' and p'' as functions of p itself."""

    value: Callable[[Any], Any]
    inverse: Callable[[Any], Any]
    slope: Callable[[Any], Any]
    bend: Callable[[Any], Any]


HEAD_FUNCTIONS = {
    "linear": _HeadFunction(lambda z: z, lambda p: p, np.ones_like, np.zeros_like),
    "sigmoid": _HeadFunction(special.expit, special.logit, lambda p: p * (1 - p), lambda p: p * (1 - p) * (1 - 2 * p)),
    "exponential": _HeadFunction(np.exp, np.log, lambda p: p, lambda p: p),
    "softplus": _HeadFunction(
        lambda z: np.logaddexp(0, z),
        lambda p: p + np.log(-np.expm1(-p)),
        lambda p: -np.expm1(-p),
        lambda p: -np.exp(-p) * np.expm1(-p),
    ),
}


HeadName = Annotated[str, OneOf(HEAD_FUNCTIONS)]
HeadNames = tuple[HeadName, HeadName]
LINEAR = ("linear", "linear")
