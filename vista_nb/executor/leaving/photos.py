"""Features of photos outside a run: the CNN prefix up to one layer, in a process of its own.

Reads image tables, returns vectors and the photos that could not be read. May touch: subprocesses, the artifact cache,
a temporary folder in cache_dir; never TensorFlow itself. DESIGN.md section 5 (`.predict`): the same decoding, prefix
and pooling as a run's workers, so new rows are scored as the held-out ones were. docs/adr/0029.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from vista_nb.catalog.workload import Workload
from vista_nb.executor.cnn.pooling import pooled_length
from vista_nb.executor.cnn.prepare import prepare_artifact
from vista_nb.executor.cnn.throwaway import Lasting
from vista_nb.executor.cnn.worker import InferenceTask
from vista_nb.executor.inputs import ModelSource
from vista_nb.executor.probe_machine import machine
from vista_nb.executor.records import Vectors

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["PhotoFeatures", "photo_features"]

_BATCH = 32


@dataclass(frozen=True)
class PhotoFeatures:
    """A process that waits for photos. width: values of one photo's vector."""

    task: InferenceTask
    width: int
    room: Path
    process: Lasting

    def __call__(self, images: pa.Table, digests: Collection[str]) -> tuple[Vectors, dict[str, str]]:
        """(vectors, digest -> why it cannot be read) of the rows of `images` (`ImageTables.images`) so named."""
        chosen = images.filter(pc.is_in(images.column("digest"), value_set=pa.array(sorted(digests), pa.string())))
        photos, vectors = self.room / "photos.arrow", self.room / "vectors.arrow"
        columns = [name for name in ("digest", "path", "content") if name in chosen.column_names]
        _write(chosen.select(columns), photos)
        self.process.ask({"task": asdict(self.task), "photos": str(photos), "to": str(vectors)})
        with pa.OSFile(str(vectors), "rb") as source:
            found = pa.ipc.open_file(source).read_all()
        good = found.filter(pc.is_null(found.column("error")))
        bad = found.filter(pc.is_valid(found.column("error")))
        reasons = dict(zip(bad.column("digest").to_pylist(), bad.column("error").to_pylist(), strict=True))
        return Vectors.of(good.select(["digest", "vector"]), self.width), reasons


@contextmanager
def photo_features(workload: Workload, layer: str, source: ModelSource, cache_dir: Path) -> Iterator[PhotoFeatures]:
    """Until the block ends. The process starts with the first photos; the artifact is made where the cache lacks it.

    Raises what `prepare_artifact` raises.
    """
    cnn = workload.cnn
    facts = cnn.layer(layer)
    assert facts is not None
    with ExitStack() as holding:  # the artifact too: nobody removes it meanwhile
        artifact = prepare_artifact(
            source, cnn, None, (layer,), workload.pool, workload.precision.value, cache_dir, holding=holding
        )
        task = InferenceTask(
            artifact=str(artifact),
            height=cnn.input_height,
            width=cnn.input_width,
            preprocessing=cnn.preprocessing,
            layers=(layer,),
            batch_size=_BATCH,
            threads=machine().cores,
            channels=cnn.channels,
        )
        room = Path(holding.enter_context(tempfile.TemporaryDirectory(dir=cache_dir, prefix=".predict-")))
        process = Lasting("vista_nb.executor.cnn.score", doing="scoring photos with", step="predict")
        holding.callback(process.close)
        yield PhotoFeatures(task, pooled_length(facts.shape, workload.pool), room, process)


def _write(table: pa.Table, file: Path) -> None:
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=4 * _BATCH)
