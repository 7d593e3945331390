"""JupyterLab in a real Chromium: the panel moves during a run, and is replaced by static output at its end.

Needs VISTA_NB_CHROMIUM or a `chromium` on the PATH. Screenshots go to VISTA_NB_SHOTS where that is set.
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
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from vista_nb.demo import generate

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = os.environ.get("VISTA_NB_CHROMIUM") or shutil.which("chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
CELL = """%%vista -o shop
structured: catalogue/products.parquet
images: catalogue/photos/{id}.jpg
label: bestseller
cnn: vistanet
layers: top 5
pool: avg
model: LogisticRegression(regParam=0.02)
plan: {waves: 3}"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.spark,
    pytest.mark.tf,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium"),
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A JupyterLab on loopback, with a notebook that loads the extension and runs one cell."""
    folder = tmp_path_factory.mktemp("lab")
    generate(folder / "catalogue", rows=500, seed=1)
    cells = [nbformat.v4.new_code_cell(text) for text in ("%load_ext vista_nb", CELL)]
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(notebook, folder / "panel.ipynb")
    no_news(folder / "config")
    port = free_port()
    environment = {
        **{k: v for k, v in os.environ.items() if k not in ("VISTA_NB_UI", "CI")},
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "VISTA_NB_STORE_DIR": str(folder / "store"),
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
    command += [
        "--ServerApp.ip=127.0.0.1",
        "--IdentityProvider.token=",
        "--ServerApp.password=",
        f"--notebook-dir={folder}",
    ]
    command += ["--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(url)
        yield url, folder
    finally:
        server.terminate()
        server.wait(20)


def no_news(config: Path) -> None:
    """JupyterLab's own question about news would lie over the page."""
    settings = config / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false", "checkForUpdates": false}')


def wait_for(url: str) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(f"{url}/api/status", timeout=2).read()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError("JupyterLab did not start")


@pytest.fixture(scope="module")
def page(lab: tuple[str, Path]) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        tab = browser.new_page(viewport={"width": 1200, "height": 1000})
        tab.goto(f"{lab[0]}/lab/tree/panel.ipynb")
        tab.wait_for_selector(".jp-Notebook", timeout=60_000)
        tab.wait_for_timeout(4000)
        yield tab
        browser.close()


def shot(page: Any, name: str) -> None:
    folder = os.environ.get("VISTA_NB_SHOTS")
    if folder:
        page.locator(".jp-Notebook").screenshot(path=str(Path(folder) / f"{name}.png"))


@pytest.fixture(scope="module")
def seen(page: Any) -> list[str]:
    """Run both cells; the panel's text each half second until the static output is there."""
    page.locator(".jp-CodeCell").first.click()
    for _ in range(2):
        page.keyboard.press("Shift+Enter")
        page.wait_for_timeout(300)
    texts: list[str] = []
    for tick in range(400):
        output = page.locator(".jp-CodeCell").nth(1).locator(".jp-OutputArea")
        texts.append(output.inner_text() if output.count() else "")
        if tick % 6 == 4:
            shot(page, f"panel-{tick:03d}")
        if "done" in texts[-1] and not page.locator(".jp-OutputArea .jupyter-widgets").count():
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


def test_the_saved_notebook_holds_the_numbers(seen: list[str], page: Any, lab: tuple[str, Path]) -> None:
    """Saved, and read from disk: HTML, text and a picture, no widget mime type."""
    page.keyboard.press("Control+s")
    page.wait_for_timeout(2000)
    saved = json.loads((lab[1] / "panel.ipynb").read_text())
    outputs = saved["cells"][1]["outputs"]
    mimes = {mime for o in outputs for mime in o.get("data", {})}
    assert {"text/html", "text/plain", "image/png"} <= mimes
    assert not any("widget" in mime for mime in mimes)
