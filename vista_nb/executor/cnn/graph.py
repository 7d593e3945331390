"""The graph of a functional Keras model: where it can be cut, and how much work lies below a layer.

Reads a built Keras model, returns names and numbers. May touch: the model's graph, read only. Runs only in
throw-away subprocesses and tests (DESIGN.md sections 8 and 12).
A cut after layer l needs one tensor exactly if nothing computed before l is read after it: l is an articulation
point. FLOPs count multiply-adds of convolutions and dense layers, times two; the rest is under one percent.
"""

from __future__ import annotations

from math import prod
from typing import Any

__all__ = ["articulation_points", "layer_flops", "layer_output", "prefix_flops"]


def articulation_points(model: Any) -> tuple[str, ...]:
    """Names of the layers whose output alone carries the whole forward pass, low to high, input left out.

    A layer that the model calls twice has no one output and is left out too.
    """
    order = list(model.layers)
    place = {layer.name: i for i, layer in enumerate(order)}
    parents = {layer.name: _parents(model, layer) for layer in order}
    last_reader = dict.fromkeys(place, -1)
    for name, read in parents.items():
        for parent in read:
            last_reader[parent] = max(last_reader[parent], place[name])
    points = []
    reach = -1  # the latest reader of anything computed before this layer
    for i, layer in enumerate(order):
        if 0 < i >= reach and len(_nodes(model, layer)) == 1:
            points.append(layer.name)
        reach = max(reach, last_reader[layer.name])
    return tuple(points)


def layer_output(model: Any, name: str) -> Any:
    """The tensor that layer `name` gives inside this model."""
    (node,) = _nodes(model, model.get_layer(name))
    return node.outputs[0]


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


def _nodes(model: Any, layer: Any) -> list[Any]:
    """The calls of a layer that belong to this model; cutting a model adds calls that belong to the part."""
    own = {id(node) for level in model._nodes_by_depth.values() for node in level}
    return [node for node in layer._inbound_nodes if id(node) in own]


def _parents(model: Any, layer: Any) -> list[str]:
    return [parent.operation.name for node in _nodes(model, layer) for parent in node.parent_nodes]


def _ancestors(model: Any, name: str, start: str | None) -> set[str]:
    """`name` and every layer it depends on, stopping at `start` (which is left out)."""
    found: set[str] = set()
    todo = [name]
    while todo:
        current = todo.pop()
        if current in found or current == start:
            continue
        found.add(current)
        todo.extend(_parents(model, model.get_layer(current)))
    return found
