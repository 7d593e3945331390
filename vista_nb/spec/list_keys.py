"""The list keys: images, features, layers.

Reads the items of a list value, returns the key's typed value or raises BadValue. May touch: nothing. DESIGN.md
section 3: `top 5`, `a..b`, `all` are literals, items stay text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from vista_nb.errors import Problem
from vista_nb.spec.lists import Items
from vista_nb.spec.literals import text
from vista_nb.spec.located import BadValue, Located
from vista_nb.spec.model import FeatureColumn, ImageSource, LayerChoice

__all__ = ["LISTS"]

_T = TypeVar("_T")
_GLOB = re.compile(r"[*?\[]")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def _images(items: Items) -> tuple[ImageSource, ...]:
    return tuple(_each(items, _image))


def _each(items: Items, read: Callable[[Located], _T]) -> list[_T]:
    """Every item read; the problems of all items together."""
    values: list[_T] = []
    problems: list[Problem] = []
    for item in items.items:
        try:
            values.append(read(item))
        except BadValue as bad:
            problems.extend(bad.problems)
    if problems:
        raise BadValue(problems)
    return values


def _image(item: Located) -> ImageSource:
    word = text(item, "images")
    if word.startswith("$"):
        return ImageSource(word, "variable")
    if re.search(r"[{}]", _PLACEHOLDER.sub("", word)) or any(not name.strip() for name in _PLACEHOLDER.findall(word)):
        raise item.bad("VST107", f"`images`: braces of `{word}` do not close round a column", "write {id}")
    if _PLACEHOLDER.search(word):
        return ImageSource(word, "pattern")
    return ImageSource(word, "glob" if _GLOB.search(word) else "folder_or_column")


def _features(items: Items) -> tuple[FeatureColumn, ...] | None:
    if not items.is_list and items.items[0].text == "all":
        return None
    return tuple(_each(items, _feature))


def _feature(item: Located) -> FeatureColumn:
    match = re.fullmatch(r"(.*\S)\s*:\s*category", item.text)
    name = text(item[: match.end(1)] if match else item, "features")
    return FeatureColumn(name, category=match is not None)


def _layers(items: Items) -> LayerChoice:
    if items.is_list:
        several = [item for item in items.items if ".." in item.text or re.match(r"(top\s+\d+|all)$", item.text)]
        if several:
            hint = "write it alone, or list the names"
            raise BadValue([i.problem("VST105", f"`layers`: `{i.text}` is no item of a list", hint) for i in several])
        return LayerChoice("names", names=tuple(text(item, "layers") for item in items.items))
    return _layer_literal(items.items[0])


def _layer_literal(value: Located) -> LayerChoice:
    word = text(value, "layers")
    if word in ("all", "default"):
        return LayerChoice(word)
    if re.match(r"top\b", word):
        match = re.fullmatch(r"top\s+(\d{1,6})", word)
        if match is None or int(match.group(1)) < 1:
            raise value.bad("VST105", f"`layers`: `{word}` is no `top k`", "for example `layers: top 5`")
        return LayerChoice("top", count=int(match.group(1)))
    if ".." in word:
        ends = [end.strip() for end in word.split("..")]
        if len(ends) != 2 or not all(ends):
            raise value.bad("VST105", f"`layers`: `{word}` is no range", "write two names: `conv5_1..fc6`")
        return LayerChoice("range", names=(ends[0], ends[1]))
    if "," in word or " " in word:
        names = ", ".join(word.replace(",", " ").split())
        raise value.bad("VST105", f"`layers`: `{word}` is not one layer", f"write `layers: [{names}]`")
    return LayerChoice("names", names=(word,))


LISTS: dict[str, Callable[[Items], object]] = {"images": _images, "features": _features, "layers": _layers}
