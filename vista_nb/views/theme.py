"""One palette and one way to write a style, so that every view looks the same.

Reads plain values, returns pieces of HTML. May touch: nothing. DESIGN.md section 6.
Styles are inline: GitHub drops them all, JupyterLab drops `<style>` and `var()` from notebooks it does not trust,
and what is left must still read well. So text keeps the page's own colour (light or dark), lines and tracks are
mid-grey, accents have a contrast of at least 3 : 1 on white and on #111, and no meaning hangs on colour alone.
The accents stay apart under the common colour-vision deficiencies (after Okabe and Ito).
"""

from __future__ import annotations

import html
from typing import Final

__all__ = [
    "ACCENT",
    "BAD",
    "DOT",
    "GOOD",
    "GREY",
    "REGION_COLOURS",
    "STAR",
    "card",
    "css",
    "details",
    "esc",
    "muted",
    "name",
]

ACCENT: Final = "#2b8cbe"
STAR: Final = "#c77700"
GOOD: Final = "#1a936f"
BAD: Final = "#d55e00"
GREY: Final = "#8c8c8c"
DOT: Final = " \N{MIDDLE DOT} "

REGION_COLOURS: Final = {
    "os_reserved": "#c4c4c4",
    "driver": "#f0c36d",
    "dl_execution": "#7fb8e0",
    "user": "#a8d5a2",
    "core": "#d3b5dc",
    "storage": "#f2a58e",
}
"""Fills that carry dark text on both themes."""

_FONT: Final = "var(--jp-ui-font-family, system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif)"


def esc(text: object) -> str:
    """`text` as HTML text or attribute value; control characters become a visible mark."""
    plain = "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in str(text))
    return html.escape(plain, quote=True)


def name(text: object) -> str:
    """A name from a user or file: escaped, and kept apart from the writing direction around it."""
    return f"<bdi>{esc(text)}</bdi>"


def css(**rules: str | int | float) -> str:
    """`css(text_align="left")` -> ` style="text-align:left"`."""
    body = ";".join(f"{key.replace('_', '-')}:{value}" for key, value in rules.items())
    return f' style="{html.escape(body, quote=True)}"'


def muted(inner: str) -> str:
    """Small, quieter text; `inner` is HTML."""
    return f"<div{css(opacity='0.75', font_size='0.92em', margin='2px 0')}>{inner}</div>"


def card(inner: str) -> str:
    """The frame that every view stands in; `inner` is HTML."""
    style = css(font_family=_FONT, font_size="13px", line_height="1.45", max_width="960px", padding="2px 0")
    return f'<div class="vista-nb"{style}>{inner}</div>'


def table(rows: str, wide: bool = False) -> str:
    """A table without frames; `rows` is HTML. The layout is said because JupyterLab makes every table fixed."""
    width = {"width": "100%"} if wide else {}
    style = css(
        table_layout="auto", border="none", border_collapse="collapse", margin="4px 0", font_size="13px", **width
    )
    return f"<table{style}>{rows}</table>"


def details(summary: str, inner: str) -> str:
    """A closed section; both arguments are HTML."""
    head = f"<summary{css(cursor='pointer', opacity='0.85')}>{summary}</summary>"
    return f"<details{css(margin='6px 0 0 0')}>{head}<div{css(padding='6px 0 2px 0')}>{inner}</div></details>"
