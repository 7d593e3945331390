"""The throw-away process that writes a CNN's prefix as a `.keras` file: `python -m vista_nb.executor.cnn.prefix`.

Reads a request (builder, weights, file, seed, the layers and their nodes, where to write), writes one Keras model whose
outputs are those layers, or the whole CNN where Keras cannot save a part of it; answers with its digest. May touch:
TensorFlow and Keras, the weights file, that file. What was written is read again and compared before it counts.
Its kernel-side client is `executor.leaving.prefix_file`. Paper: section 3.1, partial CNN; docs/adr/0029.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vista_nb.errors import VistaEnvironmentError, VistaRunError
from vista_nb.executor.cnn.throwaway import answering

__all__ = ["main", "write_prefix"]


def main() -> int:
    """Exit status 0 with an answer, 1 with a coded error; anything else is a crash that the client reports."""
    return answering(_answer)


def _answer(request: Mapping[str, Any]) -> dict[str, Any]:
    from vista_nb.executor.cnn.build import build
    from vista_nb.executor.cnn.digest import model_digest
    from vista_nb.executor.cnn.own_build import own_digest

    builder, weights = request["builder"], request["weights"]
    given = Path(request["file"]) if request["file"] else None
    model, _ = build(builder, weights, given, request["seed"], request["include_top"])
    digest = own_digest(model) if builder.startswith("file:") else model_digest(model)
    if digest != request["digest"]:
        message = f"the weights of {builder} are not those of the run any more"
        raise VistaEnvironmentError("VST445", message, "run the cell again, then save its result")
    return write_prefix(model, request["nodes"], Path(request["to"]))


def write_prefix(model: Any, nodes: Sequence[str], file: Path) -> dict[str, Any]:
    """`file` holds the part of `model` below the nodes, by the same names; the whole where a part cannot be saved.

    The answer: digest (of `own_digest`), whole (whether it is all of the CNN). Raises VST543 where neither comes back
    as it was.
    """
    for part, whole in ((_part(model, nodes), False), (model, True)):
        if part is not None and _saved(part, model, nodes, file):
            from vista_nb.executor.cnn.own_build import load_own, own_digest

            return {"digest": own_digest(load_own(file)), "whole": whole}
    message = f"Keras cannot save {model.name} so that it comes back as it was"
    raise VistaRunError("VST543", message, "please report this, with the model", "save")


def _part(model: Any, nodes: Sequence[str]) -> Any:
    """A functional model of the layers named; None where one is no layer of the model itself (a nested one's)."""
    import keras

    try:
        return keras.Model(model.inputs, [model.get_layer(node).output for node in nodes], name=model.name)
    except (ValueError, AttributeError):  # no such layer here, or called more than once
        return None


def _saved(part: Any, model: Any, nodes: Sequence[str], file: Path) -> bool:
    """Whether what was written, read again by the loader that a bundle is read by, gives the same tensors."""
    from vista_nb.errors import VistaError
    from vista_nb.executor.cnn.own_build import load_own

    try:
        part.save(file)
        return _same(load_own(file), model, nodes)
    except VistaError:
        return False
    except Exception:  # Keras raises many kinds for what it cannot save
        return False


def _same(found: Any, model: Any, nodes: Sequence[str]) -> bool:
    """On noise, to the last bits: Keras runs the same operations in the same order."""
    import numpy as np

    from vista_nb.executor.cnn.cut import cut

    photo = np.random.default_rng(0).uniform(-1, 1, (1, *model.inputs[0].shape[1:])).astype(np.float32)
    ways = [[np.asarray(tensor) for tensor in cut(one, None, nodes)([photo])] for one in (found, model)]
    return all(np.allclose(a, b, rtol=1e-6, atol=1e-6) for a, b in zip(*ways, strict=True))


if __name__ == "__main__":
    sys.exit(main())
