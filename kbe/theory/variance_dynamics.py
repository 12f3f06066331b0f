"""A variance network in training under a constant response kernel: as a flow in time, and in steps.

With linear heads these solve equations 21 and 23. With other heads the kernel acts on what enters the activations, v
and u, as in a network.
"""

from __future__ import annotations

import inspect
import itertools
from typing import Annotated, Literal

import numpy as np
import scipy
import xarray as xr

from kbe.checks import Deviations, Points, PointVector, Positive, Real, Shaped, Steps, SymmetricGram, checked
from kbe.refusals import shown
from kbe.theory.heads import HEAD_FUNCTIONS, LINEAR, HeadNames
from kbe.theory.variance_network import variance_loss, variance_rates

SymmetricGrams = Annotated[np.ndarray, Shaped("... points points", symmetric=True, broadcast=True)]

_rates = inspect.unwrap(variance_rates)  # training may turn non-finite, and then stays so


@checked
def variance_flow(
    gram: SymmetricGram,
    targets: PointVector,
    mean: PointVector,
    deviation: Annotated[np.ndarray, Shaped("points", above=0)],
    times: Annotated[np.ndarray, Shaped("times", low=0, increasing=True)],
    *,
    deviation_gram: SymmetricGram | None = None,
    mean_factor: Positive = 1.0,
    heads: HeadNames = LINEAR,
    floor: Positive = 1e-3,
    tolerance: Annotated[float, Real(above=0, high=0.1)] = 1e-8,
    method: Literal["LSODA", "Radau", "BDF"] = "LSODA",
) -> xr.Dataset:
    r"""A variance network in training as a flow, the numerical solution of equations 21 and 23.

    .. math:: \dot v = c K (-\partial L / \partial v), \qquad \dot u = K (-\partial L / \partial u)

    Along it the loss of equation 8 never increases. It ends early when the smallest sigma falls to the floor.

    Parameters
    ----------
    gram, deviation_gram, mean_factor, heads
        As for `variance_network.variance_rates`.
    targets, mean, deviation
        y, and mu and sigma at time 0.
    times
        Times to report; the last one ends the integration.
    floor
        The sigma that counts as 0.
    tolerance
        Relative tolerance of the integrator; the absolute one is a hundredth of it.
    method
        Integrator of SciPy; all three can follow the stiff end.

    Returns
    -------
    xarray.Dataset
        `mu`, `sigma` (time, point) and `loss` (time) at the times before the collapse and at its
        moment, `y` (point), and `collapse_time`, infinite if sigma kept above the floor.

    Raises
    ------
    ValueError
        If the times end at 0, a start lies outside of its head's range or not above the floor, or overflows.
    RuntimeError
        If the integrator gives up.
    """
    state, kernels = _start(gram, deviation_gram, mean, deviation, mean_factor, heads)
    if times[-1] == 0:
        raise ValueError("times is 0: the last must be later.")
    if deviation.min() <= floor:
        raise ValueError(f"deviation starts at {deviation.min():g}: it must start above the floor, {floor:g}.")

    def rate(_: float, flat: np.ndarray) -> np.ndarray:
        return _velocity(kernels, targets, flat.reshape(state.shape), heads).ravel()

    with np.errstate(all="ignore"):
        starts = np.isfinite(rate(0.0, state.ravel())).all()
    if not starts:
        raise ValueError(f"mean is {shown(mean)}: its distance from targets, {shown(targets)}, overflows.")

    def above_floor(_: float, flat: np.ndarray) -> float:
        return float(_outputs(flat.reshape(state.shape), heads)[1].min()) - floor

    above_floor.terminal, above_floor.direction = True, -1  # type: ignore[attr-defined]
    steps = {"method": method, "rtol": tolerance, "atol": tolerance / 100}
    with np.errstate(all="ignore"):
        solution = scipy.integrate.solve_ivp(
            rate, (0.0, times[-1]), state.ravel(), t_eval=times, events=above_floor, **steps
        )
    if solution.status < 0:
        raise RuntimeError(f"The integrator stopped at {solution.t[-1]:g}: {solution.message}")
    ends = solution.t_events[0][:1]
    before = np.reshape(solution.y, (state.size, -1)).T  # an empty list where it collapsed before the first time
    history = np.array([*before, *solution.y_events[0][:1]]).reshape(-1, *state.shape)
    result = _history(history.swapaxes(0, 1), targets, ("time", "point"), heads, mean_factor)
    result = result.assign_coords(time=np.concatenate([solution.t, ends]))
    return result.assign(collapse_time=float(ends[0]) if len(ends) else np.inf).assign_attrs(floor=floor)


