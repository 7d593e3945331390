"""The inference artifact: one optimised TensorFlow graph from image or cut to all wanted outputs, and its weights.

Reads a partial CNN, writes a folder `graph.pb` + `weights.bin` + `meta.json`, and loads such a folder as a
plain function. May touch: TensorFlow inside functions; the artifact's folder. DESIGN.md section 8: Grappler optimises
ONCE here (`optimise`), and workers load the result with the meta-optimizer off. Large constants are lifted out of the
graph and become arguments (`constants`).
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vista_nb.errors import VistaEnvironmentError
from vista_nb.executor.cnn.constants import (
    LARGE_VALUES,
    SMALL_VALUES,
    Weight,
    lifted,
    read_weights,
    retyped,
    write_weights,
)
from vista_nb.executor.cnn.optimise import optimised
from vista_nb.executor.cnn.tensors import BESIDE
from vista_nb.executor.probe_gpu import has_gpu
from vista_nb.executor.probe_machine import cpu_flags
from vista_nb.spec.model import Pooling, Precision

if TYPE_CHECKING:
    from vista_nb.executor.cnn.cut import Partial

__all__ = [
    "ArtifactMeta",
    "Infer",
    "artifact_bytes",
    "artifact_key",
    "load",
    "load_each",
    "read_meta",
    "runtime",
    "save",
    "usable_meta",
]

FORMAT = 5
Infer = Callable[..., Mapping[str, Any]]
GRAPH_FILE, WEIGHTS_FILE, META_FILE = "graph.pb", "weights.bin", "meta.json"


@dataclass(frozen=True)
class ArtifactMeta:
    """What the graph takes and gives. inputs: (name in the stored cut, placeholder, shape), one for an image.

    outputs: (layer or other tensor of its cut, tensor of the graph); shapes: theirs. Shapes leave the batch axis out.
    graph: SHA-256 of graph.pb. runtime: the versions and CPU features it was optimised for; another runtime must not
    load it.
    """

    key: str
    inputs: tuple[tuple[str, str, tuple[int, ...]], ...]
    outputs: tuple[tuple[str, str], ...]
    shapes: tuple[tuple[int, ...], ...]
    pooled: bool
    weights: tuple[Weight, ...]
    graph: str
    runtime: tuple[tuple[str, str], ...]

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.outputs)


@cache
def runtime() -> tuple[tuple[str, str], ...]:
    """Versions and a digest of the processor's features, without importing TensorFlow: what an artifact is good for."""
    features = " ".join(sorted({platform.machine(), *cpu_flags()}))
    return (
        ("tensorflow", version("tensorflow")),
        ("keras", version("keras")),
        ("cpu", hashlib.sha256(features.encode()).hexdigest()[:16]),
        ("gpu", str(has_gpu())),
        # its fused operators exist only where oneDNN is on
        ("onednn", os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1")),
    )


def artifact_key(
    digest: str, start: str | None, outputs: Sequence[str], pooling: Pooling | None, precision: str
) -> str:
    """32 hex digits naming one artifact on this machine. outputs: names in the stored cut, in output order."""
    parts = [FORMAT, digest, start, list(outputs), pooling.value if pooling else None, precision, runtime()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def save(
    part: Partial,
    inputs: Sequence[str],
    names: Sequence[str],
    pooling: Pooling | None,
    key: str,
    folder: Path,
    precision: Precision = Precision.FLOAT32,
) -> Path:
    """Freezes, optimises and writes the partial CNN. Atomic: whole folder or nothing.

    inputs, names: what its inputs and outputs are called in a stored cut. pooling None: raw tensors come out, else
    g_l's vectors, and raw what is named with `BESIDE`; float32 in any precision.
    """
    frozen = _frozen(part, [None if name.startswith(BESIDE) else pooling for name in names])
    inward = [(tensor.name, _shape(tensor)) for tensor in frozen.inputs]
    outward = [(tensor.name, _shape(tensor)) for tensor in frozen.outputs]
    definition = frozen.graph.as_graph_def()
    del frozen  # with its constants
    gc.collect()
    ends = [name for name, _ in (*inward, *outward)]
    # the largest matrices first: no batch norm is folded into them, and Grappler copies every constant often
    early, matrices = lifted(definition, LARGE_VALUES)
    graph, others = lifted(optimised(early, ends, matrices, precision, gpu=has_gpu()), SMALL_VALUES)
    content = graph.SerializeToString(deterministic=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".writing-") as made:
        ready = Path(made) / "artifact"
        ready.mkdir()
        (ready / GRAPH_FILE).write_bytes(content)
        meta = ArtifactMeta(
            key,
            tuple((name, *given) for name, given in zip(inputs, inward, strict=True)),
            tuple((name, tensor) for name, (tensor, _) in zip(names, outward, strict=True)),
            tuple(shape for _, shape in outward),
            pooling is not None,
            write_weights(ready / WEIGHTS_FILE, {**retyped(graph, matrices), **others}),
            hashlib.sha256(content).hexdigest(),
            runtime(),
        )
        (ready / META_FILE).write_text(json.dumps(asdict(meta)), encoding="utf-8")
        if folder.exists():  # stale or foreign: the caller has looked, under its lock
            shutil.rmtree(folder)
        ready.rename(folder)
    return folder


def read_meta(folder: Path, key: str | None = None) -> ArtifactMeta | None:
    """The folder's description, or None where it is absent, half there, altered, of another key or runtime."""
    try:
        data = json.loads((folder / META_FILE).read_text(encoding="utf-8"))
        meta = ArtifactMeta(
            data["key"],
            tuple((name, placeholder, tuple(shape)) for name, placeholder, shape in data["inputs"]),
            tuple((name, tensor) for name, tensor in data["outputs"]),
            tuple(tuple(shape) for shape in data["shapes"]),
            bool(data["pooled"]),
            tuple(Weight(w["name"], w["dtype"], tuple(w["shape"]), w["offset"]) for w in data["weights"]),
            data["graph"],
            tuple((name, value) for name, value in data["runtime"]),
        )
        whole = (folder / WEIGHTS_FILE).stat().st_size == max((w.end for w in meta.weights), default=0)
        own = hashlib.sha256((folder / GRAPH_FILE).read_bytes()).hexdigest() == meta.graph and key in (None, meta.key)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return meta if whole and own and meta.runtime == runtime() else None


def usable_meta(folder: Path) -> ArtifactMeta:
    """The folder's description. Raises VST444 where the folder cannot be used here."""
    meta = read_meta(folder)
    if meta is None:
        raise VistaEnvironmentError(
            "VST444", f"the inference artifact {folder} is missing or was made by another TensorFlow", "run again"
        )
    return meta


def artifact_bytes(folder: Path) -> int:
    """Graph and weights on disk."""
    return (folder / GRAPH_FILE).stat().st_size + (folder / WEIGHTS_FILE).stat().st_size


def load(folder: Path) -> Infer:
    """The graph as a function: one float32 batch (n, *shape) per input, in their order -> output name -> numpy array.

    Raises VST444 where the folder cannot be used here.
    """
    meta, graph, weights = _imported(folder)
    return _function(meta, graph, weights, meta.outputs)


def load_each(folder: Path, layers: Sequence[str]) -> dict[str, Infer]:
    """One function per layer, each pruned to what that layer needs: for measuring prefixes."""
    meta, graph, weights = _imported(folder)
    return {name: _function(meta, graph, weights, [(name, dict(meta.outputs)[name])]) for name in layers}


def _imported(folder: Path) -> tuple[ArtifactMeta, Any, list[Any]]:
    """The description, the graph as a wrapped function, the weights as tensors."""
    import tensorflow as tf

    meta = usable_meta(folder)
    # already optimised: a second pass would cost seconds in every worker
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    definition = tf.compat.v1.GraphDef()
    definition.ParseFromString((folder / GRAPH_FILE).read_bytes())
    wrapped = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(definition, name=""), [])
    return meta, wrapped, read_weights(folder / WEIGHTS_FILE, meta.weights)


def _function(meta: ArtifactMeta, wrapped: Any, weights: Sequence[Any], outputs: Sequence[tuple[str, str]]) -> Infer:
    import tensorflow as tf

    element = wrapped.graph.as_graph_element
    feeds = [*(element(name) for _, name, _ in meta.inputs), *(element(f"{weight.name}:0") for weight in meta.weights)]
    function = wrapped.prune(feeds, [element(tensor) for _, tensor in outputs])
    names = [name for name, _ in outputs]

    def infer(*batches: Any) -> Mapping[str, Any]:
        results = function(*map(tf.constant, batches), *weights)
        return dict(zip(names, (result.numpy() for result in results), strict=True))

    return infer


def _frozen(part: Partial, poolings: Sequence[Pooling | None]) -> Any:
    """A concrete function without variables; inputs and outputs in the order of the partial CNN's."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    from vista_nb.executor.cnn.grouped import without_xla
    from vista_nb.executor.cnn.pooling import pool_tensor

    for step in part.steps:
        without_xla(step.operation)

    def forward(*batches: Any) -> list[Any]:
        results = zip(part(batches), poolings, strict=True)
        return [pool_tensor(result, pooling) if pooling else tf.identity(result) for result, pooling in results]

    signature = [
        tf.TensorSpec((None, *tensor.shape), tf.float32, name=f"batch_{i}") for i, tensor in enumerate(part.inputs)
    ]
    return convert_variables_to_constants_v2(tf.function(forward).get_concrete_function(*signature))


def _shape(tensor: Any) -> tuple[int, ...]:
    return tuple(int(n) for n in tensor.shape[1:])
