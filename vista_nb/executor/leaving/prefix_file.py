"""The kernel's side of saving a CNN's prefix, and of using one: a CNN that is a file of a saved result.

Reads a workload and its weights, returns facts about the file. May touch: subprocesses, that file; never Keras itself.
DESIGN.md section 5 (`.save`); docs/adr/0029.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vista_nb.catalog.workload import Workload
from vista_nb.executor.cnn.throwaway import ask
from vista_nb.executor.inputs import ModelSource

__all__ = ["on_prefix", "save_prefix"]

_FILE = "file:"  # the builder of a CNN in a file


def save_prefix(workload: Workload, source: ModelSource, layers: Sequence[str], file: Path, cache_dir: Path) -> str:
    """Write what `layers` need of the CNN; the digest of what was written. Raises what building the CNN raises, VST445
    (other weights than the run's), VST543 (Keras cannot save it).
    """
    nodes = [facts.node for name in layers if (facts := workload.cnn.layer(name)) is not None]
    request = {
        "builder": source.builder,
        "weights": source.weights,
        "file": str(source.file) if source.file else None,
        "seed": source.seed,
        "include_top": source.include_top,
        "digest": source.digest,
        "nodes": nodes,
        "to": str(file),
    }
    answer = ask("vista_nb.executor.cnn.prefix", request, cache_dir, doing="saving", step="save")
    return str(answer["digest"])


def on_prefix(workload: Workload, file: Path, digest: str) -> tuple[Workload, ModelSource]:
    """The same workload with its CNN in `file`."""
    builder = _FILE + str(file.absolute())
    cnn = replace(workload.cnn, builder=builder, default_weights="own")
    return replace(workload, cnn=cnn, weights="own"), ModelSource(builder, "own", file.absolute(), digest)
