"""What JupyterLab makes of a panel: tabs by mouse and keyboard, narrow pages, themes, reload, reopen, hostile names.

The runs are scripted (tests/scripted_run.py): the panel, the kernel, its messages and the page are the real ones.
"""

from __future__ import annotations

import json
import os
import signal
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
    scripted,
    shot,
    text_of,
    too_faint,
    use_theme,
    wait_until,
    write_notebook,
)

pytestmark = [pytest.mark.browser, NEEDS_CHROMIUM]

CELL = "%%vista{flags}\ncnn: resnet50"
HOSTILE = """, ('<script>window.hacked=1</script>', '</style><img src=x onerror="window.hacked=2">',
 '"><svg onload=window.hacked=3>', '\\u202eevil', 'שכבה', '🏠🏡')"""
NOTEBOOKS = {
    "tabs": (scripted(20), CELL.format(flags="")),
    "looks": (scripted(16), CELL.format(flags="")),
    "two": (
        scripted(14),
        CELL.format(flags=" --bg -o a"),
        CELL.format(flags=" --bg -o b"),
        "print(a.status, b.status)",
    ),
    "reload": (scripted(16), CELL.format(flags="")),
    "reload-bg": (scripted(16), CELL.format(flags=" --bg")),
    "died": (f"{scripted(6)}\nimport os\nopen('pid', 'w').write(str(os.getpid()))", CELL.format(flags="")),
    "hostile": (scripted(10, HOSTILE), CELL.format(flags="")),
}
PANEL = ".vista-nb-panel"


@pytest.fixture
def page(lab: Lab, browser: Any) -> Iterator[Any]:
    with fresh_page(browser, lab) as fresh:
        yield fresh


def opened(page: Any, lab: Lab, name: str) -> None:
    """The notebook `name` as it is before its first run."""
    write_notebook(lab.folder / f"{name}.ipynb", NOTEBOOKS[name])
    open_notebook(page, lab.url, f"{name}.ipynb")


def start(page: Any, lab: Lab, name: str) -> None:
    """Open the notebook, run its first two cells, wait for the panel."""
    opened(page, lab, name)
    run_cell(page, 0)
    run_cell(page, 1)
    wait_until(page, lambda: page.locator(PANEL).count() > 0)


def finished(page: Any, cell: int = 1) -> bool:
    return "done in" in text_of(page, cell) and not page.locator(".jp-OutputArea .jupyter-widgets").count()


def tab(page: Any, title: str) -> Any:
    return page.locator(f"{PANEL} .lm-TabBar-tab", has_text=title).first


def test_tabs_switch_by_mouse_and_keyboard_while_the_kernel_is_busy(lab: Lab, page: Any) -> None:
    """Each tab shows its own page; arrow and Enter do what a click does; each tab says that it is one."""
    start(page, lab, "tabs")
    signs = {
        "Plan": "runners-up",
        "Memory": "one worker",
        "Store": "layer sets",
        "Log": "Spark is up",
        "Layers": "95 %",
    }
    wait_until(page, lambda: "inferring" in text_of(page, 1))
    for title, sign in signs.items():
        tab(page, title).click()
        wait_until(page, lambda sign=sign: sign in text_of(page, 1), 15)
        shot(page, f"tab-{title.lower()}")
    assert page.locator(f"{PANEL} [role=tab]").count() == 5
    assert page.locator(f"{PANEL} [role=tablist]").count() == 1
    tab(page, "Layers").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    wait_until(page, lambda: "runners-up" in text_of(page, 1), 15)
    assert page.locator(f"{PANEL} [role=progressbar]").count() >= 1
    assert "use the kernel's interrupt" in text_of(page, 1)
    assert page.locator(f"{PANEL} button").is_disabled()


def test_narrow_wide_light_and_dark(lab: Lab, page: Any) -> None:
    """From 600 px to the whole window nothing is cut off; text has a contrast of 4.5 in both themes. One run, looked at
    from all sides while it goes on, then again when it has ended.
    """
    start(page, lab, "looks")
    wait_until(page, lambda: "images/s" in text_of(page, 1))
    look_from_all_sides(page, "live", PANEL)
    assert not finished(page), "the run ended before all was looked at"
    wait_until(page, lambda: finished(page))
    look_from_all_sides(page, "done", ".jp-OutputArea .vista-nb")


def look_from_all_sides(page: Any, when: str, selector: str) -> None:
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        use_theme(page, theme)
        for width in (600, 1400):
            page.set_viewport_size({"width": width, "height": 1000})
            page.wait_for_timeout(300)
            shot(page, f"{when}-{theme.split()[-1].lower()}-{width}")
            box = page.locator(selector).first
            assert box.evaluate("e => e.scrollWidth <= e.clientWidth + 1"), f"cut off at {width}"
            assert too_faint(page, selector) == []


