"""Arrays meet with exact labels: in every chapter, run here with few and small networks, and in what it calls."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg

from kbe.book import contents, executions
from kbe.companions import mean_field
from kbe.discussion import calibration
from kbe.measures import onsets
from kbe.response import drift

ROOT = Path(__file__).parents[1]
# Each is for the chapters that declare it. Large steps, so that some networks become unstable and some do not.
SMALL = {
    "members": 3, "wide_members": 3, "learned_members": 2, "apart_members": 2, "fitted": 4, "followed": 3, "few": 5,
    "networks": 2, "known": 10, "unseen": 4, "sizes": [4, 20], "bits_tried": [6, 8], "channels_tried": [2, 3],
    "epochs": 64, "patience": 2, "method_epochs": 30, "variance_epochs": 100, "learned_epochs": 20, "horizon": 20,
    "learning_rate": 0.9, "levels": [0.06, 0.02], "repeats": 1, "draws": 3,
}  # fmt: skip
CHAPTERS = [one for one in executions.plan(ROOT, SMALL) if one.page in contents.chapters(ROOT)]
CHAPTERS = CHAPTERS if os.environ.get("EVERY_CHAPTER") else CHAPTERS[1::3]  # all of them by `make test-labels`

ARRAY = xr.DataArray([1, 2, 3], {"point": [0, 1, 2]})
TURNED, SHORTER = ARRAY[::-1], ARRAY[:2]
RUN = xr.Dataset({"x": ARRAY, "y": ARRAY})


@pytest.mark.parametrize(
    "meet",
    [
        lambda: RUN.assign(x=RUN.x[[1, 2, 0]]),
        lambda: ARRAY - TURNED,
        lambda: ARRAY < SHORTER,
        lambda: ARRAY.where(SHORTER > 1),
        lambda: xr.Dataset({"a": ARRAY, "b": SHORTER}),
        lambda: RUN.merge({"z": SHORTER}, join="outer"),
        lambda: xr.concat([ARRAY, TURNED], "run", join="outer"),
        lambda: xr.dot(ARRAY, SHORTER),
    ],
)
def test_labels_that_move_an_array_unasked_are_seen(meet, realigned):
    meet()
    assert realigned and all(place.startswith(f"point in {__file__}:") for place in realigned)
    realigned.clear()


def test_equal_labels_none_and_what_is_asked_for_are_no_move():
    RUN.assign(x=RUN.x[[1, 2, 0]].values + RUN.y, y=("point", RUN.y.values[::-1]))
    RUN.assign(x=RUN.x[[1, 2, 0]].drop_vars("point"))
    RUN.reindex(point=[2, 5]).x.reindex_like(TURNED)


OVER = xr.DataArray(np.eye(3), {"member": [0, 1, 2], "epoch": [0, 1, 2]})
OUTPUTS = xr.DataArray(np.ones((2, 3, 4)), {"member": [0, 1], "epoch": [0, 1, 2], "point": [0, 1, 2, 3]})
KERNEL = xr.DataArray(np.ones((2, 3, 3)), {"member": [0, 1]}, dims=["member", "n", "m"])


@pytest.mark.parametrize(
    ("call", "arrays"),
    [
        (onsets.last_before, [OVER, OVER[:, 1].drop_vars("epoch")]),
        (mean_field.share_explained, [OUTPUTS, OUTPUTS]),
        (drift.kernel_drift, [KERNEL, KERNEL]),
        (calibration.covered, [OVER, OVER, OVER]),
        (calibration.log_score, [OVER, OVER, OVER]),
        (calibration.expected_coverage, [OVER, OVER, OVER, OVER]),
    ],
)
def test_what_takes_several_labelled_arrays_refuses_other_labels(call, arrays):
    call(*arrays)
    for turned in range(len(arrays)):
        given = [array[::-1] if n == turned else array for n, array in enumerate(arrays)]
        with pytest.raises(ValueError, match=r"^\w+ has other labels along member than \w+: they must be the same\.$"):
            call(*given)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.name)
@pytest.mark.filterwarnings("ignore")  # what so few networks cannot tell
def test_a_chapter_lets_arrays_meet_with_exact_labels(chapter, monkeypatch):
    monkeypatch.setattr(FigureCanvasAgg, "print_png", lambda *_: None)  # drawn, but not painted: half of the time
    threads, names = torch.get_num_threads(), {}
    try:
        for number, cell in enumerate(contents.code(chapter.notebook), 1):
            exec(compile(cell.source, f"{chapter.page}, code cell {number}", "exec"), names)
    finally:
        torch.set_num_threads(threads)
