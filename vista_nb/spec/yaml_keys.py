"""The typed values of tune, resources, plan, statistics.

Reads the tree of a YAML value, returns Tune, Resources, PlanChoice or StatisticsOverrides with the place of each part,
or raises BadValue with every problem in it. May touch: nothing. DESIGN.md section 3; sizes: `GB` = 1e9, `GiB` = 2^30.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from vista_nb.errors import Problem
from vista_nb.spec.keys import Key, Part, find_key
from vista_nb.spec.literals import whole_of
from vista_nb.spec.located import BadValue, Located
from vista_nb.spec.model import Literal, PlanChoice, Position, Resources, StatisticsOverrides, Tune
from vista_nb.spec.suggest import closest, did_you_mean, listed
from vista_nb.spec.yaml_nodes import Node
from vista_nb.units import parse_bytes

__all__ = ["read_mapping"]

_TYPES: dict[str, Callable[..., Any]] = {
    "resources": Resources,
    "plan": PlanChoice,
    "statistics": StatisticsOverrides,
}


def read_mapping(node: Node, name: str) -> tuple[object, dict[str, Position]]:
    """The typed value of YAML key `name`, and the place of each part under `name.part`."""
    key = find_key(name)
    assert key is not None
    entries = _distinct(_entries(node, key), key)
    positions = {f"{name}.{at.text}": value.at.position() for at, value in entries.values()}
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for at, value in entries.values():
        try:
            values[at.text] = _tune_part(value, at, key) if name == "tune" else _part(value, at, key)
        except BadValue as bad:
            problems.extend(bad.problems)
    if problems:
        raise BadValue(problems)
    return (_tune(values, node) if name == "tune" else _TYPES[name](**values)), positions


def _entries(node: Node, key: Key) -> tuple[tuple[Located, Node], ...]:
    if node.kind == "mapping":
        return node.entries
    if node.kind == "scalar" and node.value is None:
        raise node.at.bad("VST106", f"`{key.name}` is empty", f"for example `{key.name}: {key.example}`")
    raise node.at.bad("VST105", f"`{key.name}` is no mapping", f"for example `{key.name}: {key.example}`")


def _distinct(entries: tuple[tuple[Located, Node], ...], key: Key) -> Mapping[str, tuple[Located, Node]]:
    known: dict[str, tuple[Located, Node]] = {}
    problems = []
    for at, value in entries:
        if at.text in known:
            problems.append(at.problem("VST103", f"`{key.name}.{at.text}` is given twice", "keep one of them"))
        known.setdefault(at.text, (at, value))
    if problems:
        raise BadValue(problems)
    return known


def _part(node: Node, at: Located, key: Key) -> object:
    part = key.part(at.text)
    if part is None:
        raise _unknown_part(at, key)
    name = f"{key.name}.{part.name}"
    if part.kind == "mapping":
        return _spark_settings(node, name)
    if node.kind != "scalar":
        raise node.at.bad("VST105", f"`{name}` is one value, not a {node.kind}", part.help)
    return {"size": _size, "count": _count, "choice": _choice, "text": _text}[part.kind](node, part, name)


def _unknown_part(at: Located, key: Key) -> BadValue:
    names = [part.name for part in key.parts]
    name = at.text.split(":")[0]
    if name in names and ":" in at.text:
        hint = f"put a space after the colon: `{name}: {at.text[len(name) + 1 :]}`"
    else:
        hint = did_you_mean(at.text, names, f"`{key.name}` has")
    return at.bad("VST109", f"`{key.name}` has no part `{at.text}`", hint)


def _size(node: Node, part: Part, name: str) -> int:
    try:
        size = parse_bytes(node.value if isinstance(node.value, str | int | float) else node.at.text)
    except (ValueError, OverflowError):
        size = -1
    if size < part.least:
        hint = "write 8g, 32 GB or 512MiB"
        least = f" of at least {part.least} bytes" if size >= 0 else ""
        raise node.at.bad("VST105", f"`{name}` is a size{least}, not `{node.at.text}`", hint)
    return size


def _count(node: Node, part: Part, name: str) -> int:
    number = whole_of(node.value)
    if number is None or number < part.least:
        raise node.at.bad("VST105", f"`{name}` is a whole number of at least {part.least}, not `{node.at.text}`")
    return number


def _choice(node: Node, part: Part, name: str) -> str:
    word = str(node.value).strip().casefold().replace(" ", "_").replace("-", "_")
    if word not in part.choices:
        near = closest(word, part.choices)
        hint = f"did you mean `{near}`?" if near else f"one of: {listed(part.choices)}"
        raise node.at.bad("VST105", f"`{name}` cannot be `{node.at.text}`", hint)
    return word


def _text(node: Node, part: Part, name: str) -> str:
    if not isinstance(node.value, str) or not node.value:
        raise node.at.bad("VST105", f"`{name}` is text, not `{node.at.text}`", part.help)
    return node.value


def _spark_settings(node: Node, name: str) -> tuple[tuple[str, str], ...]:
    """Spark takes every value as text: `true`, `200`, `2g`."""
    if node.kind != "mapping":
        raise node.at.bad("VST105", f"`{name}` is no mapping", "for example {spark.sql.shuffle.partitions: 16}")
    wrong = [value for _, value in node.entries if value.kind != "scalar" or value.value is None]
    if wrong:
        raise BadValue([value.at.problem("VST105", f"`{name}`: each setting is one value") for value in wrong])
    return tuple((at.text, _setting(value.value)) for at, value in node.entries)


def _setting(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _tune_part(node: Node, at: Located, key: Key) -> object:
    """`folds`, or the values of one parameter."""
    if at.text == "folds":
        return _part(node, at, key)
    if node.kind != "list" or not node.items:
        hint = f"write `{at.text}: [{node.at.text or '0.01, 0.1'}]`" if node.kind == "scalar" else "write [a, b]"
        raise node.at.bad("VST105", f"`tune.{at.text}` is a list of values", hint)
    return tuple(_tune_value(item, at.text) for item in node.items)


def _tune_value(node: Node, name: str) -> Literal:
    if node.kind == "mapping":
        raise node.at.bad("VST105", f"`tune.{name}`: a value is a number, text, true, false or a list")
    if node.kind == "list":
        return tuple(_tune_value(item, name) for item in node.items)
    return node.value


def _tune(values: Mapping[str, Any], node: Node) -> Tune:
    grid = tuple((name, tuple(items)) for name, items in values.items() if name != "folds")
    if not grid:
        raise node.at.bad("VST105", "`tune` names no parameter", "for example {regParam: [0.01, 0.1], folds: 3}")
    return Tune(grid, values.get("folds", 3))