@checked
def variance_map(
    gram: SymmetricGrams,
    targets: Points,
    mean: Points,
    deviation: Deviations,
    steps: Steps,
    learning_rate: Positive,
    *,
    deviation_gram: SymmetricGrams | None = None,
    mean_factor: Positive = 1.0,
    heads: HeadNames = LINEAR,
) -> xr.Dataset:
    r"""A variance network in steps of gradient descent, the map with the small-step limit of equations 21 and 23.

    .. math::
        v_{s+1} = v_s + \eta\, c K (-\partial L / \partial v), \qquad
        u_{s+1} = u_s + \eta K (-\partial L / \partial u)

    This is what jumps. Members are independent: one that turns non-finite keeps its values and touches no other.

    Parameters
    ----------
    gram, deviation_gram, mean_factor, heads
        As for `variance_network.variance_rates`; one matrix for all members, or one each.
    targets, mean, deviation
        y, and mu and sigma before the first step, of one member or several.
    learning_rate
        eta.

    Returns
    -------
    xarray.Dataset
        `mu`, `sigma` ([member,] step, point), `loss` ([member,] step) with the start as step 0,
        and `y`; the learning rate among the attributes. With a linear head sigma may turn
        negative; its loss is then NaN. What overflows is infinite or NaN.

    Raises
    ------
    ValueError
        If a start lies outside of its head's range, or the members of the arguments do not fit.
    """
    shapes = {mean.shape, deviation.shape, targets.shape}
    leads = {one.shape[:-2] for one in (gram, deviation_gram) if one is not None}
    if len(shapes) > 1 or targets.ndim > 2 or not leads <= {(), targets.shape[:-1]}:
        raise ValueError(
            f"targets has shape {targets.shape}, mean {mean.shape}, deviation {deviation.shape} and gram {gram.shape}: "
            "the first three must be (points,) or (members, points), and gram one matrix or one a member."
        )
    state, kernels = _start(gram, deviation_gram, mean, deviation, mean_factor, heads)
    history = np.empty((steps + 1, *state.shape))
    history[0] = state
    with np.errstate(all="ignore"):
        for before, after in itertools.pairwise(history):
            after[...] = before + learning_rate * _velocity(kernels, targets, before, heads)
    dims = ("step", "point") if state.ndim == 2 else ("member", "step", "point")
    result = _history(np.moveaxis(history, 0, -2), targets, dims, heads, mean_factor)
    return result.assign_attrs(learning_rate=learning_rate)


def _start(
    gram: np.ndarray,
    deviation_gram: np.ndarray | None,
    mean: np.ndarray,
    deviation: np.ndarray,
    mean_factor: float,
    heads: tuple[str, str],
) -> tuple[np.ndarray, np.ndarray]:
    """The state (v, u), shape (2, ..., n), and the kernels that act on its two parts, shape (2, ..., n, n)."""
    state = []
    for name, values, head in zip(
        ("mean", "deviation"), (mean, deviation), (HEAD_FUNCTIONS[one] for one in heads), strict=True
    ):
        low, high = head.value(-np.inf), head.value(np.inf)
        if values.min() <= low or values.max() >= high:
            raise ValueError(f"{name} must start between {low:g} and {high:g}, the range of its head.")
        state.append(head.inverse(values))
    other = gram if deviation_gram is None else deviation_gram
    return np.stack(state), np.stack(np.broadcast_arrays(mean_factor * gram, other))


def _outputs(state: np.ndarray, heads: tuple[str, str]) -> np.ndarray:
    """Mu and sigma, stacked, of the state (v, u)."""
    return np.stack([HEAD_FUNCTIONS[name].value(part) for name, part in zip(heads, state, strict=True)])


def _velocity(kernels: np.ndarray, targets: np.ndarray, state: np.ndarray, heads: tuple[str, str]) -> np.ndarray:
    return _rates(kernels[0], targets, *_outputs(state, heads), deviation_gram=kernels[1], heads=heads)


def _history(
    states: np.ndarray, targets: np.ndarray, dims: tuple[str, ...], heads: tuple[str, str], mean_factor: float
) -> xr.Dataset:
    with np.errstate(all="ignore"):
        mean, deviation = _outputs(states, heads)
    point = tuple(dim for dim in dims if dim in ("member", "point"))
    loss = variance_loss(targets[..., None, :], mean, deviation)
    return xr.Dataset(
        {"mu": (dims, mean), "sigma": (dims, deviation), "loss": (dims[:-1], loss), "y": (point, targets)},
        attrs={"mean_factor": mean_factor, "heads": list(heads)},
    )
