"""The throw-away process that holds TensorFlow: `python -m vista_nb.executor.cnn.make`.

Reads requests from stdin, one a line (builder, weights, file, seed; perhaps an artifact to write), prints one marked
JSON line for each: the model digest, whether class layers exist, the weights file, or a coded error. The last model
stays, as a run asks for its digest first and for its artifacts then. May touch: TensorFlow and Keras, the weights
file, Keras' download folder, the artifact's folder. Its kernel-side client is `prepare`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vista_nb.errors import VistaEnvironmentError
from vista_nb.executor.cnn.throwaway import serving

__all__ = ["main"]


def main() -> int:
    """Exit status 0 once stdin ends; anything else is a crash that the client reports."""
    return serving(_answer)


@dataclass(frozen=True)
class _Built:
    model: Any
    include_top: bool
    digest: str
    file: Path | None


_built: dict[str, _Built] = {}  # one at most


def _answer(request: Mapping[str, Any]) -> dict[str, Any]:
    built = _model(request)
    if request.get("artifact"):
        _write_artifact(built.model, built.digest, request)
    return {
        "digest": built.digest,
        "include_top": built.include_top,
        "file": str(built.file) if built.file else None,
    }


def _model(request: Mapping[str, Any]) -> _Built:
    """The model of the request before, where it is the same one."""
    key = json.dumps([request[name] for name in ("builder", "weights", "file", "seed")])
    held = _built.get(key)
    if held is not None and request["include_top"] in (None, held.include_top):
        return held
    _built.clear()
    _built[key] = _build(request)
    return _built[key]


def _build(request: Mapping[str, Any]) -> _Built:
    from vista_nb.executor.cnn.build import BUNDLED_FILE, build, imagenet_file
    from vista_nb.executor.cnn.digest import model_digest
    from vista_nb.executor.cnn.own_build import own_digest

    builder, weights = request["builder"], request["weights"]
    given = Path(request["file"]) if request["file"] else None
    model, include_top = build(builder, weights, given, request["seed"], request["include_top"])
    file = {"random": None, "imagenet": None}.get(weights, given or BUNDLED_FILE)
    if weights == "imagenet":
        file = imagenet_file(builder)
    digest = own_digest(model) if builder.startswith("file:") else model_digest(model)
    return _Built(model, include_top, digest, file)


def _write_artifact(model: Any, digest: str, request: Mapping[str, Any]) -> None:
    from vista_nb.executor.cnn.artifact import save
    from vista_nb.executor.cnn.cut import cut
    from vista_nb.spec.model import Pooling, Precision

    wanted = request["artifact"]
    if digest != wanted["digest"]:
        raise VistaEnvironmentError(
            "VST445", f"the weights of {request['builder']} changed while the run was planned", "run the cell again"
        )
    name, node = wanted["start"] or ("", None)
    names, nodes = zip(*wanted["outputs"], strict=True)
    part = cut(model, node, nodes)
    # in a stored cut a roster layer bears its roster name
    inputs = [name if tensor.name == node else tensor.name for tensor in part.inputs]
    pooling = Pooling(wanted["pooling"]) if wanted["pooling"] else None
    save(part, inputs, names, pooling, wanted["key"], Path(wanted["folder"]), Precision(wanted["precision"]))


if __name__ == "__main__":
    sys.exit(main())
