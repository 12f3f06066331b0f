"""Modes of response kernels: many draws at once, and how the error of a network falls mode by mode (Fig. 5)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import xarray as xr

from kbe import checks
from kbe.data import encoding
from kbe.theory import kernels, spectra


def line_draws(points: int, members: int, scale: float = 1.0, *, spacing: str = "random", seed: int = 0) -> xr.Dataset:
    """Spectra of the kernel of Eq. (16) on points of the unit interval, for many draws of the points (Fig. 5).

    Parameters
    ----------
    points : int
        How many points a draw has, from 2 to 2000.
    members : int
        How many draws.
    scale : float
        beta, an inverse length, greater than 0.
    spacing : {"random", "even"}
        Whether the points are drawn uniformly and sorted, or stand at equal distances.
    seed : int
        Start of the draws; a draw depends on it and on its own number alone.

    Returns
    -------
    xarray.Dataset
        `x` (member, point); `eigenvalue`, `participation` and `sign_changes` (member, mode);
        `eigenvector` (member, mode, point).

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    checks.integer("points", points, 2, 2000)
    checks.integer("members", members, 1)
    checks.number("scale", scale, above=0)
    checks.choice("spacing", spacing, ("random", "even"))
    checks.integer("seed", seed, 0)
    even = (np.arange(points) + 0.5) / points
    draws = [_draw(points, seed, member) if spacing == "random" else even for member in range(members)]
    found = [spectra.spectrum(kernels.exponential_kernel(kernels.line_distance(x, x), scale)) for x in draws]
    result = xr.concat(found, "member").assign(x=(("member", "point"), np.array(draws)))
    vectors = result.eigenvector.values
    result["participation"] = ("member", "mode"), spectra.participation_ratio(vectors)
    result["sign_changes"] = ("member", "mode"), spectra.sign_changes(vectors)
    return result.assign_attrs(points=points, scale=float(scale), spacing=spacing, seed=seed)


def localised_participation(rank: np.ndarray, points: int) -> np.ndarray:
    r"""The participation ratio of a mode that random gaps localise, in theory.

    The inverse of the kernel of Eq. (16) on a line couples neighbours only, by springs of stiffness 1 / gap:
    its modes are the vibrations of a chain with random springs, and those fall off as
    :math:`e^{-\gamma |i - c|}` from a centre c. For gaps of mean g and variance v the rate is
    :math:`\gamma = q^2 v / 8 g^2` at a phase of q a point (Matsuda and Ishii, 1970), that is
    :math:`q^2 / 8` for uniform random points, and mode r has :math:`q = \pi r / n`:

    .. math:: P = \frac{4}{3 \gamma n} = \frac{32}{3 \pi^2} \frac{n}{r^2}

    It holds where it is far below the 2/3 of a sine and many points take part.

    Parameters
    ----------
    rank : array
        r, counted from 1.
    points : int
        n.

    Returns
    -------
    numpy.ndarray, shape of `rank`
        P.

    Raises
    ------
    ValueError
        If a rank or the number of points is below 1.
    """
    rank = checks.array("rank", rank)
    if rank.min() < 1:
        raise ValueError(f"rank holds {rank.min():g}: ranks are counted from 1.")
    return 32 / (3 * np.pi**2) * checks.integer("points", points, 1) / rank**2


def mode_amplitudes(gram: np.ndarray, error: np.ndarray) -> xr.Dataset:
    r"""The error of each member along the modes of its kernel, :math:`c_k = v_k \cdot (y - \mu)`.

    Under Eq. (13) with this kernel each falls on its own, as :math:`e^{-\lambda_k t}`.

    Parameters
    ----------
    gram : array, shape (member, n, n)
        K of each member, symmetric.
    error : array, shape (member, epoch, n)
        y minus mu.

    Returns
    -------
    xarray.Dataset
        `eigenvalue` (member, mode), the largest first, and `amplitude` (member, epoch, mode), in the unit of y.

    Raises
    ------
    ValueError
        If the shapes do not fit or a kernel is not symmetric.
    """
    gram, error = checks.array("gram", gram, 3), checks.array("error", error, 3)
    if gram.shape[:2] != (error.shape[0], error.shape[2]):
        raise ValueError(
            f"gram has shape {gram.shape} and error {error.shape}: they must be (member, n, n) and (member, epoch, n)."
        )
    found = xr.concat([spectra.spectrum(one) for one in gram], "member")
    amplitude = np.einsum("mkp,mep->mek", found.eigenvector.values, error)
    return xr.Dataset(
        {"eigenvalue": found.eigenvalue, "amplitude": (("member", "epoch", "mode"), amplitude)},
        coords={"mode": found.mode},
    )


def remaining(amplitude: np.ndarray) -> np.ndarray:
    """How much of each mode's error is left, as a root mean square over members.

    One member alone says little: its error along a mode may be near 0 at the start by chance.

    Parameters
    ----------
    amplitude : array, shape (member, epoch, mode)
        The errors, the start of training first.

    Returns
    -------
    numpy.ndarray, shape (epoch, mode)
        1 at the start; NaN for a mode without error there.

    Raises
    ------
    ValueError
        If a value is not finite.
    """
    power = np.mean(checks.array("amplitude", amplitude, 3) ** 2, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(power[0] > 0, np.sqrt(power / power[0]), np.nan)


def local_exponents(eigenvalues: np.ndarray) -> xr.Dataset:
    """The exponents of a power law in three parts of each spectrum, which one power law would make equal (Fig. 5).

    Parameters
    ----------
    eigenvalues : array, shape (member, n)
        In descending order, greater than 0; n is at least 16.

    Returns
    -------
    xarray.Dataset
        `exponent` (member, part) for the ranks from 2 to the square root of n, on to n / 2, and on to n,
        with `first` and `last` (part).

    Raises
    ------
    ValueError
        If there are fewer than 16 eigenvalues or one is not positive.
    """
    eigenvalues = checks.array("eigenvalues", eigenvalues, 2)
    n = checks.integer("the number of eigenvalues", eigenvalues.shape[1], 16)
    ends = [2, round(np.sqrt(n)), n // 2, n]
    parts = list(pairwise(ends))
    slopes = [[float(spectra.power_law_exponent(one, *part).exponent) for part in parts] for one in eigenvalues]
    return xr.Dataset(
        {"exponent": (("member", "part"), slopes), "first": ("part", ends[:-1]), "last": ("part", ends[1:])}
    )


def _draw(points: int, seed: int, member: int) -> np.ndarray:
    return np.sort(encoding.member_generator(seed, member, "inputs").random(points))
