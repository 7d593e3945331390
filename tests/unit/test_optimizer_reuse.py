"""Reuse in the default profile: what the store holds is loaded, only the rest goes through the CNN."""

from __future__ import annotations

from planning_fixtures import (
    LAPTOP,
    PHOTOS,
    VISTANET,
    kinds,
    snapshot,
    stored,
)

from vista_nb.optimizer.optimize import optimize
from vista_nb.plan.logical import (
    Infer,
    Load,
    Train,
)


def test_reuse_of_all_layers_runs_no_cnn() -> None:
    """Everything stored: no inference, no TensorFlow memory, one wave, the plan starts from a layer."""
    layers = tuple(stored(name, 2000) for name in ("block3", "block4", "block5"))
    plan = optimize(snapshot(VISTANET, PHOTOS, LAPTOP, stored=layers, missing=0))
    assert kinds(plan.logical.steps) == [
        "scan_structured",
        "scan_images",
        "join",
        "load",
        "train_baselines",
        "train",
        "train",
        "train",
    ]
    assert plan.memory.dl_execution == 0
    assert plan.logical.waves == 1
    assert plan.logical.start_layer == "block3"
    assert any("no CNN runs" in note for note in plan.notes)


def test_reuse_infers_only_missing_images_and_layers() -> None:
    """One layer is whole, one lacks 40 images, one is new: Load both, infer the two over what is missing."""
    layers = (stored("block3", 2000), stored("block4", 1960))
    plan = optimize(snapshot(VISTANET, PHOTOS, LAPTOP, stored=layers, missing=2000))
    assert [s for s in plan.logical.steps if isinstance(s, Load | Infer)] == [
        Load(4, ("block3", "block4")),
        Infer(6, None, ("block4", "block5"), True, 2000),
    ]
    few = optimize(snapshot(VISTANET, PHOTOS, LAPTOP, stored=(*layers, stored("block5", 1960)), missing=40))
    assert [s.images for s in few.logical.steps if isinstance(s, Infer)] == [40]
    assert few.chosen is not None
    assert plan.chosen is not None
    assert few.chosen.seconds < plan.chosen.seconds  # type: ignore[operator]


def test_no_missing_image_means_no_inference() -> None:
    """Images that never become features (unreadable ones) do not send the CNN out again."""
    layers = tuple(stored(name, 1998) for name in ("block3", "block4", "block5"))
    plan = optimize(snapshot(VISTANET, PHOTOS, LAPTOP, stored=layers, missing=0))
    assert not any(isinstance(step, Infer) for step in plan.logical.steps)


def test_staged_chain_passes_over_stored_layers() -> None:
    """A layer that is wholly stored is trained, and the next cut starts below it."""
    plan = optimize(snapshot(VISTANET, PHOTOS, LAPTOP, stored=(stored("block4", 2000),), materialization="staged"))
    assert [(s.start, s.layers) for s in plan.logical.steps if isinstance(s, Infer)] == [
        (None, ("block3",)),
        ("block3", ("block5",)),
    ]
    assert [s.layer for s in plan.logical.steps if isinstance(s, Train)] == ["block3", "block4", "block5"]
