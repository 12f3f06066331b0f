"""The data: a random binary encoding of bit strings (section II).

A data set holds N pairs of a b-bit string x and a binary target y. Many members,
each with a data set of its own, are drawn at once; a member's data depends on the
seed and on its own number alone, and a smaller data set is the start of a larger one.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from kbe import checks

MAX_BITS = 20


def all_inputs(bits: int) -> np.ndarray:
    """All 2^b bit strings, in the order of the numbers that they spell.

    Parameters
    ----------
    bits : int
        b, from 1 to 20.

    Returns
    -------
    numpy.ndarray, shape (2**bits, bits)
        Zeros and ones, float64, the most significant bit first.

    Raises
    ------
    ValueError
        If `bits` is out of range.
    """
    checks.integer("bits", bits, 1, MAX_BITS)
    return _spell(np.arange(2**bits), bits)


def random_encoding(points: int, bits: int = 8, members: int = 1, *, repeat: bool = False, seed: int = 0) -> xr.Dataset:
    """Draw N pairs of a bit string and a binary target for each member (section II).

    Parameters
    ----------
    points : int
        N, the number of pairs; at most 2**bits without repetition.
    bits : int
        b, the length of a bit string.
    members : int
        The number of independent data sets.
    repeat : bool
        Whether an input may be drawn more than once, possibly with both targets.
        The paper does not say; an encoding gives each input one code, so the
        default draws without repetition.
    seed : int
        Start of every random draw.

    Returns
    -------
    xarray.Dataset
        `x` (member, point, bit) and `y` (member, point), zeros and ones in float64;
        the arguments as attributes.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    checks.integer("bits", bits, 1, MAX_BITS)
    checks.flag("repeat", repeat)
    checks.integer("points", points, 1, None if repeat else 2**bits)
    checks.integer("members", members, 1)
    checks.integer("seed", seed, 0)
    codes = np.empty((members, points), np.int64)
    targets = np.empty((members, points))
    for member in range(members):
        inputs_from, targets_from = (member_generator(seed, member, stream) for stream in ("inputs", "targets"))
        codes[member] = (
            inputs_from.integers(0, 2**bits, points) if repeat else inputs_from.permutation(2**bits)[:points]
        )
        targets[member] = targets_from.integers(0, 2, points)
    return xr.Dataset(
        {"x": (("member", "point", "bit"), _spell(codes, bits)), "y": (("member", "point"), targets)},
        coords={"member": np.arange(members), "point": np.arange(points), "bit": np.arange(bits)},
        attrs={"points": points, "bits": bits, "members": members, "repeat": int(repeat), "seed": seed},
    )


def hamming_distance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The number of bits in which two strings differ, for all pairs.

    Its square root is the Euclidean distance of the strings as vectors.

    Parameters
    ----------
    first : array, shape (n, bits)
        Bit strings of zeros and ones.
    second : array, shape (m, bits)
        Bit strings of the same length.

    Returns
    -------
    numpy.ndarray, shape (n, m)
        The distances, from 0 to bits.

    Raises
    ------
    ValueError
        If an array is not two-dimensional, holds anything but zeros and ones, or the lengths differ.
    """
    first, second = _bit_strings("first", first), _bit_strings("second", second)
    if first.shape[1] != second.shape[1]:
        raise ValueError(f"first has strings of {first.shape[1]} bits, second of {second.shape[1]}: they must agree.")
    return first @ (1 - second).T + (1 - first) @ second.T


def member_generator(seed: int, member: int, stream: str) -> np.random.Generator:
    """The random generator of one member for one purpose, independent of all others.

    Parameters
    ----------
    seed : int
        Start of every random draw, at least 0.
    member : int
        The member's number, at least 0.
    stream : {"inputs", "targets", "weights", "batches", "functions", "noise", "held out"}
        What is drawn from it.

    Returns
    -------
    numpy.random.Generator
        A generator that depends on these three alone.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    streams = ("inputs", "targets", "weights", "batches", "functions", "noise", "held out")
    checks.integer("seed", seed, 0)
    checks.integer("member", member, 0)
    checks.choice("stream", stream, streams)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(member, streams.index(stream))))


def _spell(codes: np.ndarray, bits: int) -> np.ndarray:
    return (codes[..., None] >> np.arange(bits - 1, -1, -1) & 1).astype(np.float64)


def _bit_strings(name: str, value: np.ndarray) -> np.ndarray:
    result = checks.array(name, value, 2)
    if not np.isin(result, (0, 1)).all():
        raise ValueError(f"{name} holds a value other than 0 and 1: bit strings hold zeros and ones.")
    return result
