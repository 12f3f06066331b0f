"""Eigenvalues and eigenvectors of response kernels, measured and in closed form (Fig. 5, equation 16)."""

from __future__ import annotations

import numpy as np
import scipy
import xarray as xr

from kbe import checks


def spectrum(gram: np.ndarray) -> xr.Dataset:
    """Eigenvalues and eigenvectors of a kernel matrix, the largest first (Fig. 5).

    Parameters
    ----------
    gram : array, shape (n, n)
        A symmetric matrix.

    Returns
    -------
    xarray.Dataset
        `eigenvalue` (mode) and `eigenvector` (mode, point), of unit length, the largest element positive.

    Raises
    ------
    ValueError
        If the matrix is not one square, symmetric, finite matrix.
    """
    checks.array("gram", gram, 2)
    values, vectors = scipy.linalg.eigh(checks.symmetric("gram", gram))
    values, vectors = values[::-1], vectors.T[::-1]
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(1, keepdims=True), 1)
    return xr.Dataset(
        {"eigenvalue": ("mode", values), "eigenvector": (("mode", "point"), vectors * np.sign(largest))},
        coords={"mode": np.arange(1, len(values) + 1)},
    )


def line_spectrum(scale: float, modes: int, points: np.ndarray | None = None) -> xr.Dataset:
    r"""The spectrum of the kernel of Eq. (16) on the unit interval, uniformly filled, in closed form.

    .. math::
        \int_0^1 e^{-\beta |x - x'|} \varphi_k(x')\, dx' = \kappa_k\, \varphi_k(x), \qquad
        \kappa_k = \frac{2 \beta}{\beta^2 + \omega_k^2}, \qquad
        \omega_k + 2 \arctan(\omega_k / \beta) = k \pi

    The condition on the frequency joins the two usual ones, :math:`\omega \tan(\omega / 2) = \beta` for
    the even and :math:`\omega = -\beta \tan(\omega / 2)` for the odd functions about the middle. The
    eigenfunctions are cosines and sines over the whole interval, not wave packets. The matrix on n random
    points has eigenvalues near n times these, for modes far below n.

    Parameters
    ----------
    scale : float
        beta, an inverse length, greater than 0.
    modes : int
        How many, the largest eigenvalues first.
    points : array, shape (n,), or None
        Positions from 0 to 1 at which to evaluate the eigenfunctions.

    Returns
    -------
    xarray.Dataset
        `eigenvalue`, `frequency` (mode), in radians per unit length, and `eigenfunction` (mode, point), of
        unit square integral, if points are given.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    scale = checks.number("scale", scale, above=0)
    mode = np.arange(1, checks.integer("modes", modes, 1) + 1)
    frequency = np.array([_line_frequency(scale, k) for k in range(1, modes + 1)])
    result = xr.Dataset(
        {"eigenvalue": ("mode", 2 * scale / (scale**2 + frequency**2)), "frequency": ("mode", frequency)},
        coords={"mode": mode},
        attrs={"scale": scale},
    )
    if points is not None:
        result["eigenfunction"] = ("mode", "point"), _line_waves(frequency, checks.array("points", points, 1))
    return result


def hypercube_spectrum(bits: int, scale: float) -> xr.Dataset:
    r"""The spectrum of the kernel of Eq. (16) on all bit strings under the Hamming distance, in closed form.

    .. math:: \kappa_k = (1 + e^{-\beta})^{b-k} (1 - e^{-\beta})^{k}, \quad \binom{b}{k} \text{ times each}

    The kernel is a product over bits, so the Walsh functions of order k are its eigenvectors.

    Parameters
    ----------
    bits : int
        b, from 1 to 20.
    scale : float
        beta, an inverse length, at least 0.

    Returns
    -------
    xarray.Dataset
        `eigenvalue` and `multiplicity` (order), order from 0 to bits.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    order = np.arange(checks.integer("bits", bits, 1, 20) + 1)
    weight = np.exp(-checks.number("scale", scale, 0))
    values = (1 + weight) ** (bits - order) * (1 - weight) ** order
    count = scipy.special.comb(bits, order).round().astype(int)
    variables = {"eigenvalue": ("order", values), "multiplicity": ("order", count)}
    return xr.Dataset(variables, coords={"order": order}, attrs={"bits": bits, "scale": float(scale)})


