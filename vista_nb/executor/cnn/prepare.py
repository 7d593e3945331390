"""The kernel's side of a CNN's preparation: which weights exactly, and the artifact the workers will load.

Reads the roster's facts and a small cache, starts `make` in a throw-away process only where the cache lacks the
answer; returns a ModelSource or the artifact's folder. May touch: files in cache_dir, subprocesses; never
TensorFlow or Keras themselves. DESIGN.md sections 8 and 9: a second cell needs no TensorFlow process.
"""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock

from vista_nb.catalog.roster import CNNFacts, LayerFacts
from vista_nb.errors import VistaDataError
from vista_nb.executor.cnn.artifact import artifact_key, read_meta
from vista_nb.executor.cnn.artifact_cache import budget, in_use, making, trim
from vista_nb.executor.cnn.build import BUNDLED_FILE, imagenet_file
from vista_nb.executor.cnn.described import remembered
from vista_nb.executor.cnn.tensors import BESIDE
from vista_nb.executor.cnn.throwaway import Lasting
from vista_nb.executor.inputs import ModelSource
from vista_nb.spec.model import Pooling

__all__ = [
    "artifact_folder",
    "end_process",
    "known_builders",
    "known_model",
    "one_process",
    "prepare_artifact",
    "resolve_model",
]

_MAKE = "vista_nb.executor.cnn.make"
_KNOWN_WEIGHTS = ("random", "imagenet", "bundled", "own")
_FILE = "file:"  # the builder of a user's own CNN
_kept: list[Lasting] = []  # the run's process; one run at a time


def resolve_model(
    cnn: CNNFacts, weights: str, seed: int, cache_dir: Path, cancel: threading.Event | None = None
) -> ModelSource:
    """The weights as a ModelSource with its digest; weights: `random`, `imagenet`, `bundled` or a path.

    The digest is remembered per builder, weights, seed, Keras version and the file's path, size, mtime (ns) and
    inode. Raises VST340, VST341 (the file) and VST346 (an unsafe one), VST440 (ImageNet weights not to be had).
    """
    known = known_model(cnn, weights, seed, cache_dir)
    if known is not None:
        return known
    source = _unresolved(cnn, weights, seed)
    answer = _run_make(_request(source, None), cancel)
    resolved = _resolved(source, answer)
    _remember(cache_dir, _source_key(resolved), answer)
    return resolved


def known_model(cnn: CNNFacts, weights: str, seed: int, cache_dir: Path) -> ModelSource | None:
    """What `resolve_model` would return where the cache has it, else None; never starts a process.

    Raises what `resolve_model` raises for unknown weights and a missing file.
    """
    source = _unresolved(cnn, weights, seed)
    if source.weights == "own":
        known = remembered(_model_file(source.builder), cache_dir)
        return replace(source, digest=known["digest"]) if known else None
    key = _source_key(source)
    answer = _remembered(cache_dir).get(key) if key else None
    return _resolved(source, answer) if answer else None


def _model_file(builder: str) -> Path:
    return Path(builder.removeprefix(_FILE))


def _resolved(source: ModelSource, answer: Mapping[str, Any]) -> ModelSource:
    file = Path(answer["file"]) if answer["file"] else None
    return replace(source, file=file, digest=answer["digest"], include_top=bool(answer["include_top"]))


def prepare_artifact(
    source: ModelSource,
    cnn: CNNFacts,
    start: str | None,
    outputs: Sequence[str],
    pooling: Pooling | None,
    precision: str,
    cache_dir: Path,
    cancel: threading.Event | None = None,
    onward: Collection[str] = (),
    holding: ExitStack | None = None,
) -> Path:
    """The folder of the inference artifact from `start` (None: the image) to the roster layers `outputs`.

    pooling None: raw tensors come out, for the layers in `onward` with the rest of their cuts. Made at most once per
    machine; two kernels wait for each other. holding: until it is closed, nobody removes the artifact from the cache.
    Raises VST443 (cut), VST447 (no bfloat16), and what `make` reports; VistaCancelled when `cancel` is set.
    """
    begin = _layer(cnn, start) if start else None
    tensors = _wanted_tensors(cnn, outputs, pooling, onward)
    folder = artifact_folder(source, cnn, start, outputs, pooling, precision, cache_dir, onward)
    key = folder.name
    wanted = {
        "digest": source.digest,
        "start": [begin.name, begin.node] if begin else None,
        "outputs": tensors,
        "pooling": pooling.value if pooling else None,
        "precision": precision,
        "key": key,
        "folder": str(folder),
    }
    with ExitStack() as own:
        (holding or own).enter_context(in_use(folder))
        if read_meta(folder, key) is None:
            with making(folder):
                if read_meta(folder, key) is None:
                    _run_make(_request(source, wanted), cancel)
            trim(folder.parent, budget())
    return folder


def artifact_folder(
    source: ModelSource,
    cnn: CNNFacts,
    start: str | None,
    outputs: Sequence[str],
    pooling: Pooling | None,
    precision: str,
    cache_dir: Path,
    onward: Collection[str] = (),
) -> Path:
    """Where `prepare_artifact` keeps, or would keep, the artifact of these arguments. Looks at no file."""
    names = [name for name, _ in _wanted_tensors(cnn, outputs, pooling, onward)]
    begin = _layer(cnn, start).name if start else None
    return cache_dir / "artifacts" / artifact_key(source.digest, begin, names, pooling, precision)


