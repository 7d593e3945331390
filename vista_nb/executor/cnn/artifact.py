"""The inference artifact: one optimised TensorFlow graph from image or cut to all wanted outputs, and its weights.

Reads a partial CNN, writes a folder `graph.pb` + `weights.bin` + `meta.json`, and loads such a folder as a
plain function. May touch: TensorFlow inside functions; the artifact's folder. DESIGN.md section 8: Grappler optimises
ONCE here (batch norm folded, operators fused), and workers load the result with the meta-optimizer off.
After Grappler the large constants are lifted out of the graph and become arguments: TensorFlow keeps five to seven
copies of a constant inside a graph (ResNet50 after 32 images: 2.28 GB resident frozen, 1.15 GB lifted, same speed).
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vista_nb.errors import VistaEnvironmentError
from vista_nb.spec.model import Pooling

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

FORMAT = 4
Infer = Callable[..., Mapping[str, Any]]
GRAPH_FILE, WEIGHTS_FILE, META_FILE = "graph.pb", "weights.bin", "meta.json"
_SMALL_VALUES = 1024  # smaller constants stay in the graph: scalars, biases
_LARGE_VALUES = 8_000_000  # dense matrices such as VGG16's (no convolution is so large)
_ALIGNMENT = 64


@dataclass(frozen=True)
class ArtifactMeta:
    """What the graph takes and gives. inputs: (name in the stored cut, placeholder, shape), one for an image.

    outputs: (layer or other tensor of its cut, tensor of the graph); shapes: theirs. Shapes leave the batch axis out.
    weights: (placeholder, shape, byte offset in weights.bin) of each lifted float32 constant. runtime: the versions and
    CPU features it was optimised for; another runtime must not load it.
    """

    key: str
    inputs: tuple[tuple[str, str, tuple[int, ...]], ...]
    outputs: tuple[tuple[str, str], ...]
    shapes: tuple[tuple[int, ...], ...]
    pooled: bool
    weights: tuple[tuple[str, tuple[int, ...], int], ...]
    runtime: tuple[tuple[str, str], ...]

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.outputs)


@cache
def runtime() -> tuple[tuple[str, str], ...]:
    """TensorFlow's and Keras' versions and a digest of the CPU's features, without importing either."""
    flags = platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(errors="replace").splitlines()
        flags += next((line.split(":", 1)[1] for line in lines if line.startswith(("flags", "Features"))), "")
    features = hashlib.sha256(" ".join(sorted(flags.split())).encode()).hexdigest()[:16]
    return (("tensorflow", version("tensorflow")), ("keras", version("keras")), ("cpu", features))


def artifact_key(
    digest: str, start: str | None, outputs: Sequence[str], pooling: Pooling | None, precision: str
) -> str:
    """32 hex digits naming one artifact on this machine. outputs: names in the stored cut, in output order."""
    parts = [FORMAT, digest, start, list(outputs), pooling.value if pooling else None, precision, runtime()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def save(
    part: Partial, inputs: Sequence[str], names: Sequence[str], pooling: Pooling | None, key: str, folder: Path
) -> Path:
    """Freezes, optimises and writes the partial CNN. Atomic: whole folder or nothing.

    inputs, names: what its inputs and outputs are called in a stored cut. pooling None: raw tensors come out, else
    g_l's vectors.
    """
    frozen = _frozen(part, pooling)
    # the largest matrices first: no batch norm is folded into them, and Grappler copies every constant often
    early, matrices = _lifted(frozen.graph.as_graph_def(), _LARGE_VALUES)
    graph, others = _lifted(
        _optimised(early, [t.name for t in (*frozen.inputs, *frozen.outputs)], matrices), _SMALL_VALUES
    )
    constants = {**matrices, **others}
    offsets, end = _layout(constants)
    meta = ArtifactMeta(
        key,
        tuple((name, given.name, _shape(given)) for name, given in zip(inputs, frozen.inputs, strict=True)),
        tuple((name, tensor.name) for name, tensor in zip(names, frozen.outputs, strict=True)),
        tuple(_shape(tensor) for tensor in frozen.outputs),
        pooling is not None,
        tuple((name, array.shape, offsets[name]) for name, array in constants.items()),
        runtime(),
    )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".writing-") as made:
        ready = Path(made) / "artifact"
        ready.mkdir()
        (ready / GRAPH_FILE).write_bytes(graph.SerializeToString())
        with (ready / WEIGHTS_FILE).open("wb") as file:
            for name, array in constants.items():
                file.seek(offsets[name])
                file.write(array.tobytes())
            file.truncate(end)
        (ready / META_FILE).write_text(json.dumps(asdict(meta)), encoding="utf-8")
        if folder.exists():  # stale or foreign: the caller has looked, under its lock
            shutil.rmtree(folder)
        ready.rename(folder)
    return folder


