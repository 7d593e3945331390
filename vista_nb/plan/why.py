"""Which plans came close, and what to say of them.

Reads a plan, returns candidates and sentences. May touch: nothing. Of the many points of the space people want to
see few: the best of each other materialization, and the best with each other decision made otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vista_nb.plan.candidate import Candidate, Plan
from vista_nb.units import format_bytes, format_seconds

__all__ = ["candidate_words", "difference_words", "runners_up", "why_sentence", "why_sentences"]

_DECISIONS: tuple[tuple[str, Callable[[Candidate], Any]], ...] = (
    ("materialization", lambda c: c.logical.materialization),
    ("inference", lambda c: c.logical.inference),
    ("pooling", lambda c: c.logical.pooling),
    ("start_layer", lambda c: c.logical.start_layer),
    ("via", lambda c: c.logical.via),
    ("cpu", lambda c: c.physical.cpu),
    ("nodes", lambda c: c.physical.nodes),
    ("training", lambda c: c.physical.training),
    ("join", lambda c: c.physical.join),
    ("persistence", lambda c: c.physical.persistence),
    ("batch_size", lambda c: c.physical.batch_size),
)


def runners_up(plan: Plan, most: int = 12) -> tuple[Candidate, ...]:
    """Other candidates worth showing: for each decision the best candidate that decides it otherwise.

    Every other materialization is shown, and in `sigmod2020` every other x.
    """
    found: list[Candidate] = []
    for name, decision in _DECISIONS:
        every = name == "materialization" or (name == "cpu" and plan.profile == "sigmod2020")
        seen = [decision(plan.chosen)] if plan.chosen else []
        for candidate in plan.candidates:
            if decision(candidate) not in seen and (every or len(seen) < 2):
                seen.append(decision(candidate))
                if not any(candidate is other for other in found):
                    found.append(candidate)
    return tuple(found[:most])


def candidate_words(candidate: Candidate) -> str:
    """`staged, after join, pulled up; cpu 2, batch 32, broadcast, deserialized, driver`."""
    return f"{_logical_words(candidate)}; {', '.join(words for _, words in _physical_words(candidate))}"


def difference_words(candidate: Candidate, chosen: Candidate) -> str:
    """Only what is decided otherwise than in the chosen plan."""
    other = dict(_physical_words(chosen))
    words = [] if _logical_words(candidate) == _logical_words(chosen) else [_logical_words(candidate)]
    words += [text for name, text in _physical_words(candidate) if other[name] != text]
    return ", ".join(words) or "the same decisions"


def why_sentences(plan: Plan, most: int = 12) -> tuple[str, ...]:
    """One line per runner-up: what it does otherwise, what it was predicted to take, why it lost."""
    return tuple(why_sentence(candidate, plan.chosen or candidate) for candidate in runners_up(plan, most))


def why_sentence(candidate: Candidate, chosen: Candidate) -> str:
    """What this candidate does otherwise than the chosen one, and why it lost."""
    words = difference_words(candidate, chosen)
    if not candidate.feasible:
        return f"{words}: does not fit; it needs {candidate.why}"
    if candidate.seconds is None:
        return f"{words}: fits with {format_bytes(candidate.peak_bytes)}, but fewer workers"
    return f"{words}: {format_seconds(candidate.seconds)} ({candidate.why})"


def _logical_words(candidate: Candidate) -> str:
    logical = candidate.logical
    start = f", from {logical.start_layer}" if logical.start_layer else ""
    start += f", via {', '.join(logical.via)}" if logical.via else ""
    return f"{logical.materialization}, {logical.inference}, {logical.pooling}".replace("_", " ") + start


def _physical_words(candidate: Candidate) -> tuple[tuple[str, str], ...]:
    p = candidate.physical
    return (
        ("cpu", f"cpu {p.cpu}"),
        ("nodes", f"{p.nodes} node{'s' if p.nodes > 1 else ''}"),
        ("batch_size", f"batch {p.batch_size}"),
        ("join", f"{p.join} join"),
        ("persistence", f"{p.persistence}"),
        ("training", f"trained on the {p.training}"),
    )
