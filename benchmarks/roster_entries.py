"""Which CNNs the roster holds and which of their articulation points it offers, chosen by hand.

Read by measure_roster.py, which adds everything that can be computed or measured. Block outputs are offered, not
every convolution, batch norm and ReLU; points just before the head that carry nothing new (the global average
below ResNet50's logits) are left out, so that `top 5` of ResNet50 is the paper's five (Table 2).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tap:
    """A roster layer: its name, the Keras layer it is, other names. is_class: weights without a top lack it."""

    name: str
    node: str
    aliases: tuple[str, ...] = ()
    is_class: bool = False


@dataclass(frozen=True)
class Entry:
    """One CNN as chosen by hand. taps: low to high; paper: bytes of |f|_ser and |f|_mem as published."""

    name: str
    builder: str
    preprocessing: str
    taps: tuple[Tap, ...]
    default_layers: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    default_weights: str = "imagenet"
    paper: tuple[int, int] | None = None
    size: int = 224


def _same(*names: str) -> tuple[Tap, ...]:
    """Layers whose roster name is Keras' own."""
    return tuple(Tap(name, name) for name in names)


def _logits(name: str, *aliases: str) -> Tap:
    return Tap(name, "predictions", (*aliases, *(() if name == "predictions" else ("predictions",))), is_class=True)


_RESNET_BLOCKS = {2: 3, 3: 4, 4: 6, 5: 3}
_RESNET50 = (
    Tap("pool1", "pool1_pool", ("pool1_pool",)),
    *(
        Tap(f"conv{stage}_{block}", f"conv{stage}_block{block}_out", (f"conv{stage}_block{block}_out",))
        for stage, blocks in _RESNET_BLOCKS.items()
        for block in range(1, blocks + 1)
    ),
    _logits("fc6", "fc1000"),
)
# fc1 and fc2 belong to the head: weights without a top lack them as they lack the logits
_VGG16 = (
    *(Tap(f"pool{i}", f"block{i}_pool", (f"block{i}_pool",)) for i in range(1, 6)),
    Tap("fc6", "fc1", ("fc1",), is_class=True),
    Tap("fc7", "fc2", ("fc2",), is_class=True),
    _logits("fc8"),
)
_MOBILENET = (*_same("conv1_relu", *(f"conv_pw_{i}_relu" for i in range(1, 14))), _logits("predictions", "logits"))
_MOBILENET_V2_DEFAULT = (
    "block_3_expand_relu",
    "block_6_expand_relu",
    "block_13_expand_relu",
    "block_16_project_BN",
    "out_relu",
)
_MOBILENET_V2 = (
    *_same(
        "Conv1_relu",
        "block_1_expand_relu",
        "block_2_add",
        "block_3_expand_relu",
        "block_5_add",
        "block_6_expand_relu",
        "block_9_add",
        "block_12_add",
        "block_13_expand_relu",
        "block_15_add",
        "block_16_project_BN",
        "out_relu",
    ),
    _logits("predictions", "logits"),
)
_MOBILENET_DEFAULT = ("conv_pw_5_relu", "conv_pw_8_relu", "conv_pw_11_relu", "conv_pw_12_relu", "conv_pw_13_relu")

ENTRIES = (
    Entry(
        "resnet50",
        "keras.applications.ResNet50",
        "caffe",
        _RESNET50,
        ("conv4_6", "conv5_1", "conv5_2", "conv5_3", "fc6"),
        paper=(200_000_000, 1_000_000_000),
    ),
    Entry(
        "vgg16",
        "keras.applications.VGG16",
        "caffe",
        _VGG16,
        ("fc6", "fc7", "fc8"),
        paper=(600_000_000, 5_500_000_000),
    ),
    Entry("mobilenet", "keras.applications.MobileNet", "tf", _MOBILENET, _MOBILENET_DEFAULT, ("mobilenet_v1",)),
    Entry(
        "mobilenet_025",
        "keras.applications.MobileNet(alpha=0.25)",
        "tf",
        _MOBILENET,
        _MOBILENET_DEFAULT,
        ("mobilenet_0.25", "mobilenet_v1_025"),
    ),
    Entry("mobilenetv2", "keras.applications.MobileNetV2", "tf", _MOBILENET_V2, _MOBILENET_V2_DEFAULT),
)

# Krizhevsky et al. 2012 in its one-tower Caffe form: (name, kernel, in channels per group, filters, output side)
ALEXNET_CONVOLUTIONS = (
    ("conv1", 11, 3, 96, 55),
    ("conv2", 5, 48, 256, 27),
    ("conv3", 3, 256, 384, 13),
    ("conv4", 3, 192, 384, 13),
    ("conv5", 3, 192, 256, 13),
)
ALEXNET_DENSE = (("fc6", 6 * 6 * 256, 4096), ("fc7", 4096, 4096), ("fc8", 4096, 1000))
ALEXNET_PAPER = (300_000_000, 2_000_000_000)