def _wanted_tensors(
    cnn: CNNFacts, outputs: Sequence[str], pooling: Pooling | None, onward: Collection[str]
) -> list[tuple[str, str]]:
    layers = [_layer(cnn, name) for name in outputs]
    return _tensors(layers, [layer for layer in layers if layer.name in onward], pooled=pooling is not None)


def _unresolved(cnn: CNNFacts, weights: str, seed: int) -> ModelSource:
    if weights == "own" and cnn.builder.startswith(_FILE):
        return ModelSource(cnn.builder, weights, _model_file(cnn.builder), "")
    if weights == "random":
        return ModelSource(cnn.builder, weights, None, "", seed)
    if weights == "imagenet" and cnn.builder != "bundled":
        file = imagenet_file(cnn.builder)
        return ModelSource(cnn.builder, weights, file if file.exists() else None, "")
    if weights == "bundled" and cnn.builder == "bundled":
        return ModelSource(cnn.builder, weights, BUNDLED_FILE, "")
    if weights in _KNOWN_WEIGHTS:
        raise VistaDataError(
            "VST342", f"{cnn.name} has no {weights} weights", f"use `weights: {cnn.default_weights}`, random or a file"
        )
    file = Path(weights).expanduser().absolute()
    if not file.is_file():
        raise VistaDataError("VST340", f"weights file {file} does not exist", "check the path after `weights:`")
    return ModelSource(cnn.builder, weights, file, "")


def _tensors(layers: Sequence[LayerFacts], onward: Sequence[LayerFacts], *, pooled: bool) -> list[tuple[str, str]]:
    """What the artifact gives, as (name, Keras' name): each layer, and the cuts of those that a later pass starts from.

    Raw layers are part of their own cut; pooled ones have it beside their vectors, named apart.
    """
    outputs = {layer.name: layer.node for layer in layers}
    for layer in onward:
        cut = {layer.name: layer.node} | {name: name for name, _ in layer.cut if name != layer.node}
        outputs = {BESIDE + name if pooled else name: node for name, node in cut.items()} | outputs
    return list(outputs.items())


def _layer(cnn: CNNFacts, name: str) -> LayerFacts:
    found = cnn.layer(name)
    if found is None:
        raise VistaDataError("VST343", f"{cnn.name} has no layer {name!r}", f"see `%vista layers {cnn.name}`")
    return found


def _request(source: ModelSource, artifact: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        "builder": source.builder,
        "weights": source.weights,
        "file": str(source.file) if source.file else None,
        "seed": source.seed,
        "include_top": source.include_top if artifact else None,
        "artifact": artifact,
    }


def _source_key(source: ModelSource) -> str:
    """What the digest depends on, as text; empty where only a process can tell (ImageNet file not here yet)."""
    if source.file is None and source.weights != "random":
        return ""
    files = [source.file] if source.file is not None else []
    files += [_model_file(source.builder)] if source.builder.startswith(_FILE) else []
    stamp: list[int | str] = []
    for file in files:
        try:
            state = file.stat()
        except OSError:
            return ""
        stamp += [str(file), state.st_size, state.st_mtime_ns, state.st_ino]
    kind = source.weights if source.weights in _KNOWN_WEIGHTS else "file"
    runtime = [version("keras"), version("tensorflow")]
    return json.dumps([source.builder, kind, source.seed, stamp, runtime])


def _remembered(cache_dir: Path) -> dict[str, dict[str, Any]]:
    try:
        data = json.loads((cache_dir / "models.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def known_builders(cache_dir: Path) -> frozenset[str]:
    """The builders of the models that this cache has seen."""
    return frozenset(json.loads(key)[0] for key in _remembered(cache_dir) if key.startswith("["))


def _remember(cache_dir: Path, key: str, answer: Mapping[str, Any]) -> None:
    if not key:
        return
    cache_dir.mkdir(parents=True, exist_ok=True)
    with FileLock(cache_dir / "models.lock"):
        known = {**_remembered(cache_dir), key: dict(answer)}
        with tempfile.NamedTemporaryFile("w", dir=cache_dir, delete=False, encoding="utf-8") as made:
            json.dump(known, made, indent=1)
        Path(made.name).replace(cache_dir / "models.json")


def _run_make(request: Mapping[str, Any], cancel: threading.Event | None) -> dict[str, Any]:
    """The answer of the run's process, or of a throw-away one; its coded error is raised here."""
    if _kept:
        return _kept[0].ask(request, cancel)
    process = Lasting(_MAKE)
    try:
        return process.ask(request, cancel)
    finally:
        process.close()


@contextmanager
def one_process() -> Iterator[None]:
    """Until the block ends, or `end_process` is called, one process answers all: starting TensorFlow takes seconds."""
    process = Lasting(_MAKE)
    _kept.append(process)
    try:
        yield
    finally:
        if process in _kept:
            _kept.remove(process)
        process.close()


def end_process() -> None:
    """No more artifacts are needed: TensorFlow's memory goes back now."""
    while _kept:
        _kept.pop().close()
