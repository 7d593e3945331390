"""Binds `layers`: names, aliases, `top k`, `a..b`, `all` to layers of the chosen CNN, low to high.

Reads the spec, the CNN and whether its weights have the class head; returns the layers. May touch: nothing.
DESIGN.md section 3; paper: L, the top k layers of interest (section 3.3).
"""

from __future__ import annotations

from vista_nb.catalog.found import Found, place
from vista_nb.catalog.roster import CNNFacts, LayerFacts, Roster
from vista_nb.errors import Problem
from vista_nb.spec.model import Spec
from vista_nb.spec.suggest import closest, listed

__all__ = ["bind_layers"]

Layers = tuple[LayerFacts, ...]


def bind_layers(spec: Spec, cnn: CNNFacts, class_head: bool, roster: Roster) -> Found[Layers]:
    """The layers of interest. Without the class head, class layers are left out (noted), or refused where named."""
    usable = tuple(layer for layer in cnn.layers if class_head or not layer.is_class)
    choice = spec.layers
    if choice.kind == "default":
        wanted = tuple(layer for name in cnn.default_layers if (layer := cnn.layer(name)) is not None)
        return _without_class_layers(spec, wanted, usable)
    if choice.kind == "all":
        return _without_class_layers(spec, cnn.counted, usable)
    if choice.kind == "top":
        return _top(spec, cnn, usable)
    named = _named(spec, cnn, usable, roster)
    if named.problems:
        return named
    return _range(spec, cnn, usable, named.value) if choice.kind == "range" else named


def _without_class_layers(spec: Spec, wanted: Layers, usable: Layers) -> Found[Layers]:
    kept = tuple(layer for layer in wanted if layer in usable)
    dropped = [layer.name for layer in wanted if layer not in usable]
    if not kept:
        return Found(
            (),
            (
                place(
                    spec,
                    "layers",
                    "VST121",
                    "without their class head, these weights leave no default layer",
                    f"layers: {_names(usable)}",
                ),
            ),
        )
    return Found(kept, notes=_dropped_note(dropped))


def _dropped_note(dropped: list[str]) -> tuple[str, ...]:
    if not dropped:
        return ()
    return (f"The weights have no class head: left out {', '.join(dropped)}.",)


def _top(spec: Spec, cnn: CNNFacts, usable: Layers) -> Found[Layers]:
    count = spec.layers.count
    counted = tuple(layer for layer in cnn.counted if layer in usable)
    if count > len(counted):
        message = f"`{cnn.name}` has {len(counted)} layers, not {count}"
        more = f"; `%vista layers {spec.cnn}` lists more, by name" if len(usable) > len(counted) else ""
        return Found((), (place(spec, "layers", "VST121", message, f"write `layers: all`{more}"),))
    dropped = [layer.name for layer in cnn.layers if layer not in usable]
    return Found(counted[-count:], notes=_dropped_note(dropped))


def _named(spec: Spec, cnn: CNNFacts, usable: Layers, roster: Roster) -> Found[Layers]:
    problems: list[Problem] = []
    layers: list[LayerFacts] = []
    for i, name in enumerate(spec.layers.names):
        key = "layers" if spec.layers.kind == "range" else f"layers[{i}]"
        layer = cnn.layer(name)
        if layer is None:
            hint = _hint(name, cnn, roster)
            problems.append(place(spec, key, "VST121", f"`{cnn.name}` has no layer `{name}`", hint, name))
        elif layer not in usable:
            message = f"`{name}` is in the class head, which these weights do not have"
            problems.append(place(spec, key, "VST121", message, f"layers: {_names(usable)}", name))
        elif layer in layers and spec.layers.kind == "names":
            alias = "" if name == layer.name else f" (it is {layer.name})"
            problems.append(place(spec, key, "VST124", f"layer `{name}` is listed twice{alias}", "remove it", name))
        else:
            layers.append(layer)
    ordered = layers if spec.layers.kind == "range" else sorted(layers, key=cnn.index)
    return Found(tuple(ordered), tuple(problems))


def _hint(name: str, cnn: CNNFacts, roster: Roster) -> str:
    names = [known for layer in cnn.layers for known in (layer.name, *layer.aliases)]
    near = closest(name, names)
    if near:
        return f"did you mean `{near}`?"
    owners = [other.name for other in roster.cnns if other.layer(name) is not None]
    return f"`{name}` is a layer of {listed(owners)}" if owners else f"layers: {_names(cnn.layers)}"


def _names(layers: Layers) -> str:
    return listed([layer.name for layer in layers], limit=20)


def _range(spec: Spec, cnn: CNNFacts, usable: Layers, ends: Layers) -> Found[Layers]:
    low, high = cnn.index(ends[0]), cnn.index(ends[1])
    if low > high:
        first, second = spec.layers.names
        message = f"`{first}` lies above `{second}`; a range goes from low to high"
        return Found((), (place(spec, "layers", "VST123", message, f"write `layers: {second}..{first}`"),))
    return Found(tuple(layer for layer in cnn.layers[low : high + 1] if layer in usable))
