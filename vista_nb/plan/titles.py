"""One name and one line of words for each step of a plan.

Reads a step, returns text. May touch: nothing. Shared by EXPLAIN, events and the panel, so that a stage is called
the same everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from vista_nb.plan.logical import (
    Infer,
    Join,
    Load,
    Pool,
    Release,
    Save,
    ScanImages,
    ScanStructured,
    Step,
    Train,
    TrainBaselines,
)

__all__ = ["START", "layer_span", "step_kind", "step_layers", "step_title"]

_KINDS: dict[type[Step], str] = {
    ScanStructured: "scan_structured",
    ScanImages: "scan_images",
    Join: "join",
    Load: "load",
    Infer: "infer",
    Pool: "pool",
    Save: "save",
    TrainBaselines: "train_baselines",
    Train: "train",
    Release: "release",
}


START = "Start the engines"
"""What a run's timeline calls the time before its first step."""


def step_kind(step: Step) -> str:
    """`infer`, `train`, ...: the name of the backend method that runs this step."""
    return _KINDS[type(step)]


def step_layers(step: Step) -> tuple[str, ...]:
    """The layers the step works on, low to high; empty for the tables."""
    if isinstance(step, Load | Infer | Save):
        return step.layers
    return (step.layer,) if isinstance(step, Pool | Train | Release) else ()


def step_title(step: Step) -> str:
    """`CNN: image to conv4_6 .. fc6`: the step for people."""
    layers = layer_span(step_layers(step))
    if isinstance(step, Infer):
        return f"CNN: {step.start or 'image'} to {layers}"
    if isinstance(step, Load) and step.raw:
        return f"Load raw {layers} from the store"
    if isinstance(step, Save) and step.raw:
        return f"Save raw {layers}"
    return {
        ScanStructured: "Read the table",
        ScanImages: "Read the image list",
        Join: "Join table and images",
        Load: f"Load {layers} from the store",
        Pool: f"Pool {layers}",
        Save: f"Save {layers}",
        TrainBaselines: "Train on the table alone",
        Train: f"Train on {layers}",
        Release: f"Release {layers}",
    }[type(step)]


def layer_span(layers: Sequence[str]) -> str:
    """`conv4_6 .. fc6`: layers in few words."""
    return ", ".join(layers) if len(layers) <= 2 else f"{layers[0]} .. {layers[-1]}"
