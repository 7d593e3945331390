"""Candidates for the value of a key: one function per key that needs the world, the key's own words for the others.

Reads a Place and a World, returns (fragment, kind, candidates). May touch: nothing but the World. DESIGN.md section 3.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from vista_nb.completion.place import Place
from vista_nb.completion.world import World
from vista_nb.spec.keys import KEYS, METRICS, Key, find_key

__all__ = ["Choices", "Fitting", "layer_choices", "set_choices", "value_choices"]

Choices = tuple[str, str, Sequence[str]]


class Fitting(list[str]):
    """Candidates that fit already, whatever they begin with."""


_TABLE_FILES = (".csv", ".tsv", ".parquet", ".pq", ".json", ".jsonl", ".ndjson")
_WEIGHT_FILES = (".keras", ".h5", ".npy", ".npz")


def value_choices(place: Place, world: World) -> Choices:
    """For the value that the cursor is in; a key that does not exist has no candidates."""
    key = find_key(place.key)
    if key is None:
        return place.before.lstrip(), "text", ()
    if key.name in _BY_KEY:
        return _BY_KEY[key.name](place, world)
    if key.parts:
        return _parts(key, place, world)
    text = place.before.lstrip()
    if key.name == "metric" and place.given.get("task") in METRICS:
        return text, "value", METRICS[place.given["task"]]
    return text, "value", key.choices or tuple(dict.fromkeys(w for w in (key.default, key.example) if w))


def layer_choices(place: Place, world: World) -> Choices:
    """`top k` and `all` where the value begins, names in a list and on both sides of `..`."""
    item = _item(place.before)
    names = world.layers(place.given.get("cnn", ""))
    low, dots, _high = item.rpartition("..")
    if dots:
        return item, "layer", [f"{low}..{name}" for name in names]
    begun = {name.strip() for name in re.split(r"[\[\],\n]|- ", place.before)}
    if place.before.strip() != item.strip():  # in a list
        return item, "layer", [name for name in names if name == item or name not in begun]
    return item, "layer", ("top 3", "top 5", "all", *names)


def set_choices(text: str, place: Place, world: World) -> Choices:
    """`--set`: `plan.cpu=`, then what the key or the part may be."""
    path, equals, value = text.partition("=")
    name, _, inner = path.partition(".")
    key = find_key(name)
    if equals and key is not None:
        part = key.part(inner) if inner else None
        inside = Place("value", value, name, place.given)
        words = part.choices if part is not None else value_choices(inside, world)[2]
        return text, "value", [f"{path}={word}" for word in words]
    parts = [f"{key.name}.{part.name}=" for key in KEYS for part in key.parts]
    return text, "key", [*(f"{key.name}=" for key in KEYS if not key.parts), *parts]


def _item(value: str) -> str:
    """The item of a list that the cursor is in, or the whole value."""
    last = re.split(r"[\[,\n]", value)[-1].lstrip()
    return last[2:].lstrip() if last.startswith("- ") else "" if last == "-" else last


def _dollars(names: Sequence[str]) -> list[str]:
    return [f"${name}" for name in names]


def _structured(place: Place, world: World) -> Choices:
    text = place.before.lstrip()
    names = _dollars(world.variables("table"))
    return text, "table", names if text.startswith("$") else [*names, *world.paths(text, _TABLE_FILES)]


def _images(place: Place, world: World) -> Choices:
    item = _item(place.before)
    braces = re.search(r"\{(\w*)$", item)
    if braces:
        return braces[0], "column", [f"{{{name}}}" for name in _columns(place, world)]
    return item, "path", [*world.paths(item), *_columns(place, world)]


def _columns(place: Place, world: World) -> tuple[str, ...]:
    return world.columns(place.given.get("structured", ""))


def _column(place: Place, world: World) -> Choices:
    return place.before.lstrip(), "column", _columns(place, world)


def _features(place: Place, world: World) -> Choices:
    item = _item(place.before)
    name, colon, _ = item.partition(":")
    if colon:
        return item, "column", [f"{name.strip()}:category"]
    taken = {word.strip().partition(":")[0] for word in re.split(r"[\[\],\n]|- ", place.before)} - {item}
    taken |= {place.given.get("on", "id").strip(), place.given.get("label", "").strip()}
    listed = "[" in place.before or "-" in place.before
    return (
        item,
        "column",
        [*(name for name in _columns(place, world) if name not in taken), *(() if listed else ["all"])],
    )


def _cnn(place: Place, world: World) -> Choices:
    text = place.before.lstrip()
    models = _dollars(world.variables("cnn"))
    return text, "cnn", models if text.startswith("$") else [*world.cnns(), *models, *world.paths(text, (".keras",))]


def _weights(place: Place, world: World) -> Choices:
    text = place.before.lstrip()
    return text, "weights", ["imagenet", "random", "bundled", "own", *world.paths(text, _WEIGHT_FILES)]


def _model(place: Place, world: World) -> Choices:
    """Estimators, then the parameters that are not given yet; inside an inner call, its own."""
    text = place.before.lstrip()
    name, inside = _open_call(text)
    if name:
        fragment = re.split(r"[,(\[]", inside)[-1].lstrip()
        if "=" in fragment:
            parameter, _, word = fragment.partition("=")
            inner = world.inner_estimators(name, parameter.strip())
            return word.lstrip(), "value", [f"{each}(" for each in inner] or ("True", "False", "None")
        taken = set(re.findall(r"(\w+)\s*=", inside))
        return fragment, "parameter", [f"{p}=" for p in world.parameters(name) if p not in taken]
    if text.startswith("$"):
        return text, "model", _dollars(world.variables("model"))
    names = [f"{estimator}(" for estimator in world.estimators()]
    bare = [each for each in names if text and each.rpartition(".")[2].casefold().startswith(text.casefold())]
    return (text, "model", [*names, *_dollars(world.variables("model"))]) if not bare else _bare(text, names, bare)


def _open_call(text: str) -> tuple[str, str]:
    """(the call whose brackets the cursor is in, what stands in them); the name is empty outside of any."""
    opened: list[int] = []
    for place, sign in enumerate(re.sub(r"'[^']*'|\"[^\"]*\"", lambda quoted: "x" * len(quoted[0]), text)):
        if sign == "(":
            opened.append(place)
        elif sign == ")" and opened:
            opened.pop()
    while opened:
        name = re.search(r"[\w.$]+$", text[: opened[-1]])
        if name:
            return name[0], text[opened[-1] + 1 :]
        opened.pop()  # a bracket of a pair: ('a', ...
    return "", ""


def _bare(text: str, names: Sequence[str], bare: Sequence[str]) -> Choices:
    """`Logi` means both libraries' LogisticRegression."""
    starting = [name for name in names if name.casefold().startswith(text.casefold())]
    return text, "model", Fitting([*starting, *(name for name in bare if name not in starting)])


