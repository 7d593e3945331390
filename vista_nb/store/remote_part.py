"""One part in an object store as a value and as JSON: the manifest of a single part, with the digests of its images.

Reads and returns text and frozen values. May touch: nothing (standard library only). ADR 30: the Parquet object exists
for a reader once the JSON beside it does, so both are immutable and nobody needs a lock.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from vista_nb.store.manifest import LayerSet, LayerSetFacts, Part, parse, render

__all__ = ["RemotePart", "Unfinished", "parse_part", "render_part"]


class Unfinished(ValueError):
    """No JSON: on a file system whose writes are not atomic, what a killed upload left."""


@dataclass(frozen=True)
class RemotePart:
    """part: as the manifest of the store that made it has it; digests: of which images it holds a row."""

    facts: LayerSetFacts
    part: Part
    digests: frozenset[str]

    @property
    def key(self) -> str:
        return self.facts.key

    @property
    def name(self) -> str:
        """Of both objects, without what follows the dot."""
        return self.part.file.partition(".")[0]


def render_part(found: RemotePart) -> str:
    """A manifest with this part alone, and `digests`; its checksum is over both."""
    return render(LayerSet(found.key, found.facts, (found.part,)), digests=sorted(found.digests))


def parse_part(text: str, key: str, name: str) -> RemotePart | None:
    """None for another format version. Raises Unfinished, or ValueError for what is no part `name` of `key`."""
    try:
        body = json.loads(text)
    except ValueError as error:
        raise Unfinished(str(error)) from error
    layers = parse(text, key)
    if layers is None:
        return None
    digests = body.get("digests")
    named = isinstance(digests, list) and all(isinstance(digest, str) for digest in digests)
    if "check" not in body or not named or [part.file for part in layers.parts] != [f"{name}.parquet"]:
        raise ValueError("it does not describe this part")
    return RemotePart(layers.facts, layers.parts[0], frozenset(digests))
