"""Response kernel dynamics of a variance network: rates, flow, map and balance (equations 21 to 24).

Shapes and time are those of `average_network`; here mu and sigma move together.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import scipy
import xarray as xr

from kbe import checks
from kbe.theory.average_network import _gram, _points, rate_local
from kbe.theory.heads import head_pair, pulls, variance_loss

LINEAR = ("linear", "linear")


def variance_balance(
    gram: np.ndarray,
    targets: np.ndarray,
    start_deviation: np.ndarray | None = None,
    *,
    steps: int = 2000,
    damping: float = 0.5,
    tolerance: float = 1e-10,
    floor: float = 1e-6,
) -> xr.Dataset:
    r"""The local mean and standard deviation in balance, where Eq. (22), (24) rest, by damped iteration.

    .. math::
        \mu_i = \frac{\sum_j K_{ij} \sigma_j^{-2} y_j}{\sum_j K_{ij} \sigma_j^{-2}}, \qquad
        \sigma_i^2 = \frac{\sum_j K_{ij} \sigma_j^{-3} (y_j - \mu_i)^2}{\sum_j K_{ij} \sigma_j^{-3}}

    A point with a small sigma weighs heavily everywhere, itself included, so a balance with all sigma
    above 0 need not exist, and one that exists may repel: look at `collapsed` and `converged`. The exact
    Eq. (21), (23) have no such rest at all unless inputs repeat.

    Parameters
    ----------
    gram : array, shape (n, n)
        K, with no negative element and a positive diagonal.
    targets : array, shape (n,)
        y.
    start_deviation : array, shape (n,), or None
        sigma to begin with, greater than 0; None for the standard deviation that equal sigma give.
    steps : int
        The largest number of iterations.
    damping : float
        The share of the old value that is kept in each, from 0 to below 1, in log sigma.
    tolerance : float
        The largest change of log sigma at which it counts as converged.
    floor : float
        The sigma at which it counts as collapsed.

    Returns
    -------
    xarray.Dataset
        `mu`, `sigma` (point), `converged`, `collapsed` and `iterations`.

    Raises
    ------
    ValueError
        If the shapes do not fit or a value is not allowed.
    """
    targets = checks.array("targets", targets, 1)
    gram = checks.symmetric("gram", checks.array("gram", gram, 2), len(targets))
    checks.number("floor", floor, above=0)
    checks.number("tolerance", tolerance, 0)
    checks.integer("steps", steps, 1)
    damping = checks.number("damping", damping, 0, 0.999)
    weights = np.ones_like(targets)
    if start_deviation is not None:
        weights = checks.array("start_deviation", start_deviation, 1)
        checks.same_shape(targets=targets, start_deviation=weights)
    if weights.min() <= 0 or gram.min() < 0 or np.diagonal(gram).min() <= 0:
        raise ValueError("start_deviation and the diagonal of gram must be greater than 0, and gram nowhere negative.")
    deviation = weights if start_deviation is not None else _balance(gram, targets, weights)[1]
    converged, iteration = False, 0
    while not converged and iteration < steps and deviation.min() > floor:
        with np.errstate(divide="ignore"):
            change = (1 - damping) * (np.log(_balance(gram, targets, deviation)[1]) - np.log(deviation))
        deviation, iteration = deviation * np.exp(change), iteration + 1
        converged = bool(np.abs(change).max() < tolerance)
    mean = _balance(gram, targets, np.maximum(deviation, floor))[0]
    return xr.Dataset(
        {
            "mu": ("point", mean),
            "sigma": ("point", deviation),
            "converged": converged,
            "collapsed": bool(deviation.min() <= floor),
            "iterations": iteration,
        }
    )


def variance_rates(
    gram: np.ndarray,
    targets: np.ndarray,
    mean: np.ndarray,
    deviation: np.ndarray,
    *,
    deviation_gram: np.ndarray | None = None,
    mean_factor: float = 1.0,
) -> np.ndarray:
    r"""The rates of a variance network whose heads are linear, Eq. (21), (23).

    .. math::
        \frac{d\mu_i}{dt} = c \sum_j \frac{K_{ij}}{\sigma_j^2} (y_j - \mu_j), \qquad
        \frac{d\sigma_i}{dt} = \sum_j \frac{K_{ij}}{\sigma_j^3} \big((y_j - \mu_j)^2 - \sigma_j^2\big)

    Parameters
    ----------
    gram : array, shape (..., n, n)
        K of the mean head.
    targets, mean, deviation : array, shape (..., n)
        y, mu and sigma; sigma is not 0.
    deviation_gram : array, shape (..., n, n), or None
        K of the deviation head; None for the same as the mean's.
    mean_factor : float
        c. Eq. (8) gives 1; the printed Eq. (21) has 1/2.

    Returns
    -------
    numpy.ndarray, shape (2, ..., n)
        The rates of mu and of sigma.

    Raises
    ------
    ValueError
        If the shapes do not fit or a value is not allowed.
    """
    targets, mean, deviation = _points(targets=targets, mean=mean, deviation=deviation)
    mean_factor = checks.number("mean_factor", mean_factor, above=0)
    first = _gram("gram", gram, mean)
    second = first if deviation_gram is None else _gram("deviation_gram", deviation_gram, mean)
    pull = pulls(targets, mean, deviation)
    return np.stack([mean_factor * _respond(first, pull[0]), _respond(second, pull[1])])


def variance_rates_local(
    gram: np.ndarray, targets: np.ndarray, mean: np.ndarray, deviation: np.ndarray, *, mean_factor: float = 1.0
) -> np.ndarray:
    r"""The rates of a variance network once mu_j and sigma_j^2 are replaced by mu_i and sigma_i^2, Eq. (22), (24).

    .. math::
        \frac{d\mu_i}{dt} = c \sum_j K_{ij} \frac{y_j - \mu_i}{\sigma_j^2}, \qquad
        \frac{d\sigma_i}{dt} = \sum_j K_{ij} \frac{(y_j - \mu_i)^2 - \sigma_i^2}{\sigma_j^3}

    The sigma_j of the denominators stays. The paper's K is a sum over scales: give `kernels.multi_scale_kernel`.

    Parameters
    ----------
    gram : array, shape (..., n, n)
        K.
    targets, mean, deviation : array, shape (..., n)
        y, mu and sigma; sigma is not 0.
    mean_factor : float
        c. Eq. (8) gives 1; the printed Eq. (22) has 1/2.

    Returns
    -------
    numpy.ndarray, shape (2, ..., n)
        The rates of mu and of sigma.

    Raises
    ------
    ValueError
        If the shapes do not fit or a value is not allowed.
    """
    targets, mean, deviation = _points(targets=targets, mean=mean, deviation=deviation)
    mean_factor = checks.number("mean_factor", mean_factor, above=0)
    gram = _gram("gram", gram, mean)
    first, second = gram / deviation[..., None, :] ** 2, gram / deviation[..., None, :] ** 3
    squares = (targets[..., None, :] - mean[..., :, None]) ** 2 - deviation[..., :, None] ** 2
    return np.stack([mean_factor * rate_local(first, targets, mean), (second * squares).sum(-1)])


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


def _balance(gram: np.ndarray, targets: np.ndarray, deviation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One step: the mean that the deviations give, and the deviations around it."""
    relative = deviation / deviation.min()
    second, third = gram / relative**2, gram / relative**3
    mean = second @ targets / second.sum(1)
    square = (third * (targets - mean[:, None]) ** 2).sum(1) / third.sum(1)
    return mean, np.sqrt(square)


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
