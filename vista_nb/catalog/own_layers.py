"""Which layers of a user's own CNN are worth comparing: those that `top k` and `all` count, and the default five.

Reads layers as a description gives them, low to high; returns some of them. May touch: nothing. docs/adr/0012; the
roster's choices, made by hand, are the model: block outputs, after the activation and before pooling.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

__all__ = ["OwnLayer", "default_layers", "offered_layers"]

DEFAULT_COUNT = 5
_NOISE = frozenset({"Dropout", "SpatialDropout2D", "GaussianDropout", "GaussianNoise", "AlphaDropout", "Identity"})
_SHAPE = frozenset({"Flatten", "Reshape", "Permute", "Cropping2D", "ZeroPadding2D", "UpSampling2D", "Resizing"})
_POOLING = frozenset(
    {"AveragePooling2D", "MaxPooling2D", "GlobalAveragePooling2D", "GlobalMaxPooling2D", "Mean", "Max"}
)
_OTHER = frozenset({"ActivityRegularization", "Cast", "Squeeze", "ExpandDims", "Rescaling", "Normalization"})
_NOTHING_NEW = _NOISE | _SHAPE | _POOLING | _OTHER


@dataclass(frozen=True)
class OwnLayer:
    """One tappable layer. kind: its class. run: which kernel or merge of branches it follows; 0: none, so it is still
    the photo. head: a vector that the model gives out (class scores). cut: (tensor, shape) to store, its own first.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    flops: int
    run: int
    head: bool = False
    aliases: tuple[str, ...] = ()
    cut: tuple[tuple[str, tuple[int, ...]], ...] = ()

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> OwnLayer:
        """From the description's plain data."""
        cut = tuple((str(name), tuple(map(int, shape))) for name, shape in entry["cut"])
        shape, aliases = tuple(map(int, entry["shape"])), tuple(map(str, entry["aliases"]))
        return cls(entry["name"], entry["kind"], shape, entry["flops"], entry["run"], entry["head"], aliases, cut)


Layers = tuple[OwnLayer, ...]


def offered_layers(layers: Sequence[OwnLayer]) -> Layers:
    """One layer per run: the last one that adds something, so after normalisation and activation, before pooling.

    Articulation points only (one tensor is enough to go on from); where these are fewer than five, branches too.
    """
    single = _ends_of_runs([layer for layer in layers if len(layer.cut) == 1])
    return single if len(single) >= DEFAULT_COUNT else _ends_of_runs(layers) or tuple(layers[-1:])


def _ends_of_runs(layers: Sequence[OwnLayer]) -> Layers:
    ends = {layer.run: layer for layer in layers if layer.run and layer.kind not in _NOTHING_NEW}
    chosen = {layer.name for layer in ends.values()}
    return tuple(layer for layer in layers if layer.name in chosen)


def default_layers(offered: Sequence[OwnLayer]) -> tuple[str, ...]:
    """At most five, below the class scores: the last two of the top stage, the last of each stage below, and what is
    still missing spread evenly by depth. A stage is a run of layers of one height and width.
    """
    body = [layer for layer in offered if not layer.head] or list(offered)
    stages = _stages(body)
    wanted = {layer.name for stage in stages[:-1] for layer in stage[-1:]}
    wanted |= {layer.name for stage in stages[-1:] for layer in stage[-2:]}
    chosen = [layer.name for layer in body if layer.name in wanted][-DEFAULT_COUNT:]
    rest = [layer.name for layer in body if layer.name not in chosen]
    missing = min(DEFAULT_COUNT - len(chosen), len(rest))
    chosen += [rest[(2 * place + 1) * len(rest) // (2 * missing)] for place in range(missing)]
    return tuple(layer.name for layer in body if layer.name in chosen)


def _stages(body: Sequence[OwnLayer]) -> list[list[OwnLayer]]:
    """Runs of neighbouring layers whose maps have one height and width; vectors are a stage of their own."""
    stages = [[layer] for layer in body[:1]]
    for below, layer in pairwise(body):
        if below.shape[:-1] == layer.shape[:-1]:
            stages[-1].append(layer)
        else:
            stages.append([layer])
    return stages
