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
    """One CNN as chosen by hand. taps: low to high; paper: bytes of |f|_ser and |f|_mem as published.

    provenance: where the architecture is from, if not from what the builder says.
    """

    name: str
    builder: str
    preprocessing: str
    taps: tuple[Tap, ...]
    default_layers: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    default_weights: str = "imagenet"
    paper: tuple[int, int] | None = None
    size: int = 224
    provenance: str = ""


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

# after ReLU, before normalisation and pooling; the dense layers go with the head, as in VGG16
_ALEXNET = (
    *_same(*(f"conv{i}" for i in range(1, 6))),
    Tap("fc6", "fc6", is_class=True),
    Tap("fc7", "fc7", is_class=True),
    Tap("fc8", "fc8", ("predictions", "logits"), is_class=True),
)
# where the picture is made smaller (the expanded activation before it, the richest tensor there), and block outputs
_EFFICIENTNET_B0 = (
    *_same(
        "stem_activation",
        "block1a_project_bn",
        "block2a_expand_activation",
        "block2b_add",
        "block3a_expand_activation",
        "block3b_add",
        "block4a_expand_activation",
        "block4b_add",
        "block4c_add",
        "block5b_add",
        "block5c_add",
        "block6a_expand_activation",
        "block6b_add",
        "block6c_add",
        "block6d_add",
        "block7a_project_bn",
        "top_activation",
    ),
    _logits("predictions", "logits"),
)
_EFFICIENTNET_V2_B0 = (
    *_same(
        "stem_activation",
        "block1a_project_activation",
        "block2b_add",
        "block3b_add",
        "block4a_expand_activation",
        "block4c_add",
        *(f"block5{letter}_add" for letter in "bcde"),
        "block6a_expand_activation",
        *(f"block6{letter}_add" for letter in "bcdefgh"),
        "top_activation",
    ),
    _logits("predictions", "logits"),
)
_CONVNEXT_DEPTHS = (3, 3, 9, 3)
_CONVNEXT_BLOCKS = [f"stage_{stage}_block_{block}" for stage in range(4) for block in range(_CONVNEXT_DEPTHS[stage])]
# a block ends with an addition that Keras names itself, in order
_CONVNEXT_TINY = (
    Tap("stem", "convnext_tiny_stem/convnext_tiny_stem_layernorm", ("convnext_tiny_stem",)),
    *(Tap(name, f"add_{i}" if i else "add") for i, name in enumerate(_CONVNEXT_BLOCKS)),
    Tap("predictions", "convnext_tiny_head_dense", ("logits", "convnext_tiny_head_dense"), is_class=True),
)
# a dense block's output is a concatenation without ReLU: at its end the ReLU of the transition is offered instead
_DENSENET121 = (
    *_same("conv1_relu", "pool1"),
    *_same("conv2_block3_concat", "pool2_relu", "pool2_pool"),
    *_same("conv3_block6_concat", "pool3_relu", "pool3_pool"),
    *_same("conv4_block8_concat", "conv4_block16_concat", "pool4_relu", "pool4_pool"),
    *_same("conv5_block4_concat", "conv5_block8_concat", "conv5_block12_concat", "relu"),
    _logits("predictions", "logits"),
)
_XCEPTION = (
    *_same("block1_conv1_act", "block1_conv2_act"),
    *(Tap(f"block{i + 2}", f"add_{i}" if i else "add", (f"block{i + 2}_add",)) for i in range(12)),
    *_same("block14_sepconv1_act", "block14_sepconv2_act"),
    _logits("predictions", "logits"),
)

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
    Entry(
        "alexnet",
        "alexnet",
        "bvlc",
        _ALEXNET,
        ("conv5", "fc6", "fc7", "fc8"),
        paper=(300_000_000, 2_000_000_000),
        size=227,
        provenance="Krizhevsky et al. 2012, one-tower form of Caffe's bvlc_alexnet; vista_nb/executor/cnn/alexnet.py",
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
    Entry(
        "efficientnetb0",
        "keras.applications.EfficientNetB0",
        "none",
        _EFFICIENTNET_B0,
        ("block4a_expand_activation", "block5c_add", "block6a_expand_activation", "block6d_add", "top_activation"),
        ("efficientnet",),
    ),
    Entry(
        "efficientnetv2b0",
        "keras.applications.EfficientNetV2B0",
        "none",
        _EFFICIENTNET_V2_B0,
        ("block4a_expand_activation", "block5e_add", "block6a_expand_activation", "block6h_add", "top_activation"),
        ("efficientnetv2",),
    ),
    Entry(
        "convnexttiny",
        "keras.applications.ConvNeXtTiny",
        "none",
        _CONVNEXT_TINY,
        ("stage_1_block_2", "stage_2_block_8", "stage_3_block_0", "stage_3_block_1", "stage_3_block_2"),
        ("convnext",),
    ),
    Entry(
        "densenet121",
        "keras.applications.DenseNet121",
        "torch",
        _DENSENET121,
        ("pool3_relu", "conv4_block16_concat", "pool4_relu", "conv5_block8_concat", "relu"),
        ("densenet",),
    ),
    Entry(
        "xception",
        "keras.applications.Xception",
        "tf",
        _XCEPTION,
        ("block4", "block8", "block13", "block14_sepconv1_act", "block14_sepconv2_act"),
        size=299,
    ),
)
