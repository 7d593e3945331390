"""`%vista session`: info, stop, restart.

Reads the words after `session` and the magic's settings, returns what to show. May touch: Spark's JVM, through session.
DESIGN.md sections 4 and 10.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from vista_nb.errors import VistaUsageError
from vista_nb.magic_settings import setting_rows
from vista_nb.spec.suggest import did_you_mean
from vista_nb.views.table_view import Table
from vista_nb.views.words import Words

__all__ = ["SESSION_COMMANDS", "run_session"]

SESSION_COMMANDS: Final = {
    "info": "info: what runs in this kernel, and each setting with its source",
    "stop": "stop: end Spark's JVM; what was materialized on disk stays",
    "restart": "restart: end it and start it anew, as the last run needed it",
}


def run_session(words: Sequence[str], magic: Any) -> Any:
    """Obey one command; without words, `info`. Raises VistaUsageError."""
    name, rest = (words[0], words[1:]) if words else ("info", ())
    if name not in SESSION_COMMANDS:
        hint = did_you_mean(name, tuple(SESSION_COMMANDS), "commands: session")
        raise VistaUsageError("VST004", f"unknown subcommand 'session {name}'", hint)
    if rest:
        raise VistaUsageError("VST003", f"session {name}: nothing known about {rest[0]!r}", SESSION_COMMANDS[name])
    if name == "info":
        return _info(magic)
    from vista_nb.session import engine

    return Words(engine.stop() if name == "stop" else engine.restart())


def _info(magic: Any) -> Table:
    from vista_nb.session import engine

    rows = (*((name, value, "") for name, value in engine.facts()), *setting_rows(magic))
    return Table(("", "value", "from"), rows, note="a cell's own flag wins over each setting")
