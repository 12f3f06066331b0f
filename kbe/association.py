"""How two quantities go together over members, where a third may move both."""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import ArrayLike

from kbe import checks


def partial_rank_correlation(first: ArrayLike, second: ArrayLike, *controls: ArrayLike) -> float:
    """Spearman's rank correlation of two quantities, with others held fixed.

    What the ranks of the controls explain linearly of the other two's ranks is taken off before they are correlated.

    Parameters
    ----------
    first, second : array, shape (members,)
        The two quantities. A member with a NaN or an infinity anywhere is left out.
    *controls : array, shape (members,)
        What is held fixed; without any it is the plain rank correlation.

    Returns
    -------
    float
        From -1 to 1; NaN with fewer than three members more than controls, or where nothing varies.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    rows = [checks.array(f"argument {k}", row, 1, finite=False) for k, row in enumerate((first, second, *controls))]
    checks.same_shape(**{f"argument {k}": row for k, row in enumerate(rows)})
    values = np.stack(rows)
    ranks = scipy.stats.rankdata(values[:, np.isfinite(values).all(0)], axis=1)
    if ranks.shape[1] < len(rows) + 1:
        return np.nan
    ranks -= ranks.mean(1, keepdims=True)
    fitted = np.linalg.lstsq(ranks[2:].T, ranks[:2].T, rcond=None)[0] if controls else np.zeros((0, 2))
    left, right = ranks[:2] - fitted.T @ ranks[2:]
    size = np.sqrt((left @ left) * (right @ right))
    return float(left @ right / size) if size > 1e-9 * len(left) else np.nan
