"""The page in a browser, from the disk and from a server: the bits of its runs, what it refuses, what it requests."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from browsers import needs_browser, served

from kbe.page import draws
from kbe.training.compiled.layout import choose_graph

ROOT = Path(__file__).parents[2]
pytestmark = needs_browser
SIZES = (1, 3, 5, 7, 20, 64, 256)
# Two tabs at once each: neither may disturb the other.
TABS = [
    ("n=1&epochs=400", "n=20&epochs=500"),
    ("n=20&epochs=200&reduction=sum&seed=1", "n=256&epochs=12&rate=0.2"),
    ("n=3&epochs=300&floor=0.01&rate=0.05", "n=7&epochs=400&deviation=exponential&loss=laplace_nll"),
    ("n=5&epochs=300&mean=linear&loss=gaussian_nll_misprinted&rate=0.02", "n=64&epochs=60&seed=1&rate=0.3"),
]
STATE = "async () => { const s = await document.getElementById('kbe-try').state(); return {...s, weights: "
STATE += "Array.from(new BigInt64Array(s.weights.buffer), String), outputs: "
STATE += "Array.from(new BigInt64Array(s.outputs.buffer), String)} }"
# Every message of a worker: it sends one after each stride, and looks for messages then.
HEARD = """window.heard = []; const Made = Worker;
window.Worker = class extends Made { constructor(...given) { super(...given);
this.addEventListener("message", ({data}) => heard.push([data.said, data.epoch])); } };"""
SAYS = "words => document.querySelector('.kbe-status').textContent.startsWith(words)"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The page without the book around it: its own markup, with the scripts beside it and a few draws."""
    folder = tmp_path_factory.mktemp("pages")
    shutil.copytree(ROOT / "book" / "_static", folder / "_static")
    markup = re.search(r"```\{raw\} html\n(.*?)```", (ROOT / "book" / "try_it.md").read_text(), re.S)[1]
    table = draws.table_of_draws((0, 1), SIZES)._repr_mimebundle_()["text/html"]
    (folder / "book").mkdir()
    made = folder / "book" / "page.html"
    made.write_text(f"<!doctype html><meta charset=utf-8><title>Try it</title>{table}{markup}")
    return folder


@pytest.fixture(scope="module")
def addresses(folder):
    with served(folder) as address:
        yield {"disk": folder.as_uri(), "server": address}


@pytest.fixture(params=["disk", "server"])
def opened(request, browser, addresses):
    """A function that opens the page in a tab; nothing may be requested but the page and the files beside it."""
    asked: list[str] = []
    failed: list[str] = []
    beside, context = addresses[request.param], browser.new_context()
    context.on("request", lambda one: asked.append(one.url))
    context.on("weberror", lambda one: failed.append(str(one.error)))
    context.add_init_script(HEARD)

    def open_at(state: str):
        tab = context.new_page()
        tab.goto(f"{beside}/book/page.html#{state}")
        tab.wait_for_selector("form:not([hidden])")
        return tab

    yield open_at
    context.close()
    assert not failed
    assert asked and not [url for url in asked if not url.startswith((f"{beside}/", "blob:", "data:"))]


def words(texts: list[str]) -> np.ndarray:
    return np.array([int(text) for text in texts], np.int64).view(np.float64).reshape(-1, 16)


def differ(found: np.ndarray, wanted: np.ndarray) -> int:
    same = np.ascontiguousarray(found).view(np.int64) == np.ascontiguousarray(wanted).view(np.int64)
    return int((~same & ~(np.isnan(found) & np.isnan(wanted))).sum())


@pytest.mark.parametrize(("opened", "states"), [("disk", TABS[0]), ("server", TABS[1]), ("disk", TABS[2]),
                                                ("server", TABS[3])], indirect=["opened"])  # fmt: skip
