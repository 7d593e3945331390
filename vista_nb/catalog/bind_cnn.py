"""Binds `cnn` and `weights`: which CNN of the roster, with which weights.

Reads the spec and the roster, returns the CNN's facts. May touch: nothing (a weights file is opened by the executor).
DESIGN.md section 3; a file whose name says `no_top` holds no class head (the executor checks the file itself).
"""

from __future__ import annotations

import re

from vista_nb.catalog.found import Found, place
from vista_nb.catalog.roster import CNNFacts, Roster
from vista_nb.spec.model import Spec
from vista_nb.spec.suggest import closest, did_you_mean

__all__ = ["bind_cnn", "bind_weights", "has_class_head"]

_WORDS = ("imagenet", "random", "bundled")
_OWN_MODEL = re.compile(r"\.(keras|h5|hdf5|onnx|pb|pt)$|^\$|/", re.IGNORECASE)


def bind_cnn(spec: Spec, roster: Roster) -> Found[CNNFacts | None]:
    """The roster's CNN; None where the spec names none that this version can plan."""
    name = spec.cnn
    if name is None:
        return Found(None)  # the parser has said that it is missing
    cnn = roster.find(name)
    runnable = ", ".join(known.name for known in roster.cnns if not known.plan_only)
    if cnn is None and _OWN_MODEL.search(name):
        message = f"your own CNN (`{name}`) is not supported yet"
        return Found(None, not_yet=(place(spec, "cnn", "VST907", message, f"supported today: {runnable}"),))
    if cnn is None:
        return Found(None, (place(spec, "cnn", "VST120", f"unknown CNN `{name}`", did_you_mean(name, roster.names)),))
    if cnn.plan_only:
        message = f"`{cnn.name}` can be planned, but a run of it is not supported yet"
        return Found(cnn, not_yet=(place(spec, "cnn", "VST913", message, f"supported today: {runnable}"),))
    return Found(cnn)


def bind_weights(spec: Spec, cnn: CNNFacts) -> Found[str]:
    """`imagenet`, `random`, `bundled` or a file's path; the roster's default where the spec says nothing."""
    weights = spec.weights
    if weights is None:
        return Found(cnn.default_weights)
    if weights in ("imagenet", "bundled"):
        is_bundled = cnn.default_weights == "bundled"
        if (weights == "bundled") != is_bundled:
            message = f"`{cnn.name}` has no {weights} weights"
            hint = f"write `weights: {cnn.default_weights}`, `random` or a file"
            return Found(weights, (place(spec, "weights", "VST128", message, hint),))
        return Found(weights)
    if weights == "random" or re.search(r"[/\\]|\.\w+$", weights):
        return Found(weights)
    near = closest(weights, _WORDS)
    hint = f"did you mean `{near}`?" if near else "imagenet, random, bundled, or a file such as weights/model.h5"
    return Found(weights, (place(spec, "weights", "VST128", f"unknown weights `{weights}`", hint),))


def has_class_head(weights: str) -> bool:
    """False for a file whose name says that it was saved without the class head."""
    name = re.split(r"[/\\]", weights)[-1].lower()
    return not re.search(r"no_?top|no-top|without_top", name)
