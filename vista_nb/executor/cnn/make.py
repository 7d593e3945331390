"""The throw-away process that holds TensorFlow: `python -m vista_nb.executor.cnn.make REQUEST.json`.

Reads a request file (builder, weights, file, seed; perhaps an artifact to write), prints one marked JSON line:
the model digest, whether class layers exist, the weights file, or a coded error. May touch: TensorFlow and Keras,
the weights file, Keras' download folder, the artifact's folder. Its kernel-side client is `prepare`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vista_nb.errors import VistaEnvironmentError
from vista_nb.executor.cnn.throwaway import answering

__all__ = ["main"]


def main() -> int:
    """Exit status 0 with an answer, 1 with a coded error; anything else is a crash that the client reports."""
    return answering(_answer)


def _answer(request: Mapping[str, Any]) -> dict[str, Any]:
    from vista_nb.executor.cnn.build import BUNDLED_FILE, build, imagenet_file
    from vista_nb.executor.cnn.digest import model_digest
    from vista_nb.executor.cnn.own_build import own_digest

    builder, weights = request["builder"], request["weights"]
    given = Path(request["file"]) if request.get("file") else None
    model, include_top = build(builder, weights, given, request["seed"], request.get("include_top"))
    file = {"random": None, "imagenet": None}.get(weights, given or BUNDLED_FILE)
    if weights == "imagenet":
        file = imagenet_file(builder)
    digest = own_digest(model) if builder.startswith("file:") else model_digest(model)
    if request.get("artifact"):
        _write_artifact(model, digest, request)
    return {"digest": digest, "include_top": include_top, "file": str(file) if file else None}


def _write_artifact(model: Any, digest: str, request: Mapping[str, Any]) -> None:
    from vista_nb.executor.cnn.artifact import save
    from vista_nb.executor.cnn.cut import cut
    from vista_nb.spec.model import Pooling

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
    save(part, inputs, names, pooling, wanted["key"], Path(wanted["folder"]))


if __name__ == "__main__":
    sys.exit(main())
