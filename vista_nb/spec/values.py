"""One reader for every key: from its entry to the typed value that `Spec` holds, with the places of its parts.

Reads an entry, returns its value or raises BadValue. May touch: nothing (YAML keys import their reader on use).
DESIGN.md section 3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from vista_nb.spec.estimator_call import read_call, read_literal
from vista_nb.spec.keys import Key, find_key
from vista_nb.spec.list_keys import LISTS
from vista_nb.spec.lists import Items, read_items
from vista_nb.spec.literal_keys import LITERALS
from vista_nb.spec.located import Located
from vista_nb.spec.model import EstimatorCall, Position
from vista_nb.spec.splitter import Entry

__all__ = ["Value", "read_value"]

_OBJECTS = ("structured", "cnn")  # keys that take an object of the notebook, by its name


@dataclass(frozen=True)
class Value:
    """What one key says. positions: of its parts (`layers[0]`, `model.regParam`, `plan.cpu`)."""

    value: object
    positions: Mapping[str, Position]


def read_value(entry: Entry, key: Key) -> Value:
    """The typed value of one entry; BadValue holds everything wrong with it."""
    if key.kind == "yaml":
        return _yaml_value(entry, key)
    _refuse_indented_keys(entry)
    if key.name == "model":
        return _model_value(entry, key)
    if entry.parts:
        raise entry.parts[0][1].bad("VST109", f"`{key.name}` has no parts", f"set `{key.name}` itself")
    if key.kind == "list":
        items = _items(entry, key)
        positions = {f"{key.name}[{i}]": item.position() for i, item in enumerate(items.items)}
        return Value(LISTS[key.name](items), positions)
    return Value(LITERALS[key.name](_literal_text(entry, key)), {})


def _refuse_indented_keys(entry: Entry) -> None:
    """A key indented by mistake would silently become part of the value above it."""
    for line in entry.value.lines()[1:]:
        name = line.text.partition(":")[0]
        if re.match(r"\w+:(\s|$)", line.text) and find_key(name):
            hint = f"`{name}` would belong to `{entry.name}`; write it at the start of the line"
            raise line[: len(name)].bad("VST101", f"the key `{name}` is indented", hint)


def _literal_text(entry: Entry, key: Key) -> Located:
    if entry.data is not None:
        hint = "hand the object over by its variable's name: `$name`" if key.name in _OBJECTS else _example(key)
        raise entry.key.bad("VST105", f"`{key.name}` is one value, not a {type(entry.data).__name__}", hint)
    value = entry.value.folded()
    if not value:
        raise entry.key.bad("VST106", f"`{key.name}` has no value", _example(key))
    return value


def _example(key: Key) -> str:
    return f"for example `{key.name}: {key.example}`"


def _items(entry: Entry, key: Key) -> Items:
    if isinstance(entry.data, list | tuple):
        wrong = [item for item in entry.data if not isinstance(item, str) or not item.strip()]
        if wrong:
            raise entry.key.bad("VST105", f"`{key.name}`: an item is text, not {wrong[0]!r}", _example(key))
        return _not_empty(Items(tuple(Located.of(item.strip()) for item in entry.data), True), entry, key)
    if entry.data is not None:
        raise entry.key.bad(
            "VST105", f"`{key.name}` is text or a list, not a {type(entry.data).__name__}", _example(key)
        )
    if not entry.value.strip():
        raise entry.key.bad("VST106", f"`{key.name}` has no value", _example(key))
    return _not_empty(read_items(entry.value, key.name), entry, key)


def _not_empty(items: Items, entry: Entry, key: Key) -> Items:
    """Only features may be none at all: the photo alone."""
    if not items.items and key.name != "features":
        raise (entry.value or entry.key).bad("VST106", f"`{key.name}` is an empty list", _example(key))
    return items


def _model_value(entry: Entry, key: Key) -> Value:
    if entry.data is not None:
        hint = "write the call as text, or `$name` for a notebook variable"
        raise entry.key.bad("VST105", f"`model` is text, not a {type(entry.data).__name__}", hint)
    if not entry.value.strip():
        raise entry.key.bad("VST106", "`model` has no value", _example(key))
    call, positions = read_call(entry.value)
    for name, value in entry.parts:
        call = _with_parameter(call, name, value)
    return Value(call, positions)


def _with_parameter(call: EstimatorCall, name: str, value: Located) -> EstimatorCall:
    parameters = dict(call.parameters) | {name: read_literal(value, f"model.{name}")}
    return replace(call, parameters=tuple(parameters.items()))


def _yaml_value(entry: Entry, key: Key) -> Value:
    from vista_nb.spec.yaml_keys import read_mapping
    from vista_nb.spec.yaml_nodes import node_of, read_node, with_part

    node = node_of(entry.data, key.name) if entry.data is not None else read_node(entry.value, key.name)
    for name, text in entry.parts:
        node = with_part(node, name, read_node(text, f"{key.name}.{name}"))
    if node.kind == "scalar" and node.value is None:
        raise entry.key.bad("VST106", f"`{key.name}` has no value", _example(key))
    value, positions = read_mapping(node, key.name)
    return Value(value, positions)
