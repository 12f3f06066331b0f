"""The data: a random binary encoding of bit strings (section II).

A data set holds N pairs of a b-bit string x and a binary target y. Many members,
each with a data set of its own, are drawn at once; a member's data depends on the
seed and on its own number alone, and a smaller data set is the start of a larger one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

import numpy as np
import xarray as xr

from kbe.checks import Count, Natural, Points, Seed, Shaped, Whole, checked

Bits = Annotated[int, Whole(1, 20)]
Stream = Literal["inputs", "targets", "weights", "batches", "functions", "noise", "held out"]


@dataclass(frozen=True)
class BitStrings(Shaped):
    """Bit strings: an array of zeros and ones."""

    def __call__(self, name: str, value: Any, sizes: dict[str, Any]) -> np.ndarray:
        """Return the value as a float64 array."""
        result = super().__call__(name, value, sizes)
        if not np.isin(result, (0, 1)).all():
            raise ValueError(f"{name} holds a value other than 0 and 1: bit strings hold zeros and ones.")
        return result


@checked
def all_inputs(bits: Bits) -> np.ndarray:
    """All 2^b bit strings of length b in the order of the numbers that they spell, the most significant bit first."""
    return _spelled(np.arange(2**bits), bits)


@checked
def indices(inputs: Annotated[np.ndarray, BitStrings("... bits")]) -> np.ndarray:
    """The place of each bit string among `all_inputs`: the number that it spells."""
    return (inputs @ 2.0 ** np.arange(inputs.shape[-1])[::-1]).astype(int)


@checked
def in_order(values: Points, inputs: Annotated[np.ndarray, BitStrings("member points bits")]) -> np.ndarray:
    """Values at all bit strings, put from each member's own order of them into that of `all_inputs`.

    Parameters
    ----------
    values
        One value an input, shape (member, ..., points).
    inputs
        Every bit string once for each member, in its order.

    Raises
    ------
    ValueError
        If a member's inputs are not all bit strings, or there are values for other members.
    """
    places = indices(inputs)
    if places.shape[1] != 2 ** inputs.shape[2] or (np.sort(places) != np.arange(places.shape[1])).any():
        raise ValueError(f"inputs has shape {inputs.shape}: each member must hold every bit string once.")
    if values.ndim < 2 or len(values) != len(places):
        raise ValueError(f"values has shape {values.shape}: it must be ({len(places)}, ..., {places.shape[1]}).")
    return np.take_along_axis(values, np.expand_dims(places.argsort(), tuple(range(1, values.ndim - 1))), -1)


@checked
def random_encoding(
    points: Count, bits: Bits = 8, members: Count = 1, *, repeat: bool = False, seed: Seed = 0
) -> xr.Dataset:
    """Draw N pairs of a bit string and a binary target for each member (section II).

    Parameters
    ----------
    points
        N, the number of pairs; at most 2^b without repetition.
    bits
        b, the length of a bit string.
    members
        The number of independent data sets.
    repeat
        Whether an input may be drawn more than once, possibly with both targets.
        The paper does not say; an encoding gives each input one code, so the
        default draws without repetition.
    seed
        Start of every random draw.

    Returns
    -------
    xarray.Dataset
        `x` (member, point, bit) and `y` (member, point), zeros and ones in float64;
        the arguments as attributes.

    Raises
    ------
    ValueError
        If there are more points than inputs and none may repeat.
    """
    if not repeat and points > 2**bits:
        raise ValueError(f"points is {points}: it must be at most {2**bits} where no input of {bits} bits repeats.")
    numbers, targets = np.empty((members, points), np.int64), np.empty((members, points))
    for member in range(members):
        draw = member_generator(seed, member, "inputs")
        numbers[member] = draw.integers(0, 2**bits, points) if repeat else draw.permutation(2**bits)[:points]
        targets[member] = member_generator(seed, member, "targets").integers(0, 2, points)
    return xr.Dataset(
        {"x": (("member", "point", "bit"), _spelled(numbers, bits)), "y": (("member", "point"), targets)},
        coords={"member": np.arange(members), "point": np.arange(points), "bit": np.arange(bits)},
        attrs={"points": points, "bits": bits, "members": members, "repeat": int(repeat), "seed": seed},
    )


@checked
def hamming_distance(
    first: Annotated[np.ndarray, BitStrings("... first bits", broadcast=True)],
    second: Annotated[np.ndarray, BitStrings("... second bits", broadcast=True)],
) -> np.ndarray:
    """The number of bits in which two strings differ, for all pairs, shape (..., first, second).

    Its square root is the Euclidean distance of the strings as vectors.
    """
    return first @ (1 - second).mT + (1 - first) @ second.mT


@checked
def member_generator(seed: Seed, member: Natural, stream: Stream) -> np.random.Generator:
    """The random generator of one member for one purpose: it depends on these three alone, and on no other's draws."""
    place = get_args(Stream).index(stream)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(member, place)))


def _spelled(numbers: np.ndarray, bits: int) -> np.ndarray:
    return (numbers[..., None] >> np.arange(bits - 1, -1, -1) & 1).astype(np.float64)
