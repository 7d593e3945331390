"""The flags of `%%vista` and the subcommands of `%vista`, as one table each, and their parser.

Reads the magic's line, returns a frozen value. May touch: nothing. DESIGN.md section 4.
Not argparse: it prints and exits, and IPython's own helper answers with UsageError, which hides the failure from
nbval. Here every mistake is a coded error; a flag whose engine comes later says so.
"""

from __future__ import annotations

import keyword
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from vista_nb.errors import NotSupportedYet, VistaUsageError
from vista_nb.spec.suggest import did_you_mean

__all__ = [
    "FLAGS",
    "LATER_SUBCOMMANDS",
    "SUBCOMMANDS",
    "CellFlags",
    "Flag",
    "help_text",
    "parse_flags",
    "split_line",
    "take_vary",
]


@dataclass(frozen=True)
class Flag:
    """One flag: its names, the name of its value (empty for a switch) and what it may be."""

    names: tuple[str, ...]
    value: str
    help: str
    choices: tuple[str, ...] = ()
    repeat: bool = False
    later: bool = False


FLAGS: Final = (
    Flag(("-o", "--out"), "NAME", "bind the result to NAME at once, before the run ends"),
    Flag(("-q", "--quiet"), "", "show nothing, only bind"),
    Flag(("--explain",), "", "show the plan and do not run"),
    Flag(("--vary",), "KEY=LOW..HIGH", "with --explain: where the plan changes, such as memory=2g..64g"),
    Flag(("--profile",), "PROFILE", "how to plan", ("default", "sigmod2020")),
    Flag(("--set",), "KEY=VALUE", "replace one key of the spec, such as plan.cpu=2", repeat=True),
    Flag(("--reuse",), "WHEN", "use stored layers", ("auto", "never", "require")),
    Flag(("--ui",), "KIND", "how to show the run", ("auto", "widget", "static", "text", "off")),
    Flag(("--analyze",), "", "run, then show predicted against measured"),
    Flag(("--layers",), "LAYERS", "other layers than the spec's", later=True),
    Flag(("--max-mem",), "BYTES", "refuse a plan that needs more memory", later=True),
    Flag(("--max-time",), "SECONDS", "refuse a plan that takes longer", later=True),
    Flag(("--bg",), "", "run in the background", later=True),
)

SUBCOMMANDS: Final = {
    "explain": "explain [RUN] [--analyze | --vary memory=2g..64g]: the plan of the last run, or of RUN; against the "
    "clock; where it would change",
    "show": "show [RUN]: the last result again, or that of RUN",
    "store": "store ls | pin | unpin | drop WORDS | gc [SIZE] | verify: the stored layers; WORDS as listed, or all",
    "doctor": "doctor [--calibrate [CNN ...]]: what this machine has for a run; measure it for the plans to come",
    "cnns": "cnns: the known CNNs",
    "layers": "layers CNN: the layers of one CNN",
}
LATER_SUBCOMMANDS: Final = ("runs", "session", "cancel", "wait", "compare", "export", "spec", "run")


@dataclass(frozen=True)
class CellFlags:
    """What the first line of a cell says. None: not given, so the configured default holds."""

    out: str | None = None
    quiet: bool = False
    explain: bool = False
    profile: str | None = None
    overrides: tuple[tuple[str, str], ...] = ()
    reuse: str | None = None
    ui: str | None = None
    vary: str | None = None
    analyze: bool = False


def split_line(line: str) -> list[str]:
    """Words of the magic's line; quotes hold a word together. Raises VistaUsageError."""
    try:
        return shlex.split(line)
    except ValueError as error:
        raise VistaUsageError("VST003", f"the line cannot be read: {error}", "close the quote") from None


