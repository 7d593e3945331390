"""Binds `cnn`, `weights` and `preprocessing`: which CNN, with which weights, fed how.

Reads the spec, the roster and, for a CNN of the user's own, its facts; returns the CNN's facts. May touch: nothing (a
weights file is opened by the executor, an own CNN was described before). DESIGN.md section 3; a file whose name says
`no_top` holds no class head (the executor checks the file itself).
"""

from __future__ import annotations

import re
from dataclasses import replace

from vista_nb.catalog.found import Found, place
from vista_nb.catalog.own_cnn import OwnCNN, names_own_cnn
from vista_nb.catalog.roster import CNNFacts, Roster
from vista_nb.spec.model import Spec
from vista_nb.spec.suggest import closest, did_you_mean

__all__ = ["bind_cnn", "bind_weights", "has_class_head"]

_WORDS = ("imagenet", "random", "bundled")
_OF_COLOURS = ("caffe", "torch")
_MEANING = {
    "none": "photos go in as RGB 0..255",
    "tf": "pixel values go in as -1..1",
    "caffe": "photos go in as BGR minus ImageNet's mean",
    "torch": "photos go in scaled by ImageNet's mean and deviation",
}


def bind_cnn(spec: Spec, roster: Roster, own: OwnCNN | None = None) -> Found[CNNFacts | None]:
    """The roster's CNN, or the user's `own`; None where there is none (why not is said elsewhere for an own CNN)."""
    name = spec.cnn
    if name is None:
        return Found(None)  # the parser has said that it is missing
    if names_own_cnn(name, roster):
        return _with_preprocessing(spec, own.facts, own.scaling) if own is not None else Found(None)
    cnn = roster.find(name)
    if cnn is None:
        hint = did_you_mean(name, roster.names)
        if not closest(name, roster.names):
            hint += "; or a model of yours: a .keras file, `$variable`"
        return Found(None, (place(spec, "cnn", "VST120", f"unknown CNN `{name}`", hint),))
    return _with_preprocessing(spec, cnn, "")


def _with_preprocessing(spec: Spec, cnn: CNNFacts, scaling: str) -> Found[CNNFacts | None]:
    """The spec's rule wins over the CNN's; one line says what was taken. scaling: where an own CNN's comes from."""
    asked = spec.preprocessing
    if asked in _OF_COLOURS and cnn.channels == 1:
        message = f"`preprocessing: {asked}` is for three colours, `{cnn.name}` takes gray photos"
        return Found(cnn, (place(spec, "preprocessing", "VST131", message, "write `tf` or `none`"),))
    if asked is None:
        return Found(cnn, notes=(_scaling_note(cnn, scaling),) if scaling else ())
    differs = f"preprocessing {asked}, as the cell says; the CNN's own is {cnn.preprocessing}"
    notes = (f"{cnn.name}: {differs}",) if asked != cnn.preprocessing and not scaling else ()
    return Found(replace(cnn, preprocessing=asked), notes=notes)


def _scaling_note(cnn: CNNFacts, scaling: str) -> str:
    meaning = _MEANING[cnn.preprocessing].replace("RGB", "RGB" if cnn.channels == 3 else "gray")
    choices = "tf | caffe | torch | none" if cnn.channels == 3 else "tf | none"
    return f"{cnn.name}: {meaning} (`preprocessing: {cnn.preprocessing}`): {scaling}; else write one of {choices}"


def bind_weights(spec: Spec, cnn: CNNFacts) -> Found[str]:
    """`imagenet`, `random`, `bundled`, `own` or a file's path; the CNN's default where the spec says nothing."""
    weights = spec.weights
    if weights is None or weights == cnn.default_weights:
        return Found(cnn.default_weights)
    if weights in ("imagenet", "bundled"):
        if cnn.default_weights in ("own", "bundled") or weights == "bundled":
            message = f"`{cnn.name}` has no {weights} weights"
            hint = f"write `weights: {cnn.default_weights}`, `random` or a file"
            return Found(weights, (place(spec, "weights", "VST128", message, hint),))
        return Found(weights)
    if weights == "random" or re.search(r"[/\\]|\.\w+$", weights):
        return Found(weights)
    near = closest(weights, _WORDS)
    hint = f"did you mean `{near}`?" if near else "imagenet, random, bundled, or a file such as weights/model.h5"
    return Found(weights, (place(spec, "weights", "VST128", f"unknown weights `{weights}`", hint),))


def has_class_head(weights: str, cnn: CNNFacts) -> bool:
    """False for a file whose name says that it was saved without the class head; an own CNN is taken as it is."""
    name = re.split(r"[/\\]", weights)[-1].lower()
    return cnn.default_weights == "own" or not re.search(r"no_?top|no-top|without_top", name)
