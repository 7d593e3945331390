"""The graph of a functional Keras model: where it can be cut, and how much work lies below a layer.

Reads a built Keras model, returns names and numbers. May touch: the model's graph, read only. Runs only in
throw-away subprocesses and tests (DESIGN.md sections 8 and 12).
A cut after layer l needs one tensor exactly if nothing computed before l is read after it: l is an articulation
point. FLOPs count multiply-adds of convolutions and dense layers, times two; the rest is under one percent.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

__all__ = ["articulation_points", "layer_flops", "prefix_flops"]


def articulation_points(model: Any) -> tuple[str, ...]:
    """Names of the layers whose output alone carries the whole forward pass, low to high, input left out."""
    order = list(model.layers)
    place = {layer.name: i for i, layer in enumerate(order)}
    last_reader = dict.fromkeys(place, -1)
    for layer in order:
        for parent in _parents(layer):
            last_reader[parent] = max(last_reader[parent], place[layer.name])
    points = []
    reach = -1  # the latest reader of anything computed before this layer
    for i, layer in enumerate(order):
        if reach <= i and i > 0:
            points.append(layer.name)
        reach = max(reach, last_reader[layer.name])
    return tuple(points)


def prefix_flops(model: Any, name: str, start: str | None = None) -> int:
    """Multiply-adds times two for one image, from the image (or layer `start`) to the layer `name`."""
    return sum(layer_flops(model.get_layer(n)) for n in _ancestors(model, name, start))


def layer_flops(layer: Any) -> int:
    """Multiply-adds times two of one layer for one image; 0 for layers without a kernel."""
    kind = type(layer).__name__
    if kind == "Conv2D":
        kernel_height, kernel_width, channels, filters = layer.kernel.shape
        return int(2 * kernel_height * kernel_width * channels * filters * _positions(layer))
    if kind == "DepthwiseConv2D":
        return int(2 * prod(layer.kernel.shape) * _positions(layer))
    if kind == "SeparableConv2D":
        return int(2 * (prod(layer.depthwise_kernel.shape) + prod(layer.pointwise_kernel.shape)) * _positions(layer))
    if kind == "Dense":
        return int(2 * prod(layer.kernel.shape))
    return 0


def _positions(layer: Any) -> int:
    return int(prod(layer.output.shape[1:3]))


def _parents(layer: Any) -> Iterable[str]:
    for node in layer._inbound_nodes:
        for parent in node.parent_nodes:
            yield parent.operation.name


def _ancestors(model: Any, name: str, start: str | None) -> set[str]:
    """`name` and every layer it depends on, stopping at `start` (which is left out)."""
    found: set[str] = set()
    todo = [name]
    while todo:
        current = todo.pop()
        if current in found or current == start:
            continue
        found.add(current)
        todo.extend(_parents(model.get_layer(current)))
    return found
