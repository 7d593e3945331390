"""Inserts notebook variables: `{{x}}` in a value becomes the variable's text.

Reads a value and the notebook's names, returns the value with the texts in place. May touch: nothing; a variable is
turned to text, never called. DESIGN.md section 3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from os import PathLike, fspath

from vista_nb.errors import Problem
from vista_nb.spec.located import Located
from vista_nb.spec.suggest import closest

__all__ = ["insert_variables"]

_BRACES = re.compile(r"\{\{(.*?)\}\}")


def insert_variables(value: Located, variables: Mapping[str, object]) -> tuple[Located, tuple[Problem, ...]]:
    """`value` with every `{{x}}` replaced; inserted characters keep the place of the braces."""
    result, problems, done = value[:0], [], 0
    for match in _BRACES.finditer(value.text):
        piece = value[match.start() : match.end()]
        text, problem = _text_of(piece, match.group(1).strip(), variables)
        if problem is not None:
            problems.append(problem)
        result = result + value[done : match.start()] + piece.standing_for(text)
        done = match.end()
    return (result + value[done:] if done else value), tuple(problems)


def _text_of(piece: Located, name: str, variables: Mapping[str, object]) -> tuple[str, Problem | None]:
    if not name.isidentifier():
        hint = "compute it in a cell above, give it a name, and write {{name}}"
        return "", piece.problem("VST111", f"`{piece.text}` must hold the name of one variable", hint)
    if name not in variables:
        near = closest(name, [known for known in variables if not known.startswith("_")])
        hint = f"did you mean {{{{{near}}}}}?" if near else "run the cell that defines it"
        return "", piece.problem("VST111", f"no variable `{name}` is defined", hint)
    text = _as_text(variables[name])
    if text is None:
        kind = type(variables[name]).__name__
        hint = f"to use the object itself write `${name}`"
        return "", piece.problem("VST111", f"`{name}` is a {kind}, which has no text to insert", hint)
    return text, None


def _as_text(value: object) -> str | None:
    """Numbers and text as they are, lists as `[a, b]`; None for tables, models and the like."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | PathLike):
        path = fspath(value)
        return path if isinstance(path, str) else None
    if isinstance(value, list | tuple):
        items = [_as_text(item) for item in value]
        return None if None in items else "[" + ", ".join(_quoted(item) for item in items if item is not None) + "]"
    # numpy's numbers are no int or float, but print as one
    text = str(value)
    return text if re.fullmatch(r"[-+]?(\d[\d.]*(e[-+]?\d+)?|inf|nan)", text) else None


def _quoted(item: str) -> str:
    """An item that holds a character of the list grammar goes into quotes."""
    if not re.search(r"[\[\]{},'\"#]|^\s|\s$|^$", item):
        return item
    return '"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"'
