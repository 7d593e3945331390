"""Runs of earlier kernels: what `%vista show RUN` repaints with no Spark, and `%vista runs` lists.

Reads a finished VistaResult, writes one JSON file per run; reads them back as VistaResults. May touch: `runs/` in the
cache folder, where the last fifty stay. DESIGN.md sections 4 and 6; docs/adr/0025. Plan, scores, report and peaks are
kept; features, models and the events of a run that goes on are not.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from vista_nb.errors import VistaCancelled, VistaError, VistaRunError, VistaUsageError
from vista_nb.outcome.events import Event
from vista_nb.outcome.scores import RunOutcome
from vista_nb.plan.candidate import Plan
from vista_nb.result import VistaResult
from vista_nb.session.folders import cache_root
from vista_nb.session.runs import GOING, find_run, known_runs
from vista_nb.session.values import from_plain, to_plain
from vista_nb.spec.suggest import did_you_mean

if TYPE_CHECKING:
    from vista_nb.catalog.workload import Workload

__all__ = ["KEPT", "SavedRun", "find_any", "keep", "saved_names", "saved_run", "saved_when"]

KEPT: Final = 50
_FORMAT = 1


@dataclass
class SavedRun:
    """The handle of a run that this kernel did not make: all is known, nothing can be computed."""

    run_id: str
    status: str
    error: BaseException | None
    plan: Plan
    outcome: RunOutcome

    @property
    def workload(self) -> Workload:
        self._refuse("its spec")

    def features(self, layer: str) -> NoReturn:  # noqa: ARG002 (the protocol)
        self._refuse("its features")

    def model(self, layer: str) -> NoReturn:  # noqa: ARG002 (the protocol)
        self._refuse("its models")

    def pipeline(self, layer: str) -> NoReturn:  # noqa: ARG002 (the protocol)
        self._refuse("its models")

    def save(self, result: VistaResult, path: Path, layers: Sequence[str], *, overwrite: bool) -> NoReturn:  # noqa: ARG002 (the protocol)
        self._refuse("its models")

    @property
    def saveable(self) -> tuple[str, ...]:
        return tuple(score.layer for score in self.outcome.scores)

    def held_out(self, layer: str) -> NoReturn:  # noqa: ARG002 (the protocol)
        self._refuse("its rows")

    def metrics(self, layer: str) -> NoReturn:  # noqa: ARG002 (the protocol)
        self._refuse("its rows")

    def photos(self, keys: Sequence[str], side: int) -> NoReturn:  # noqa: ARG002 (the protocol)
        self._refuse("its photos")

    def _refuse(self, what: str) -> NoReturn:
        hint = "run the cell again: stored layers are reused"
        raise VistaUsageError("VST016", f"run {self.run_id} is of an earlier kernel: {what} are not kept", hint)

    def poll(self) -> list[Event]:
        return []

    def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002 (the protocol)
        return True

    def cancel(self) -> None:
        """It has ended."""


def keep(result: VistaResult) -> Path | None:
    """Write a run that has ended; None where nothing is worth it, or nothing can be written (which is no error)."""
    if result.status in GOING or not result.worth_showing:
        return None
    with suppress(OSError, ValueError):
        content = json.dumps(_content(result), separators=(",", ":"))
        file = _free_file(result.run_id)
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(f".{os.getpid()}.part")
        part.write_text(content, encoding="utf-8")
        part.replace(file)
        _forget_oldest()
        return file
    return None


def _content(result: VistaResult) -> dict[str, Any]:
    parts = {"plan": result.plan, "outcome": result.outcome, "state": result.state}
    plain = {name: to_plain(value) for name, value in parts.items()}
    return {"format": _FORMAT, "status": result.status, "error": _error_words(result.error), **plain}


def _error_words(error: BaseException | None) -> dict[str, Any] | None:
    if error is None:
        return None
    fields = ("code", "message", "hint", "kept")
    known = {name: getattr(error, name) for name in fields if hasattr(error, name)}
    return known or {"message": str(error)}


def _error_of(words: dict[str, Any] | None, status: str) -> BaseException | None:
    if words is None:
        return None
    if status == "cancelled":
        return VistaCancelled(str(words.get("message", "")), tuple(map(str, words.get("kept", ()))))
    return VistaRunError(*(str(words.get(name, "")) for name in ("code", "message", "hint")))


def _folder() -> Path:
    return cache_root() / "runs"


def _files() -> list[Path]:
    """Newest first: the names begin with the time."""
    with suppress(OSError):
        return sorted(_folder().glob("*.json"), reverse=True)
    return []


def _free_file(run_id: str) -> Path:
    """`20261122-235401-r1.json`; two kernels may end a run of the same name in the same second."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    names = (f"{stamp}{more}-{run_id}.json" for more in ("", *(f".{k}" for k in range(1, 100))))
    return next(file for name in names if not (file := _folder() / name).exists())


def _forget_oldest() -> None:
    for file in _files()[KEPT:]:
        with suppress(OSError):
            file.unlink()


def saved_names() -> tuple[str, ...]:
    """The saved runs of all kernels, newest first."""
    return tuple(file.stem for file in _files())


def saved_when(name: str) -> float:
    """When the run was saved, in seconds since 1970; 0 where that cannot be found out."""
    with suppress(OSError):
        return (_folder() / f"{name}.json").stat().st_mtime
    return 0.0


def saved_run(name: str) -> VistaResult:
    """One saved run. Raises VistaUsageError VST017 for a file that cannot be read."""
    file = _folder() / f"{name}.json"
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            raise ValueError("it is of another version")
        plan, outcome, state = (from_plain(content[part]) for part in ("plan", "outcome", "state"))
        error = _error_of(content["error"], content["status"])
        return VistaResult.restored(SavedRun(name, content["status"], error, plan, outcome), state)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"the saved run {name} cannot be read: {error}"
        raise VistaUsageError("VST017", message, f"remove {file.name} from the folder of `%vista session`") from error


def find_any(name: str | None) -> VistaResult:
    """The last run of this kernel, or the one named; else of the saved ones the newest, or the one that `name` means:
    its name, or the end of it (`r2`: the newest r2). Raises VistaUsageError VST010, VST017.
    """
    here = {result.run_id for result in known_runs()}
    if name in here or (name is None and here):
        return find_run(name)
    saved = saved_names()
    if not saved:
        return find_run(name)  # which says what is missing
    if name is None:
        return next(_readable(saved))
    meant = [known for known in saved if known == name or known.endswith(f"-{name}")]
    if not meant:
        hint = did_you_mean(name, (*here, *saved), "runs")
        raise VistaUsageError("VST010", f"no run named {name!r}", hint)
    return saved_run(meant[0])


def _readable(names: tuple[str, ...]) -> Iterator[VistaResult]:
    """The saved runs that can be read, newest first; the error of the first where none can."""
    first: VistaError | None = None
    for name in names:
        try:
            yield saved_run(name)
        except VistaUsageError as error:
            first = first or error
    if first is not None:
        raise first
