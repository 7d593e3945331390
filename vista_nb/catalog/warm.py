"""What earlier cells left behind, so that the next run need not do it again: engines up, models made or loaded.

Reads nothing, returns frozen values; the session fills them, a what-if and a new kernel start from `COLD`. May touch:
nothing. docs/adr/0019. One pass of the CNN is named by what its inference artifact depends on.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["COLD", "CNNPass", "WarmFacts"]


@dataclass(frozen=True)
class CNNPass:
    """start: None for the photo. onward: of `layers`, those whose raw cut a later pass starts from."""

    start: str | None
    layers: tuple[str, ...]
    pooled: bool
    onward: tuple[str, ...] = ()


@dataclass(frozen=True)
class WarmFacts:
    """jvm: Spark is up. known_model: the CNN's digest is in the cache, so no process must build the model for it.

    workers: inference workers that live on, each with `threads` of TensorFlow's, which it keeps (0: none lives).
    mllib: the JVM has trained before. made: passes whose artifact is on this disk; loaded: of these, in the memory of
    every worker.
    """

    jvm: bool = False
    known_model: bool = False
    workers: int = 0
    threads: int = 0
    mllib: bool = False
    made: frozenset[CNNPass] = frozenset()
    loaded: frozenset[CNNPass] = frozenset()


COLD = WarmFacts()
