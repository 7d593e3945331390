"""`%vista store` and `vista-nb store`: ls, pin, unpin, drop, gc, verify, as one table of commands for both.

Reads the words after `store`, returns what to show and whether all is well. May touch: the store, through session.
DESIGN.md section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from vista_nb.errors import VistaUsageError
from vista_nb.spec.suggest import did_you_mean
from vista_nb.units import format_bytes

__all__ = ["STORE_COMMANDS", "Answer", "run_store"]

STORE_COMMANDS: Final = {
    "ls": "ls: what is stored, its size, age and use",
    "pin": "pin WORDS: the budget never takes these (CNN, layer, pooling, precision, id; `all`)",
    "unpin": "unpin WORDS: it may again",
    "drop": "drop WORDS: remove them",
    "gc": "gc [SIZE]: remove leftovers, and the least recently used beyond SIZE (default: the budget)",
    "verify": "verify [WORDS]: read every byte again, set broken parts aside",
}


class Answer(NamedTuple):
    """shown: a value that prints as text and as HTML; ok is false where something was broken."""

    shown: Any
    ok: bool = True


def run_store(words: Sequence[str], store_dir: Path | str | None = None, budget: int | None = None) -> Answer:
    """Obey one command; without words, `ls`. Raises VistaUsageError, VistaStoreError."""
    name, rest = (words[0], list(words[1:])) if words else ("ls", [])
    if name not in STORE_COMMANDS:
        hint = did_you_mean(name, tuple(STORE_COMMANDS), "commands: store")
        raise VistaUsageError("VST004", f"unknown subcommand 'store {name}'", hint)
    _check_words(name, rest)
    return _COMMANDS[name](rest, store_dir, budget)


def _check_words(name: str, rest: Sequence[str]) -> None:
    least, most = {"ls": (0, 0), "gc": (0, 1), "verify": (0, 9)}.get(name, (1, 9))
    if not least <= len(rest) <= most:
        wrong = f"nothing known about {' '.join(rest[most:])!r}" if rest else "say what: a CNN, a layer, an id, `all`"
        raise VistaUsageError("VST003", f"store {name}: {wrong}", STORE_COMMANDS[name])


def _ls(rest: list[str], store_dir: Path | str | None, budget: int | None) -> Answer:  # noqa: ARG001 (alike)
    from vista_nb.listings import store_table
    from vista_nb.session.storing import look

    found = look(store_dir, budget)
    return Answer(store_table(found), not found.notes)


def _pin(rest: list[str], store_dir: Path | str | None, budget: int | None) -> Answer:
    return _set_pin(rest, True, store_dir, budget)


def _unpin(rest: list[str], store_dir: Path | str | None, budget: int | None) -> Answer:
    return _set_pin(rest, False, store_dir, budget)


def _set_pin(rest: list[str], pinned: bool, store_dir: Path | str | None, budget: int | None) -> Answer:
    from vista_nb.session.storing import pin_layers

    meant = pin_layers(rest, pinned, store_dir)
    return _ls([], store_dir, budget)._replace(ok=bool(meant))


def _drop(rest: list[str], store_dir: Path | str | None, budget: int | None) -> Answer:  # noqa: ARG001 (alike)
    from vista_nb.listings import told
    from vista_nb.session.storing import drop_layers

    found = drop_layers(rest, store_dir)
    names = ", ".join(f"{h.layers.facts.cnn} {h.layers.facts.layer} {h.layers.facts.pooling}" for h in found.holdings)
    return Answer(told(f"dropped {names}: {format_bytes(found.bytes)} free", *found.kept), not found.kept)


def _gc(rest: list[str], store_dir: Path | str | None, budget: int | None) -> Answer:
    from vista_nb.listings import told
    from vista_nb.session.storing import clean_store

    gone = clean_store(rest[0] if rest else None, store_dir, budget)
    return Answer(
        told(
            f"leftovers: {gone.swept.files} removed, {format_bytes(gone.swept.bytes)}",
            f"least recently used: {gone.parts} parts removed, {format_bytes(gone.bytes)}",
        )
    )


def _verify(rest: list[str], store_dir: Path | str | None, budget: int | None) -> Answer:  # noqa: ARG001 (alike)
    from vista_nb.listings import told
    from vista_nb.session.storing import check_store

    found = check_store(rest, store_dir)
    whole = f"{found.parts} parts are whole, {format_bytes(found.bytes)}"
    return Answer(told(whole, *(found.notes or ("nothing is broken",))), not found.notes)


_COMMANDS: Final = {"ls": _ls, "pin": _pin, "unpin": _unpin, "drop": _drop, "gc": _gc, "verify": _verify}
