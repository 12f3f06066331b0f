"""Data whose mean and standard deviation are known, so that an estimate of them can be judged.

On random labels a score on held-out inputs means nothing. Here each member has two functions of the
bit string, drawn at random, and its targets are scattered about the one as the other says. Both are
smooth: a flip of one bit out of b moves each by a b-th of its range, on average.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from kbe import checks
from kbe.data import encoding

NOISES = ("gaussian", "laplace")

CENTRE, REACH = 0.5, 0.25  # of the mean: targets seldom leave the range of a sigmoid head


def known_encoding(
    points: int,
    bits: int = 8,
    members: int = 1,
    *,
    repeats: int = 1,
    noise: str = "gaussian",
    lowest: float = 0.03,
    highest: float = 0.2,
    seed: int = 0,
) -> xr.Dataset:
    r"""Draw inputs for each member, and targets about a known mean with a known standard deviation.

    .. math::
        m(x) = \tfrac12 + \tfrac14 u \cdot s, \qquad
        \log d(x) = \tfrac12 \log d_0 d_1 + \tfrac12 \log \tfrac{d_1}{d_0} \, v \cdot s, \qquad s = 2x - 1,

    with random vectors u, v whose absolute values sum to one.

    Parameters
    ----------
    points : int
        Distinct inputs, at most 2**bits.
    bits : int
        b, the length of a bit string.
    members : int
        The number of independent data sets, each with functions of its own.
    repeats : int
        Targets at each input.
    noise : {"gaussian", "laplace"}
        The distribution of the targets about the mean.
    lowest, highest : float
        The range of the standard deviation, d_0 and d_1, reached at one input each.
    seed : int
        Start of every random draw; the inputs are those of `encoding.random_encoding`.

    Returns
    -------
    xarray.Dataset
        `x` (member, point, bit), `y`, and the true `mean` and `deviation` (member, point), where an
        input's repeats follow each other; the arguments as attributes.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    checks.integer("repeats", repeats, 1)
    checks.choice("noise", noise, NOISES)
    checks.number("lowest", lowest, above=0)
    checks.number("highest", highest, lowest)
    drawn = encoding.random_encoding(points, bits, members, seed=seed)
    attributes = {"repeats": repeats, "noise": noise, "lowest": lowest, "highest": highest}
    inputs = drawn.x.values.repeat(repeats, axis=1)
    return _with_targets(inputs, drawn.member.values, {**drawn.attrs, **attributes}, "noise")


def everywhere(data: xr.Dataset) -> xr.Dataset:
    """The same members' functions on all inputs, with targets that no training has seen.

    Parameters
    ----------
    data : xarray.Dataset
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
    if not isinstance(data, xr.Dataset) or not {"lowest", "highest", "noise", "seed", "bits"} <= set(data.attrs):
        raise ValueError(f"data is {checks.shown(data)}: it must be what known_encoding returns.")
    strings = encoding.all_inputs(data.attrs["bits"])
    inputs = np.broadcast_to(strings, (data.sizes["member"], *strings.shape))
    result = _with_targets(inputs, data.member.values, {**data.attrs, "repeats": 1, "points": len(strings)}, "held out")
    seen = np.zeros((data.sizes["member"], len(strings)), bool)
    codes = (data.x.values @ 2 ** np.arange(data.attrs["bits"])[::-1]).astype(int)
    np.put_along_axis(seen, codes, True, axis=1)
    return result.assign(held_out=(("member", "point"), ~seen))


def _with_targets(inputs: np.ndarray, members: np.ndarray, attributes: dict, stream: str) -> xr.Dataset:
    drawn = [_targets(x, int(member), attributes, stream) for x, member in zip(inputs, members, strict=True)]
    y, mean, deviation = np.array(drawn).swapaxes(0, 1)
    dims = ("member", "point")
    return xr.Dataset(
        {"x": ((*dims, "bit"), inputs), "y": (dims, y), "mean": (dims, mean), "deviation": (dims, deviation)},
        coords={"member": members, "point": np.arange(inputs.shape[1]), "bit": np.arange(inputs.shape[2])},
        attrs=attributes,
    )


def _targets(x: np.ndarray, member: int, attributes: dict, stream: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One member's targets, and the mean and deviation that they are drawn with."""
    vectors = encoding.member_generator(attributes["seed"], member, "functions").standard_normal((2, x.shape[1]))
    u, v = (vectors / np.abs(vectors).sum(1, keepdims=True)) @ (2 * x - 1).T
    lowest, highest = np.log(attributes["lowest"]), np.log(attributes["highest"])
    mean, deviation = CENTRE + REACH * u, np.exp((lowest + highest + (highest - lowest) * v) / 2)
    generator = encoding.member_generator(attributes["seed"], member, stream)
    gaussian = attributes["noise"] == "gaussian"
    scatter = generator.standard_normal(len(x)) if gaussian else generator.laplace(0, np.sqrt(0.5), len(x))
    return mean + deviation * scatter, mean, deviation
