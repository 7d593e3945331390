"""`%vista mistakes`: the held-out photos that a layer gets wrong, or that tell two layers apart.

Reads the words after the subcommand, returns a Gallery. May touch: the photo files. DESIGN.md section 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from vista_nb.errors import VistaUsageError
from vista_nb.magic_flags import SUBCOMMANDS
from vista_nb.views.gallery_view import Gallery

__all__ = ["run_mistakes"]

_FLAGS: Final = ("-n", "--run")


def run_mistakes(words: Sequence[str]) -> Gallery:
    """No layer: the best one. Two layers: where only one of them is right. Raises VistaUsageError."""
    from vista_nb import session

    layers, given = _parts(words)
    if len(layers) > 2:
        raise VistaUsageError("VST003", f"%vista mistakes: nothing known about {layers[2]!r}", SUBCOMMANDS["mistakes"])
    result = session.show(given.get("--run"))
    photos = {} if "-n" not in given else {"n": _count(given["-n"])}
    if len(layers) == 2:
        return result.compare_layers(layers[0], layers[1], **photos)
    return result.mistakes(layers[0] if layers else None, **photos)


def _parts(words: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Layers, and the values of flags (`-n 8`, `-n=8`)."""
    layers: list[str] = []
    given: dict[str, str] = {}
    left = list(words)
    while left:
        word = left.pop(0)
        name, equals, value = word.partition("=")
        if name not in _FLAGS:
            if word.startswith("-"):
                raise VistaUsageError("VST001", f"unknown flag {word!r}", SUBCOMMANDS["mistakes"])
            layers.append(word)
        elif equals or left:
            given[name] = value if equals else left.pop(0)
        else:
            raise VistaUsageError("VST003", f"{name} needs a value", SUBCOMMANDS["mistakes"])
    return layers, given


def _count(text: str) -> int:
    if not text.isdigit():
        raise VistaUsageError("VST003", f"-n {text}: how many photos to show", "a whole number, such as -n 12")
    return int(text)
