"""`%vista mistakes`: the held-out photos that a layer gets wrong, or that tell two layers apart.

Reads the words after the subcommand, returns a Gallery. May touch: the photo files. DESIGN.md section 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from vista_nb.command_words import names_and_flags
from vista_nb.errors import VistaUsageError
from vista_nb.views.gallery_view import Gallery

__all__ = ["run_mistakes"]

_FLAGS: Final = ("-n", "--run")


def run_mistakes(words: Sequence[str]) -> Gallery:
    """No layer: the best one. Two layers: where only one of them is right. Raises VistaUsageError."""
    from vista_nb import session

    layers, given = names_and_flags("mistakes", words, _FLAGS, most=2)
    result = session.show(given.get("--run"))
    photos = {} if "-n" not in given else {"n": _count(given["-n"])}
    if len(layers) == 2:
        return result.compare_layers(layers[0], layers[1], **photos)
    return result.mistakes(layers[0] if layers else None, **photos)


def _count(text: str) -> int:
    if not text.isdigit():
        raise VistaUsageError("VST003", f"-n {text}: how many photos to show", "a whole number, such as -n 12")
    return int(text)
