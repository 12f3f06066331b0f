"""Kernels and errors on all bit strings, by Walsh order: the scales of the hypercube."""

from __future__ import annotations

import numpy as np
import xarray as xr

from kbe import checks, spectra


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
    walsh = spectra.walsh_functions(bits)
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
    walsh = spectra.walsh_functions(bits)
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
    found, walsh = spectra.spectrum(kernel), spectra.walsh_functions(bits)
    weight = (found.eigenvector.values @ walsh.function.values.T) ** 2 / len(kernel)
    return xr.Dataset({"eigenvalue": found.eigenvalue, "order": ("mode", weight @ walsh.order.values)})


def _mean_by_order(values: np.ndarray, order: np.ndarray) -> np.ndarray:
    return np.stack([values[..., order == k].mean(-1) for k in range(order.max() + 1)], -1)
