"""Which view a run gets: `auto | widget | static | text | off`.

Reads the flag, the environment, the shell and who started this kernel; returns a view. May touch: environment
variables and the process table (both read only).
DESIGN.md sections 4 and 6. What the user wrote wins, then VISTA_NB_UI, then what this process can show.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any, Final

from vista_nb.errors import VistaUsageError
from vista_nb.views.protocol import Hidden, View, Viewable

__all__ = ["KINDS", "exact", "has_kernel", "has_widgets", "is_headless", "resolve", "view_for"]

_HEADLESS: Final = re.compile(r"\b(papermill|nbconvert|nbclient|jupyter-execute|jupyter-run)\b")
KINDS: Final = ("auto", "widget", "static", "text", "off")


def has_widgets() -> bool:
    """Whether ipywidgets can be imported, without importing it."""
    if "ipywidgets" in sys.modules:
        return sys.modules["ipywidgets"] is not None
    return find_spec("ipywidgets") is not None


def has_kernel() -> bool:
    """Whether this is a notebook kernel, which can show HTML; a terminal or a script is not."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return getattr(shell, "kernel", None) is not None


def is_headless(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether a program runs this notebook and nobody watches: CI is set, or papermill, nbconvert or the like started
    the kernel. A guess: it may miss one, so VISTA_NB_UI=static stays the sure way.
    """
    return bool(environ.get("CI")) or _HEADLESS.search(_starter(environ.get("JPY_PARENT_PID", ""))) is not None


def _starter(process: str) -> str:
    """The names of program and script of the process that started this kernel, empty where it cannot be seen."""
    import psutil

    try:
        words = psutil.Process(int(process)).cmdline()[:4]
    except (ValueError, psutil.Error):
        return ""
    return " ".join(re.split(r"[/\\]", word)[-1] for word in words)


def exact(environ: Mapping[str, str] = os.environ) -> bool:
    """False under VISTA_NB_UI=static: output then must be the same on every machine and every day."""
    return environ.get("VISTA_NB_UI", "").strip().lower() != "static"


def resolve(ui: str = "auto", environ: Mapping[str, str] = os.environ) -> str:
    """The kind of view, never `auto`. Raises VistaUsageError for an unknown kind."""
    for source, chosen in (("--ui", ui), ("VISTA_NB_UI", environ.get("VISTA_NB_UI", "").strip().lower() or "auto")):
        if chosen not in KINDS:
            raise VistaUsageError("VST003", f"{source}: unknown kind {chosen!r}", f"one of {', '.join(KINDS)}")
        if chosen != "auto":
            return "static" if chosen == "widget" and not has_widgets() else chosen
    if not has_kernel():
        return "text"
    return "static" if not has_widgets() or is_headless(environ) else "widget"


def view_for(ui: str, result: Viewable, *, cancel: Callable[[], None] | None = None, **traits: Any) -> View:
    """A fresh view of `result`. cancel: what the panel's button calls while the run goes on in the background.
    `traits` (progress_after, refresh_hz, began) go to the live panel.
    """
    kind = resolve(ui)
    if kind == "widget":
        from vista_nb.views.panel import Panel

        return Panel(result, cancel=cancel, **traits)
    if kind == "static":
        from vista_nb.views.frozen import Static

        return Static()
    if kind == "text":
        from vista_nb.views.live_line import LiveLine, is_terminal
        from vista_nb.views.live_text import LiveText

        return LiveLine(result) if is_terminal() else LiveText(result)
    return Hidden()
