"""Candidates on the first line of a cell and on a `%vista` line: flags, subcommands, what they take.

Reads a Place and a World, returns (fragment, kind, candidates). May touch: nothing but the World. DESIGN.md section 4.
"""

from __future__ import annotations

from collections.abc import Sequence

from vista_nb.completion.place import Place
from vista_nb.completion.values import Choices, layer_choices, set_choices
from vista_nb.completion.world import World
from vista_nb.magic_flags import FLAGS, SUBCOMMANDS, Flag
from vista_nb.session_command import SESSION_COMMANDS
from vista_nb.spec.keys import KEYS
from vista_nb.store_command import STORE_COMMANDS

__all__ = ["line_choices"]


def line_choices(place: Place, world: World) -> Choices:
    """For the word that the cursor is in."""
    words = place.before.split()
    word = "" if not place.before or place.before[-1].isspace() else words.pop()
    if place.kind == "flags":
        return _flag_choices(word, words, place, world)
    if not words:
        return word, "subcommand", tuple(SUBCOMMANDS)
    return _subcommand_choices(word, words, place, world)


def _flag_choices(word: str, words: Sequence[str], place: Place, world: World) -> Choices:
    last = _flag(words[-1]) if words else None
    if last is not None and last.value:
        return _value_of(last, word, place, world)
    label, equals, value = word.partition("=")
    named = _flag(label)
    if equals and named is not None:
        fragment, kind, choices = _value_of(named, value, place, world)
        return fragment, kind, choices
    given = {flag for each in words if (flag := _flag(each.partition("=")[0])) is not None}
    free = [flag for flag in FLAGS if flag.repeat or flag not in given]
    return word, "flag", [name for flag in free for name in reversed(flag.names)]


def _value_of(flag: Flag, word: str, place: Place, world: World) -> Choices:
    name = flag.names[-1]
    if name == "--layers":
        return layer_choices(Place("value", word, "layers", place.given), world)
    if name == "--set":
        return set_choices(word, place, world)
    examples = {"--max-mem": ("4GB", "8GB"), "--max-time": ("60s", "10m"), "--vary": ("memory=2g..64g", "nodes=1..8")}
    return word, "value", flag.choices or examples.get(name, ())


def _flag(label: str) -> Flag | None:
    return next((flag for flag in FLAGS if label in flag.names), None)


def _subcommand_choices(word: str, words: Sequence[str], place: Place, world: World) -> Choices:
    name, rest = words[0], words[1:]
    if name == "run":
        if rest and rest[-1] in ("-f", "--file"):
            return word, "path", world.paths(word)
        found = _flag_choices(word, rest, place, world)
        return found if "-f" in rest else (word, found[1], ("-f", *found[2]))
    if name == "layers":
        return word, "cnn", world.cnns()
    if name == "spec":
        parts = [f"{key.name}.{part.name}" for key in KEYS for part in key.parts]
        return word, "key", ("--template", *(key.name for key in KEYS), *parts)
    if name == "mistakes":
        return (word, "run", world.runs()) if rest and rest[-1] == "--run" else (word, "flag", ("-n", "--run"))
    if name in ("predict", "export"):
        return _leaving_choices(word, rest, name, world)
    if name in ("cancel", "wait"):
        return word, "run", world.runs(saved=False)
    if name in ("explain", "show", "compare"):
        flags = ("--analyze", "--vary") if name == "explain" else ()
        return word, "run", (*world.runs(), *flags)
    if name in ("store", "session") and not rest:
        return word, "command", tuple(STORE_COMMANDS if name == "store" else SESSION_COMMANDS)
    if name == "doctor":
        return word, "value", world.cnns() if "--calibrate" in rest else ("--calibrate",)
    return word, "text", ()


def _leaving_choices(word: str, rest: Sequence[str], name: str, world: World) -> Choices:
    """A run before `--py` and after `--run`; else paths and flags."""
    if name == "export":
        return (word, "path", world.paths(word)) if "--py" in rest else (word, "run", (*world.runs(), "--py"))
    if rest and rest[-1] == "--run":
        return word, "run", world.runs()
    if word.startswith("-"):
        return word, "flag", ("-o", "--layer", "--run")
    return word, "path", world.paths(word)
