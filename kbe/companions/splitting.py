"""The splitting of the input space in training: on which side of 1/2 the output is at every bit string.

Two numbers follow it. The boundary is the share of neighbouring inputs, one bit apart, on different sides. The
number of sub-spaces is that of the smallest decision tree: how many subcubes are needed if the space is cut along
one bit, each part along another, and so on until every part lies on one side.
"""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from torch import nn

from kbe import checks
from kbe.data import encoding
from kbe.response import evaluation

MOST_BITS = 10  # there are 3**bits subcubes


def outputs_everywhere(module: nn.Module, run: xr.Dataset) -> xr.DataArray:
    """The first output of every member at all bit strings, at every recorded epoch.

    Parameters
    ----------
    module : torch.nn.Module
        The architecture; its own weights do not matter.
    run : xarray.Dataset
        What `ensemble.train` returns with `keep_parameters=True`, on bit strings.

    Returns
    -------
    xarray.DataArray, shape (member, epoch, point)
        The outputs, in the order of `encoding.all_inputs`.

    Raises
    ------
    ValueError
        If the run lacks its weights.
    """
    if not isinstance(run, xr.Dataset) or "parameters" not in run:
        raise ValueError("run lacks parameters: it must be what ensemble.train returns with keep_parameters=True.")
    weights = run["parameters"].transpose("member", "epoch", "parameter")
    values = evaluation.outputs_at(lambda: module, weights, encoding.all_inputs(run.sizes["bit"]))[..., 0]
    return xr.DataArray(values, dims=("member", "epoch", "point"), coords={"epoch": run["epoch"]})


def in_order(values: ArrayLike, inputs: ArrayLike) -> np.ndarray:
    """Values at all bit strings, from a member's own order of them to that of `encoding.all_inputs`.

    Parameters
    ----------
    values : array, shape (member, ..., 2**bits)
        One value an input.
    inputs : array, shape (member, 2**bits, bits)
        Every bit string once for each member, in its order.

    Returns
    -------
    numpy.ndarray, shape (member, ..., 2**bits)
        The same values in order.

    Raises
    ------
    ValueError
        If the inputs are not all bit strings or the shapes do not fit.
    """
    x, given = checks.array("inputs", inputs, 3), checks.array("values", values)
    codes = (x @ (1 << np.arange(x.shape[2])[::-1])).astype(int)
    if x.shape[1] != 2 ** x.shape[2] or (np.sort(codes, 1) != np.arange(x.shape[1])).any():
        raise ValueError(f"inputs has shape {x.shape}: each member must hold every bit string once.")
    if given.ndim < 2 or (len(given), given.shape[-1]) != codes.shape:
        raise ValueError(f"values has shape {given.shape}: it must be ({len(codes)}, ..., {codes.shape[1]}).")
    places = np.argsort(codes, 1).reshape(len(codes), *(1,) * (given.ndim - 2), -1)
    return np.take_along_axis(given, places, -1)


def boundary(sides: ArrayLike) -> np.ndarray:
    """The neighbouring inputs on different sides, one pair for each bit and each value of the others.

    Parameters
    ----------
    sides : array, shape (..., 2**bits)
        True or False at every bit string, in the order of `encoding.all_inputs`.

    Returns
    -------
    numpy.ndarray of bool, shape (..., bits * 2**(bits - 1))
        Whether the two differ; its mean is the boundary's density: 0 for one side everywhere, 1/2 on average for
        random sides, 1 for the parity.

    Raises
    ------
    ValueError
        If the last dimension is no power of two.
    """
    cube = _cube(sides)
    bits = cube.ndim - 1
    pairs = [np.take(cube, 0, axis) != np.take(cube, 1, axis) for axis in range(1, bits + 1)]
    return np.concatenate([pair.reshape(len(cube), -1) for pair in pairs], 1).reshape(*np.shape(sides)[:-1], -1)


def subspaces(sides: ArrayLike) -> np.ndarray:
    """The least number of subcubes, cut bit by bit as by a decision tree, on each of which the side is one.

    Parameters
    ----------
    sides : array, shape (..., 2**bits)
        True or False at every bit string, in the order of `encoding.all_inputs`; at most 10 bits.

    Returns
    -------
    numpy.ndarray of int, shape (...)
        1 where all are on one side, 2 where a single bit decides, 2**bits for the parity.

    Raises
    ------
    ValueError
        If the last dimension is no power of two, or there are too many bits.
    """
    cube = _cube(sides)
    bits = checks.integer("bits of sides", cube.ndim - 1, 1, MOST_BITS)
    corners = cube.reshape(len(cube), -1).T  # as `product` counts, the first bit slowest
    whole, leaves = {}, {}
    for corner, values in zip(product((0, 1), repeat=bits), corners, strict=True):
        whole[corner], leaves[corner] = values, np.ones(len(cube), np.int32)
    mixed = {corner: np.zeros(len(cube), bool) for corner in whole}
    for free in range(1, bits + 1):  # a subcube's free bits stand as 2
        for axes in combinations(range(bits), free):
            for fixed in product((0, 1), repeat=bits - free):
                rest = iter(fixed)
                key = tuple(2 if axis in axes else next(rest) for axis in range(bits))
                halves = [[(*key[:axis], side, *key[axis + 1 :]) for side in (0, 1)] for axis in axes]
                low, high = halves[0]
                whole[key] = whole[low]
                mixed[key] = mixed[low] | mixed[high] | (whole[low] != whole[high])
                fewest = np.min([leaves[low] + leaves[high] for low, high in halves], 0)
                leaves[key] = np.where(mixed[key], fewest, 1)
    return leaves[(2,) * bits].reshape(np.shape(sides)[:-1])


def gray_order(bits: int) -> np.ndarray:
    """The numbers of that many bits in an order in which neighbours differ by one bit.

    Parameters
    ----------
    bits : int
        From 1 to 20.

    Returns
    -------
    numpy.ndarray of int, shape (2**bits,)
        The order.

    Raises
    ------
    ValueError
        If `bits` is out of range.
    """
    numbers = np.arange(2 ** checks.integer("bits", bits, 1, 20))
    return numbers ^ (numbers >> 1)


def _cube(sides: ArrayLike) -> np.ndarray:
    values = np.asarray(sides)
    if values.dtype != bool or values.ndim < 1 or values.shape[-1] < 2 or values.shape[-1] & (values.shape[-1] - 1):
        raise ValueError(
            f"sides has shape {values.shape} and type {values.dtype}: it must be bool over all bit strings."
        )
    return values.reshape(-1, *(2,) * (values.shape[-1].bit_length() - 1))
