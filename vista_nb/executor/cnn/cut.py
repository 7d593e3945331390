"""Partial CNN: the part of a functional model between an image (or a cut layer) and some layers.

Reads a built Keras model and layer names, returns a Keras model that shares its weights. May touch: Keras, inside
functions (throw-away subprocesses and tests only). Paper: section 3.1, partial CNN inference f̂_{i->j}.
At an articulation point one tensor is enough to go on from; everything else is refused here with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vista_nb.errors import VistaEnvironmentError
from vista_nb.executor.cnn.graph import articulation_points, layer_output

__all__ = ["cut"]


def cut(model: Any, start: str | None, outputs: Sequence[str]) -> Any:
    """The model from the image, or from layer `start`'s output, to the outputs of the Keras layers `outputs`.

    Raises VST443 where a layer is missing, no articulation point, or not above `start`.
    """
    import keras

    points = articulation_points(model)
    for name in (*([start] if start else []), *outputs):
        if name not in points:
            raise VistaEnvironmentError(
                "VST443",
                f"the CNN cannot be cut at {name!r}: no layer of that name carries the whole forward pass",
                f"cuts of this CNN: {', '.join(points[-8:])}, ...",
            )
    if start is not None and any(points.index(name) <= points.index(start) for name in outputs):
        raise VistaEnvironmentError("VST443", f"layers {', '.join(outputs)} do not all lie above the cut {start!r}")
    begin = model.input if start is None else layer_output(model, start)
    return keras.Model(begin, [layer_output(model, name) for name in outputs])
