"""Data with dense and sparse places: clusters of bit strings (section IV)."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import xarray as xr

from kbe.checks import Count, Natural, Seed, Shaped, Whole, checked
from kbe.data import encoding
from kbe.refusals import shown

_TRIALS = 1000


@checked
def draw(
    counts: Annotated[np.ndarray, Shaped("... clusters", low=0)],
    bits: Annotated[int, Whole(1, 12)] = 8,
    members: Count = 1,
    *,
    radius: Natural = 0,
    separation: Count = 4,
    seed: Seed = 0,
) -> xr.Dataset:
    """Draw clusters of points for each member: centres far from each other, and some points at each.

    All points of a cluster have one target, 0 and 1 in turn over the clusters, so that counts in equal
    pairs balance the targets at every density. Centres depend on the seed, the member and the number of
    clusters alone: other counts put other densities at the same places.

    Parameters
    ----------
    counts
        Points of each cluster, or a row of them for each member; every member has the same number in all.
    bits
        b, the length of a bit string.
    members
        The number of independent data sets.
    radius
        The points of a cluster are drawn from the inputs within this Hamming distance of its centre, with
        repetition; at 0 the cluster is one input, repeated.
    separation
        The least distance of two centres, above twice the radius.
    seed
        Start of every random draw.

    Returns
    -------
    xarray.Dataset
        `x` (member, point, bit) and `y` (member, point) to train on, and the `cluster` (member, point) of
        each point; `centre` (member, cluster, bit), `target` (cluster) and `count` (member, cluster).

    Raises
    ------
    ValueError
        If the counts are not as described, the radius is too large, or so many centres cannot be placed.
    """
    if counts.shape[:-1] not in ((), (members,)) or (counts % 1).any():
        raise ValueError(f"counts is {shown(counts)}: it must be whole numbers, one a cluster or a row a member.")
    if np.ptp(counts.sum(-1)) or not counts.any():
        raise ValueError(f"counts is {shown(counts)}: its sum must be the same, at least 1, for every member.")
    if members * counts.max() > 10**8:
        raise ValueError(f"counts is {shown(counts)}: they must be at most {10**8 // members:g} with so many members.")
    if radius > bits or separation <= 2 * radius:
        raise ValueError(
            f"radius is {radius}: it must be at most {bits} bits and below half the separation {separation}."
        )
    rows = np.broadcast_to(counts, (members, counts.shape[-1])).astype(int)
    inputs = encoding.all_inputs(bits)
    distance = encoding.hamming_distance(inputs, inputs)
    centres, points = [], []
    for member, row in enumerate(rows):
        generator = encoding.member_generator(seed, member, "inputs")
        centres.append(_centres(distance, len(row), separation, generator))
        near = [np.flatnonzero(distance[centre] <= radius) for centre in centres[-1]]
        points.append(np.concatenate([generator.choice(one, count) for one, count in zip(near, row, strict=True)]))
    owner = np.array([np.repeat(np.arange(len(row)), row) for row in rows])
    target = (np.arange(rows.shape[1]) % 2).astype(float)
    return xr.Dataset(
        {
            "x": (("member", "point", "bit"), inputs[np.array(points)]),
            "y": (("member", "point"), target[owner]),
            "cluster": (("member", "point"), owner),
            "centre": (("member", "cluster", "bit"), inputs[np.array(centres)]),
            "target": ("cluster", target),
            "count": (("member", "cluster"), rows),
        },
        coords={"member": np.arange(members)},
        attrs={"bits": bits, "members": members, "radius": radius, "separation": separation, "seed": seed},
    )


@checked
def allot(shares: Annotated[np.ndarray, Shaped("clusters", low=0)], points: Natural) -> np.ndarray:
    """Whole numbers of points in given shares, those with the largest remainders rounded up.

    Parameters
    ----------
    shares
        In any unit.
    points
        How many there are to allot; the sum of what is returned.

    Raises
    ------
    ValueError
        If no share is above 0.
    """
    if not shares.any():
        raise ValueError(f"shares is {shown(shares)}: one share must be above 0.")
    exact = shares / shares.sum() * points
    whole = np.floor(exact).astype(int)
    order = np.argsort(whole - exact, kind="stable")
    whole[order[: points - whole.sum()]] += 1
    return whole


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
