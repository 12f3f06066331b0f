"""The page in a browser, opened from the disk: the bits of its runs, what it refuses, and that nothing is requested."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import sync_playwright

from kbe.page import draws
from kbe.training.compiled.layout import choose_graph

ROOT = Path(__file__).parents[2]
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome is installed")
ADDRESSES = [
    "n=1&epochs=400", "n=20&epochs=1000", "n=20&epochs=200&reduction=sum&seed=1", "n=256&epochs=30&rate=0.2",
    "n=3&epochs=300&floor=0.01&rate=0.05", "n=7&epochs=400&deviation=exponential&loss=laplace_nll",
    "n=5&epochs=300&mean=linear&loss=gaussian_nll_misprinted&rate=0.02", "n=64&epochs=100&seed=1&rate=0.3",
]  # fmt: skip
STATE = "async () => { const s = await document.getElementById('kbe-try').state(); return {...s, weights: "
STATE += "Array.from(new BigInt64Array(s.weights.buffer), String), outputs: "
STATE += "Array.from(new BigInt64Array(s.outputs.buffer), String)} }"


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> str:
    """The page without the book around it: its own markup, with the scripts beside it and a few draws."""
    folder = tmp_path_factory.mktemp("book")
    shutil.copytree(ROOT / "book" / "_static", folder / "_static")
    markup = re.search(r"```\{raw\} html\n(.*?)```", (ROOT / "book" / "try_it.md").read_text(), re.S)[1]
    table = (
        f'<script type="text/plain" id="kbe-draws">{draws.table_of_draws((0, 1), (1, 2, 3, 5, 7, 20, 64, 256)).text}'
    )
    (folder / "book").mkdir()
    made = folder / "book" / "page.html"
    made.write_text(f"<!doctype html><meta charset=utf-8><title>Try it</title>{table}</script>{markup}")
    return made.as_uri()


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as player:
        started = player.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def opened(browser, address):
    """A function that opens the page in a tab of its own; nothing may be requested but files beside it."""
    asked: list[str] = []

    def open_at(state: str):
        tab = browser.new_page()
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(f"{address}#{state}")
        tab.wait_for_selector("form:not([hidden])")
        return tab

    yield open_at
    assert asked and all(url.startswith(("file:", "blob:", "data:")) for url in asked)
    for context in browser.contexts:
        context.close()


def words(texts: list[str]) -> np.ndarray:
    return np.array([int(text) for text in texts], np.int64).view(np.float64).reshape(-1, 16)


def differ(found: np.ndarray, wanted: np.ndarray) -> int:
    same = np.ascontiguousarray(found).view(np.int64) == np.ascontiguousarray(wanted).view(np.int64)
    return int((~same & ~(np.isnan(found) & np.isnan(wanted))).sum())


@pytest.mark.parametrize("state", ADDRESSES)
def test_a_run_in_the_page_has_the_bits_of_the_lines_of_python_that_it_shows(opened, state):
    tab = opened(state)
    tab.click("button[name=run]")
    tab.wait_for_function("document.querySelector('.kbe-status').textContent.startsWith('Done')", timeout=60_000)
    found, names = tab.evaluate(STATE), {}
    lines = tab.inner_text(".kbe-python")
    exec(lines.replace("epochs=", "keep_parameters=True, epochs="), names)
    run = names["run"]
    last, row = run.isel(epoch=-1), choose_graph(names["network"](), run.x.values, None)[1]
    outputs = words(found["outputs"]).reshape(2, -1, 16)
    at_points = np.stack([outputs[:, rows, member] for member, rows in enumerate(row)])
    assert differ(words(found["weights"]).T, last.parameters.values) == 0
    assert differ(at_points, np.stack([last.mu, last.sigma], 1)) == 0
    assert found["onset"] == [-1 if np.isinf(one) else int(one) for one in run.onset.values]


def test_a_value_out_of_range_is_said_beside_its_field_and_nothing_runs(opened):
    tab = opened("n=21&rate=0&epochs=1.5&floor=-1&seed=x")
    tab.click("button[name=run]")
    for name in ("n", "rate", "epochs", "floor", "seed"):
        assert "it must be" in tab.inner_text(f"#kbe-{name}-error")
    assert "Nothing runs" in tab.inner_text(".kbe-status") and tab.is_disabled("button[name=pause]")


def test_a_run_can_be_stepped_paused_and_resumed_by_keyboard(opened):
    tab = opened("n=256&epochs=1000000")
    tab.click("button[name=step]")
    tab.wait_for_function("document.querySelector('.kbe-status').textContent.startsWith('Paused at epoch 1:')")
    tab.focus("button[name=run]")
    tab.keyboard.press("Enter")
    tab.wait_for_function("parseInt(document.querySelector('.kbe-progress').value.slice(6)) > 5")
    tab.focus("button[name=pause]")
    tab.keyboard.press("Space")
    tab.wait_for_function("document.querySelector('.kbe-status').textContent.startsWith('Paused')")
    assert tab.locator(".kbe-table tbody tr").count() == 16


def test_without_scripts_the_page_says_why_nothing_is_trained(browser, address):
    tab = browser.new_context(java_script_enabled=False).new_page()
    tab.goto(address)
    assert "no scripts" in tab.inner_text("#kbe-try") and not tab.is_visible("form")