def read_meta(folder: Path) -> ArtifactMeta | None:
    """The folder's description, or None where it is absent, half there, or made by another runtime."""
    try:
        data = json.loads((folder / META_FILE).read_text(encoding="utf-8"))
        meta = ArtifactMeta(
            data["key"],
            tuple((name, placeholder, tuple(shape)) for name, placeholder, shape in data["inputs"]),
            tuple((name, tensor) for name, tensor in data["outputs"]),
            tuple(tuple(shape) for shape in data["shapes"]),
            bool(data["pooled"]),
            tuple((name, tuple(shape), offset) for name, shape, offset in data["weights"]),
            tuple((name, value) for name, value in data["runtime"]),
        )
        whole = (folder / GRAPH_FILE).stat().st_size > 0 and (folder / WEIGHTS_FILE).exists()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return meta if whole and meta.runtime == runtime() else None


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
    return meta, wrapped, _read_weights(folder / WEIGHTS_FILE, meta)


def _read_weights(file: Path, meta: ArtifactMeta) -> list[Any]:
    import numpy as np
    import tensorflow as tf

    if not meta.weights:
        return []
    held = np.memmap(file, np.uint8, "r")
    arrays = (held[offset : offset + 4 * prod(shape)].view("<f4").reshape(shape) for _, shape, offset in meta.weights)
    return [tf.constant(array) for array in arrays]


def _function(meta: ArtifactMeta, wrapped: Any, weights: Sequence[Any], outputs: Sequence[tuple[str, str]]) -> Infer:
    import tensorflow as tf

    element = wrapped.graph.as_graph_element
    feeds = [*(element(name) for _, name, _ in meta.inputs), *(element(f"{name}:0") for name, _, _ in meta.weights)]
    function = wrapped.prune(feeds, [element(tensor) for _, tensor in outputs])
    names = [name for name, _ in outputs]

    def infer(*batches: Any) -> Mapping[str, Any]:
        results = function(*map(tf.constant, batches), *weights)
        return dict(zip(names, (result.numpy() for result in results), strict=True))

    return infer


def _lifted(definition: Any, least: int) -> tuple[Any, dict[str, Any]]:
    """The graph with its float32 constants of `least` values or more as placeholders, and those as arrays by name."""
    import tensorflow as tf

    constants: dict[str, Any] = {}
    for node in definition.node:
        value = node.attr["value"].tensor if node.op == "Const" else None
        if value is None or value.dtype != tf.float32.as_datatype_enum:
            continue
        shape = [dimension.size for dimension in value.tensor_shape.dim]
        if prod(shape) < least:
            continue
        constants[node.name] = tf.make_ndarray(value)
        del node.attr["value"]
        node.op = "Placeholder"
        node.attr["shape"].shape.CopyFrom(tf.TensorShape(shape).as_proto())
    return definition, constants


def _layout(constants: Mapping[str, Any]) -> tuple[dict[str, int], int]:
    """Aligned byte offsets of the arrays in one file, and the file's length."""
    offsets: dict[str, int] = {}
    end = 0
    for name, array in constants.items():
        offsets[name] = -(-end // _ALIGNMENT) * _ALIGNMENT
        end = offsets[name] + 4 * array.size
    return offsets, end


def _frozen(part: Partial, pooling: Pooling | None) -> Any:
    """A concrete function without variables; inputs and outputs in the order of the partial CNN's."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    from vista_nb.executor.cnn.grouped import without_xla
    from vista_nb.executor.cnn.pooling import pool_tensor

    for step in part.steps:
        without_xla(step.operation)

    def forward(*batches: Any) -> list[Any]:
        return [pool_tensor(result, pooling) if pooling else tf.identity(result) for result in part(batches)]

    signature = [
        tf.TensorSpec((None, *tensor.shape), tf.float32, name=f"batch_{i}") for i, tensor in enumerate(part.inputs)
    ]
    return convert_variables_to_constants_v2(tf.function(forward).get_concrete_function(*signature))


def _shape(tensor: Any) -> tuple[int, ...]:
    return tuple(int(n) for n in tensor.shape[1:])


def _optimised(definition: Any, kept: Sequence[str], placeholders: Iterable[str]) -> Any:
    """The graph after Grappler; the tensors `kept` and the placeholders keep their names."""
    import tensorflow as tf
    from tensorflow.core.protobuf import config_pb2, meta_graph_pb2
    from tensorflow.python.grappler import tf_optimizer
    from tensorflow.python.training.saver import export_meta_graph

    graph = tf.Graph()
    with graph.as_default():
        tf.graph_util.import_graph_def(definition, name="")
    meta_graph = export_meta_graph(graph_def=definition, graph=graph)
    ends = meta_graph_pb2.CollectionDef()
    ends.node_list.value.extend([*kept, *(f"{name}:0" for name in placeholders)])
    meta_graph.collection_def["train_op"].CopyFrom(ends)
    config = config_pb2.ConfigProto()
    config.graph_options.rewrite_options.min_graph_nodes = -1  # small graphs too
    config.graph_options.rewrite_options.meta_optimizer_iterations = config.graph_options.rewrite_options.TWO
    return tf_optimizer.OptimizeGraph(config, meta_graph)
