"""The throw-away process that describes a user's own CNN: `python -m vista_nb.executor.cnn.describe REQUEST.json`.

Reads a `.keras` file, prints one marked JSON line: digest, input, layers with shapes, FLOPs and cuts, preprocessing;
or a coded error. May touch: TensorFlow and Keras, that file (read only). Its kernel-side client is `described`; what
the plain data means stands in `catalog.own_cnn`. DESIGN.md sections 4 (probed once in a subprocess and remembered)
and 8.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

from vista_nb.errors import VistaDataError
from vista_nb.executor.cnn.throwaway import answering

__all__ = ["describe", "main"]


def main() -> int:
    """Exit status 0 with an answer, 1 with a coded error; anything else is a crash that the client reports."""
    return answering(_answer)


def _answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """content: SHA-256 of the bytes looked at. A refusal is an answer too, worth remembering."""
    from vista_nb.store.disk import sha256_of

    file = Path(request["file"])
    content = sha256_of(file)
    try:
        return {"content": content, **describe(file)}
    except VistaDataError as error:
        message = error.message.replace(str(file), "it")  # the same bytes may lie elsewhere tomorrow
        return {"content": content, "refused": [error.code, message, error.hint]}


def describe(file: Path) -> dict[str, Any]:
    """Everything the kernel must know of the model, as plain data.

    Raises VST344, VST345 (no functional CNN on photos), VST360 to VST364 (the file), VST363 (nothing to tap).
    """
    from vista_nb.executor.cnn.own_build import load_own, own_digest

    model = load_own(file)
    return {"digest": own_digest(model), "name": str(model.name), **_anatomy(model)}


def _anatomy(model: Any) -> dict[str, Any]:
    from vista_nb.executor.cnn.dataflow import dataflow
    from vista_nb.executor.cnn.own_scaling import default_scaling

    flow = dataflow(model)
    height, width, channels = flow.tensors[0].shape
    rule, reason = default_scaling(flow, model.name)
    layers = _layers(flow)
    if not layers:
        raise VistaDataError(
            "VST363", f"the CNN {model.name!r} has no layer whose output could be a feature", "check the model"
        )
    return {
        "height": height,
        "width": width,
        "channels": channels,
        "parameters": int(model.count_params()),
        "widest": max(prod(n or 1 for n in tensor.shape) for tensor in flow.tensors),
        "preprocessing": rule if channels == 3 or rule in ("tf", "none") else "none",
        "scaling": reason,
        "layers": layers,
    }


def _layers(flow: Any) -> list[dict[str, Any]]:
    from vista_nb.executor.cnn.graph import taps

    runs = _runs(flow)
    last = {runs[number] for number in flow.outputs}
    found = []
    for tap in taps(flow):
        run = runs[flow.find(tap.name).number]
        head = len(tap.shape) == 1 and run in last
        entry = {"name": tap.name, "aliases": list(tap.aliases), "kind": tap.kind, "shape": list(tap.shape)}
        cut = [[name, list(shape)] for name, shape in tap.cut]
        found.append({**entry, "flops": tap.flops, "run": run, "head": head, "cut": cut})
    return found


def _runs(flow: Any) -> dict[int, int]:
    """Tensor -> the step (counted from 1) of the kernel or merge it follows; 0: none. Layers of one run differ by
    normalisation, activation, pooling and the like.
    """
    from vista_nb.executor.cnn.graph import step_flops

    runs = {0: 0}
    for step in flow.steps:
        starts = len(step.inputs) != 1 or step_flops(step, flow) > 0
        run = step.number + 1 if starts else runs[step.inputs[0]]
        runs |= dict.fromkeys(step.outputs, run)
    return runs


if __name__ == "__main__":
    sys.exit(main())