def _tune(place: Place, world: World) -> Choices:
    fragment, value_of = _mapping_word(place.before)
    if value_of:
        return fragment, "value", ("[0.01, 0.1]",) if value_of != "folds" else ("3", "5")
    estimator = place.given.get("model", "LogisticRegression").partition("(")[0]
    opened = "" if _is_open(place.before) else "{"
    return fragment, "parameter", [f"{opened}{name}: " for name in (*world.parameters(estimator), "folds")]


def _parts(key: Key, place: Place, world: World) -> Choices:
    """A part's name, or its value, in `{...}` and in indented lines alike."""
    fragment, value_of = _mapping_word(place.before)
    if not value_of:
        taken = set(re.findall(r"(\w+)\s*:", place.before))
        opened = "" if _is_open(place.before) else "{"
        return fragment, "part", [f"{opened}{part.name}: " for part in key.parts if part.name not in taken]
    if (key.name, value_of) in (("plan", "start"), ("plan", "materialize")):
        first = ["images"] if value_of == "start" else []
        return fragment, "layer", [*first, *world.layers(place.given.get("cnn", ""))]
    part = key.part(value_of)
    examples = {"size": ("8GB", "32GB"), "count": ("1", "2", "4", "8"), "text": ("local[2]",)}
    return fragment, "value", part.choices or examples.get(part.kind, ()) if part is not None else ()


def _mapping_word(value: str) -> tuple[str, str]:
    """(what is being typed, the name whose value it is or empty)."""
    piece = re.split(r"[{,\n]", value)[-1].lstrip()
    name, colon, word = piece.partition(":")
    return (word.lstrip(), name.strip()) if colon else (piece, "")


def _is_open(value: str) -> bool:
    """Whether `{`, or a line of its own, has begun the mapping."""
    return "{" in value or "\n" in value


_BY_KEY: Final[dict[str, Callable[[Place, World], Choices]]] = {
    "structured": _structured,
    "images": _images,
    "on": _column,
    "label": _column,
    "features": _features,
    "cnn": _cnn,
    "weights": _weights,
    "layers": layer_choices,
    "model": _model,
    "tune": _tune,
}