def walsh_functions(bits: int) -> xr.Dataset:
    """The Walsh functions of all bit strings: products of signs over each subset of the bits.

    Parameters
    ----------
    bits : int
        b, from 1 to 12.

    Returns
    -------
    xarray.Dataset
        `function` (mode, point), plus and minus 1, and `order` (mode), the number of bits in
        the subset, ascending; points in the order of the numbers that the strings spell.

    Raises
    ------
    ValueError
        If `bits` is out of range.
    """
    codes = np.arange(2 ** checks.integer("bits", bits, 1, 12))
    order = np.bitwise_count(codes)
    subsets = np.argsort(order, kind="stable")
    signs = 1.0 - 2.0 * (np.bitwise_count(codes[subsets][:, None] & codes) % 2)
    return xr.Dataset({"function": (("mode", "point"), signs), "order": ("mode", order[subsets].astype(int))})


def power_law_exponent(eigenvalues: np.ndarray, first: int, last: int) -> xr.Dataset:
    """The exponent p of eigenvalues that fall like rank**p, by regression on logarithms (Fig. 5).

    The standard error takes the residuals as independent; along one spectrum they are not.

    Parameters
    ----------
    eigenvalues : array, shape (n,)
        In descending order.
    first, last : int
        The ranks of the fit, both included, counted from 1; at least three ranks.

    Returns
    -------
    xarray.Dataset
        `exponent`, `standard_error` and `log_rms`, the residual in natural logarithm; the ranks as attributes.

    Raises
    ------
    ValueError
        If the ranks lie outside the spectrum or an eigenvalue there is not positive.
    """
    eigenvalues = checks.array("eigenvalues", eigenvalues, 1)
    checks.integer("first", first, 1)
    checks.integer("last", last, first + 2, len(eigenvalues))
    chosen = eigenvalues[first - 1 : last]
    if chosen.min() <= 0:
        raise ValueError(f"eigenvalues holds {chosen.min():g} between the ranks: all there must be greater than 0.")
    rank, value = np.log(np.arange(first, last + 1)), np.log(chosen)
    fit = scipy.stats.linregress(rank, value)
    rms = np.sqrt(np.mean((value - fit.intercept - fit.slope * rank) ** 2))
    return xr.Dataset(
        {"exponent": fit.slope, "standard_error": fit.stderr, "log_rms": rms}, attrs={"first": first, "last": last}
    )


def participation_ratio(eigenvectors: np.ndarray) -> np.ndarray:
    r"""The share of the points that take part in a vector.

    .. math:: P = \Big(\sum_i v_i^2\Big)^2 \Big/ \Big(n \sum_i v_i^4\Big)

    It is 1 for a constant, 2/3 for a sine, 1/n for a single point, and :math:`\tfrac43 \sqrt\pi\, s \approx 2.4\, s`
    for a wave packet (Gabor wavelet) whose squared envelope is a Gaussian of deviation s in units of the range.

    Parameters
    ----------
    eigenvectors : array, shape (..., n)
        Vectors, or stacks of them, of any length but 0.

    Returns
    -------
    numpy.ndarray, shape (...)
        From 1/n to 1.

    Raises
    ------
    ValueError
        If a vector is zero or not finite.
    """
    vectors = checks.array("eigenvectors", eigenvectors, (1, 2, 3))
    size = np.abs(vectors).max(-1, keepdims=True)
    if not size.all():
        raise ValueError("eigenvectors holds a zero vector: every vector must have an element other than 0.")
    vectors = vectors / size
    return np.sum(vectors**2, -1) ** 2 / (vectors.shape[-1] * np.sum(vectors**4, -1))


def sign_changes(eigenvectors: np.ndarray) -> np.ndarray:
    """How often a vector changes sign along its points; zeros are passed over.

    On sorted points of a line mode k of the exponential kernel has k - 1 sign changes, whatever the
    spacing (Gantmacher and Krein's oscillation theorem). Where a vector fades below 1e-13 of its
    peak, as minor modes on random points do, the computed signs are rounding noise.

    Parameters
    ----------
    eigenvectors : array, shape (..., n)
        Vectors along sorted points.

    Returns
    -------
    numpy.ndarray of int, shape (...)
        The numbers of changes.

    Raises
    ------
    ValueError
        If a value is not finite or it is a single number.
    """
    vectors = checks.array("eigenvectors", eigenvectors, (1, 2, 3))
    return np.apply_along_axis(lambda row: np.count_nonzero(np.diff(np.sign(row[row != 0]))), -1, vectors)


