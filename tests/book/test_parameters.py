"""A chapter's parameters: what the cell declares, and one sentence for what does not fit it."""

from __future__ import annotations

import nbformat
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kbe.book import parameters

CELL = """members: int = 100  # independent networks
rate: float = 0.1  # step, or "learning rate"
head: str = "ä # ß"  # activation, größer
sizes: list[int] = [1, 2]  # sizes
seed: int | None = None  # start
"""


def chapter(folder, *cells: tuple[str, list[str]]):
    made = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source, metadata={"tags": tags}) for source, tags in cells]
    )
    nbformat.write(made, folder / "chapter.ipynb")
    return folder / "chapter.ipynb"


def namespace(**values):
    kinds = {"members": int, "rate": float, "head": str, "sizes": list[int], "seed": int | None, "flag": bool}
    defaults = {"members": 100, "rate": 0.1, "head": "a", "sizes": [1, 2], "seed": None, "flag": True}
    return {"__annotations__": kinds, "In": ["", "members: int = 100"], **defaults, **values}


def test_the_cell_is_read_without_being_run(tmp_path):
    declared = parameters.declared(chapter(tmp_path, ("1 / 0", []), (CELL, ["parameters"])))
    assert [(one.name, one.kind, one.value, one.meaning) for one in declared] == [
        ("members", "int", 100, "independent networks"),
        ("rate", "float", 0.1, 'step, or "learning rate"'),
        ("head", "str", "ä # ß", "activation, größer"),
        ("sizes", "list[int]", [1, 2], "sizes"),
        ("seed", "int | None", None, "start"),
    ]


def test_a_notebook_without_parameters_declares_none_and_with_two_cells_is_refused(tmp_path):
    assert parameters.declared(chapter(tmp_path, ("1", []))) == []
    with pytest.raises(ValueError, match="2 cells tagged"):
        parameters.declared(chapter(tmp_path, (CELL, ["parameters"]), (CELL, ["parameters"])))


GOOD = [
    {"members": 8}, {"rate": 1}, {"rate": 0.5}, {"head": "b"}, {"sizes": [3]}, {"sizes": (3, 4)}, {"seed": 3},
    {"seed": None}, {"flag": False},
]  # fmt: skip
BAD = [
    {"members": 8.0}, {"members": True}, {"members": "8"}, {"rate": "1"}, {"rate": float("nan")}, {"rate": True},
    {"rate": float("inf")}, {"head": 1}, {"sizes": []}, {"sizes": [1.5]}, {"sizes": [True]}, {"sizes": 3},
    {"sizes": "12"}, {"seed": 0.5}, {"flag": 1}, {"members": None},
]  # fmt: skip


@pytest.mark.parametrize("values", GOOD)
def test_what_fits_passes(values, tmp_path):
    parameters.check(namespace(**values))


@pytest.mark.parametrize("values", BAD)
def test_what_does_not_fit_is_refused_in_the_notebook_and_before(values, tmp_path):
    (name,) = values
    with pytest.raises(ValueError, match=f"^{name} is .*: it must be of type"):
        parameters.check(namespace(**values))
    with pytest.raises(ValueError, match=f"^{name} is .*: it must be of type"):
        parameters.suiting(chapter(tmp_path, (CELL + "flag: bool = True  # x", ["parameters"])), values)


@given(members=st.integers(-5, 20), size=st.integers(-5, 20), head=st.sampled_from("abc"))
@settings(max_examples=25, deadline=None)
def test_bounds_hold_for_numbers_each_of_a_list_and_names(members, size, head):
    allowed = members >= 1 and 1 <= size <= 10 and head in "ab"
    bounds = {"members": (1, None), "sizes": (1, 10), "head": ("a", "b"), "seed": (0, None)}
    given_now = namespace(members=members, sizes=[1, size], head=head)
    if allowed:
        parameters.check(given_now, **bounds)
    else:
        with pytest.raises(ValueError, match="it must be"):
            parameters.check(given_now, **bounds)


def test_a_name_that_papermill_injected_and_the_chapter_lacks_is_refused():
    with pytest.raises(
        ValueError, match=r"no parameter 'membres' .'members' is near.: its parameters are members, rate"
    ):
        parameters.check(namespace(In=["", "# Parameters\nmembers = 3\nmembres = 5\n", "parameters.check()"]))


def test_other_names_of_a_used_kernel_are_no_parameters():
    parameters.check(namespace(In=["", "result = 3", "parameters.check()"], result=3, data=[1]))


def test_a_bound_on_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="no parameter 'membres'"):
        parameters.check(namespace(), membres=(1, None))


def test_unknown_names_are_refused_before_anything_runs(tmp_path):
    with pytest.raises(
        ValueError,
        match=r"^chapter\.ipynb has no parameter 'membres' \('members' is near\): its parameters are members, rate",
    ):
        parameters.suiting(chapter(tmp_path, (CELL, ["parameters"])), {"membres": 3})


CHECKED = "parameters.check(globals(), members=(1, None), rate=(0, 2**members), head=tuple('ab'))"
NEW_VALUES = "# Parameters\nmembers = 7\nsizes = [5]\n"
RERUN = ((CHECKED, []), (CELL, ["parameters"]), (NEW_VALUES, ["injected-parameters"]))


def test_a_rerun_has_the_values_that_it_was_run_with(tmp_path):
    path = chapter(tmp_path, *RERUN)
    values = {one.name: one.value for one in parameters.declared(path)}
    assert values == {"members": 7, "rate": 0.1, "head": "ä # ß", "sizes": [5], "seed": None}
    assert parameters.suiting(path, {"rate": 1, "sizes": (1, np.int64(2))}) == {
        "members": 7,
        "rate": 1,
        "sizes": [1, 2],
    }


def test_plain_bounds_are_held_before_anything_runs_and_others_are_left_to_the_chapter(tmp_path):
    path = chapter(tmp_path, *RERUN)
    with pytest.raises(ValueError, match=r"^members is 0: it must be a finite number of at least 1"):
        parameters.suiting(path, {"members": 0})
    assert parameters.suiting(path, {"rate": 1000.0, "head": "c"})["head"] == "c"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("# Parameters\nmembres = 7", "no parameter 'membres'"),
        ("# Parameters\nmembers = 7 * 2", "cannot be read"),
        ("# Parameters\nmembers = 'seven'", "members is 'seven': it must be of type int"),
    ],
)
def test_values_of_a_rerun_that_somebody_spoilt_are_refused(tmp_path, source, message):
    with pytest.raises(ValueError, match=message):
        parameters.suiting(chapter(tmp_path, (CELL, ["parameters"]), (source, ["injected-parameters"])), {})


@pytest.mark.parametrize("path", ["nothing", "nothing.ipynb", ".", "README.md", "x" * 300 + ".ipynb", "a\0.ipynb"])
def test_a_chapter_that_is_no_notebook_is_refused(path):
    with pytest.raises(ValueError, match=r"it must be an \.ipynb"):
        parameters.find_notebook(path)


@pytest.mark.parametrize(
    "text",
    [
        "no",
        "{}",
        "[]",
        '{"cells": [{"source": "a: int = b +", "metadata": {"tags": ["parameters"]}}]}',
        '{"cells": [{"source": "a", "metadata": {"tags": null}}]}',
        '{"cells": [{"source": "parameters.check((", "metadata": {}}]}',
    ],
)
def test_a_file_that_is_no_notebook_is_refused_by_name(tmp_path, text):
    (tmp_path / "bad.ipynb").write_text(text)
    with pytest.raises(ValueError, match=r"bad\.ipynb"):
        parameters.declared(tmp_path / "bad.ipynb")
