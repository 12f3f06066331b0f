"""The derivatives of the losses in the outputs, compiled, for sixteen members at a time.

Each is a derivative of a function of `kbe.losses` of the same name, where its formula and source
stand; `setting` is the loss's own number, if it has one. What autograd does not differentiate there
is not differentiated here.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Hashable

from kbe import losses
from kbe.training.compiled.functions import magnitude, power
from kbe.training.compiled.machine_code import compiled
from kbe.training.compiled.simd import add_to, load, where_greater

SQUARED, GAUSSIAN, MISPRINTED, LAPLACE, STUDENT, BETA, FAITHFUL, CLAMPED = range(8)

# a loss, and the name of its number if it has one
FORMS: dict[Callable, tuple[int, str | None]] = {
    losses.squared_error: (SQUARED, None),
    losses.gaussian_nll: (GAUSSIAN, None),
    losses.gaussian_nll_misprinted: (MISPRINTED, None),
    losses.laplace_nll: (LAPLACE, None),
    losses.student_t_nll: (STUDENT, "degrees"),
    losses.beta_nll: (BETA, "beta"),
    losses.faithful_nll: (FAITHFUL, None),
    losses.clamped_gaussian_nll: (CLAMPED, "floor"),
}


def compiled_form(loss: Callable) -> tuple[int, float] | None:
    """Which of the losses above it is, and its number, 0 if it has none; None for any other loss.

    The number is the function's default, or what a `functools.partial` sets.
    """
    made = loss if isinstance(loss, functools.partial) else functools.partial(loss)
    function, given = made.func, made.keywords
    if not isinstance(function, Hashable) or function not in FORMS or made.args:
        return None
    kind, name = FORMS[function]
    if set(given) - {name}:
        return None
    return kind, float(given.get(name, inspect.signature(function).parameters[name].default)) if name else 0.0


@compiled
def _slope_in_mean(residual, sigma, loss, setting):
    """The derivative in mu of a loss of `kbe.losses`; the residual is mu - y."""
    if loss in (SQUARED, FAITHFUL):
        return residual
    scaled = residual / sigma
    if loss == LAPLACE:
        return where_greater(residual, 0.0, 1.0, where_greater(0.0, residual, -1.0, 0.0 * residual)) / sigma
    if loss == STUDENT:
        return (setting + 1.0) * scaled / (setting + scaled * scaled) / sigma
    if loss == BETA:
        return power(sigma, 2.0 * setting) * (scaled / sigma)
    if loss == CLAMPED:
        return residual / where_greater(setting, sigma * sigma, setting, sigma * sigma)
    return scaled / sigma


@compiled
def _slope_in_deviation(residual, sigma, loss, setting):
    """The derivative in sigma of a loss of `kbe.losses` for two heads."""
    scaled = residual / sigma
    if loss == MISPRINTED:
        return 1.0 - scaled * scaled / sigma
    if loss == LAPLACE:
        return (1.0 - magnitude(scaled)) / sigma
    if loss == STUDENT:
        return (1.0 - (setting + 1.0) * (scaled * scaled) / (setting + scaled * scaled)) / sigma
    if loss == BETA:
        return power(sigma, 2.0 * setting) * ((1.0 - scaled * scaled) / sigma)
    if loss == CLAMPED:
        variance = where_greater(setting, sigma * sigma, setting, sigma * sigma)
        return sigma / variance * (1.0 - residual * residual / variance)
    return (1.0 - scaled * scaled) / sigma


@compiled
def loss_slopes(outputs, rows, target, share, loss, setting, slopes):
    """Write dL/dmu and dL/dsigma of each row; `share` is a point's weight in the mean or sum, 0 where it is lacking.

    An input drawn more than once has a slot of rows in target and share for each time.
    """
    slopes[:] = 0.0
    for point in range(share.shape[0]):
        row = point % rows
        s = load(share, point)
        residual = load(outputs, row) - load(target, point)
        sigma = residual if loss == SQUARED else load(outputs, rows + row)
        # selected, not multiplied by zero: zero times infinity is NaN
        add_to(slopes, row, where_greater(s, 0.0, s * _slope_in_mean(residual, sigma, loss, setting), 0.0))
        if loss != SQUARED:
            in_deviation = s * _slope_in_deviation(residual, sigma, loss, setting)
            add_to(slopes, rows + row, where_greater(s, 0.0, in_deviation, 0.0))
