"""The widgets of one panel and nothing else: values in, clicks out, no decisions.

Reads HTML, calls back. May touch: ipywidgets (core widgets only). DESIGN.md section 6.
Layouts and styles are shared: each one is a model and a message of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from vista_nb.views.pages import TITLES
from vista_nb.views.theme import LIVE_STYLE, card, muted

__all__ = ["STOP", "PanelWidgets"]

STOP: Final = "to cancel, use the kernel's interrupt (\N{BLACK SQUARE})"
_CANCEL: Final = "stop this run; finished layers are kept"


class PanelWidgets:
    """header, tabs with a page each, foot. pages: their first HTML, by name. cancel: what the button calls; without one
    the kernel's interrupt is named.
    """

    def __init__(self, pages: Mapping[str, str], cancel: Callable[[], None] | None) -> None:
        import ipywidgets as w

        plain, head = w.Layout(), w.Layout(flex="1 1 300px", min_width="0")
        sheet = w.HTML(LIVE_STYLE, layout=w.Layout(display="none"))
        style = sheet.style
        self.html: dict[str, Any] = {
            name: w.HTML(html, layout=head if name == "header" else plain, style=style) for name, html in pages.items()
        }
        self.cancel = self._button(cancel)
        below = [self.html[title.lower()] for title in TITLES]
        self.tab = w.Tab(children=below, titles=TITLES, selected_index=0, layout=plain)
        self.tab.add_class("vista-nb-tabs")
        top = w.HBox(
            [self.html["header"], *self._stop(cancel, style), self.cancel],
            layout=w.Layout(align_items="center", flex_flow="row wrap"),
        )
        self.root = w.VBox([sheet, top, self.tab, self.html["foot"]], layout=plain)
        self.root.add_class("vista-nb-panel")

    def _button(self, cancel: Callable[[], None] | None) -> Any:
        import ipywidgets as w

        layout = w.Layout(width="96px", flex="0 0 auto")
        tip = STOP if cancel is None else _CANCEL
        button = w.Button(description="Cancel", disabled=cancel is None, tooltip=tip, layout=layout)
        if cancel is not None:
            button.on_click(lambda _: self._clicked(cancel))
        return button

    def _stop(self, cancel: Callable[[], None] | None, style: Any) -> tuple[Any, ...]:
        """Why the button is off, in words: a tooltip is not seen by everyone."""
        import ipywidgets as w

        if cancel is not None:
            return ()
        return (w.HTML(card(muted(STOP)), layout=w.Layout(flex="0 0 auto", margin="0 8px"), style=style),)

    def _clicked(self, cancel: Callable[[], None]) -> None:
        self.cancel.disabled = True
        self.cancel.description = "Cancelling"
        cancel()

    def end(self, html: str) -> None:
        """Only the finished form stays, in one widget: a page that was loaded again during the run has no output that
        could be replaced, and would else show a dead panel.

        The widget is one that was there: such a page hears of a new one before it knows the models that a new one
        names, and then restores none at all (ipywidgets 8.1, `_loadFromKernelModels`).
        """
        last, old = self.html["foot"], self.root.children
        last.value = html
        self.root.children = (last,)
        _close(old, (self.root, last, last.layout, last.style))

    def close(self) -> None:
        """Close every model, layouts and styles too, or they would be saved with the notebook."""
        _close((self.root,))


def _close(widgets: Sequence[Any], keep: Sequence[Any] = ()) -> None:
    """These, and every model they hold; shared ones once."""
    import ipywidgets as w

    todo, seen = list(widgets), list(keep)
    while todo:
        widget = todo.pop()
        if any(widget is other for other in seen):
            continue
        seen.append(widget)
        todo += [value for value in widget.trait_values().values() if isinstance(value, w.Widget)]
        todo += list(getattr(widget, "children", ()))
        widget.close()