def parse_flags(line: str) -> CellFlags:
    """The flags of `%%vista`. Raises VistaUsageError, or NotSupportedYet for what comes later."""
    given = _pairs(split_line(line))
    for flag, _ in given:
        if flag.later:
            raise NotSupportedYet("VST950", f"{flag.names[-1]} is not supported yet", f"it will {flag.help}")
    _no_duplicates(given)
    values = {flag.names[-1]: value for flag, value in given}
    if "--vary" in values and "--explain" not in values:
        raise VistaUsageError("VST003", "--vary plans and does not run", "write --explain --vary memory=2g..64g")
    if "--analyze" in values and "--explain" in values:
        raise VistaUsageError("VST003", "--explain does not run, --analyze does", "leave one of them out")
    overrides = tuple(_override(value) for flag, value in given if flag.names == ("--set",))
    return CellFlags(
        out=_identifier(values["--out"]) if "--out" in values else None,
        quiet="--quiet" in values,
        explain="--explain" in values,
        profile=values.get("--profile"),
        overrides=overrides,
        reuse=values.get("--reuse"),
        ui=values.get("--ui"),
        vary=values.get("--vary"),
        analyze="--analyze" in values,
    )


def take_vary(words: Sequence[str]) -> tuple[list[str], str | None]:
    """`RUN --vary memory=2g..64g` -> (["RUN"], "memory=2g..64g"). Raises VistaUsageError."""
    rest, varied = list(words), None
    for place, word in enumerate(words):
        label, equals, attached = word.partition("=")
        if label == "--vary":
            if not equals and place + 1 == len(words):
                raise VistaUsageError("VST003", "--vary needs a value", "write --vary memory=2g..64g")
            varied = attached if equals else words[place + 1]
            del rest[place : place + (1 if equals else 2)]
            break
    return rest, varied


def _pairs(words: Sequence[str]) -> list[tuple[Flag, str]]:
    """(flag, value) in the order written; `--flag value` and `--flag=value` are the same."""
    pairs: list[tuple[Flag, str]] = []
    queue = list(words)
    while queue:
        word = queue.pop(0)
        label, equals, attached = word.partition("=")
        flag = _find(label)
        if not flag.value:
            if equals:
                raise VistaUsageError("VST003", f"{label} takes no value", f"write {label} alone")
            pairs.append((flag, ""))
            continue
        if not equals and (not queue or queue[0].startswith("-")):
            raise VistaUsageError("VST003", f"{label} needs a value", f"{label} {flag.value}: {flag.help}")
        pairs.append((flag, _chosen(flag, attached if equals else queue.pop(0))))
    return pairs


def _find(label: str) -> Flag:
    known = [name for flag in FLAGS for name in flag.names]
    if label in known:
        return next(flag for flag in FLAGS if label in flag.names)
    if not label.startswith("-"):
        command = label in SUBCOMMANDS or label in LATER_SUBCOMMANDS
        hint = f"a subcommand is a line of its own: %vista {label}" if command else "the spec goes below the first line"
        raise VistaUsageError("VST005", f"%%vista takes flags only, not {label!r}", hint)
    raise VistaUsageError("VST001", f"unknown flag {label!r}", did_you_mean(label, known, "flags"))


def _chosen(flag: Flag, value: str) -> str:
    if flag.choices and value not in flag.choices:
        hint = did_you_mean(value, flag.choices, "one of")
        raise VistaUsageError("VST003", f"{flag.names[-1]}: unknown value {value!r}", hint)
    return value


def _no_duplicates(given: Sequence[tuple[Flag, str]]) -> None:
    seen = set()
    for flag, _ in given:
        if flag in seen and not flag.repeat:
            raise VistaUsageError("VST002", f"{flag.names[-1]} is given twice", "keep one of them")
        seen.add(flag)


def _identifier(name: str) -> str:
    if not name.isidentifier() or keyword.iskeyword(name):
        raise VistaUsageError("VST003", f"--out: {name!r} cannot be a variable", "use a Python name, such as rooms")
    return name


def _override(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not all(part.isidentifier() for part in key.split(".")):
        raise VistaUsageError("VST003", f"--set: {text!r} is not KEY=VALUE", "write --set plan.cpu=2")
    return key, value


def help_text() -> str:
    """All flags and subcommands, a line each: what `%vista` alone and `%%vista?` show."""
    lines = ["%%vista [flags], then the spec, one key a line:"]
    for flag in FLAGS:
        head = ", ".join(flag.names) + (f" {flag.value}" if flag.value else "")
        choices = f": {', '.join(flag.choices)}" if flag.choices else ""
        lines.append(f"  {head:<22} {flag.help}{choices}{' (not supported yet)' if flag.later else ''}")
    lines.append("%vista SUBCOMMAND:")
    lines += [f"  {text}" for text in SUBCOMMANDS.values()]
    return "\n".join(lines)
