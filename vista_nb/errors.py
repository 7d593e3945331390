"""The error tree of vista_nb: every failure a user can meet, with a code and one hint.

    VistaError                     exit status
     +-- VistaUsageError           2   a flag or subcommand that does not exist           VST0xx
     +-- VistaSpecError            2   the cell text: all problems of a spec at once      VST1xx
     +-- VistaPlanError            3   no plan can be made or obeyed                      VST2xx
     |    +-- NoFeasiblePlan       3   nothing fits: which inequality, what would help
     |    +-- PlanRefused          3   the plan is beyond the user's own limit
     +-- VistaDataError            1   a row, a file or a column is not usable            VST3xx
     +-- VistaEnvironmentError     1   no Java, no package, a wrong version               VST4xx
     +-- VistaRunError             1   an engine failed at a stage                        VST5xx
     +-- VistaStoreError           1   the materialization store                          VST6xx
     +-- NotSupportedYet           2   planned, its engine comes later                    VST9xx
    VistaCancelled (KeyboardInterrupt) 130  the user stopped the run                      VST500

Reads nothing, returns exceptions. May touch: nothing (standard library only).

Every class carries `_render_traceback_`, which IPython calls in place of its own traceback: a notebook shows
the message, the excerpt of the cell and the hint, and still records a true `error` output, so nbval, nbclient
and papermill see the failure (UsageError would hide it from nbval).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "NoFeasiblePlan",
    "NotSupportedYet",
    "PlanRefused",
    "Problem",
    "VistaCancelled",
    "VistaDataError",
    "VistaEnvironmentError",
    "VistaError",
    "VistaPlanError",
    "VistaRunError",
    "VistaSpecError",
    "VistaStoreError",
    "VistaUsageError",
    "short_errors",
]

_short = [True]


def short_errors(value: bool) -> None:
    """Choose between the short form (default) and Python's whole traceback in notebooks."""
    _short[0] = value


@dataclass(frozen=True)
class Problem:
    """One mistake in a spec. `line` and `column` count from 1; 0 where there is no text (a dict, a default)."""

    code: str
    message: str
    hint: str = ""
    line: int = 0
    column: int = 0
    length: int = 1


class _Rendered:
    """What IPython shows: the text of the error, without Python frames, unless the user wants them."""

    def _render_traceback_(self) -> list[str]:
        if _short[0]:
            return str(self).splitlines()
        import traceback

        assert isinstance(self, BaseException)
        lines = traceback.format_exception(type(self), self, self.__traceback__)
        return "".join(lines).splitlines()


class VistaError(_Rendered, Exception):
    """Base of all errors. `code` is stable, `message` says what happened, `hint` says what to do (one line)."""

    exit_status = 1

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(code, message, hint)
        self.code = code
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        lines = [f"{type(self).__name__} {self.code}: {self.message}"]
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)


class VistaUsageError(VistaError):
    """A flag, subcommand or argument of the magic or the command line that is not known."""

    exit_status = 2


class VistaSpecError(VistaError):
    """All problems of one spec, each with its place in the text."""

    exit_status = 2

    def __init__(self, problems: Sequence[Problem], text: str = "") -> None:
        if not problems:
            raise ValueError("VistaSpecError needs at least one problem")
        first = problems[0]
        super().__init__(first.code, first.message, first.hint)
        self.problems = tuple(problems)
        self.text = text

    def __str__(self) -> str:
        count = len(self.problems)
        head = f"{type(self).__name__}: {count} problem{'s' if count > 1 else ''} in the spec"
        return "\n".join([head, *(line for p in self.problems for line in _problem_lines(p, self.text))])


class NotSupportedYet(VistaError):
    """The spec is right, but the engine for it comes in a later version."""

    exit_status = 2


class VistaPlanError(VistaError):
    """The optimizer was asked for something that no plan can do."""

    exit_status = 3


class NoFeasiblePlan(VistaPlanError):
    """Nothing fits into memory. `constraint` is the inequality, `smallest_memory` bytes per worker that work.

    slack: (cpu, bytes) for each number of workers, negative where it misses. changes: sentences, each a change of
    the cell that fits, mildest first.
    """

    def __init__(
        self,
        message: str,
        constraint: str,
        smallest_memory: int | None,
        hint: str = "",
        *,
        slack: Sequence[tuple[int, int]] = (),
        changes: Sequence[str] = (),
    ) -> None:
        super().__init__("VST201", message, hint)
        self.constraint = constraint
        self.smallest_memory = smallest_memory
        self.slack = tuple(slack)
        self.changes = tuple(changes)


class PlanRefused(VistaPlanError):
    """`--max-mem` or `--max-time` forbids the plan, which `plan` holds, to be shown."""

    def __init__(self, code: str, message: str, hint: str, plan: object) -> None:
        super().__init__(code, message, hint)
        self.plan = plan


class VistaDataError(VistaError):
    """A row, column or file of the user's data cannot be used."""


class VistaEnvironmentError(VistaError):
    """Something of the machine is missing: Java, a package, a right version."""


class VistaRunError(VistaError):
    """An engine failed. `stage` names the step of the plan that was running."""

    def __init__(self, code: str, message: str, hint: str = "", stage: str = "") -> None:
        super().__init__(code, message, hint)
        self.stage = stage


class VistaStoreError(VistaError):
    """The materialization store could not be read or written."""


class VistaCancelled(_Rendered, KeyboardInterrupt):
    """The user stopped the run. `kept` says which layers are finished and stay usable; None: the run goes on."""

    exit_status = 130
    code = "VST500"

    def __init__(self, message: str, kept: Sequence[str] | None = ()) -> None:
        super().__init__(message)
        self.message = message
        self.kept = tuple(kept or ())
        self._goes_on = kept is None

    def __str__(self) -> str:
        if self._goes_on:
            return f"VistaCancelled {self.code}: {self.message}"
        kept = f"; kept: {', '.join(self.kept)}" if self.kept else "; no layer was finished"
        return f"VistaCancelled {self.code}: {self.message}{kept}"


def _problem_lines(problem: Problem, text: str) -> list[str]:
    """`VST101 line 3, column 8: message`, the line of the cell, a caret under the place, the hint."""
    where = f" line {problem.line}, column {problem.column}" if problem.line else ""
    lines = [f"{problem.code}{where}: {problem.message}"]
    source = text.splitlines()
    if 0 < problem.line <= len(source):
        lines.append(f"    {source[problem.line - 1]}")
        lines.append("    " + " " * (max(problem.column, 1) - 1) + "^" * max(problem.length, 1))
    if problem.hint:
        lines.append(f"  hint: {problem.hint}")
    return lines
