"""How keras.applications makes each CNN of the roster, and under which name it keeps the ImageNet weights.

Reads a builder's name, returns an untrained (or Keras' own ImageNet) functional model whose class layer gives logits.
May touch: Keras, inside functions (throw-away subprocesses and tests only); for ImageNet weights the network and
Keras' folder. DESIGN.md section 8. The names of the files are those that Keras' loaders ask for (tested).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vista_nb.errors import VistaEnvironmentError

__all__ = ["ALEXNET", "application", "expect_deviations", "imagenet_file", "make_application"]

ALEXNET = "alexnet"
_ALEXNET_FILE = "bvlc_alexnet.npy"
_PREFIX = "keras.applications."
_IMAGENET_DEVIATIONS = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Application:
    """How keras.applications makes one CNN: its function, arguments, input size, and the name of its ImageNet file."""

    function: str
    imagenet: str
    arguments: tuple[tuple[str, Any], ...] = ()
    size: int = 224


_APPLICATIONS = {
    "ResNet50": Application("ResNet50", "resnet50_weights_tf_dim_ordering_tf_kernels.h5"),
    "VGG16": Application("VGG16", "vgg16_weights_tf_dim_ordering_tf_kernels.h5"),
    "MobileNet": Application("MobileNet", "mobilenet_1_0_224_tf.h5"),
    "MobileNet(alpha=0.25)": Application("MobileNet", "mobilenet_2_5_224_tf.h5", (("alpha", 0.25),)),
    "MobileNetV2": Application("MobileNetV2", "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5"),
    "EfficientNetB0": Application("EfficientNetB0", "efficientnetb0.h5"),
    "EfficientNetV2B0": Application("EfficientNetV2B0", "efficientnetv2-b0.h5"),
    "ConvNeXtTiny": Application("ConvNeXtTiny", "convnext_tiny.h5"),
    "DenseNet121": Application("DenseNet121", "densenet121_weights_tf_dim_ordering_tf_kernels.h5"),
    "Xception": Application("Xception", "xception_weights_tf_dim_ordering_tf_kernels.h5", size=299),
}


def application(builder: str) -> Application:
    """Raises VST441 where there is no such builder."""
    found = _APPLICATIONS.get(builder.removeprefix(_PREFIX)) if builder.startswith(_PREFIX) else None
    if found is None:
        known = ", ".join(_PREFIX + name for name in _APPLICATIONS)
        raise VistaEnvironmentError(
            "VST441", f"no builder {builder!r} for a CNN", f"known builders: {known}, {ALEXNET}, bundled"
        )
    return found


def imagenet_file(builder: str) -> Path:
    """Where Keras keeps (or would keep) the ImageNet weights of this CNN; AlexNet's are looked for there too."""
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    return home / "models" / (_ALEXNET_FILE if builder == ALEXNET else application(builder).imagenet)


def make_application(builder: str, include_top: bool, weights: str | None = None) -> Any:
    """The CNN of keras.applications. weights: None (untrained) or `imagenet`."""
    import keras

    found = application(builder)
    function = getattr(keras.applications, found.function)
    head = {"classifier_activation": None} if include_top else {}
    shape = (found.size, found.size, 3)
    return function(include_top=include_top, weights=weights, input_shape=shape, **head, **dict(found.arguments))


def expect_deviations(model: Any) -> Any:
    """EfficientNet's ImageNet file read into the untrained architecture: the model itself, its input scaling corrected.

    That file holds standard deviations where the Normalization layer wants variances. Keras' loader adds a layer that
    makes up for it, but only with weights="imagenet"; for a file the squares belong here (tensorflow issue 49930).
    """
    import keras
    import numpy as np

    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization) and layer.input_variance is None:
            held = np.asarray(layer.adapt_variance)
            if held.shape == (3,) and np.allclose(held, _IMAGENET_DEVIATIONS, atol=1e-3):
                layer.adapt_variance.assign(held**2)
                layer.finalize_state()
    return model
