"""Plans, outcomes and panel states as JSON and back, without pickle: what a saved run is made of.

Reads frozen dataclasses of the modules named here, returns plain values that `json` writes, and the other way round.
May touch: nothing. Every container is a tuple; a class is named by its name and must be one of those modules', so a
file can make nothing else. A field that a newer version added takes its default, one that it dropped is left out.
"""

from __future__ import annotations

import dataclasses
from enum import Enum
from functools import cache
from typing import Any

from vista_nb.outcome import events, scores, tuning
from vista_nb.plan import candidate, logical, memory, physical
from vista_nb.views import state

__all__ = ["from_plain", "to_plain"]

_CLASS, _VALUE = "class", "value"


@cache
def _known() -> dict[str, type]:
    """The dataclasses and enumerations that may stand in a file, by name."""
    modules = (events, scores, tuning, candidate, logical, memory, physical, state)
    found = {name: made for module in modules for name, made in vars(module).items() if isinstance(made, type)}
    return {name: made for name, made in found.items() if dataclasses.is_dataclass(made) or issubclass(made, Enum)}


def to_plain(value: Any) -> Any:
    """None, bool, int, float, str, lists and mappings only. Raises ValueError for a value of another kind."""
    if isinstance(value, Enum):
        return {_CLASS: type(value).__name__, _VALUE: value.value}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    if dataclasses.is_dataclass(value) and type(value).__name__ in _known():
        fields = {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {_CLASS: type(value).__name__, **fields}
    if hasattr(value, "item"):  # a number of numpy's
        return to_plain(value.item())
    raise ValueError(f"a {type(value).__name__} cannot be saved")


def from_plain(plain: Any) -> Any:
    """The value again, lists as tuples. Raises ValueError for what `to_plain` has not made."""
    if isinstance(plain, list):
        return tuple(from_plain(item) for item in plain)
    if not isinstance(plain, dict):
        return plain
    made: Any = _known().get(str(plain.get(_CLASS)))
    if made is None:
        raise ValueError(f"no class {plain.get(_CLASS)!r} is known")
    if issubclass(made, Enum):
        return made(plain.get(_VALUE))
    names = {field.name for field in dataclasses.fields(made) if field.init}
    fields = {name: from_plain(value) for name, value in plain.items() if name in names}
    try:
        return made(**fields)
    except TypeError as error:  # a field without a default is missing
        raise ValueError(str(error)) from error
