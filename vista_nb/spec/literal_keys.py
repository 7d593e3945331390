"""The literal keys: structured, on, label, cnn, weights, pool, views, reduce, task, metric, test, folds, seed, ...

Reads one folded text, returns the key's typed value or raises BadValue. May touch: nothing. DESIGN.md section 3.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from vista_nb.spec.keys import find_key
from vista_nb.spec.literals import boolean, choice, fraction, is_quoted, text, whole_number
from vista_nb.spec.located import Located
from vista_nb.spec.model import BadImages, DataSource, Pooling, Precision, Task

__all__ = ["LITERALS"]

_VARIABLE_HINT = "`$` is followed by the name of one notebook variable"


def _structured(value: Located) -> DataSource:
    word = text(value, "structured")
    if word.startswith("$"):
        if not word[1:].isidentifier():
            raise value.bad("VST105", f"`structured`: `{word}` is no variable", _VARIABLE_HINT)
        return DataSource(word, "variable")
    return DataSource(word, "either" if word.isidentifier() and not is_quoted(value) else "path")


def _name(key: str) -> Callable[[Located], str]:
    def read(value: Located) -> str:
        word = text(value, key)
        if not word:
            raise value.bad("VST106", f"`{key}` is empty")
        if word.startswith("$") and key == "cnn" and not word[1:].isidentifier():
            raise value.bad("VST105", f"`cnn`: `{word}` is no variable", _VARIABLE_HINT)
        return word

    return read


def _pool(value: Located) -> Pooling:
    if re.fullmatch(r"max\s*2\s*[x×]\s*2", value.text, re.IGNORECASE):
        return Pooling.MAX_2X2
    return Pooling(choice(value, "pool", [pooling.value for pooling in Pooling]))


def _reduce(value: Located) -> int | None:
    word = text(value, "reduce").casefold()
    match = re.fullmatch(r"pca\s+(\d{1,9})", word)
    if word != "none" and (match is None or int(match.group(1)) < 1):
        raise value.bad("VST105", f"`reduce` is `none` or `pca K`, not `{value.text}`", "for example `reduce: pca 64`")
    return int(match.group(1)) if match else None


def _words(key: str) -> Callable[[Located], str]:
    def read(value: Located) -> str:
        found = find_key(key)
        assert found is not None
        return choice(value, key, found.choices)

    return read


LITERALS: dict[str, Callable[[Located], object]] = {
    "structured": _structured,
    "on": _name("on"),
    "label": _name("label"),
    "cnn": _name("cnn"),
    "weights": _name("weights"),
    "preprocessing": _words("preprocessing"),
    "pool": _pool,
    "views": _words("views"),
    "reduce": _reduce,
    "task": lambda value: Task(_words("task")(value)),
    "metric": _words("metric"),
    "test": lambda value: fraction(value, "test"),
    "folds": lambda value: None if value.text == "none" else whole_number(value, "folds", 2),
    "seed": lambda value: whole_number(value, "seed", 0),
    "baseline": lambda value: boolean(value, "baseline"),
    "bad_images": lambda value: BadImages(_words("bad_images")(value)),
    "precision": lambda value: Precision(_words("precision")(value)),
}
