"""What can be tapped in a functional Keras model: layers low to high, their FLOPs, and what a cut after each stores.

Reads a `Dataflow` (or the Keras model behind it), returns names and numbers. May touch: the model's graph, read only.
Runs only in throw-away subprocesses and tests (DESIGN.md sections 8 and 12).
The cut of a layer is every tensor that is made at or below it and read above it, with its own: one tensor at an
articulation point, several in a branch (the photo among them where a skip connection comes from the input). Any later
layer can be computed from the cut. FLOPs count multiply-adds of kernels, times two; the rest is under one percent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import Any

from vista_nb.executor.cnn.dataflow import Dataflow, Step, Tensor, dataflow

__all__ = ["Tap", "articulation_points", "cut_of", "prefix_flops", "step_flops", "taps"]


@dataclass(frozen=True)
class Tap:
    """A layer whose output can be taken. shape without the batch axis; flops from the image to here, for one image.

    cut: name and shape of each tensor to store to go on from here, this one first. kind: the class of the layer.
    """

    name: str
    aliases: tuple[str, ...]
    kind: str
    shape: tuple[int, ...]
    flops: int
    cut: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def is_articulation(self) -> bool:
        return len(self.cut) == 1


def taps(flow: Dataflow) -> tuple[Tap, ...]:
    """Every tensor of fixed shape from which the pass can go on, low to high in the order of the forward pass."""
    cost = {step.number: step_flops(step, flow) for step in flow.steps}
    found = []
    for step in flow.steps:
        flops = sum(cost[number] for number in _bits(flow.under(step.outputs[0])))
        for number in step.outputs:
            tensor, stored = flow.tensors[number], cut_of(flow, number)
            if tensor.shape and all(t.is_static for t in stored):
                cut = tuple((t.name, _static(t)) for t in stored)
                found.append(Tap(tensor.name, flow.aliases.get(number, ()), step.kind, _static(tensor), flops, cut))
    return tuple(found)


def cut_of(flow: Dataflow, tensor: int) -> tuple[Tensor, ...]:
    """The tensors to store to go on from this one: itself first, then the others in the order they are made."""
    inside = flow.under(tensor)
    read_above = {n for step in flow.steps if not inside >> step.number & 1 for n in step.inputs}
    made_inside = {0} | {n for step in flow.steps if inside >> step.number & 1 for n in step.outputs}
    others = sorted((read_above & made_inside) - {tensor})
    return tuple(flow.tensors[number] for number in (tensor, *others))


def articulation_points(model: Any) -> tuple[str, ...]:
    """Names of the layers whose output alone carries the whole forward pass, low to high."""
    return tuple(tap.name for tap in taps(dataflow(model)) if tap.is_articulation)


def prefix_flops(model: Any, name: str) -> int:
    """Multiply-adds times two for one image, from the image to the layer `name`."""
    return next(tap.flops for tap in taps(dataflow(model)) if name in (tap.name, *tap.aliases))


def step_flops(step: Step, flow: Dataflow) -> int:
    """Multiply-adds times two of one call for one image: each kernel once per position of the output."""
    kernels = [prod(weight.shape) for weight in getattr(step.operation, "weights", ()) if "kernel" in weight.name]
    if not kernels:
        return 0
    # a transposed convolution lays its kernel on every position of its input
    swept = step.inputs[0] if "Transpose" in step.kind else step.outputs[0]
    return 2 * int(sum(kernels)) * _positions(flow.tensors[swept], step.operation)


def _positions(tensor: Tensor, operation: Any) -> int:
    """Places of a tensor, channels left out; unknown sizes count once."""
    first = getattr(operation, "data_format", "") == "channels_first"
    sizes = tensor.shape[1:] if first else tensor.shape[:-1]
    return prod(n or 1 for n in sizes)


def _static(tensor: Tensor) -> tuple[int, ...]:
    return tuple(n for n in tensor.shape if n is not None)


def _bits(mask: int) -> Iterable[int]:
    return (number for number in range(mask.bit_length()) if mask >> number & 1)
