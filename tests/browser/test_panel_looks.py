"""What JupyterLab makes of a panel: tabs by mouse and keyboard, narrow pages, themes, reload, reopen, hostile names.

The runs are scripted (tests/scripted_run.py): the panel, the kernel, its messages and the page are the real ones.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_support import (
    NEEDS_CHROMIUM,
    chromium,
    lab_server,
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
    "looks": (scripted(8), CELL.format(flags="")),
    "two": (
        scripted(14),
        CELL.format(flags=" --bg -o a"),
        CELL.format(flags=" --bg -o b"),
        "print(a.status, b.status)",
    ),
    "reload": (scripted(22), CELL.format(flags=" --bg")),
    "hostile": (scripted(10, HOSTILE), CELL.format(flags="")),
}
PANEL = ".vista-nb-panel"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("looks")
    for name, cells in NOTEBOOKS.items():
        write_notebook(folder / f"{name}.ipynb", cells)
    with lab_server(folder) as url:
        yield url, folder


@pytest.fixture
def page() -> Iterator[Any]:
    with chromium() as fresh:
        yield fresh


def start(page: Any, url: str, name: str, cell: int = 1) -> None:
    """Open the notebook, run its first cell and the given one, wait for the panel."""
    open_notebook(page, url, f"{name}.ipynb")
    run_cell(page, 0)
    run_cell(page, cell)
    wait_until(page, lambda: page.locator(PANEL).count() > 0)


def finished(page: Any, cell: int = 1) -> bool:
    return "done in" in text_of(page, cell) and not page.locator(".jp-OutputArea .jupyter-widgets").count()


def tab(page: Any, title: str) -> Any:
    return page.locator(f"{PANEL} .lm-TabBar-tab", has_text=title).first


def test_tabs_switch_by_mouse_and_keyboard_while_the_kernel_is_busy(lab: tuple[str, Path], page: Any) -> None:
    """Each tab shows its own page; arrow and Enter do what a click does; each tab says that it is one."""
    start(page, lab[0], "tabs")
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


def test_narrow_wide_light_and_dark(lab: tuple[str, Path], page: Any) -> None:
    """From 600 px to the whole window nothing is cut off; text has a contrast of 4.5 in both themes."""
    start(page, lab[0], "looks")
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        use_theme(page, theme)
        wait_until(page, lambda: page.locator(PANEL).count() > 0 or finished(page))
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        use_theme(page, theme)
        name = theme.split()[-1].lower()
        for width in (600, 1400):
            page.set_viewport_size({"width": width, "height": 1000})
            run_cell(page, 1)
            wait_until(page, lambda: page.locator(PANEL).count() > 0 and "images/s" in text_of(page, 1))
            shot(page, f"live-{name}-{width}")
            box = page.locator(PANEL).first
            assert box.evaluate("e => e.scrollWidth <= e.clientWidth + 1"), f"cut off at {width}"
            assert too_faint(page, PANEL) == []
            wait_until(page, lambda: finished(page))
            shot(page, f"done-{name}-{width}")
            assert too_faint(page, ".jp-OutputArea .vista-nb") == []


def test_two_panels_at_once_and_one_is_cancelled(lab: tuple[str, Path], page: Any) -> None:
    """Both move at the same time; a click on one's Cancel ends that one; each result stands under its own cell."""
    open_notebook(page, lab[0], "two.ipynb")
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


def test_a_page_that_is_loaded_again_during_a_background_run(lab: tuple[str, Path], page: Any) -> None:
    """The panel comes back, moves on and ends with the numbers. Of a blocking cell it does not: ADR 24, point 5."""
    start(page, lab[0], "reload")
    wait_until(page, lambda: "images/s" in text_of(page, 1))
    page.keyboard.press("Control+s")
    page.wait_for_timeout(1500)
    page.reload()
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    wait_until(page, lambda: "images/s" in text_of(page, 1) or "0.856" in text_of(page, 1))
    shot(page, "after-reload")
    wait_until(page, lambda: "0.856" in text_of(page, 1) and "done in" in text_of(page, 1))
    shot(page, "after-reload-end")
    assert "Loading widget" not in text_of(page, 1)
    assert "model not found" not in text_of(page, 1)


def test_saved_closed_and_reopened_without_its_kernel(lab: tuple[str, Path], page: Any) -> None:
    """Final numbers from the file alone: no widget in it, no "Loading widget" on the page."""
    start(page, lab[0], "looks")
    wait_until(page, lambda: finished(page))
    page.keyboard.press("Control+s")
    page.wait_for_timeout(2000)
    saved = json.loads((lab[1] / "looks.ipynb").read_text())
    mimes = {mime for o in saved["cells"][1]["outputs"] for mime in o.get("data", {})}
    assert {"text/html", "text/plain", "image/png"} <= mimes
    assert not any("widget" in mime for mime in mimes)
    assert "widgets" not in saved["metadata"]
    page.goto("about:blank")
    for session in json.loads(urllib.request.urlopen(f"{lab[0]}/api/sessions").read()):
        stop = urllib.request.Request(f"{lab[0]}/api/sessions/{session['id']}", method="DELETE")
        urllib.request.urlopen(stop).read()
    open_notebook(page, lab[0], "looks.ipynb")
    shot(page, "reopened")
    assert "0.856" in text_of(page, 1)
    assert "conv5_2" in text_of(page, 1)
    for words in ("Loading widget", "model not found"):
        assert words not in text_of(page, 1)


def test_hostile_names_do_not_run(lab: tuple[str, Path], page: Any) -> None:
    """Scripts, images and closing tags in layer names, log and store are text, in every tab and in the result."""
    start(page, lab[0], "hostile")
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
