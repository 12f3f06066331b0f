"""Response kernel dynamics of a variance network: the flow and the map (equations 21 and 23).

Time is the paper's: one full-batch step of learning rate eta on the summed loss is a time eta, and
on the loss averaged over N points a time eta / N. The kernels are constant.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import scipy
import xarray as xr

from kbe import checks
from kbe.heads import head_pair, pulls, variance_loss

LINEAR = ("linear", "linear")


def variance_flow(
    gram: np.ndarray,
    targets: np.ndarray,
    mean: np.ndarray,
    deviation: np.ndarray,
    times: np.ndarray,
    *,
    deviation_gram: np.ndarray | None = None,
    mean_factor: float = 1.0,
    heads: tuple[str, str] = LINEAR,
    floor: float = 1e-3,
    tolerance: float = 1e-8,
    method: str = "LSODA",
) -> xr.Dataset:
    r"""A variance network in training as a flow, the numerical solution of Eq. (21), (23).

    With linear heads this is those two equations. With other heads the kernel acts on what enters the
    activations, :math:`v` and :math:`u`, as in a network: :math:`\dot v = c K (-dL/dv)`, :math:`\dot u = K (-dL/du)`.
    Along it Eq. (8) never increases. It ends early when the smallest sigma falls to the floor.

    Parameters
    ----------
    gram : array, shape (n, n)
        K of the mean head.
    targets, mean, deviation : array, shape (n,)
        y, and mu and sigma at time 0.
    times : array, shape (t,)
        Times to report, ascending, at least 0; the last one ends the integration.
    deviation_gram : array, shape (n, n), or None
        K of the deviation head; None for the same as the mean's.
    mean_factor : float
        c. Eq. (8) gives 1; the printed Eq. (21) has 1/2.
    heads : pair of str
        Activations of the mean and the deviation head, names in `heads.HEADS`.
    floor : float
        The sigma that counts as 0, greater than 0.
    tolerance : float
        Relative tolerance of the integrator; the absolute one is a hundredth of it.
    method : {"LSODA", "Radau", "BDF"}
        Integrator of SciPy; all three can follow the stiff end.

    Returns
    -------
    xarray.Dataset
        `mu`, `sigma` (time, point) and `loss` (time) at the times before the collapse and at its
        moment, `y` (point), and `collapse_time`, infinite if sigma kept above the floor.

    Raises
    ------
    ValueError
        If the shapes do not fit or a value is not allowed.
    RuntimeError
        If the integrator gives up.
    """
    state, kernels = _start(gram, deviation_gram, targets, mean, deviation, mean_factor, heads, 1)
    times, floor = checks.array("times", times, 1), checks.number("floor", floor, above=0)
    checks.choice("method", method, ("LSODA", "Radau", "BDF"))
    checks.number("tolerance", tolerance, above=0, high=0.1)
    if times[0] < 0 or times[-1] <= 0 or (np.diff(times) <= 0).any():
        raise ValueError("times must ascend, start at 0 or later and end later than 0.")
    if np.min(deviation) <= floor:
        raise ValueError(f"deviation starts at {np.min(deviation):g}: it must start above the floor, {floor:g}.")
    targets, outputs = np.asarray(targets, float), _outputs(heads)

    def rate(_: float, flat: np.ndarray) -> np.ndarray:
        mean, deviation = outputs(flat.reshape(state.shape))
        return _respond(kernels, pulls(targets, mean, deviation, heads)).ravel()

    def above_floor(_: float, flat: np.ndarray) -> float:
        return float(outputs(flat.reshape(state.shape))[1].min()) - floor

    above_floor.terminal, above_floor.direction = True, -1  # type: ignore[attr-defined]
    with np.errstate(all="ignore"):
        solution = scipy.integrate.solve_ivp(
            rate,
            (0.0, times[-1]),
            state.ravel(),
            method,
            times,
            events=above_floor,
            rtol=tolerance,
            atol=tolerance / 100,
        )
    if solution.status < 0:
        raise RuntimeError(f"The integrator stopped at {solution.t[-1]:g}: {solution.message}")
    ends = solution.t_events[0][:1]
    before = np.reshape(solution.y, (state.size, -1)).T  # an empty list where it collapsed before the first time
    history = np.array([*before, *solution.y_events[0][:1]]).reshape(-1, *state.shape)
    result = _history(outputs(history.swapaxes(0, 1)), targets, ("time", "point"))
    result = result.assign_coords(time=np.concatenate([solution.t, ends]))
    result["collapse_time"] = float(ends[0]) if len(ends) else np.inf
    return result.assign_attrs(mean_factor=mean_factor, heads=list(heads), floor=floor)


def variance_map(
    gram: np.ndarray,
    targets: np.ndarray,
    mean: np.ndarray,
    deviation: np.ndarray,
    steps: int,
    learning_rate: float,
    *,
    deviation_gram: np.ndarray | None = None,
    mean_factor: float = 1.0,
    heads: tuple[str, str] = LINEAR,
) -> xr.Dataset:
    """A variance network in steps of gradient descent, the map whose small-step limit is Eq. (21), (23).

    This is what jumps. Members are independent: one that turns non-finite keeps its values and touches no other.

    Parameters
    ----------
    gram : array, shape (n, n) or (members, n, n)
        K of the mean head.
    targets, mean, deviation : array, shape (n,) or (members, n)
        y, and mu and sigma before the first step.
    steps : int
        How many, at least 0.
    learning_rate : float
        eta, greater than 0.
    deviation_gram : array or None
        K of the deviation head; None for the same as the mean's.
    mean_factor : float
        c. Eq. (8) gives 1; the printed Eq. (21) has 1/2.
    heads : pair of str
        Activations of the mean and the deviation head, names in `heads.HEADS`.

    Returns
    -------
    xarray.Dataset
        `mu`, `sigma` ([member,] step, point), `loss` ([member,] step) with the start as step 0,
        and `y`; the learning rate among the attributes. With a linear head sigma may turn
        negative; its loss is then NaN.

    Raises
    ------
    ValueError
        If the shapes do not fit or a value is not allowed.
    """
    state, kernels = _start(gram, deviation_gram, targets, mean, deviation, mean_factor, heads, 2)
    learning_rate = checks.number("learning_rate", learning_rate, above=0)
    history = np.empty((checks.integer("steps", steps, 0) + 1, *state.shape))
    targets, outputs = np.asarray(targets, float), _outputs(heads)
    history[0] = state
    with np.errstate(all="ignore"):
        for before, after in itertools.pairwise(history):
            mean, deviation = outputs(before)
            after[...] = before + learning_rate * _respond(kernels, pulls(targets, mean, deviation, heads))
        values = outputs(np.moveaxis(history, 0, -2))
    dims = ("step", "point") if state.ndim == 2 else ("member", "step", "point")
    result = _history(values, targets, dims)
    return result.assign_attrs(mean_factor=mean_factor, heads=list(heads), learning_rate=learning_rate)


def _start(
    gram: np.ndarray,
    deviation_gram: np.ndarray | None,
    targets: np.ndarray,
    mean: np.ndarray,
    deviation: np.ndarray,
    mean_factor: float,
    heads: tuple[str, str],
    most: int,
) -> tuple[np.ndarray, np.ndarray]:
    """The state (v, u), shape (2, ..., n), and the two kernels that act on it, shape (2, ..., n, n), checked."""
    ndim = tuple(range(1, most + 1))
    values = {"targets": targets, "mean": mean, "deviation": deviation}
    arrays = {name: checks.array(name, value, ndim) for name, value in values.items()}
    checks.same_shape(**arrays)
    shape = arrays["targets"].shape
    if arrays["deviation"].min() <= 0:
        raise ValueError(f"deviation holds {arrays['deviation'].min():g}: it must start greater than 0.")
    pair = head_pair(heads)
    for name, head in zip(("mean", "deviation"), pair, strict=True):
        if arrays[name].min() <= head.low or arrays[name].max() >= head.high:
            raise ValueError(f"{name} must start between {head.low:g} and {head.high:g}, the range of its head.")
    grams = [checks.symmetric("gram", gram, shape[-1])]
    grams.append(grams[0] if deviation_gram is None else checks.symmetric("deviation_gram", deviation_gram, shape[-1]))
    if any(g.shape[:-2] not in ((), shape[:-1]) for g in grams):
        raise ValueError(
            f"gram has shape {grams[0].shape}: it must be one matrix, or one a member, for {shape} targets."
        )
    kernels = np.stack(np.broadcast_arrays(checks.number("mean_factor", mean_factor, above=0) * grams[0], grams[1]))
    state = np.stack([head.inverse(arrays[n]) for n, head in zip(("mean", "deviation"), pair, strict=True)])
    return state, kernels


def _outputs(heads: tuple[str, str]) -> Callable[[np.ndarray], np.ndarray]:
    """Mu and sigma, stacked, as a function of the state (v, u)."""
    on_mean, on_deviation = head_pair(heads)
    return lambda state: np.stack([on_mean.value(state[0]), on_deviation.value(state[1])])


def _respond(kernels: np.ndarray, pull: np.ndarray) -> np.ndarray:
    return (kernels @ pull[..., None])[..., 0]


def _history(outputs: np.ndarray, targets: np.ndarray, dims: tuple[str, ...]) -> xr.Dataset:
    mean, deviation = outputs
    loss = variance_loss(targets[..., None, :], mean, deviation)
    point = tuple(dim for dim in dims if dim in ("member", "point"))
    return xr.Dataset(
        {"mu": (dims, mean), "sigma": (dims, deviation), "loss": (dims[:-1], loss), "y": (point, targets)}
    )