def order_amplitudes(inputs: np.ndarray, error: np.ndarray) -> np.ndarray:
    """The size of an error at each Walsh order, 0 for its mean and b for the parity of all bits.

    Parameters
    ----------
    inputs : array, shape (member, 2**b, b)
        All bit strings of each member, in an order of its own.
    error : array, shape (member, epoch, 2**b)
        What is expanded in Walsh functions, at those inputs.

    Returns
    -------
    numpy.ndarray, shape (member, epoch, b + 1)
        The root mean square coefficient at each order, in the unit of the error.

    Raises
    ------
    ValueError
        If the inputs are not all bit strings or the shapes do not fit.
    """
    inputs, error = checks.array("inputs", inputs, 3), checks.array("error", error, 3)
    members, points, bits = inputs.shape
    codes = (inputs @ (1 << np.arange(bits)[::-1])).astype(int)
    if points != 2**bits or (np.sort(codes, 1) != np.arange(points)).any() or not np.isin(inputs, (0, 1)).all():
        raise ValueError(f"inputs has shape {inputs.shape}: each member must hold every bit string once.")
    if error.shape[::2] != (members, points):
        raise ValueError(f"error has shape {error.shape}: it must be ({members}, epochs, {points}).")
    walsh = walsh_functions(bits)
    in_place = np.take_along_axis(error, np.argsort(codes, 1)[:, None], 2)
    return np.sqrt(_mean_by_order((in_place @ walsh.function.values.T / points) ** 2, walsh.order.values))


def order_spectrum(kernel: np.ndarray) -> np.ndarray:
    r"""The strength of a kernel at each Walsh order, the mean of :math:`w^T K w / 2^b` over the functions w.

    For a kernel of the Hamming distance alone these are its eigenvalues.

    Parameters
    ----------
    kernel : array, shape (member, 2**b, 2**b)
        K on all bit strings in the order of `encoding.all_inputs`.

    Returns
    -------
    numpy.ndarray, shape (member, b + 1)
        The strengths, in the unit of the kernel.

    Raises
    ------
    ValueError
        If the kernel is not on all bit strings.
    """
    kernel = checks.array("kernel", kernel, 3)
    points, bits = kernel.shape[-1], kernel.shape[-1].bit_length() - 1
    if points != 2**bits or kernel.shape[-2] != points:
        raise ValueError(f"kernel has shape {kernel.shape}: its last two dimensions must be all 2**b bit strings.")
    walsh = walsh_functions(bits)
    signs = walsh.function.values
    return _mean_by_order(np.einsum("wp,mpq,wq->mw", signs, kernel, signs, optimize=True) / points, walsh.order.values)


def mean_order(kernel: np.ndarray) -> xr.Dataset:
    """The Walsh order of each eigenvector of a kernel, averaged over its weight at each order.

    Parameters
    ----------
    kernel : array, shape (2**b, 2**b)
        K on all bit strings in the order of `encoding.all_inputs`, symmetric.

    Returns
    -------
    xarray.Dataset
        `eigenvalue` and `order` (mode), the largest eigenvalue first.

    Raises
    ------
    ValueError
        If the kernel is not symmetric or not on all bit strings.
    """
    kernel = checks.array("kernel", kernel, 2)
    bits = len(kernel).bit_length() - 1
    if len(kernel) != 2**bits:
        raise ValueError(f"kernel has shape {kernel.shape}: it must hold all 2**b bit strings.")
    found, walsh = spectrum(kernel), walsh_functions(bits)
    weight = (found.eigenvector.values @ walsh.function.values.T) ** 2 / len(kernel)
    return xr.Dataset({"eigenvalue": found.eigenvalue, "order": ("mode", weight @ walsh.order.values)})


def _line_waves(frequency: np.ndarray, points: np.ndarray) -> np.ndarray:
    if points.min() < 0 or points.max() > 1:
        raise ValueError(f"points run from {points.min():g} to {points.max():g}: they must lie between 0 and 1.")
    even = (np.arange(len(frequency)) % 2 == 0)[:, None]
    phase = frequency[:, None] * (points - 0.5)
    power = 0.5 + np.where(even, 0.5, -0.5) * np.sinc(frequency / np.pi)[:, None]
    return np.where(even, np.cos(phase), np.sin(phase)) / np.sqrt(power)


def _line_frequency(scale: float, mode: int) -> float:
    low, high = (mode - 1) * np.pi, mode * np.pi
    return scipy.optimize.brentq(lambda w: w + 2 * np.arctan(w / scale) - high, low, high, xtol=1e-13)


def _mean_by_order(values: np.ndarray, order: np.ndarray) -> np.ndarray:
    return np.stack([values[..., order == k].mean(-1) for k in range(order.max() + 1)], -1)
