"""Data whose mean and standard deviation are known, so that an estimate of them can be judged.

On random labels a score on held-out inputs means nothing. Here each member has two functions of the
bit string, drawn at random, and its targets are scattered about the one as the other says. Both are
smooth: a flip of one bit out of b moves each by a b-th of its range, on average.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import xarray as xr

from kbe.checks import Count, Positive, Seed, checked
from kbe.data import encoding
from kbe.refusals import shown

CENTRE, REACH = 0.5, 0.25  # of the mean: targets seldom leave the range of a sigmoid head


@checked
def known_encoding(
    points: Count,
    bits: encoding.Bits = 8,
    members: Count = 1,
    *,
    repeats: Count = 1,
    noise: Literal["gaussian", "laplace"] = "gaussian",
    lowest: Positive = 0.03,
    highest: Positive = 0.2,
    seed: Seed = 0,
) -> xr.Dataset:
    r"""Draw inputs for each member, and targets about a known mean with a known standard deviation.

    .. math::
        m(x) = \tfrac12 + \tfrac14 u \cdot s, \qquad
        \log d(x) = \tfrac12 \log d_0 d_1 + \tfrac12 \log \tfrac{d_1}{d_0} \, v \cdot s, \qquad s = 2x - 1,

    with random vectors u, v whose absolute values sum to one.

    Parameters
    ----------
    points
        Distinct inputs, at most 2^b.
    bits
        b, the length of a bit string.
    members
        The number of independent data sets, each with functions of its own.
    repeats
        Targets at each input.
    noise
        The distribution of the targets about the mean.
    lowest, highest
        The range of the standard deviation, d_0 and d_1, reached at one input each.
    seed
        Start of every random draw; the inputs are those of `encoding.random_encoding`.

    Returns
    -------
    xarray.Dataset
        `x` (member, point, bit), `y`, and the true `mean` and `deviation` (member, point), where an
        input's repeats follow each other; the arguments as attributes.

    Raises
    ------
    ValueError
        If the range is empty, or there are more points than inputs.
    """
    if highest < lowest:
        raise ValueError(f"highest is {highest}: it must be at least the lowest, {lowest}.")
    drawn = encoding.random_encoding(points, bits, members, seed=seed)
    attributes = {"repeats": repeats, "noise": noise, "lowest": lowest, "highest": highest}
    inputs = drawn.x.values.repeat(repeats, axis=1)
    return _with_targets(inputs, drawn.member.values, {**drawn.attrs, **attributes}, "noise")


@checked
def on_all_inputs(data: xr.Dataset) -> xr.Dataset:
    """The same members' functions on all inputs, with targets that no training has seen.

    Parameters
    ----------
    data
        As `known_encoding` makes it, or some of its members.

    Returns
    -------
    xarray.Dataset
        `x`, `y`, `mean`, `deviation` as there, and `held_out` (member, point): whether the input is
        none of the data's. One target an input, in the order of `encoding.all_inputs`.

    Raises
    ------
    ValueError
        If the data are others.
    """
    if not {"lowest", "highest", "noise", "seed", "bits"} <= set(data.attrs):
        raise ValueError(f"data is {shown(data)}: it must be what known_encoding returns.")
    strings = encoding.all_inputs(data.attrs["bits"])
    inputs = np.broadcast_to(strings, (data.sizes["member"], *strings.shape))
    result = _with_targets(inputs, data.member.values, {**data.attrs, "repeats": 1, "points": len(strings)}, "held out")
    held_out = np.ones(inputs.shape[:2], bool)
    np.put_along_axis(held_out, encoding.indices(data.x), False, axis=1)
    return result.assign(held_out=(("member", "point"), held_out))


def _with_targets(inputs: np.ndarray, members: np.ndarray, attributes: dict, stream: encoding.Stream) -> xr.Dataset:
    drawn = [_targets(x, int(member), attributes, stream) for x, member in zip(inputs, members, strict=True)]
    y, mean, deviation = np.array(drawn).swapaxes(0, 1)
    dims = ("member", "point")
    return xr.Dataset(
        {"x": ((*dims, "bit"), inputs), "y": (dims, y), "mean": (dims, mean), "deviation": (dims, deviation)},
        coords={"member": members, "point": np.arange(inputs.shape[1]), "bit": np.arange(inputs.shape[2])},
        attrs=attributes,
    )


def _targets(x: np.ndarray, member: int, attributes: dict, stream: encoding.Stream) -> tuple[np.ndarray, ...]:
    """One member's targets, and the mean and deviation that they are drawn with."""
    vectors = encoding.member_generator(attributes["seed"], member, "functions").standard_normal((2, x.shape[1]))
    u, v = (vectors / np.abs(vectors).sum(1, keepdims=True)) @ (2 * x - 1).T
    lowest, highest = np.log(attributes["lowest"]), np.log(attributes["highest"])
    mean, deviation = CENTRE + REACH * u, np.exp((lowest + highest + (highest - lowest) * v) / 2)
    generator = encoding.member_generator(attributes["seed"], member, stream)
    gaussian = attributes["noise"] == "gaussian"
    scatter = generator.standard_normal(len(x)) if gaussian else generator.laplace(0, np.sqrt(0.5), len(x))
    return mean + deviation * scatter, mean, deviation
