"""Partial CNN: the part of a functional model between an image (or a stored cut) and some layers.

Reads a built Keras model (or its `Dataflow`) and layer names, returns a `Partial`: a function of named tensors that
shares the model's weights. May touch: Keras, inside functions (throw-away subprocesses and tests only).
Paper: section 3.1, partial CNN inference f̂_{i->j}; beyond it, cuts of several tensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from vista_nb.errors import VistaEnvironmentError
from vista_nb.executor.cnn.dataflow import Dataflow, Step, Tensor, dataflow
from vista_nb.executor.cnn.graph import cut_of

__all__ = ["Partial", "cut"]


@dataclass(frozen=True)
class Partial:
    """The steps between stored tensors and wanted ones. Both are float32 on the outside, whatever the model's policy.

    inputs: the image, or the tensors of the start's cut that are needed, in the cut's order; outputs: as asked for.
    A tensor of the start's cut may be asked for again (a skip that a later cut still needs): it passes through.
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    steps: tuple[Step, ...]

    def __call__(self, batches: Sequence[Any]) -> list[Any]:
        """(n, *shape) tensors in the order of `inputs` -> tensors in the order of `outputs`, float32."""
        import keras

        values = {t.number: keras.ops.cast(batch, t.dtype) for t, batch in zip(self.inputs, batches, strict=True)}
        for step in self.steps:
            values |= zip(step.outputs, step.call(values), strict=True)
        return [keras.ops.cast(values[tensor.number], "float32") for tensor in self.outputs]


def cut(model: Any, start: str | None, outputs: Sequence[str]) -> Partial:
    """From the image, or from the cut of layer `start`, to the layers `outputs` (names or aliases; Keras' own names).

    Raises VST443 where a layer is missing, or is not above `start`; what `dataflow` raises for a model without a graph.
    """
    flow = model if isinstance(model, Dataflow) else dataflow(model)
    wanted = tuple(_find(flow, name) for name in outputs)
    origin = flow.tensors[0] if start is None else _find(flow, start)
    begin = (origin,) if start is None else cut_of(flow, origin.number)
    inside = flow.under(origin.number)
    held = {tensor.number for tensor in begin}
    needed = 0
    for tensor in wanted:
        if tensor.number not in held and not flow.under(tensor.number) & ~inside:
            raise VistaEnvironmentError("VST443", f"layer {tensor.name!r} does not lie above the cut {start!r}")
        needed |= flow.under(tensor.number)
    steps = tuple(step for step in flow.steps if needed & ~inside & 1 << step.number)
    read = {number for step in steps for number in step.inputs} | {tensor.number for tensor in wanted}
    return Partial(tuple(tensor for tensor in begin if tensor.number in read), wanted, steps)


def _find(flow: Dataflow, name: str) -> Tensor:
    found = flow.find(name)
    if found is not None:
        return found
    names = [tensor.name for tensor in flow.tensors[1:]]
    near = get_close_matches(name, names, 3) or names[-5:]
    raise VistaEnvironmentError("VST443", f"the CNN has no layer {name!r}", f"layers: {', '.join(near)}, ...")
