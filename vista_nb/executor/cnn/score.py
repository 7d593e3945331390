"""The throw-away process that makes the features of new photos: `python -m vista_nb.executor.cnn.score`.

Reads requests from stdin, one a line (an InferenceTask, an Arrow file of photos, where to write), writes an Arrow file
(digest, error, vector) and answers with the number of rows. May touch: TensorFlow, the photos, those two files. It is
the worker's own code (`worker.infer_batches`), without Spark around it. Its kernel-side client is
`executor.leaving.photos`. DESIGN.md section 5 (`.predict`); docs/adr/0029.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from vista_nb.executor.cnn.throwaway import serving
from vista_nb.executor.cnn.worker import InferenceTask, infer_batches

__all__ = ["main"]


def main() -> int:
    """Exit status 0 once stdin ends; anything else is a crash that the client reports."""
    return serving(_answer)


def _answer(request: Mapping[str, Any]) -> dict[str, Any]:
    task = InferenceTask(**{**request["task"], "layers": tuple(request["task"]["layers"])})
    rows = 0
    target = Path(request["to"])
    schema = pa.schema([("digest", pa.string()), ("error", pa.string()), ("vector", pa.list_(pa.float32()))])
    with pa.OSFile(str(target), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for batch in infer_batches(task, _batches(Path(request["photos"]))):
            columns = [batch.column(name) for name in ("digest", "error", "f0")]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
            rows += batch.num_rows
    return {"rows": rows}


def _batches(file: Path) -> Iterator[pa.RecordBatch]:
    with pa.OSFile(str(file), "rb") as source:  # not mapped: the next request writes the same file
        reader = pa.ipc.open_file(source)
        for number in range(reader.num_record_batches):
            yield reader.get_batch(number)


if __name__ == "__main__":
    sys.exit(main())