def test_runs_in_two_tabs_have_the_bits_of_the_lines_of_python_that_they_show(opened, states):
    tabs = [opened(state) for state in states]
    for tab in tabs:
        tab.click("button[name=run]")
    for tab in tabs:
        tab.wait_for_function(SAYS, arg="Done", timeout=60_000)
        found, names = tab.evaluate(STATE), {}
        exec(re.sub(r"epochs=(\d+)", r"epochs=\1, record=[\1], keep_parameters=True", tab.inner_text("pre")), names)
        run = names["run"]
        last, row = run.isel(epoch=-1), choose_graph(names["network"](), run.x.values, None)[1]
        outputs = words(found["outputs"]).reshape(2, -1, 16)
        at_points = np.stack([outputs[:, rows, member] for member, rows in enumerate(row)])
        assert differ(words(found["weights"]).T, last.parameters.values) == 0
        assert differ(at_points, np.stack([last.mu, last.sigma], 1)) == 0
        onset = [-1 if np.isinf(one) else int(one) for one in run.onset.values]
        assert found["onset"] == onset
        shown = tab.locator(".kbe-table tbody tr td:nth-child(2)").all_inner_texts()
        assert shown == ["none yet" if one < 0 else str(one) for one in onset]


def test_a_value_out_of_range_is_said_beside_its_field_and_nothing_runs(opened):
    tab = opened("n=21&rate=0&epochs=1.5&floor=-1&seed=x")
    tab.click("button[name=run]")
    for name in ("n", "rate", "epochs", "floor", "seed"):
        assert "it must be" in tab.inner_text(f"#kbe-{name}-error")
        assert tab.get_attribute(f"#kbe-{name}", "aria-invalid") == "true"
    assert "Nothing runs" in tab.inner_text("[aria-live]") and tab.is_disabled("button[name=pause]")
    assert tab.evaluate("heard") == []


def test_a_run_can_be_stepped_paused_and_resumed_by_keyboard(opened):
    tab = opened("n=20&epochs=1000000")
    tab.click("button[name=step]")
    tab.wait_for_function(SAYS, arg="Paused at epoch 1:")
    tab.focus("button[name=run]")
    tab.keyboard.press("Enter")
    tab.wait_for_function("heard.at(-1)[1] > 100")
    tab.focus("button[name=pause]")
    tab.keyboard.press("Space")
    tab.wait_for_function(SAYS, arg="Paused")
    told = tab.evaluate("heard")
    assert told[-1] == ["paused", told[-2][1]]  # nothing is trained behind the pause
    assert tab.locator(".kbe-table tbody tr").count() == 16


@pytest.mark.parametrize(("opened", "points", "most"), [("disk", 1, 256), ("disk", 64, 4), ("disk", 256, 1)],
                         indirect=["opened"])  # fmt: skip
def test_a_worker_looks_for_messages_after_so_many_epochs_whatever_a_clock_says(opened, points, most):
    tab = opened(f"n={points}&epochs={20 * most}")
    tab.click("button[name=run]")
    tab.wait_for_function(SAYS, arg="Done", timeout=60_000)
    epochs = np.array([epoch for _, epoch in tab.evaluate("heard")])
    assert epochs[0] == 0 and epochs[-1] == 20 * most and np.diff(epochs).max() <= most


def test_the_address_holds_the_settings_and_every_preset_can_run(opened):
    tab = opened("n=20")
    for preset in tab.locator("[data-preset]").all():
        preset.press("Enter")
        tab.wait_for_function(SAYS, arg=f"{preset.inner_text()}: press Run")
    tab.select_option("[name=deviation]", "exponential")
    tab.fill("[name=epochs]", "123")
    tab.locator("[name=epochs]").press("Tab")
    again = opened(tab.url.partition("#")[2])
    fields = "[...new FormData(document.querySelector('form'))].join()"
    assert tab.evaluate(fields) == again.evaluate(fields)
    assert "epochs=123" in again.inner_text("pre") and 'deviation="exponential"' in again.inner_text("pre")


def test_without_scripts_the_page_says_why_nothing_is_trained(browser, addresses):
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(f"{addresses['disk']}/book/page.html")
    assert "no scripts" in tab.inner_text("#kbe-try") and not tab.is_visible("form")
    context.close()
