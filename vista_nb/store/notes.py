"""What the store tells its user: broken parts, unreadable manifests, what was evicted or left by a killed kernel.

Reads what happened, returns sentences. May touch: nothing. DESIGN.md section 9: the next run repairs, and says so.
Planning looks into the store before there is a run to tell anybody: its sentences wait, and the next run takes them.
"""

from __future__ import annotations

from pathlib import Path
from threading import Lock

from vista_nb.store.manifest import LayerSet, Part
from vista_nb.store.room import Freed
from vista_nb.store.sweep import Swept
from vista_nb.units import format_bytes

__all__ = ["Notes", "waiting_notes"]

_waiting: dict[Path, list[str]] = {}  # what was found before there was a run
_guard = Lock()


def waiting_notes(base: Path) -> tuple[str, ...]:
    """What was found in the store below `base` and is not told yet; told with this."""
    with _guard:
        return tuple(dict.fromkeys(_waiting.pop(base, ())))


class Notes:
    """Of one open store. told_later: nobody reads them here, so the next run must."""

    def __init__(self, base: Path, *, told_later: bool) -> None:
        self._base, self._later = base, told_later
        self._lines: list[str] = []
        self._unreadable: set[str] = set()
        self._evicted = Freed()
        self._rubbish = Swept()

    def __len__(self) -> int:
        return len(self._lines)

    def since(self, count: int) -> tuple[str, ...]:
        return tuple(self._lines[count:])

    def lines(self, budget: int | None = None) -> tuple[str, ...]:
        """All sentences; what went in several steps is added up."""
        told = list(self._lines)
        if self._rubbish.files:
            what = _things(self._rubbish.files, "unfinished file")
            told.append(f"store: {what} of runs that were killed removed ({format_bytes(self._rubbish.bytes)})")
        if self._evicted.parts:
            what, size = _things(self._evicted.parts, "part"), format_bytes(self._evicted.bytes)
            within = f" of {format_bytes(budget)}" if budget is not None else ""
            told.append(f"store: {what} least recently used ({size}) went, to stay within the budget{within}")
        return tuple(told)

    def broken(self, key: str, known: LayerSet | None, part: Part, reason: Exception, done: bool) -> None:
        what = f"{known.facts.cnn} {known.facts.layer}" if known else f"layer set {key[:12]}"
        acted = "set aside" if done else "ignored"
        self._add(f"store: a broken part of {what} ({part.rows} rows) was {acted}, its images are made again: {reason}")

    def unreadable(self, key: str, reason: Exception) -> None:
        """Once per layer set: every look at it meets the same file."""
        if key not in self._unreadable:
            self._unreadable.add(key)
            self._add(f"store: layer set {key[:12]} has no readable manifest, its images are made again: {reason}")

    def freed(self, found: Freed) -> None:
        self._evicted = Freed(self._evicted.parts + found.parts, self._evicted.bytes + found.bytes)
        self.swept(found.swept)

    def swept(self, found: Swept) -> None:
        self._rubbish = self._rubbish.plus(found)

    def say(self, text: str) -> None:
        """Once: every look at a store that is out of reach meets the same."""
        if text not in self._lines:
            self._add(text)

    def wait(self) -> None:
        """Who opens the store next for a run tells what was found until now."""
        with _guard:
            _waiting.setdefault(self._base, []).extend(self._lines)

    def _add(self, text: str) -> None:
        self._lines.append(text)
        if self._later:
            with _guard:
                _waiting.setdefault(self._base, []).append(text)


def _things(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
