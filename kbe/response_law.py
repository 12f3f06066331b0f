"""The training response as a law of time times a kernel of the distance, tested against its alternatives (equation 5).

Three kinds of pairs are kept apart, because a head that saturates at the trained inputs ages their response alone:
both inputs trained, one of them, none. The size of a response is its root mean square over such pairs.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from torch import nn

from kbe import checks, response

PAIRS = ("trained, trained", "unseen, trained", "unseen, unseen")
# The logarithm of each law is a level plus a rate times one of these clocks; None stands for no second parameter.
CLOCKS: dict[str, tuple[Callable[[np.ndarray, float], np.ndarray], np.ndarray | None]] = {
    "constant": (lambda time, _: np.zeros_like(time), None),
    "exponential": (lambda time, _: time / time[-1], None),
    "stretched exponential": (lambda time, power: (time / time[-1]) ** power, np.geomspace(0.05, 3, 60)),
    "power": (lambda time, _: np.log(time), None),
}


def pair_responses(module: nn.Module, run: xr.Dataset, unseen: ArrayLike) -> xr.Dataset:
    """Size and profile of the first output's response through training, for each kind of pairs, Eq. (5).

    Parameters
    ----------
    module : torch.nn.Module
        The architecture; its own weights do not matter.
    run : xarray.Dataset
        What `ensemble.train` returns with `keep_parameters=True`, on bit strings.
    unseen : array, shape (member, n, bits)
        Inputs of each member that it is not trained on.

    Returns
    -------
    xarray.Dataset
        `size` (pairs, member, epoch), the root mean square; `mean` (pairs, member, epoch, distance), the mean
        over the pairs at each Hamming distance, NaN where a member has none.

    Raises
    ------
    ValueError
        If the run lacks its weights or the inputs do not fit.
    """
    if not isinstance(run, xr.Dataset) or "parameters" not in run:
        raise ValueError("run lacks parameters: it must be what ensemble.train returns with keep_parameters=True.")
    trained, other = run["x"].to_numpy(), checks.array("unseen", unseen, 3)
    if other.shape[::2] != trained.shape[::2]:
        raise ValueError(f"unseen has shape {other.shape}: it must be ({len(trained)}, n, {trained.shape[2]}).")
    x, points = np.concatenate([trained, other], 1), trained.shape[1]
    distance = np.abs(x[:, :, None] - x[:, None]).sum(-1).astype(int)
    seen, rest = slice(0, points), slice(points, None)
    blocks = ((seen, seen), (rest, seen), (rest, rest))
    cells = [_Cells(distance[:, rows, columns], trained.shape[2] + 1) for rows, columns in blocks]
    sizes, means = [], []
    for weights in run["parameters"].transpose("epoch", "member", "parameter").to_numpy():
        kernel = response.ensemble_kernel(module, weights, x, own_inputs=True)[..., 0, 0]
        parts = [kernel[:, rows, columns] for rows, columns in blocks]
        sizes.append([np.sqrt((part**2).mean((1, 2))) for part in parts])
        means.append([cell.mean(part) for cell, part in zip(cells, parts, strict=True)])
    dims = ("epoch", "pairs", "member")
    result = xr.Dataset({"size": (dims, np.array(sizes)), "mean": ((*dims, "distance"), np.array(means))})
    coords = {"epoch": run["epoch"], "pairs": list(PAIRS), "distance": np.arange(trained.shape[2] + 1)}
    return result.assign_coords(coords).transpose("pairs", "member", "epoch", "distance")


def compare_laws(
    size: ArrayLike, epochs: ArrayLike, window: tuple[float, float], *, resamples: int = 200, seed: int = 0
) -> xr.Dataset:
    r"""The law of time that predicts a response best from the first half of a range for its second, Eq. (5).

    .. math:: c, \quad c\,e^{-rt}, \quad c\,e^{-r t^p}, \quad c\,t^{-a}

    Each is fitted to the logarithm of the median over members at the recorded epochs in the first half of the
    range, counted in log t, and has to predict those of the second half. All rates may have either sign: a
    response may grow. A law with one parameter more gains nothing by that unless it predicts better.

    Parameters
    ----------
    size : array, shape (member, epoch)
        Sizes of the response, greater than 0; members that are not are left out.
    epochs : array, shape (epoch,)
        The recorded epochs.
    window : (float, float)
        The range: its first epoch, at least 1, and its last.
    resamples : int
        How many times the members are drawn again.
    seed : int
        Start of the draws.

    Returns
    -------
    xarray.Dataset
        Over `law`: `exponent`, a of the power law fitted to the whole range (NaN for the others), with `low` and
        `high`; `misfit`, the root mean square of the logarithm's error in the fit of the whole range; `missed`, the
        same in the prediction of the second half; `preferred`, the share of resamples in which this law's is least;
        `exponents` and `errors` (law, resample), the exponents and the errors in prediction of the resamples;
        `median` (epoch) and `predicted` (law, epoch), the data and what each law makes of the first half.

    Raises
    ------
    ValueError
        If an argument is out of range, or a half holds fewer than four epochs.
    """
    values, times = checks.array("size", size, 2, finite=False), checks.array("epochs", epochs, 1)
    ends = checks.array("window", window, 1)
    checks.integer("resamples", resamples, 1)
    checks.integer("seed", seed, 0)
    if len(ends) != 2 or not 1 <= ends[0] < ends[1] or values.shape[1] != len(times):
        raise ValueError(
            f"window is {checks.shown(window)}: it must be two of the epochs of size, the first at least 1."
        )
    inside = (times >= ends[0]) & (times <= ends[1])
    time, early = times[inside], times[inside] <= np.sqrt(ends[0] * ends[1])
    if min(early.sum(), (~early).sum()) < 4:
        raise ValueError(
            f"window holds {early.sum()} and {(~early).sum()} epochs in its halves: each needs at least 4."
        )
    good = values[(np.isfinite(values) & (values > 0)).all(1)][:, inside]
    if not len(good):
        raise ValueError("size has no member that is finite and greater than 0.")
    generator, names = np.random.default_rng(seed), list(CLOCKS)
    draws = [good[generator.integers(0, len(good), len(good))] for _ in range(resamples)]
    curves = np.log(np.median([good, *draws], axis=1))
    fits = np.array([_fit(law, time, np.ones_like(early), curves)[:2] for law in names])
    halves = [_fit(law, time, early, curves) for law in names]
    missed, predicted = np.array([half[2] for half in halves]), np.exp([half[3][:, 0] for half in halves])
    exponents = np.where([name == "power" for name in names], -fits[:, 0].T, np.nan).T
    low, high = np.quantile(exponents[:, 1:], (0.025, 0.975), axis=1)
    wins = np.argmin(missed[:, 1:], 0)
    columns = {
        "exponent": exponents[:, 0], "low": low, "high": high, "misfit": fits[:, 1, 0], "missed": missed[:, 0],
        "preferred": np.array([np.mean(wins == k) for k in range(len(names))]),
    }  # fmt: skip
    attrs = {"window": list(map(float, ends)), "members": len(good), "left_out": len(values) - len(good)}
    result = xr.Dataset({name: ("law", column) for name, column in columns.items()}, {"law": names}, attrs)
    dims = ("law", "resample")
    result = result.assign(exponents=(dims, exponents[:, 1:]), errors=(dims, missed[:, 1:]))
    result = result.assign(median=("epoch", np.exp(curves[0])), predicted=(("law", "epoch"), predicted))
    return result.assign_coords(epoch=time)


class _Cells:
    """The pairs of each member sorted by distance, for means over many kernels."""

    def __init__(self, distance: np.ndarray, distances: int) -> None:
        members = len(distance)
        self.shape = (members, distances)
        self.cell = (distance + distances * np.arange(members)[:, None, None]).ravel()
        self.count = np.bincount(self.cell, minlength=members * distances).reshape(self.shape)

    def mean(self, values: np.ndarray) -> np.ndarray:
        total = np.bincount(self.cell, values.ravel(), self.count.size).reshape(self.shape)
        return np.divide(total, self.count, out=np.full(self.shape, np.nan), where=self.count > 0)


def _fit(law: str, time: np.ndarray, fitted: np.ndarray, curves: np.ndarray) -> tuple[np.ndarray, ...]:
    """Rate, misfit where fitted, error elsewhere, and the whole fit, of the logarithm of curves (curve, epoch)."""
    clock, seconds = CLOCKS[law]
    best: tuple[np.ndarray, ...] = ()
    for second in [0.0] if seconds is None else seconds:
        basis = np.stack([np.ones_like(time), clock(time, second)], 1)
        solution = np.linalg.lstsq(basis[fitted], curves[:, fitted].T, rcond=None)[0]
        made = basis @ solution
        errors = (curves.T - made) ** 2
        rest = errors[~fitted].mean(0) if (~fitted).any() else np.zeros(len(curves))
        found = (solution[1], np.sqrt(errors[fitted].mean(0)), np.sqrt(rest), made)
        best = (
            tuple(np.where(found[1] < best[1], new, old) for new, old in zip(found, best, strict=True))
            if best
            else found
        )
    return best
