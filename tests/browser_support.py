"""A JupyterLab on loopback and a Chromium to look at it: what the browser tests share.

Not a test. Needs VISTA_NB_CHROMIUM or a `chromium` on the PATH. Screenshots go to VISTA_NB_SHOTS where that is set.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest

TESTS = Path(__file__).resolve().parent
CHROMIUM = os.environ.get("VISTA_NB_CHROMIUM") or shutil.which("chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
FLAGS += ["--disable-sync", "--no-first-run"]
NEEDS_CHROMIUM = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")

SCRIPTED = """import sys
sys.path.insert(0, {tests!r})
import scripted_run
scripted_run.stand_in({seconds}{more})
%load_ext vista_nb"""


def scripted(seconds: float, more: str = "") -> str:
    """The first cell of a notebook whose runs are scripted."""
    return SCRIPTED.format(tests=str(TESTS), seconds=seconds, more=more)


def write_notebook(path: Path, cells: Sequence[str]) -> None:
    """A notebook of code cells for the Python 3 kernel."""
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    made = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(text) for text in cells], metadata={"kernelspec": kernel}
    )
    nbformat.write(made, path)


@contextmanager
def lab_server(folder: Path, theme: str = "JupyterLab Light") -> Iterator[str]:
    """JupyterLab's address while the block runs; stopped afterwards, kernels included."""
    _settings(folder / "config", theme)
    port = _free_port()
    environment = {
        **{k: v for k, v in os.environ.items() if k not in ("VISTA_NB_UI", "CI")},
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "VISTA_NB_STORE_DIR": str(folder / "store"),
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
    command += ["--ServerApp.ip=127.0.0.1", "--IdentityProvider.token=", "--ServerApp.password="]
    command += [f"--notebook-dir={folder}", "--LabApp.news_url=", "--ServerApp.disable_check_xsrf=True"]
    command += [
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.expose_app_in_browser=True",
    ]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:  # a kernel that does not end by itself
            server.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _settings(config: Path, theme: str) -> None:
    """The theme; and no question about news, which would lie over the page."""
    settings = config / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false", "checkForUpdates": false}')
    (settings / "themes.jupyterlab-settings").write_text(f'{{"theme": "{theme}"}}')


def _wait_for(url: str) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(f"{url}/api/status", timeout=2).read()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError("JupyterLab did not start")


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab: its address, and the folder that it shows."""

    url: str
    folder: Path

    def stop_kernels(self) -> None:
        """All of them: a kernel that nobody looks at holds memory that the next test needs."""
        for session in json.loads(urllib.request.urlopen(f"{self.url}/api/sessions").read()):
            stop = urllib.request.Request(f"{self.url}/api/sessions/{session['id']}", method="DELETE")
            urllib.request.urlopen(stop).read()


@contextmanager
def chromium() -> Iterator[Any]:
    """A fresh browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def fresh_page(browser: Any, lab: Lab, width: int = 1200, height: int = 1000) -> Iterator[Any]:
    """A page with no memory of others; afterwards the kernels that it started are stopped."""
    context = browser.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    page.set_default_timeout(60_000)
    yield page
    context.close()
    lab.stop_kernels()


def open_notebook(page: Any, url: str, name: str) -> None:
    """The notebook alone in the window, its kernel ready: cells that are run before it wait in silence."""
    page.goto(f"{url}/doc/tree/{name}")
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    wait_until(page, lambda: kernel_state(page) == "connected idle")


def kernel_state(page: Any) -> str:
    """`connected idle`, `connected busy`, ...; empty before there is a kernel."""
    return str(page.evaluate(_KERNEL))


_KERNEL = """() => {
  const kernel = window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel
  return kernel ? `${kernel.connectionStatus} ${kernel.status}` : ""
}"""


def run_cell(page: Any, place: int) -> None:
    """Select the cell at `place` and run it; returns at once."""
    page.locator(".jp-CodeCell").nth(place).locator(".jp-InputPrompt").click()
    page.keyboard.press("Control+Enter")


def wait_until(page: Any, true: Any, seconds: float = 90) -> None:
    """Wait until `true()`; AssertionError after `seconds`."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        page.wait_for_timeout(200)


def output(page: Any, place: int) -> Any:
    """The output area of the cell at `place`."""
    return page.locator(".jp-CodeCell").nth(place).locator(".jp-OutputArea").first


def text_of(page: Any, place: int) -> str:
    """What a reader sees below the cell, empty while there is nothing."""
    area = output(page, place)
    return str(area.inner_text()) if area.count() else ""


def shot(page: Any, name: str) -> None:
    """A screenshot of the notebook, where a folder for it is named."""
    folder = os.environ.get("VISTA_NB_SHOTS")
    if folder:
        page.locator(".jp-Notebook").first.screenshot(path=str(Path(folder) / f"{name}.png"))


def use_theme(page: Any, theme: str) -> None:
    """`JupyterLab Dark` or `JupyterLab Light`, as the settings menu would."""
    page.evaluate("name => window.jupyterapp.commands.execute('apputils:change-theme', {theme: name})", theme)
    wait_until(page, lambda: page.evaluate("document.body.dataset.jpThemeName") == theme, 30)
    page.wait_for_timeout(500)


def too_faint(page: Any, selector: str) -> list[tuple[str, float]]:
    """(text, contrast) of text below `selector` that stands out too little from what is behind it (WCAG 2: under 4.5;
    of signs whose meaning is said in words as well, hidden from screen readers or labelled, under 3).
    """
    found = page.evaluate(_CONTRASTS, selector)
    assert found, "there was no text to look at"
    return [(str(text), float(ratio)) for text, ratio, sign in found if ratio < (3.0 if sign else 4.5)]


_CONTRASTS = """selector => {
  const channel = v => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4 }
  const light = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2])
  const parse = text => { const n = (text.match(/[\\d.]+/g) || []).map(Number); return n.length == 3 ? [...n, 1] : n }
  const over = (top, below) => [0, 1, 2].map(k => top[3] * top[k] + (1 - top[3]) * below[k]).concat([1])
  const found = []
  for (const root of document.querySelectorAll(selector)) {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT)
    while (walker.nextNode()) {
      const text = walker.currentNode.textContent.trim(), element = walker.currentNode.parentElement
      if (!text || element.tagName === 'STYLE' || element.closest(':disabled')) continue
      if (!element.getClientRects().length) continue
      const above = []
      let opacity = 1
      for (let e = element; e; e = e.parentElement) {
        above.push(parse(getComputedStyle(e).backgroundColor)); opacity *= Number(getComputedStyle(e).opacity)
      }
      let behind = [255, 255, 255, 1]
      for (const colour of above.reverse()) if (colour.length === 4) behind = over(colour, behind)
      const own = parse(getComputedStyle(element).color); own[3] *= opacity
      const [a, b] = [light(over(own, behind)), light(behind)].sort((x, y) => y - x)
      const sign = element.closest('[aria-hidden=true], [role=img]') !== null
      found.push([text.slice(0, 40), (a + 0.05) / (b + 0.05), sign])
    }
  }
  return found
}"""
