"""The stored module: made from the sources as they are, complete, and refusing what is not offered."""

from __future__ import annotations

import functools
import importlib.util
import shutil
from pathlib import Path

import pytest
import wasmtime

from kbe import losses, networks
from kbe.data import encoding
from kbe.page import webassembly

ROOT = Path(__file__).parents[2]


def test_the_stored_module_was_made_from_the_sources_as_they_are_now():
    assert webassembly.stored_module(ROOT)[1] == webassembly.digest_of_sources(ROOT), "run `make wasm`"


def test_a_change_of_what_is_compiled_is_told_and_one_of_words_is_not(tmp_path):
    shutil.copytree(ROOT / "kbe", tmp_path / "kbe", ignore=shutil.ignore_patterns("__pycache__"))
    changed, before = tmp_path / "kbe" / "training" / "compiled" / "functions.py", webassembly.digest_of_sources(ROOT)
    text = changed.read_text()
    changed.write_text(f"# a remark\n{text}")
    assert webassembly.digest_of_sources(tmp_path) == before
    changed.write_text(text.replace("p * r + 0.5", "p * r + 0.6"))
    assert webassembly.digest_of_sources(tmp_path) != before


def test_the_module_needs_nothing_from_outside_and_is_small(machine):
    assert not list(machine[1].imports)
    assert (ROOT / webassembly.STORED).stat().st_size < 100_000


@pytest.mark.parametrize("make", [
    functools.partial(networks.VarianceNetwork, deviation="softplus"),
    functools.partial(networks.VarianceNetwork, activation="tanh"),
])  # fmt: skip
def test_what_needs_the_c_library_ends_in_a_trap_not_in_other_bits(page, make):
    with pytest.raises(wasmtime.Trap, match="unreachable"):
        page(make, encoding.random_encoding(2, 8, 16), losses.gaussian_nll, 0.1, True, 0)


def test_without_a_stored_module_a_sentence_says_how_to_make_one(tmp_path):
    (tmp_path / webassembly.STORED.parent).mkdir(parents=True)
    (tmp_path / webassembly.STORED).write_text("")
    with pytest.raises(ValueError, match="run `make wasm`"):
        webassembly.stored_module(tmp_path)


@pytest.mark.skipif(not (shutil.which("wasm-ld") or importlib.util.find_spec("ziglang")), reason="no linker, wasm-ld")
def test_a_module_made_anew_can_be_loaded(tmp_path):
    shutil.copytree(ROOT / "kbe", tmp_path / "kbe", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / webassembly.STORED.parent).mkdir(parents=True)
    webassembly.store_module(tmp_path)
    made, digest = webassembly.stored_module(tmp_path)
    assert digest == webassembly.digest_of_sources(ROOT)
    assert {one.name for one in wasmtime.Module(wasmtime.Engine(), made).exports} == {"memory", *webassembly.EXPORTED}
