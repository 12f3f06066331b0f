"""Data with dense and sparse places: clusters of bit strings, and when each of them is learnt (section IV)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from kbe import checks
from kbe.data import encoding

_TRIALS = 1000


def draw(
    counts: Sequence[int] | np.ndarray,
    bits: int = 8,
    members: int = 1,
    *,
    radius: int = 0,
    separation: int = 4,
    seed: int = 0,
) -> xr.Dataset:
    """Draw clusters of points for each member: centres far from each other, and some points at each.

    All points of a cluster have one target, 0 and 1 in turn over the clusters, so that counts in equal
    pairs balance the targets at every density. Centres depend on the seed, the member and the number of
    clusters alone: other counts put other densities at the same places.

    Parameters
    ----------
    counts : array of int, shape (clusters,) or (members, clusters)
        Points of each cluster, at least 0; every member has the same number of points in all, at least 1.
    bits : int
        b, the length of a bit string, from 1 to 12.
    members : int
        The number of independent data sets.
    radius : int
        The points of a cluster are drawn from the inputs within this Hamming distance of its centre, with
        repetition; at 0 the cluster is one input, repeated.
    separation : int
        The least distance of two centres, above twice the radius.
    seed : int
        Start of every random draw.

    Returns
    -------
    xarray.Dataset
        `x` (member, point, bit) and `y` (member, point) to train on, and the `cluster` (member, point) of
        each point; `centre` (member, cluster, bit), `target` (cluster) and `count` (member, cluster).

    Raises
    ------
    ValueError
        If an argument is out of range, or so many centres cannot be placed.
    """
    checks.integer("bits", bits, 1, 12)
    checks.integer("members", members, 1)
    checks.integer("radius", radius, 0, bits)
    checks.integer("separation", separation, 2 * radius + 1)
    checks.integer("seed", seed, 0)
    counts = _counts(counts, members)
    inputs = encoding.all_inputs(bits)
    distance = encoding.hamming_distance(inputs, inputs)
    centres, points, owners = [], [], []
    for member, row in enumerate(counts):
        generator = encoding.member_generator(seed, member, "inputs")
        centre = _centres(distance, len(row), separation, generator)
        near = [generator.choice(np.flatnonzero(distance[c] <= radius), n) for c, n in zip(centre, row, strict=True)]
        centres.append(centre)
        points.append(np.concatenate(near))
        owners.append(np.repeat(np.arange(len(row)), row))
    target = (np.arange(counts.shape[1]) % 2).astype(float)
    owner = np.array(owners)
    return xr.Dataset(
        {
            "x": (("member", "point", "bit"), inputs[np.array(points)]),
            "y": (("member", "point"), target[owner]),
            "cluster": (("member", "point"), owner),
            "centre": (("member", "cluster", "bit"), inputs[np.array(centres)]),
            "target": ("cluster", target),
            "count": (("member", "cluster"), counts),
        },
        coords={"member": np.arange(members)},
        attrs={"bits": bits, "members": members, "radius": radius, "separation": separation, "seed": seed},
    )


def allot(shares: Sequence[float] | np.ndarray, points: int) -> np.ndarray:
    """Whole numbers of points in given shares, those with the largest remainders rounded up.

    Parameters
    ----------
    shares : array, shape (clusters,)
        Shares, at least 0, in any unit.
    points : int
        How many points there are to allot.

    Returns
    -------
    numpy.ndarray of int, shape (clusters,)
        The points of each, with the wanted sum.

    Raises
    ------
    ValueError
        If a share is negative or none is above 0.
    """
    values = checks.array("shares", shares, 1)
    checks.integer("points", points, 0)
    if values.min() < 0 or not values.any():
        raise ValueError(f"shares is {checks.shown(shares)}: every share must be at least 0, and one above 0.")
    exact = values / values.sum() * points
    whole = np.floor(exact).astype(int)
    order = np.argsort(whole - exact, kind="stable")
    whole[order[: points - whole.sum()]] += 1
    return whole


def _counts(counts: Sequence[int] | np.ndarray, members: int) -> np.ndarray:
    values = checks.array("counts", counts, (1, 2))
    rows = np.broadcast_to(values, (members, values.shape[-1])) if values.ndim == 1 else values
    if rows.min() < 0 or (rows != np.round(rows)).any() or len(rows) != members:
        raise ValueError(f"counts has shape {values.shape}: it must be whole numbers of at least 0, a row a member.")
    if len(set(rows.sum(1))) > 1 or not rows.any():
        raise ValueError("counts must have the same sum, at least 1, for every member.")
    return rows.astype(int)


def _centres(distance: np.ndarray, wanted: int, separation: int, generator: np.random.Generator) -> list[int]:
    """Codes in random order, each taken if it is far enough from those before; anew if too few fit."""
    for _ in range(_TRIALS):
        free, found = np.ones(len(distance), bool), []
        for code in generator.permutation(len(distance)):
            if free[code]:
                found.append(int(code))
                free &= distance[code] >= separation
            if len(found) == wanted:
                return found
    raise ValueError(f"counts has {wanted} clusters: so many centres at a distance of {separation} were not found.")
