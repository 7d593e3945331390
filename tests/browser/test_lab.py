"""A real run in JupyterLab and Chromium: the panel moves and ends static; a `--bg` run is cancelled by its button; a
blocking one by the kernel's interrupt. JVM, TensorFlow workers and store are the real ones.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from browser_support import (
    NEEDS_CHROMIUM,
    Lab,
    fresh_page,
    kernel_state,
    open_notebook,
    run_cell,
    shot,
    text_of,
    wait_until,
    write_notebook,
)

from vista_nb.demo import generate

BODY = """
structured: $shop_table
images: catalogue/photos/{id}.jpg
label: bestseller
cnn: vistanet
layers: top 5
pool: avg
model: LogisticRegression(regParam=0.02)
plan: {waves: 3}"""
LONG = """ --reuse never
structured: catalogue/products.parquet
images: catalogue/photos/{id}.jpg
label: bestseller
cnn: resnet50
weights: random
layers: top 2
pool: avg
model: LogisticRegression(regParam=0.02)
plan: {cpu: 1, batch_size: 8}"""
# a column whose name is an attack: it is named in the plan, the notes and the log
LOAD = """%load_ext vista_nb
import pandas as pd
shop_table = pd.read_parquet("catalogue/products.parquet")
shop_table["<img src=x onerror=window.hacked=1>"] = range(len(shop_table))"""
JOBS = """{name}.wait(60)
from pyspark.sql import SparkSession
context = SparkSession.builder.getOrCreate().sparkContext
jobs, works = list(context.statusTracker().getActiveJobsIds()), context.parallelize([1, 2, 3]).count()
print(jobs, works, {name}.status, len({name}.accuracy) > 2)"""
CELLS = (
    LOAD,
    f"%%vista -o shop{BODY}",
    f"%%vista --bg -o later{LONG}",
    JOBS.format(name="later"),
    f"%%vista -o stopped{LONG}",
    JOBS.format(name="stopped"),
)
PANEL = ".vista-nb-panel"

pytestmark = [pytest.mark.browser, pytest.mark.spark, pytest.mark.tf, NEEDS_CHROMIUM]


@pytest.fixture(scope="module")
def page(lab: Lab, browser: Any) -> Iterator[Any]:
    """A notebook of real cells."""
    generate(lab.folder / "real" / "catalogue", rows=500, seed=1)
    write_notebook(lab.folder / "real" / "panel.ipynb", CELLS)
    with fresh_page(browser, lab) as fresh:
        open_notebook(fresh, lab.url, "real/panel.ipynb")
        yield fresh


@pytest.fixture(scope="module")
def seen(page: Any) -> list[str]:
    """Run the first two cells; the panel's text each half second until the static output is there."""
    run_cell(page, 0)
    run_cell(page, 1)
    texts: list[str] = []
    for tick in range(400):
        texts.append(text_of(page, 1))
        if tick % 6 == 4:
            shot(page, f"panel-{tick:03d}")
        if "done in" in texts[-1] and not page.locator(".jp-OutputArea .jupyter-widgets").count():
            break
        page.wait_for_timeout(500)
    shot(page, "panel-finished")
    return texts


def test_the_panel_moves_during_the_run(seen: list[str]) -> None:
    """Layers were listed while the run went on, and what the panel said changed more than twice."""
    live = [text for text in seen[:-1] if "conv3" in text]
    assert len(set(live)) >= 3


def test_the_finished_cell_is_static(seen: list[str], page: Any) -> None:
    """Final numbers, and no widget is left in the page."""
    assert "conv3" in seen[-1]
    assert "(table)" in seen[-1]
    assert page.locator(".jp-OutputArea .jupyter-widgets").count() == 0


def test_the_saved_notebook_holds_the_numbers(seen: list[str], page: Any, lab: Lab) -> None:
    """Saved, and read from disk: HTML, text and a picture, no widget mime type."""
    page.keyboard.press("Control+s")
    page.wait_for_timeout(2000)
    saved = json.loads((lab.folder / "real" / "panel.ipynb").read_text())
    outputs = saved["cells"][1]["outputs"]
    mimes = {mime for o in outputs for mime in o.get("data", {})}
    assert {"text/html", "text/plain", "image/png"} <= mimes
    assert not any("widget" in mime for mime in mimes)


def test_a_column_named_like_an_attack_does_not_run(seen: list[str], page: Any) -> None:
    """It went through table, plan, panel and result."""
    assert page.evaluate("window.hacked") is None


def test_the_cancel_button_ends_a_run_in_the_background(seen: list[str], page: Any) -> None:
    """Clicked while the CNN is at work: the result says cancelled, no Spark job is left, the context goes on."""
    run_cell(page, 2)
    wait_until(page, lambda: "inferring" in text_of(page, 2), 120)
    shot(page, "cancel-live")
    page.locator(f"{PANEL} button", has_text="Cancel").click()
    wait_until(page, lambda: "cancel" in text_of(page, 2).lower(), 30)
    run_cell(page, 3)
    wait_until(page, lambda: re.search(r"\[\] 3 cancelled False", text_of(page, 3)) is not None, 90)
    assert page.locator(".jp-OutputArea .jupyter-widgets").count() == 0
    shot(page, "cancelled")


def test_the_interrupt_ends_a_blocking_run(seen: list[str], page: Any) -> None:
    """By the keyboard, as a user does: a short error under the cell, no Spark job is left, the context works. That
    finished layers are kept is tests/notebooks/test_interrupt.py's.
    """
    run_cell(page, 4)
    wait_until(page, lambda: "inferring" in text_of(page, 4), 120)
    shot(page, "blocking-live")
    page.keyboard.press("Escape")
    page.keyboard.press("i")
    page.keyboard.press("i")
    begin = time.monotonic()
    wait_until(page, lambda: "VistaCancelled" in text_of(page, 4) and kernel_state(page) == "connected idle", 30)
    print(f"interrupt to idle: {time.monotonic() - begin:.1f} s")
    shot(page, "interrupted")
    run_cell(page, 5)
    wait_until(page, lambda: re.search(r"\[\] 3 cancelled", text_of(page, 5)) is not None, 90)
