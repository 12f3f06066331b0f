"""The splitting of the input space in training: on which side of 1/2 the output is at every bit string.

Two numbers follow it. The boundary is the share of neighbouring inputs, one bit apart, on different sides. The
number of sub-spaces is that of the smallest decision tree: how many subcubes are needed if the space is cut along
one bit, each part along another, and so on until every part lies on one side.
"""

from __future__ import annotations

from functools import reduce
from itertools import combinations
from typing import Annotated, Any

import numpy as np
import xarray as xr
from torch import nn

from kbe import refusals
from kbe.checks import KeptWeights, checked
from kbe.data import encoding
from kbe.response import evaluation

MOST_BITS = 10  # there are 3**bits subcubes


def _sides(name: str, value: Any, sizes: dict[str, Any]) -> np.ndarray:
    sides = refusals.bools(name, value)
    if sides.ndim < 1 or sides.shape[-1] < 2 or sides.shape[-1] & (sides.shape[-1] - 1):
        raise ValueError(f"{name} has shape {sides.shape}: it must be that of all bit strings, (..., 2^bits).")
    return sides


Sides = Annotated[np.ndarray, _sides]


@checked
def outputs_everywhere(module: nn.Module, run: KeptWeights) -> xr.DataArray:
    """The first output of every member at all bit strings, at every recorded epoch.

    Parameters
    ----------
    module
        The architecture; its own weights do not matter.
    run
        A training on bit strings.

    Returns
    -------
    xarray.DataArray
        The outputs (member, epoch, point), in the order of `encoding.all_inputs`.
    """
    weights = run["parameters"].transpose("member", "epoch", "parameter")
    values = evaluation.outputs_at(lambda: module, weights, encoding.all_inputs(run.sizes["bit"]))[..., 0]
    return xr.DataArray(values, dims=("member", "epoch", "point"), coords={"epoch": run["epoch"]})


@checked
def boundary(sides: Sides) -> np.ndarray:
    """Whether neighbouring inputs are on different sides, one pair for each bit and each value of the others.

    The mean over the pairs is the boundary's density: 0 for one side everywhere, 1/2 on average for random sides,
    1 for the parity.

    Parameters
    ----------
    sides
        True or False at every bit string, in the order of `encoding.all_inputs`.

    Returns
    -------
    numpy.ndarray
        True or False, shape (..., bits * 2^(bits - 1)).
    """
    cube = _cube(sides)
    pairs = [np.diff(cube, axis=axis).reshape(*sides.shape[:-1], -1) for axis in range(1, cube.ndim)]
    return np.concatenate(pairs, -1)


@checked
def subspaces(sides: Sides) -> np.ndarray:
    """The least number of subcubes, cut bit by bit as by a decision tree, on each of which the side is one.

    It is 1 where all are on one side, 2 where a single bit decides, 2^bits for the parity.

    Parameters
    ----------
    sides
        True or False at every bit string, in the order of `encoding.all_inputs`.

    Raises
    ------
    ValueError
        If there are more than 10 bits.
    """
    cube = np.moveaxis(_cube(sides), 0, -1)
    bits = cube.ndim - 1
    if bits > MOST_BITS:
        raise ValueError(f"sides has {bits} bits: there must be at most {MOST_BITS}.")
    # A subcube has a place for each bit: 0 or 1 where it is fixed, 2 where it is free.
    ones = np.zeros((3,) * bits + cube.shape[-1:], np.int16)
    leaves = np.ones(ones.shape, np.int32)
    ones[(slice(2),) * bits] = cube
    for free in range(1, bits + 1):
        for axes in combinations(range(bits), free):
            whole = tuple(2 if axis in axes else slice(2) for axis in range(bits))
            halves = [[(*whole[:axis], side, *whole[axis + 1 :]) for side in (0, 1)] for axis in axes]
            ones[whole] = ones[halves[0][0]] + ones[halves[0][1]]
            fewest = reduce(np.minimum, (leaves[low] + leaves[high] for low, high in halves))
            leaves[whole] = np.where((ones[whole] == 0) | (ones[whole] == 2**free), 1, fewest)
    return leaves[(2,) * bits].reshape(sides.shape[:-1])


def _cube(sides: np.ndarray) -> np.ndarray:
    """One dimension a bit, after one for all others."""
    return sides.reshape(-1, *(2,) * (sides.shape[-1].bit_length() - 1))
