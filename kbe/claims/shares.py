"""The interval of a share of members."""

from __future__ import annotations

import math

from scipy import special

from kbe import checks


def fraction_interval(successes: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a share: it needs no spread, so it works for none and for all.

    Parameters
    ----------
    successes : int
        How many of them.
    total : int
        Out of how many, at least 1.
    confidence : float
        The interval's coverage, between 0 and 1.

    Returns
    -------
    tuple of float
        The lower and the upper end of the share.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    checks.integer("total", total, 1)
    checks.integer("successes", successes, 0, total)
    checks.number("confidence", confidence, high=1 - 1e-9, above=0)
    share, z = successes / total, float(special.ndtri(0.5 + confidence / 2))
    middle = (2 * total * share + z**2) / (2 * (total + z**2))
    half = z / (2 * (total + z**2)) * math.sqrt(4 * total * share * (1 - share) + z**2)
    return 0.0 if successes == 0 else middle - half, 1.0 if successes == total else middle + half