def test_two_panels_at_once_and_one_is_cancelled(lab: Lab, page: Any) -> None:
    """Both move at the same time; a click on one's Cancel ends that one; each result stands under its own cell."""
    opened(page, lab, "two")
    for cell in (0, 1, 2):
        run_cell(page, cell)
    wait_until(page, lambda: page.locator(PANEL).count() == 2)
    wait_until(page, lambda: all("images/s" in text_of(page, cell) for cell in (1, 2)))
    shot(page, "two-panels")
    before = [text_of(page, cell) for cell in (1, 2)]
    wait_until(page, lambda: all(text_of(page, cell) != old for cell, old in zip((1, 2), before, strict=True)), 15)
    page.locator(".jp-CodeCell").nth(1).locator(f"{PANEL} button").click()
    wait_until(page, lambda: "cancelled" in text_of(page, 1) or "cancelled" in text_of(page, 1).lower(), 20)
    wait_until(page, lambda: finished(page, 2))
    assert not page.locator(".jp-OutputArea .jupyter-widgets").count()
    run_cell(page, 3)
    wait_until(page, lambda: text_of(page, 3).strip() == "cancelled done", 20)
    assert "0.856" in text_of(page, 2)


@pytest.mark.parametrize("name", ["reload", "reload-bg"])
def test_a_page_that_is_loaded_again_during_a_run(lab: Lab, page: Any, name: str) -> None:
    """The saved output holds the panel's name only. In the background the kernel hears the page: the panel comes back
    and moves on. A blocking cell's kernel hears it at the cell's end: then the numbers are there. ADR 24, point 5.
    """
    start(page, lab, name)
    wait_until(page, lambda: "images/s" in text_of(page, 1))
    page.keyboard.press("Control+s")
    page.wait_for_timeout(1000)
    page.reload()
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    if name == "reload-bg":
        wait_until(page, lambda: "images/s" in text_of(page, 1))
        shot(page, "reloaded-live")
    wait_until(page, lambda: "0.856" in text_of(page, 1) and "done in" in text_of(page, 1), 60)
    shot(page, f"{name}-end")
    for words in ("Loading widget", "Error displaying widget", "model not found"):
        assert words not in text_of(page, 1)


def test_saved_closed_and_reopened_without_its_kernel(lab: Lab, page: Any) -> None:
    """Final numbers from the file alone: no widget in it, no "Loading widget" on the page."""
    start(page, lab, "looks")
    wait_until(page, lambda: finished(page))
    page.keyboard.press("Control+s")
    page.wait_for_timeout(2000)
    saved = json.loads((lab.folder / "looks.ipynb").read_text())
    mimes = {mime for o in saved["cells"][1]["outputs"] for mime in o.get("data", {})}
    assert {"text/html", "text/plain", "image/png"} <= mimes
    assert not any("widget" in mime for mime in mimes)
    assert "widgets" not in saved["metadata"]
    page.goto("about:blank")
    lab.stop_kernels()
    open_notebook(page, lab.url, "looks.ipynb")
    shot(page, "reopened")
    assert "0.856" in text_of(page, 1)
    assert "conv5_2" in text_of(page, 1)
    for words in ("Loading widget", "model not found"):
        assert words not in text_of(page, 1)


def test_after_the_kernel_died_the_cell_runs_again(lab: Lab, page: Any) -> None:
    """Killed in the middle of a run, as where memory runs out: what the page still shows gives way to a new run."""
    start(page, lab, "died")
    wait_until(page, lambda: "images/s" in text_of(page, 1))
    os.kill(int((lab.folder / "pid").read_text()), signal.SIGKILL)
    page.locator(".jp-Dialog .jp-mod-accept").click()
    shot(page, "kernel-died")
    wait_until(page, lambda: kernel_state(page) == "connected idle")
    run_cell(page, 0)
    run_cell(page, 1)
    wait_until(page, lambda: finished(page) and "0.856" in text_of(page, 1))
    assert "Error displaying widget" not in text_of(page, 1)


def test_hostile_names_do_not_run(lab: Lab, page: Any) -> None:
    """Scripts, images and closing tags in layer names, log and store are text, in every tab and in the result."""
    start(page, lab, "hostile")
    wait_until(page, lambda: "images/s" in text_of(page, 1))
    for title in ("Plan", "Memory", "Store", "Log", "Layers"):
        tab(page, title).click()
        page.wait_for_timeout(300)
        assert page.locator(f"{PANEL} script, {PANEL} img, {PANEL} svg").count() == 0
    shot(page, "hostile")
    assert "<script>window.hacked=1</script>" in text_of(page, 1)
    wait_until(page, lambda: finished(page))
    shot(page, "hostile-done")
    assert page.locator(".jp-OutputArea .vista-nb").locator("script, img, svg").count() == 0
    assert page.evaluate("window.hacked") is None
