"""Grouped convolutions without XLA: the same numbers from operations that can be frozen, cut and run on every CPU.

Reads a built Keras model, changes how its grouped Conv2D layers compute (not their names, weights or config). May
touch: that model; Keras, inside functions (throw-away subprocesses and tests only). DESIGN.md section 8.
Keras compiles a grouped convolution with XLA: such a call has no static shapes in a frozen graph, and is compiled
again for every batch size. ConvNeXt's depthwise and AlexNet's two-group convolutions are of this kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["without_xla"]


def without_xla(model: Any) -> Any:
    """The model itself, its grouped convolutions (in nested models too) computed group by group."""
    for layer in _grouped(model):
        layer.convolution_op = _depthwise(layer) if layer.kernel.shape[-2] == 1 else _by_group(layer)
    return model


def _grouped(layer: Any) -> Iterator[Any]:
    import keras

    if isinstance(layer, keras.layers.Conv2D) and layer.groups > 1 and layer.data_format == "channels_last":
        yield layer
    for inner in getattr(layer, "layers", ()):
        yield from _grouped(inner)


def _depthwise(layer: Any) -> Any:
    """One input channel per group: filter g * m + i reads channel g, as in a depthwise convolution of multiplier m."""
    import keras

    def convolve(inputs: Any, kernel: Any) -> Any:
        height, width, _, filters = kernel.shape
        kernel = keras.ops.reshape(kernel, (height, width, layer.groups, filters // layer.groups))
        return keras.ops.depthwise_conv(inputs, kernel, **_arguments(layer))

    return convolve


def _by_group(layer: Any) -> Any:
    """The channels and the filters in `groups` parts, one plain convolution each: faster than TensorFlow's own."""
    import keras

    def convolve(inputs: Any, kernel: Any) -> Any:
        channels = keras.ops.split(inputs, layer.groups, axis=-1)
        filters = keras.ops.split(kernel, layer.groups, axis=-1)
        parts = [keras.ops.conv(x, k, **_arguments(layer)) for x, k in zip(channels, filters, strict=True)]
        return keras.ops.concatenate(parts, axis=-1)

    return convolve


def _arguments(layer: Any) -> dict[str, Any]:
    return {
        "strides": layer.strides,
        "padding": layer.padding,
        "dilation_rate": layer.dilation_rate,
        "data_format": layer.data_format,
    }
