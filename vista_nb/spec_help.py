"""`%vista spec`: the keys of a cell, one key in full, a cell to start from.

Reads the table of keys (spec/keys.py), returns values that print. May touch: nothing. DESIGN.md section 3.
"""

from __future__ import annotations

from typing import Any, Final

from vista_nb.errors import VistaUsageError
from vista_nb.spec.keys import KEYS, SYNONYMS, Key, Part, find_key, find_part
from vista_nb.spec.suggest import closest, listed
from vista_nb.views.table_view import Table
from vista_nb.views.words import Words

__all__ = ["TEMPLATE", "spec_help"]

TEMPLATE: Final = """%%vista -o result
structured: products.csv        # the table: a file, or a notebook variable as $products
images: photos/{id}.jpg         # one photo per row: a pattern with {column}, a folder, or a column of paths
on: id                          # the key column of both
label: bestseller               # the column to predict
cnn: resnet50                   # %vista cnns lists them
layers: top 3                   # %vista layers resnet50 lists them
model: LogisticRegression(regParam=0.01)
# features: [price, category]   # default: every column that can be one
# pool: avg                     # default: max 2x2
# test: 0.2                     # the share of rows held out for scoring
"""


def spec_help(word: str | None) -> Any:
    """All keys; `--template`; a key, or a part as `plan.cpu`. Raises VistaUsageError VST018 for what is none."""
    if word is None:
        return _all_keys()
    if word == "--template":
        return Words(TEMPLATE)
    if word.startswith("-"):
        raise VistaUsageError("VST001", f"unknown flag {word!r}", "%vista spec [KEY | --template]")
    name, _, inner = word.partition(".")
    key = find_key(name)
    if key is None:
        raise _unknown(word)
    part = key.part(inner) if inner else None
    if inner and part is None:
        names = [known.name for known in key.parts]
        near = closest(inner, names)
        hint = f"did you mean `{name}.{near}`?" if near else f"{name} has {listed(names) or 'no parts'}"
        raise VistaUsageError("VST018", f"`{name}` has no part {inner!r}", hint)
    return _part_help(key, part) if part is not None else _key_help(key)


def _unknown(word: str) -> VistaUsageError:
    meant = SYNONYMS.get(word.casefold()) or closest(word, [key.name for key in KEYS]) or find_part(word)
    hint = f"did you mean `{meant}`?" if meant else "%vista spec lists the keys"
    return VistaUsageError("VST018", f"no key {word!r}", hint)


def _all_keys() -> Table:
    rows = tuple((key.name, key.help, _default(key), key.example) for key in KEYS)
    note = "%vista spec KEY says more of one; %vista spec --template is a cell to start from"
    return Table(("key", "meaning", "default", "example"), rows, caption="key: value, one a line", note=note)


def _default(key: Key) -> str:
    return "required" if key.required else key.default


def _key_help(key: Key) -> Table:
    facts = [("meaning", key.help), ("default", _default(key)), ("example", f"{key.name}: {key.example}")]
    if key.choices:
        facts.append(("one of", ", ".join(key.choices)))
    facts += [(f"{key.name}.{part.name}", _part_words(part)) for part in key.parts]
    kinds = {"literal": "one value, taken as written", "list": "one value, `- item` lines, or [a, b]", "yaml": "YAML"}
    note = f"{kinds[key.kind]}; for one run alone: --set {_settable(key)}"
    return Table((key.name, ""), tuple(facts), caption="", note=note)


def _settable(key: Key) -> str:
    if key.parts:
        return f"{key.name}.{key.parts[0].name}=..."
    return f"{key.name}={key.example}" if " " not in key.example else f"'{key.name}={key.example}'"


def _part_words(part: Part) -> str:
    choices = f": {', '.join(part.choices)}" if part.choices else ""
    return f"{part.help}{choices} (default: {part.default})"


def _part_help(key: Key, part: Part) -> Table:
    facts = [("meaning", part.help), ("default", part.default), ("kind", part.kind)]
    facts += [("one of", ", ".join(part.choices))] if part.choices else []
    value = part.choices[0] if part.choices else {"size": "8GB", "count": "2"}.get(part.kind, "...")
    note = f"{key.name}: {{{part.name}: {value}}}, or for one run alone: --set {key.name}.{part.name}={value}"
    return Table((f"{key.name}.{part.name}", ""), tuple(facts), note=note)
