"""YAML text as a tree that keeps places: the values of tune, resources, plan, statistics.

Reads a located text (YAML 1.2) or the Python mapping of a dict source, returns Node or raises BadValue. May touch:
ruamel.yaml, imported when the first such key is read. Only plain scalars, lists and mappings: tags and aliases are
refused, so no object is ever built. DESIGN.md section 3.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vista_nb.spec.located import BadValue, Located

if TYPE_CHECKING:
    from ruamel.yaml.nodes import Node as YamlNode

__all__ = ["Node", "node_of", "read_node", "with_part"]

Scalar = None | bool | int | float | str
_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class Node:
    """kind `scalar`: `value`, and `at` as written; `list`: `items`; `mapping`: `entries` of (key, node)."""

    kind: str
    at: Located
    value: Scalar = None
    items: tuple[Node, ...] = ()
    entries: tuple[tuple[Located, Node], ...] = ()


def read_node(text: Located, key: str) -> Node:
    """The tree of one value; an empty text is the scalar None."""
    import ruamel.yaml
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        root = ruamel.yaml.YAML(typ="safe", pure=True).compose(text.text)
    except MarkedYAMLError as error:
        raise _unreadable(text, key, error.problem_mark.index if error.problem_mark else 0, error.problem) from None
    except (YAMLError, RecursionError, ValueError) as error:
        raise _unreadable(text, key, 0, str(error).splitlines()[0] if str(error) else None) from None
    return Node("scalar", text[:0]) if root is None else _node(root, text, key, ())


def _unreadable(text: Located, key: str, index: int, reason: str | None) -> BadValue:
    index = min(index, max(len(text.text) - 1, 0))
    hint = "quote values that hold [ ] { } , and close every bracket"
    if text.text[index : index + 1] == "\t":
        hint = "indent with spaces, YAML knows no tabs"
    return text[index : index + 1].bad("VST108", f"`{key}` is no readable YAML: {reason or 'cannot be read'}", hint)


def _node(yaml: YamlNode, text: Located, key: str, path: tuple[int, ...]) -> Node:
    at = text[yaml.start_mark.index : yaml.end_mark.index].strip()
    kind = str(yaml.tag).removeprefix(_TAG)
    if id(yaml) in path or yaml.anchor is not None:
        raise at.bad("VST108", f"`{key}`: anchors and aliases are not used here", "write the value out")
    path = (*path, id(yaml))
    if kind == "map":
        pairs = [(_node(k, text, key, path), _node(v, text, key, path)) for k, v in yaml.value]
        return Node("mapping", at, entries=tuple((_name(k, key), v) for k, v in pairs))
    if kind == "seq":
        return Node("list", at, items=tuple(_node(item, text, key, path) for item in yaml.value))
    if text.text[yaml.start_mark.index : yaml.start_mark.index + 1] == "!" or not isinstance(yaml.value, str):
        raise at.bad("VST108", f"`{key}`: tags are not used here", "write plain values")
    return Node("scalar", at, _scalar(kind, yaml.value))


def _name(node: Node, key: str) -> Located:
    if node.kind != "scalar":
        raise node.at.bad("VST108", f"`{key}`: a name is plain text", "write `name: value`")
    return node.at.standing_for(str(node.value)) if isinstance(node.value, str) else node.at


def _scalar(kind: str, text: str) -> Scalar:
    """YAML 1.2's core types; whole floats stay floats here, the key's type decides."""
    if kind == "null":
        return None
    if kind == "bool":
        return text.casefold() == "true"
    plain = text.replace("_", "")
    if kind == "int" and re.fullmatch(r"[-+]?(0x[0-9a-fA-F]+|0o[0-7]+|\d+)", plain) and len(plain) <= 300:
        return int(plain) if re.fullmatch(r"[-+]?\d+", plain) else int(plain, 0)
    if kind == "float":
        with contextlib.suppress(ValueError):
            return float(plain.replace(".inf", "inf").replace(".nan", "nan").replace(".NaN", "nan"))
    return text


def node_of(value: object, key: str) -> Node:
    """The same tree from a dict source's Python value."""
    at = Located.of(str(value))
    if isinstance(value, Mapping):
        return Node("mapping", at, entries=tuple((Located.of(str(k)), node_of(v, key)) for k, v in value.items()))
    if isinstance(value, list | tuple):
        return Node("list", at, items=tuple(node_of(item, key) for item in value))
    if value is None or isinstance(value, bool | int | float | str):
        return Node("scalar", at, value)
    raise at.bad("VST105", f"`{key}` holds a {type(value).__name__}", "use numbers, text, lists and dicts")


def with_part(node: Node, name: str, part: Node) -> Node:
    """The mapping with one part set or replaced; `spark.KEY` goes one level down, a Spark key has dots itself."""
    head, _, rest = name.partition(".")
    entries = node.entries
    if rest:
        inner = next((value for at, value in entries if at.text == head), Node("mapping", part.at))
        part = _set(inner, rest, part)
    return _set(node, head, part)


def _set(node: Node, name: str, part: Node) -> Node:
    kept = tuple((at, value) for at, value in node.entries if at.text != name)
    return Node("mapping", node.at, entries=(*kept, (Located.of(name), part)))
