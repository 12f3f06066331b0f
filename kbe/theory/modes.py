"""Modes of response kernels: many draws at once, how far a mode reaches, and errors mode by mode (Fig. 5)."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import xarray as xr

from kbe.checks import Count, Points, Positive, Seed, Shaped, Whole, checked
from kbe.data import encoding
from kbe.theory.kernels import Kernel, exponential_kernel, line_distance
from kbe.theory.spectra import spectrum


@checked
def line_draws(
    points: Annotated[int, Whole(2, 2000)],
    members: Count,
    scale: Positive = 1.0,
    *,
    spacing: Literal["random", "even"] = "random",
    seed: Seed = 0,
    kernel: Kernel = exponential_kernel,
) -> xr.Dataset:
    """Spectra of a kernel on points of the unit interval, for many draws of the points (Fig. 5).

    Parameters
    ----------
    points, members
        How many points a draw has, and how many draws.
    scale
        beta, an inverse length.
    spacing
        Whether the points are drawn uniformly and sorted, or stand at equal distances.
    seed
        Start of the draws; a draw depends on it and on its own number alone.
    kernel
        A function of distance and scale.

    Returns
    -------
    xarray.Dataset
        `x` (member, point); `eigenvalue`, `participation` and `sign_changes` (member, mode);
        `eigenvector` (member, mode, point).
    """
    even = (np.arange(points) + 0.5) / points
    draws = [_draw(points, seed, member) if spacing == "random" else even for member in range(members)]
    found = [spectrum(kernel(line_distance(x, x), scale)) for x in draws]
    result = xr.concat(found, "member").assign(x=(("member", "point"), np.array(draws)))
    vectors = result.eigenvector.values
    result["participation"] = ("member", "mode"), participation_ratio(vectors)
    result["sign_changes"] = ("member", "mode"), sign_changes(vectors)
    return result.assign_attrs(points=points, scale=scale, spacing=spacing, seed=seed)


@checked
def participation_ratio(eigenvectors: Points) -> np.ndarray:
    r"""The share of the points that take part in a vector.

    .. math:: P = \Big(\sum_i v_i^2\Big)^2 \Big/ \Big(n \sum_i v_i^4\Big)

    It is 1 for a constant, 2/3 for a sine, 1/n for a single point, and :math:`\tfrac43 \sqrt\pi\, s \approx 2.4\, s`
    for a wave packet (Gabor wavelet) whose squared envelope is a Gaussian of deviation s in units of the range.

    >>> participation_ratio([[1, 1, 1, 1], [0, 3, 0, 0]])
    array([1.  , 0.25])

    Raises
    ------
    ValueError
        If a vector is zero.
    """
    size = np.abs(eigenvectors).max(-1, keepdims=True)
    if not size.all():
        raise ValueError("eigenvectors holds a zero vector: every vector must have an element other than 0.")
    vectors = eigenvectors / size
    return np.sum(vectors**2, -1) ** 2 / (vectors.shape[-1] * np.sum(vectors**4, -1))


@checked
def localised_participation(rank: Annotated[np.ndarray, Shaped(low=1)], points: Count) -> np.ndarray:
    r"""The participation ratio of a mode that random gaps localise, in theory.

    The inverse of the exponential kernel on a line couples neighbours only, by springs of stiffness 1 / gap:
    its modes are the vibrations of a chain with random springs, and those fall off as
    :math:`e^{-\gamma |i - c|}` from a centre c. For gaps of mean g and variance v the rate is
    :math:`\gamma = q^2 v / 8 g^2` at a phase of q a point (Matsuda and Ishii, 1970), that is
    :math:`q^2 / 8` for uniform random points, and mode r, the `rank`, has :math:`q = \pi r / n`:

    .. math:: P = \frac{4}{3 \gamma n} = \frac{32}{3 \pi^2} \frac{n}{r^2}

    It holds where it is far below the 2/3 of a sine and many points take part.
    """
    return 32 / (3 * np.pi**2) * points / rank**2


@checked
def sign_changes(eigenvectors: Points) -> np.ndarray:
    """How often a vector changes sign along its points; zeros are passed over.

    On sorted points of a line mode k of the exponential kernel has k - 1 sign changes, whatever the
    spacing (Gantmacher and Krein's oscillation theorem). Where a vector fades below 1e-13 of its
    peak, as minor modes on random points do, the computed signs are rounding noise.

    >>> sign_changes([[1, 0, 2, -1, 0, 3], [1, 1, 1, -1, -1, -1]])
    array([2, 1])
    """
    return np.apply_along_axis(lambda row: np.count_nonzero(np.diff(np.sign(row[row != 0]))), -1, eigenvectors)


@checked
def mode_amplitudes(
    gram: Annotated[np.ndarray, Shaped("members points points")],
    error: Annotated[np.ndarray, Shaped("members epochs points")],
) -> xr.Dataset:
    r"""The error of each member along the modes of its kernel, :math:`c_k = v_k \cdot (y - \mu)`.

    Under equation 13 with that kernel each falls as :math:`e^{-\lambda_k t}` on its own.

    Parameters
    ----------
    gram
        K of each member, symmetric.
    error
        y - mu.

    Returns
    -------
    xarray.Dataset
        `eigenvalue` (member, mode), the largest first, and `amplitude` (member, epoch, mode), in the unit of y.
    """
    found = xr.concat([spectrum(one) for one in gram], "member")
    amplitude = np.einsum("mkp,mep->mek", found.eigenvector.values, error)
    return xr.Dataset(
        {"eigenvalue": found.eigenvalue, "amplitude": (("member", "epoch", "mode"), amplitude)},
        coords={"mode": found.mode},
    )


@checked
def remaining(amplitude: Annotated[np.ndarray, Shaped("members epochs modes")]) -> np.ndarray:
    """How much of each mode's error is left, as a root mean square over members.

    One member alone says little: its error along a mode may be near 0 at the start by chance.

    Parameters
    ----------
    amplitude
        The errors, the start of training first.

    Returns
    -------
    numpy.ndarray, shape (epochs, modes)
        1 at the start; NaN for a mode without error there.
    """
    power = np.mean(amplitude**2, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(power[0] > 0, np.sqrt(power / power[0]), np.nan)


def _draw(points: int, seed: int, member: int) -> np.ndarray:
    return np.sort(encoding.member_generator(seed, member, "inputs").random(points))
