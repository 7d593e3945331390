"""Plain values: quoted or bare text, whole numbers, fractions, yes or no, one of several words.

Reads a located text, returns the typed value or raises BadValue. May touch: nothing. DESIGN.md section 3: literal keys
are taken as written, then converted to the key's type; whole floats such as `1e10` count as integers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from vista_nb.spec.located import Located
from vista_nb.spec.scan import quote_end
from vista_nb.spec.suggest import closest, listed

__all__ = ["boolean", "choice", "fraction", "is_quoted", "text", "whole_number", "whole_of"]


def text(value: Located, key: str) -> str:
    """The text without its quotes; a doubled single quote, and an escaped double one, stand for one."""
    raw = value.text
    if raw[:1] in ("'", '"'):
        if not is_quoted(value):
            raise value.bad("VST107", f"`{key}`: the quote is not closed, or text follows it", "quote the whole value")
        inner = raw[1:-1]
        return inner.replace("''", "'") if raw[0] == "'" else re.sub(r'\\(["\\])', r"\1", inner)
    return raw


def is_quoted(value: Located) -> bool:
    """Whether quotes enclose the whole value."""
    return bool(value.text) and quote_end(value.text, 0) == len(value.text)


def choice(value: Located, key: str, choices: Sequence[str]) -> str:
    """One of the words, whatever the case and the white space between two of them."""
    wanted = " ".join(text(value, key).split()).casefold()
    for candidate in choices:
        if wanted == candidate.casefold():
            return candidate
    near = closest(wanted, choices)
    hint = f"did you mean `{near}`?" if near else f"one of: {listed(choices)}"
    raise value.bad("VST105", f"`{key}` cannot be `{value.text}`" if not near else f"`{key}`: no `{value.text}`", hint)


def boolean(value: Located, key: str) -> bool:
    word = text(value, key).casefold()
    if word not in ("true", "false"):
        meant = {"yes": "true", "on": "true", "1": "true", "no": "false", "off": "false", "0": "false"}.get(word)
        hint = f"write `{key}: {meant}`" if meant else "write `true` or `false`"
        raise value.bad("VST105", f"`{key}` is true or false, not `{value.text}`", hint)
    return word == "true"


def whole_number(value: Located, key: str, least: int) -> int:
    """A whole number of at least `least`; `1e10` and `3.0` are whole."""
    number = whole_of(_number(value, key))
    if number is None or number < least:
        raise value.bad("VST105", f"`{key}` is a whole number of at least {least}, not `{value.text}`")
    return number


def fraction(value: Located, key: str) -> float:
    """A number between 0 and 1, both left out."""
    number = _number(value, key)
    if number is None or not 0 < number < 1:
        hint = "0.2 holds out a fifth of the rows"
        raise value.bad("VST105", f"`{key}` is a number between 0 and 1, not `{value.text}`", hint)
    return float(number)


def whole_of(number: object) -> int | None:
    """The number as an int where it is whole; None for anything else, booleans too."""
    if isinstance(number, bool) or not isinstance(number, int | float):
        return None
    if isinstance(number, float) and not number.is_integer():
        return None  # inf and nan are not whole either
    return int(number)


def _number(value: Located, key: str) -> int | float | None:
    word = text(value, key)
    if re.fullmatch(r"[-+]?\d{1,300}", word):
        return int(word)
    try:
        return float(word)
    except ValueError:
        return None
