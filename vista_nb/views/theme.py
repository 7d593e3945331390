"""One palette and one way to write a style, so that every view looks the same.

Reads plain values, returns pieces of HTML. May touch: nothing. DESIGN.md section 6.
Styles are inline: GitHub drops them all, JupyterLab drops `<style>` and `var()` from notebooks it does not trust,
and what is left must still read well. So text keeps the page's own colour (light or dark), colours are for marks and
bars only, lines and tracks are mid-grey, accents have a contrast of at least 3 : 1 on white and on #111, and no meaning
hangs on colour alone. The accents stay apart under the common colour-vision deficiencies (after Okabe and Ito).
`LIVE_STYLE` is the one sheet, for the live panel: its classes only add to what the inline styles say.
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
    "LIVE_STYLE",
    "REGION_COLOURS",
    "STAR",
    "card",
    "css",
    "details",
    "dot",
    "esc",
    "muted",
    "name",
    "scroll",
    "table",
    "track",
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

# a class three times: ipywidgets' own rules for tabs name several
LIVE_STYLE: Final = """<style>
.vista-nb-panel { max-width: 1000px; overflow: visible; }
.vista-nb-panel .widget-html, .vista-nb-panel .jupyter-widget-html { height: auto; }
.vista-nb-panel .widget-html-content, .vista-nb-panel .jupyter-widget-html-content { align-self: stretch;
  line-height: inherit; min-width: 0; }
.vista-nb-tabs.vista-nb-tabs.vista-nb-tabs { --jp-widgets-horizontal-tab-width: 96px; }
.vista-nb-tabs.vista-nb-tabs.vista-nb-tabs > .lm-TabBar { font: 13px var(--jp-ui-font-family, system-ui, sans-serif); }
.vista-nb-tabs.vista-nb-tabs.vista-nb-tabs > .lm-TabBar .lm-TabBar-tab {
  background: transparent; border-color: transparent; box-shadow: none; padding: 0 10px; color: inherit; }
.vista-nb-tabs.vista-nb-tabs.vista-nb-tabs > .lm-TabBar .lm-TabBar-tab:hover:not(.lm-mod-current) {
  background: rgba(140, 140, 140, 0.15); color: inherit; }
.vista-nb-tabs.vista-nb-tabs.vista-nb-tabs > .lm-TabBar .lm-TabBar-tab.lm-mod-current {
  font-weight: 600; border-color: transparent; box-shadow: inset 0 -2px 0 #2b8cbe; transform: none; }
.vista-nb-tabs.vista-nb-tabs.vista-nb-tabs > .lm-TabBar .lm-TabBar-tab.lm-mod-current::before { display: none; }
.vista-nb-tabs.vista-nb-tabs.vista-nb-tabs > .lm-TabBar .lm-TabBar-tab:focus-visible {
  outline: 2px solid #2b8cbe; outline-offset: -2px; }
.vista-nb-tabs.vista-nb-tabs.vista-nb-tabs > .widget-tab-contents {
  background: transparent; border: none; border-top: 1px solid rgba(140, 140, 140, 0.4); padding: 6px 0 2px 0; }
.vista-nb-panel [tabindex]:focus-visible { outline: 2px solid #2b8cbe; outline-offset: 2px; }
.vista-nb-tabs .vista-nb { container-type: inline-size; }
@container (max-width: 620px) { .vista-nb-wide { display: none; } }
</style>"""

_FONT: Final = "var(--jp-ui-font-family, system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif)"


def esc(text: object) -> str:
    """`text` as HTML text or attribute value; control characters become a visible mark.

    The no-break space of `20 129` is none, though Python does not call it printable.
    """
    shown = "\n\t\N{NO-BREAK SPACE}"
    plain = "".join(c if c.isprintable() or c in shown else "\N{REPLACEMENT CHARACTER}" for c in str(text))
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


def dot(colour: str, hollow: bool = False) -> str:
    """A round mark before a word that says the same."""
    fill = {} if hollow else {"background": colour}
    size = {"display": "inline-block", "width": "7px", "height": "7px", "border": f"1.5px solid {colour}"}
    return f"<span{css(**size, border_radius='50%', margin='0 5px 1px 0', **fill)}></span>"


def track(label: str, share: float, colour: str = ACCENT, height: str = "4px", role: str = "progressbar") -> str:
    """A thin bar filled to `share` of its width; `label` is its text twin."""
    percent = 100 * min(1.0, max(0.0, share))
    values = f' aria-valuemin="0" aria-valuemax="100" aria-valuenow="{percent:.0f}"' if role == "progressbar" else ""
    fill = f"<div{css(width=f'{percent:.1f}%', height=height, background=colour, border_radius='2px')}></div>"
    style = css(
        background="rgba(140,140,140,0.25)", border_radius="2px", height=height, width="100%", overflow="hidden"
    )
    return f'<div role="{role}" aria-label="{esc(label)}"{values}{style}>{fill}</div>'


def scroll(inner: str) -> str:
    """A wide table scrolls by itself in a narrow page; `inner` is HTML."""
    return f"<div{css(overflow_x='auto', max_width='100%')}>{inner}</div>"


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
