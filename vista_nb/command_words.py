"""The words after a subcommand of `%vista`: what is named, and the flags that take a value.

Reads words, returns both apart. May touch: nothing. DESIGN.md section 4.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from vista_nb.errors import VistaUsageError
from vista_nb.magic_flags import SUBCOMMANDS
from vista_nb.spec.suggest import did_you_mean

__all__ = ["expect", "names_and_flags"]


def names_and_flags(
    command: str, words: Sequence[str], flags: Collection[str], most: int | None = None
) -> tuple[list[str], dict[str, str]]:
    """Names in order, and the value of each flag (`-n 8`, `-n=8`). most: names that the command takes.

    Raises VistaUsageError: VST003 for a flag without a value, and as `expect`.
    """
    names: list[str] = []
    given: dict[str, str] = {}
    left = list(words)
    while left:
        word = left.pop(0)
        flag, equals, value = word.partition("=")
        if flag not in flags:
            names.append(word)
        elif equals or left:
            given[flag] = value if equals else left.pop(0)
        else:
            raise VistaUsageError("VST003", f"{flag} needs a value", SUBCOMMANDS[command])
    expect(names, 0, len(names) if most is None else most, command)
    return names, given


def expect(words: Sequence[str], least: int, most: int, name: str) -> None:
    """As many words as the subcommand takes, none of them a flag: those that it has are gone from `words` already.

    Raises VistaUsageError VST001, VST002, VST003.
    """
    for word in words:
        label = word.partition("=")[0]
        if label.startswith("-"):
            known = re.findall(r"--?[a-z]+", SUBCOMMANDS[name].partition(":")[0])
            if label in known:
                message = f"%vista {name}: one {label} too many, or in the wrong place"
                raise VistaUsageError("VST002", message, SUBCOMMANDS[name])
            hint = did_you_mean(label, known, "flags") if known else SUBCOMMANDS[name]
            raise VistaUsageError("VST001", f"%vista {name}: unknown flag {label!r}", hint)
    if len(words) > most:
        extra = " ".join(words[most:])
        raise VistaUsageError("VST003", f"%vista {name}: nothing known about {extra!r}", SUBCOMMANDS[name])
    if len(words) < least:
        names = "a name" if least == 1 else f"{least} names"
        raise VistaUsageError("VST003", f"%vista {name} needs {names}", SUBCOMMANDS[name])
