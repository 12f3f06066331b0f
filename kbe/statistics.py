"""Statistics over members: intervals, shares, medians and rank correlations; members without onset stay in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
import xarray as xr
from scipy import stats

from kbe import refusals
from kbe.checks import Confidence, Count, Natural, Onsets, PerMember, Samples, Seed, Whole, checked


@checked
def draws(members: Count, resamples: Count, seed: Seed = 0) -> np.ndarray:
    """Members drawn with replacement for the bootstrap: the indices of each resample, shape (resample, member)."""
    return np.random.default_rng(seed).integers(members, size=(resamples, members))


@checked
def bootstrap(
    samples: Samples,
    statistic: Callable[[np.ndarray], Any],
    *,
    resamples: Count = 1000,
    confidence: Confidence = 0.95,
    seed: Seed = 0,
) -> xr.Dataset:
    """A statistic over members and its percentile interval, infinite onsets allowed.

    Parameters
    ----------
    samples
        One value or row a member; a member without onset counts as infinite, it is not left out.
    statistic
        From samples to a number or an array of numbers; NaN where the samples do not tell.
    resamples
        How many times the members are drawn again, with replacement.

    Returns
    -------
    xarray.Dataset
        `estimate`, `low` and `high`, in the statistic's shape. The interval is NaN where a resample
        gives NaN: then the run is too short or too small to tell. An infinite end is an onset that has not come.
    """
    values = np.atleast_1d(samples)
    spread = np.array([statistic(values[draw]) for draw in draws(len(values), resamples, seed)], dtype=float)
    low, high = _quantiles(spread, [0.5 - confidence / 2, 0.5 + confidence / 2])
    dims = [f"axis_{k}" for k in range(spread.ndim - 1)]
    estimate = np.asarray(statistic(values), dtype=float)
    return xr.Dataset({"estimate": (dims, estimate), "low": (dims, low), "high": (dims, high)})


@checked
def share_interval(
    successes: Natural, total: Annotated[int, Whole(1)], confidence: Confidence = 0.95
) -> tuple[float, float]:
    r"""Wilson's interval of a share k / n: it needs no spread, so it works for none and for all.

    .. math:: \frac{k + z^2 / 2}{n + z^2} \pm \frac{z}{n + z^2} \sqrt{\frac{k\,(n - k)}{n} + \frac{z^2}{4}}

    with k the `successes`, n their `total`, and z the standard deviations within which a Gaussian has the
    `confidence`. The lower end is exactly 0 for none, the upper exactly 1 for all.

    Raises
    ------
    ValueError
        If there are more successes than in total.
    """
    if successes > total:
        raise ValueError(f"successes is {successes}: it must be at most the total, {total}.")
    interval = stats.binomtest(successes, total).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)


@checked
def median_onset(onset: Samples, axis: int | None = 0) -> np.ndarray:
    """The median onset over members, infinite where fewer than half have had it.

    It is the lower of the two in the middle: the average of a number and infinity would tell nothing. NaN gives NaN.
    """
    if axis is not None:
        refusals.axis("axis", axis, "onset", onset)
    return np.quantile(onset, 0.5, axis=axis, method="lower")


@checked
def median_interval(onset: Onsets, confidence: Confidence = 0.95) -> xr.Dataset:
    """The median onset and an interval for it from the order of the members alone.

    How many of the members lie below the true median is binomial: one toss of a fair coin for each.

    Returns
    -------
    xarray.Dataset
        `median`, `low` and `high` over the other dimensions; infinite where too few have had their onset. With fewer
        than six members the ends are the first and the last of them, and hold the median less often than wanted.
    """
    members, ordered = onset.sizes["member"], onset.transpose(..., "member").drop_vars("member", errors="ignore")
    ranked = ordered.copy(data=np.sort(ordered.values, -1))
    below, above = stats.binom.interval(confidence, members, 0.5)
    places = {"median": (members - 1) // 2, "low": max(int(below) - 1, 0), "high": min(int(above), members - 1)}
    return xr.Dataset({name: ranked.isel(member=place) for name, place in places.items()})


@checked
def rank_correlation(values: Samples, axis: int = -1) -> np.ndarray:
    """Spearman's correlation of values with their place along an axis: 1 where they only rise, -1 where they only fall.

    It is 0 where they never change, and NaN for fewer than three of them. NaN counts as larger than every number,
    as in a run that has blown up. An array with labels keeps them in `values.reduce(rank_correlation, "epoch")`.
    """
    rows = np.moveaxis(np.where(np.isnan(values), np.inf, values), refusals.axis("axis", axis, "values", values), -1)
    if rows.shape[-1] < 3:
        return np.full(rows.shape[:-1], np.nan)
    return _correlation(_ranks(rows), _ranks(np.arange(rows.shape[-1])), flat=0)


@checked
def partial_rank_correlation(first: PerMember, second: PerMember, *controls: PerMember) -> float:
    """Spearman's rank correlation of two quantities over members, with others, the `controls`, held fixed.

    What the ranks of the controls explain linearly of the other two's ranks is taken off before they are correlated;
    without controls it is the plain rank correlation. A member with a NaN or an infinity anywhere is left out. It is
    NaN with fewer than three members more than controls, or where nothing varies.
    """
    rows = np.stack([first, second, *controls])
    kept = rows[:, np.isfinite(rows).all(0)]
    if kept.shape[1] < len(rows) + 1:
        return np.nan
    ranks = _ranks(kept)
    fitted = np.linalg.lstsq(ranks[2:].T, ranks[:2].T, rcond=None)[0]
    left, right = ranks[:2] - fitted.T @ ranks[2:]
    return float(_correlation(left, right, flat=np.nan))


def _ranks(rows: np.ndarray) -> np.ndarray:
    """Ranks within each row, less their mean."""
    ranks = stats.rankdata(rows, axis=-1)
    return ranks - ranks.mean(-1, keepdims=True)


def _correlation(left: np.ndarray, right: np.ndarray, flat: float) -> np.ndarray:
    """Pearson's, of deviations from a mean along the last axis; `flat` where one of the two does not vary."""
    size = np.sqrt(np.vecdot(left, left) * np.vecdot(right, right))
    return np.divide(np.vecdot(left, right), size, out=np.full_like(size, flat), where=size > 1e-9 * left.shape[-1])


def _quantiles(values: np.ndarray, shares: list[float]) -> np.ndarray:
    """Quantiles over the first axis; between two infinite values an infinite one, where interpolation gives NaN."""
    with np.errstate(invalid="ignore"):
        between = np.quantile(values, shares, axis=0)
    below, above = (np.quantile(values, shares, axis=0, method=side) for side in ("lower", "higher"))
    return np.where(below == above, below, between)
