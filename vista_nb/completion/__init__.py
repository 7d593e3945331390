"""Tab completion inside a `%%vista` cell and on a `%vista` line, by a matcher in the kernel.

Reads the cell's text, the cursor and the notebook's variables; returns IPython's matcher results. May touch: folders
and the heads of table files (read only). DESIGN.md section 4; docs/adr/0025. In the kernel, so that it works in
JupyterLab, Notebook and the console alike. Nothing of the cell is evaluated, and no engine is started or imported.
"""

from __future__ import annotations

from typing import Any

__all__ = ["install"]

_NAME = "vista_nb.completion"


def install(shell: Any) -> None:
    """Add the matcher to this shell's completer; once."""
    matchers = shell.Completer.custom_matchers
    if not any(getattr(matcher, "matcher_identifier", "") == _NAME for matcher in matchers):
        matchers.append(_matcher_for(shell))


def _matcher_for(shell: Any) -> Any:
    from IPython.core.completer import SimpleCompletion, context_matcher

    @context_matcher(identifier=_NAME)  # type: ignore[untyped-decorator]
    def vista(context: Any) -> dict[str, Any]:
        """Ours alone in a cell of ours: a spec is no Python."""
        from vista_nb.completion.complete import complete
        from vista_nb.completion.world import World

        lines = context.full_text.split("\n")
        cursor = sum(len(line) + 1 for line in lines[: context.cursor_line]) + context.cursor_position
        try:
            found = complete(context.full_text, cursor, World(shell.user_ns))
        except Exception:  # IPython would print the traceback into the notebook at a press of Tab
            found = None
        if found is None:
            return {"completions": [], "suppress": False}
        made = [SimpleCompletion(text=each.text, type=each.kind) for each in found.candidates[: context.limit]]
        return {"completions": made, "suppress": True, "matched_fragment": found.fragment, "ordered": True}

    return vista
