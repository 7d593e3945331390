"""A spec as the text of a cell: what `parse` reads back as the same spec.

Reads a Spec, returns text. May touch: nothing. DESIGN.md section 3; `%vista export` writes it, after `--set` and with
the notebook's `{{x}}` in place. Keys that have their default are left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from vista_nb.spec.keys import KEYS
from vista_nb.spec.model import DataSource, FeatureColumn, ImageSource, LayerChoice, Spec, Tune

__all__ = ["spec_text"]

_PLAIN = re.compile(r"[\w./~$*?][\w./~$*?:@+= {}-]*(?<! )")  # needs no quotes in a value of its own line
_YAML_PLAIN = re.compile(r"(?!(?i:true|false|null|yes|no|on|off|~)$)[A-Za-z_][\w./-]*(:[\w./-]+)*")


def spec_text(spec: Spec) -> str:
    """One entry per key, in the order of the table in DESIGN.md section 3."""
    default = Spec()
    lines = []
    for key in KEYS:
        value = getattr(spec, key.name)
        if value != getattr(default, key.name) or key.name in ("on", "label"):
            text = _written(key.name, value)
            if text is not None:
                lines.append(f"{key.name}: {text}" if not text.startswith("\n") else f"{key.name}:{text}")
    return "\n".join(lines) + "\n"


def _written(name: str, value: Any) -> str | None:
    """None for what is not given."""
    if value is None:
        return None
    writer = _WRITERS.get(name)
    if writer is not None:
        return writer(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return _word(str(value))


def _word(text: str) -> str:
    """In quotes where bare text would be read otherwise."""
    if _PLAIN.fullmatch(text) and " #" not in text:
        return text
    return "'" + text.replace("'", "''") + "'"


def _structured(source: DataSource) -> str:
    """An identifier that is a path and no variable is told by its quotes."""
    if source.kind == "path" and source.text.isidentifier():
        return f"'{source.text}'"
    return _word(source.text)


def _images(sources: tuple[ImageSource, ...]) -> str:
    return _list([_item(source.text) for source in sources])


def _features(columns: tuple[FeatureColumn, ...]) -> str:
    return _list([_item(column.name) + (":category" if column.category else "") for column in columns])


def _list(items: list[str]) -> str:
    """One item as it is where it is text; none as `[]`; several a line each."""
    return "[" + ", ".join(items) + "]"


def _item(text: str) -> str:
    """In quotes where a comma, bracket or brace would end it; `{column}` may stay."""
    plain = re.fullmatch(r"[\w./~$*?-]([\w./~$*?@+= -]|\{[\w .-]+\})*", text)
    return text if plain and not text.endswith(" ") and ".." not in text else "'" + text.replace("'", "''") + "'"


def _layers(choice: LayerChoice) -> str:
    if choice.kind == "top":
        return f"top {choice.count}"
    if choice.kind == "range":
        return "..".join(choice.names)
    return _list([_item(name) for name in choice.names]) if choice.kind == "names" else choice.kind


def _tune(tune: Tune) -> str:
    grid: dict[str, Any] = {name: list(values) for name, values in tune.grid}
    return _flow({**grid, "folds": tune.folds})


def _parts(value: Any) -> str:
    """The parts of resources, plan, statistics that are given."""
    given = {field.name: getattr(value, field.name) for field in fields(value)}
    plain = {name: dict(part) if name == "spark" else part for name, part in given.items() if part not in (None, ())}
    return _flow(plain)


def _flow(value: Any) -> str:
    """YAML in one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_flow(str(name))}: {_flow(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value if _YAML_PLAIN.fullmatch(value) else "'" + value.replace("'", "''") + "'"
    return repr(value) if isinstance(value, float) else str(value)


_WRITERS: dict[str, Callable[[Any], str]] = {
    "structured": _structured,
    "images": _images,
    "features": _features,
    "layers": _layers,
    "model": str,
    "tune": _tune,
    "reduce": lambda components: f"pca {components}",
    "resources": _parts,
    "plan": _parts,
    "statistics": _parts,
}
