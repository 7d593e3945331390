"""Binds `plan: {materialize, start}`: the layers whose raw tensors are kept, or started from.

Reads the spec, the CNN and the bound layers; returns problems. May touch: nothing. Paper: the Pre-mat baseline (a base
layer is materialized once, later workloads start from it); DESIGN.md section 9.
"""

from __future__ import annotations

from vista_nb.catalog.found import place
from vista_nb.catalog.roster import CNNFacts, LayerFacts
from vista_nb.catalog.workload import IMAGES
from vista_nb.errors import Problem
from vista_nb.spec.model import Spec
from vista_nb.spec.suggest import closest, listed

__all__ = ["bind_cuts"]


def bind_cuts(spec: Spec, cnn: CNNFacts, layers: tuple[LayerFacts, ...]) -> tuple[Problem, ...]:
    """Each names a layer of the CNN, no higher than the lowest of `layers`; both name the same one."""
    problems: list[Problem] = []
    found: dict[str, LayerFacts] = {}
    for part, name in (("materialize", spec.plan.materialize), ("start", spec.plan.start)):
        if name is None or (part == "start" and name == IMAGES):
            continue
        layer = cnn.layer(name)
        if layer is None:
            problems.append(_unknown(spec, cnn, part, name))
        elif layers and cnn.index(layer) > cnn.index(layers[0]):
            message = f"`{name}` lies above `{layers[0].name}`, the lowest of `layers`"
            hint = f"layers are inferred upwards: name {layers[0].name} or a layer below it"
            problems.append(place(spec, f"plan.{part}", "VST133", message, hint, name))
        else:
            found[part] = layer
    if len(set(found.values())) == 2:
        message = f"`plan.start` is {found['start'].name}, but `plan.materialize` makes {found['materialize'].name}"
        hint = "leave `start` out: inference goes on from what is materialized"
        problems.append(place(spec, "plan.start", "VST134", message, hint))
    return tuple(problems)


def _unknown(spec: Spec, cnn: CNNFacts, part: str, name: str) -> Problem:
    names = [known for layer in cnn.layers for known in (layer.name, *layer.aliases)]
    near = closest(name, [*names, IMAGES] if part == "start" else names)
    hint = f"did you mean `{near}`?" if near else f"layers: {listed([layer.name for layer in cnn.layers], limit=20)}"
    return place(spec, f"plan.{part}", "VST121", f"`{cnn.name}` has no layer `{name}`", hint, name)
