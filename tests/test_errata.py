"""The numbers that the errata page states itself are computed here; all others it takes from the chapters."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from kbe.data.encoding import hamming_distance, random_encoding
from kbe.theory.average_network import linear_response, rate_exact, rate_local
from kbe.theory.kernels import expand_kernel, exponential_kernel
from kbe.theory.stability import collapse_bound

PAGE = (Path(__file__).parents[1] / "book" / "errata.md").read_text(encoding="utf-8")
GIVEN = {"0.5", "0.25", "0.1", "0.01"}  # choices: a start, a kernel, a step, a floor, a jump


def collapse():
    """Of one point the bound is the time of the collapse."""
    half, without = (
        collapse_bound(np.ones((1, 1)), np.ones(1), np.full(1, 0.5), np.full(1, 0.5), mean_factor=c) for c in (0.5, 1)
    )
    return f"collapses at $t = {half:g}$ instead of ${without:g}$"


def error_of_eq18():
    data = random_encoding(20, 8, 40)
    grams = exponential_kernel(np.stack([hamming_distance(x, x) for x in data.x.values]), 0.5)
    missed = []
    for gram, y in zip(grams, data.y.values, strict=True):
        for mean in linear_response(gram, y, np.full(20, 0.5), np.array([0.1, 0.3, 3])).mu.values:
            exact = rate_exact(gram, y, mean)
            missed.append(np.linalg.norm(rate_local(gram, y, mean) - exact) / np.linalg.norm(exact))
    a, b, c = np.median(np.reshape(missed, (40, 3)), 0)
    return f"of {a:.2f} at $t = 0.1$, of {b:.2f} at $t = 0.3$, and of {c:.1f} at $t = 3$"


def gaussians():
    distance, scales = np.arange(9.0), np.concatenate([[0], np.geomspace(0.01, 20, 200)])
    missed = [
        float(expand_kernel(distance, np.exp(-((distance / w) ** 2) / 2), scales).rms_error) for w in (1, 2, 3, 4)
    ]
    return f"a Gaussian of a width of one to four bits is missed by {min(missed):.2f} to {max(missed):.2f}"


HELD = [collapse, error_of_eq18, gaussians]


def plain(text):
    return re.sub(r"\s+", " ", re.sub(r"\{\w+\}`[^`]*`", "", text))


@pytest.mark.parametrize("computed", HELD)
def test_a_number_of_the_errata_is_what_it_comes_to(computed):
    assert computed() in plain(PAGE)


def test_no_other_number_stands_there_by_itself():
    rest = plain(PAGE)
    for computed in HELD:
        rest = rest.replace(computed(), "")
    assert set(re.findall(r"\d+\.\d+", rest)) <= GIVEN
