"""Did you mean: the known name nearest to an unknown one.

Reads names, returns text. May touch: nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["closest", "did_you_mean", "listed"]

_LEAST, _START = 0.6, 0.15


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that looks most like `name`, whatever the case; None where nothing is near."""
    scores = {candidate: _likeness(name.casefold(), candidate.casefold()) for candidate in known}
    best = max(scores, key=lambda candidate: scores[candidate], default=None)
    return best if best is not None and scores[best] >= _LEAST else None


def _likeness(name: str, candidate: str) -> float:
    """The ratio of difflib; one word that begins with the other counts for more."""
    from difflib import SequenceMatcher  # imported only for mistakes

    is_start = min(len(name), len(candidate)) >= 2 and (name.startswith(candidate) or candidate.startswith(name))
    return SequenceMatcher(None, name, candidate).ratio() + (_START if is_start else 0.0)


def did_you_mean(name: str, known: Sequence[str], what: str = "known") -> str:
    """The hint for an unknown name: the nearest one, else all of them."""
    near = closest(name, known)
    return f"did you mean `{near}`?" if near else f"{what}: {listed(known)}"


def listed(names: Sequence[str], limit: int = 12) -> str:
    """`a, b, c, ... (20 in all)`."""
    shown = ", ".join(names[:limit])
    return f"{shown}, ... ({len(names)} in all)" if len(names) > limit else shown
