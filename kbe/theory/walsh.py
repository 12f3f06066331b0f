"""Kernels and errors on all bit strings, by the order of the Walsh functions (Fig. 5 on the cube).

A Walsh function is a product of signs over a subset of the bits; its order is the number of bits in the subset. The
functions of one order are eigenvectors of one eigenvalue for every kernel of the Hamming distance alone.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import scipy
import xarray as xr

from kbe.checks import Shaped, SymmetricGram, checked
from kbe.theory.spectra import spectrum


@checked
def order_amplitudes(
    inputs: Annotated[np.ndarray, Shaped("members points bits")],
    error: Annotated[np.ndarray, Shaped("members epochs points")],
) -> np.ndarray:
    """The size of an error at each Walsh order, 0 for its mean and b for the parity of all bits.

    Parameters
    ----------
    inputs
        All bit strings of each member, in an order of its own.
    error
        What is expanded in Walsh functions, at those inputs.

    Returns
    -------
    numpy.ndarray, shape (members, epochs, b + 1)
        The root mean square coefficient at each order, in the unit of the error.

    Raises
    ------
    ValueError
        If the inputs are not all bit strings.
    """
    _, points, bits = inputs.shape
    codes = (inputs @ (1 << np.arange(bits)[::-1])).astype(int)
    if points != 2**bits or (np.sort(codes, 1) != np.arange(points)).any() or not np.isin(inputs, (0, 1)).all():
        raise ValueError(f"inputs has shape {inputs.shape}: each member must hold every bit string once.")
    functions, order = _walsh_functions("inputs", points)
    in_place = np.take_along_axis(error, np.argsort(codes, 1)[:, None], 2)
    return np.sqrt(_mean_by_order((in_place @ functions.T / points) ** 2, order))


@checked
def order_spectrum(kernel: Annotated[np.ndarray, Shaped("members points points")]) -> np.ndarray:
    r"""The strength of a kernel at each Walsh order, the mean of :math:`w^T K w / 2^b` over the functions w.

    For a kernel of the Hamming distance alone these are its eigenvalues.

    Parameters
    ----------
    kernel
        K on all bit strings in the order of `encoding.all_inputs`.

    Returns
    -------
    numpy.ndarray, shape (members, b + 1)
        The strengths, in the unit of the kernel.

    Raises
    ------
    ValueError
        If the kernel is not on all bit strings.
    """
    functions, order = _walsh_functions("kernel", kernel.shape[-1])
    strength = np.einsum("wp,mpq,wq->mw", functions, kernel, functions, optimize=True)
    return _mean_by_order(strength / kernel.shape[-1], order)


@checked
def mean_order(kernel: SymmetricGram) -> xr.Dataset:
    """The Walsh order of each eigenvector of a kernel, averaged over its weight at each order.

    Parameters
    ----------
    kernel
        K on all bit strings in the order of `encoding.all_inputs`.

    Returns
    -------
    xarray.Dataset
        `eigenvalue` and `order` (mode), the largest eigenvalue first.

    Raises
    ------
    ValueError
        If the kernel is not on all bit strings.
    """
    functions, order = _walsh_functions("kernel", len(kernel))
    found = spectrum(kernel)
    weight = (found.eigenvector.values @ functions.T) ** 2 / len(kernel)
    return xr.Dataset({"eigenvalue": found.eigenvalue, "order": ("mode", weight @ order)})


def _walsh_functions(name: str, points: int) -> tuple[np.ndarray, np.ndarray]:
    """The functions, shape (mode, point), and their orders, ascending; points as the numbers that they spell."""
    if points not in 2 ** np.arange(1, 13):
        raise ValueError(f"{name} has {points} points: they must be all 2**b bit strings, b from 1 to 12.")
    order = np.bitwise_count(np.arange(points)).astype(int)
    subsets = np.argsort(order, kind="stable")
    return scipy.linalg.hadamard(points, float)[subsets], order[subsets]


def _mean_by_order(values: np.ndarray, order: np.ndarray) -> np.ndarray:
    return np.stack([values[..., order == k].mean(-1) for k in range(order.max() + 1)], -1)
