"""What figures say in words: numbers that are there, and curves as far as they are drawn."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from kbe.figures import words

CURVE = xr.DataArray([np.nan, 0.123, 4.0, np.inf], dims="epoch")


def test_a_curve_begins_and_ends_where_it_is_drawn():
    assert (words.first(CURVE), words.last(CURVE)) == ("0.12", "4")
    quantiles = xr.concat([CURVE - 1, CURVE, CURVE + 1], "quantile")
    assert words.last(quantiles) == "4" and words.last(quantiles.transpose("epoch", "quantile")) == "4"
    assert words.all_last({"a": CURVE, "b": CURVE * np.nan}) == "4 (a), no number (b)"


@pytest.mark.parametrize(("value", "said"), [(0.1234, "0.12"), (np.nan, "no number"), (-np.inf, "no number")])
def test_a_number_that_is_none_is_said_to_be_none(value, said):
    assert words.rounded(value) == said
