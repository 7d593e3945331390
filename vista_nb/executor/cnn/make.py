"""The throw-away process that holds TensorFlow: `python -m vista_nb.executor.cnn.make REQUEST.json`.

Reads a request file (builder, weights, file, seed; perhaps an artifact to write), prints one marked JSON line:
the model digest, whether class layers exist, the weights file, or a coded error. May touch: TensorFlow and Keras,
the weights file, Keras' download folder, the artifact's folder. Its kernel-side client is `prepare`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vista_nb.errors import VistaEnvironmentError, VistaError

__all__ = ["ANSWER_PREFIX", "main"]

ANSWER_PREFIX = "VISTA_NB_ANSWER "


def main() -> int:
    """Exit status 0 with an answer, 1 with a coded error; anything else is a crash that the client reports."""
    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    # Keras draws download bars on stdout; the answer alone may go there
    answer_stream, sys.stdout = sys.stdout, sys.stderr
    try:
        answer = _answer(request)
    except VistaError as error:
        answer = {"error": type(error).__name__, "code": error.code, "message": error.message, "hint": error.hint}
    answer_stream.write(ANSWER_PREFIX + json.dumps(answer) + "\n")
    answer_stream.flush()
    return 1 if "error" in answer else 0


def _answer(request: Mapping[str, Any]) -> dict[str, Any]:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    from vista_nb.executor.cnn.build import BUNDLED_FILE, build, imagenet_file
    from vista_nb.executor.cnn.digest import model_digest

    builder, weights = request["builder"], request["weights"]
    given = Path(request["file"]) if request.get("file") else None
    model, include_top = build(builder, weights, given, request["seed"], request.get("include_top"))
    file = {"random": None, "imagenet": None}.get(weights, given or BUNDLED_FILE)
    if weights == "imagenet":
        file = imagenet_file(builder)
    digest = model_digest(model)
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
    part = cut(model, wanted["start"], wanted["nodes"])
    pooling = Pooling(wanted["pooling"]) if wanted["pooling"] else None
    save(part, wanted["layers"], pooling, wanted["key"], Path(wanted["folder"]))


if __name__ == "__main__":
    sys.exit(main())
