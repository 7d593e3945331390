"""The flags of `%%vista` and the subcommands of `%vista`, as one table each, and their parser.

Reads the magic's line, returns a frozen value. May touch: nothing. DESIGN.md section 4.
Not argparse: it prints and exits, and IPython's own helper answers with UsageError, which hides the failure from
nbval. Here every mistake is a coded error.
"""

from __future__ import annotations

import keyword
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from vista_nb.errors import VistaUsageError
from vista_nb.spec.located import Located
from vista_nb.spec.suggest import did_you_mean
from vista_nb.spec.variables import insert_variables
from vista_nb.units import parse_bytes, parse_seconds

__all__ = [
    "FLAGS",
    "SUBCOMMANDS",
    "CellFlags",
    "Flag",
    "flags_of",
    "help_text",
    "insert_into",
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
    Flag(("--layers",), "LAYERS", "other layers than the spec's, such as 'top 3' or conv5_1..fc6"),
    Flag(("--max-mem",), "SIZE", "refuse, and show, a plan whose workers hold more than SIZE, such as 4GB"),
    Flag(("--max-time",), "TIME", "refuse, and show, a plan that is predicted to take longer, such as 90s or 10m"),
    Flag(("--bg",), "", "run in the background: the next cells do not wait"),
)

SUBCOMMANDS: Final = {
    "explain": "explain [RUN] [--analyze | --vary memory=2g..64g]: the plan of the last run, or of RUN; against the "
    "clock; where it would change",
    "show": "show [RUN]: the last result again, or that of RUN",
    "runs": "runs: the runs of this kernel, and the saved ones of others",
    "cancel": "cancel [RUN]: stop the run in the background; finished layers are kept",
    "wait": "wait [RUN]: wait for the run in the background, then show it",
    "compare": "compare RUN RUN: two runs side by side: accuracy per layer, seconds, plans",
    "run": "run -f FILE [flags]: run a spec file; the flags of a cell",
    "session": "session [info | stop | restart]: Spark's JVM in this kernel, and each setting with its source",
    "spec": "spec [KEY | --template]: what a cell may say; one key in full; a cell to start from",
    "store": "store ls | pin | unpin | drop WORDS | gc [SIZE] | verify: the stored layers; WORDS as listed, or all",
    "doctor": "doctor [--calibrate [CNN ...]]: what this machine has for a run; measure it for the plans to come",
    "cnns": "cnns: the known CNNs",
    "layers": "layers CNN: the layers of one CNN",
    "mistakes": "mistakes [LAYER [LAYER]] [-n N] [--run RUN]: photos that a layer (the best) gets wrong, or that tell "
    "two layers apart",
    "predict": "predict TABLE [IMAGES ...] [--run RUN] [--layer LAYER] [-o NAME]: new rows through a run's pipeline; "
    "RUN: the last one, or a saved result's folder",
    "export": "export [RUN] --py [FILE]: the run as a Python script, shown, or written with the data it needs",
}


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
    max_memory: int | None = None
    max_seconds: float | None = None
    background: bool = False


def split_line(line: str) -> list[str]:
    """Words of the magic's line; quotes hold a word together, and so do the braces of `{{ x }}`. Raises
    VistaUsageError.
    """
    try:
        return shlex.split(re.sub(r"\{\{.*?\}\}", lambda braces: "".join(braces[0].split()), line))
    except ValueError as error:
        raise VistaUsageError("VST003", f"the line cannot be read: {error}", "close the quote") from None


def insert_into(words: Sequence[str], variables: Mapping[str, object]) -> list[str]:
    """`{{x}}` in a word becomes the text of a notebook variable, as in the spec. Raises VistaUsageError VST019."""
    found = []
    for word in words:
        value, problems = insert_variables(Located.of(word), variables)
        for problem in problems:
            raise VistaUsageError("VST019", f"{word}: {problem.message}", problem.hint)
        found.append(value.text)
    return found


def parse_flags(line: str) -> CellFlags:
    """The flags of `%%vista`. Raises VistaUsageError."""
    return flags_of(split_line(line))


def flags_of(words: Sequence[str]) -> CellFlags:
    """The same from the words of the line."""
    given = _pairs(words)
    _no_duplicates(given)
    values = {flag.names[-1]: value for flag, value in given}
    _no_contradictions(values)
    overrides = tuple(_override(value) for flag, value in given if flag.names == ("--set",))
    return CellFlags(
        out=_identifier(values["--out"]) if "--out" in values else None,
        quiet="--quiet" in values,
        explain="--explain" in values,
        profile=values.get("--profile"),
        overrides=_with_layers(overrides, values.get("--layers")),
        reuse=values.get("--reuse"),
        ui=values.get("--ui"),
        vary=values.get("--vary"),
        analyze="--analyze" in values,
        max_memory=_size(values["--max-mem"]) if "--max-mem" in values else None,
        max_seconds=_seconds(values["--max-time"]) if "--max-time" in values else None,
        background="--bg" in values,
    )


def _no_contradictions(values: Mapping[str, str]) -> None:
    """Flags that exclude each other, each pair with the way out."""
    if "--vary" in values and "--explain" not in values:
        raise VistaUsageError("VST003", "--vary plans and does not run", "write --explain --vary memory=2g..64g")
    if "--analyze" in values and "--explain" in values:
        raise VistaUsageError("VST003", "--explain does not run, --analyze does", "leave one of them out")
    if "--bg" in values and "--explain" in values:
        raise VistaUsageError("VST003", "--explain does not run, so nothing is left for --bg", "leave one of them out")
    if "--bg" in values and "--analyze" in values:
        hint = "after the run: %vista explain --analyze"
        raise VistaUsageError("VST003", "--analyze waits for the end, --bg does not", hint)


def _with_layers(overrides: tuple[tuple[str, str], ...], layers: str | None) -> tuple[tuple[str, str], ...]:
    if layers is None:
        return overrides
    if any(key == "layers" for key, _ in overrides):
        raise VistaUsageError("VST002", "--layers and --set layers=... say the same thing", "keep one of them")
    return (*overrides, ("layers", layers))


def _size(text: str) -> int:
    try:
        return parse_bytes(text)
    except ValueError as error:
        raise VistaUsageError("VST003", f"--max-mem: {error}", "write --max-mem 4GB") from None


def _seconds(text: str) -> float:
    try:
        return parse_seconds(text)
    except ValueError as error:
        raise VistaUsageError("VST003", f"--max-time: {error}", "write --max-time 90s") from None


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
            break  # a second one is left, and refused as such
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
        command = label in SUBCOMMANDS
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
        lines.append(f"  {head:<22} {flag.help}{choices}")
    lines.append("%vista SUBCOMMAND:")
    lines += [f"  {text}" for text in SUBCOMMANDS.values()]
    return "\n".join(lines)
