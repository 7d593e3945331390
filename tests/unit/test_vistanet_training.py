"""The bundled CNN's training: its pictures are drawn by formula, the same every time, and its record fits the file."""

from __future__ import annotations

import ast
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.formula_outlines import ASSEMBLIES, FIGURES, assembly
from benchmarks.formula_pictures import OUTLINES, SIDE, draw
from benchmarks.formula_textures import FAMILIES, texture
from benchmarks.vistanet_record import weights_digest
from vista_nb.demo import vistanet_path
from vista_nb.demo.silhouettes import SHAPES

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def record() -> Any:
    return json.loads((BENCHMARKS / "vistanet_training.json").read_text())


def test_the_record_is_of_the_file_that_ships(record: Any) -> None:
    """The file's digest and size, and one entry per epoch."""
    content = vistanet_path().read_bytes()
    assert record["file_sha256"] == hashlib.sha256(content).hexdigest()
    assert record["bytes"] == len(content) <= 4_000_000
    assert [entry["epoch"] for entry in record["epochs"]] == list(range(1, record["settings"]["epochs"] + 1))
    assert record["epochs"][-1]["loss"] < 0.75 * record["epochs"][0]["loss"]
    assert {"tensorflow", "keras", "numpy", "pillow", "python"} <= set(record["versions"])


@pytest.mark.tf
def test_the_record_is_of_the_weights_that_ship(record: Any) -> None:
    """Read by Keras, the file holds the recorded weights, all float32, and no optimizer."""
    import keras

    model = keras.saving.load_model(vistanet_path(), safe_mode=True)
    weights = model.get_weights()
    assert weights_digest(weights) == record["weights_sha256"]
    assert {array.dtype for array in weights} == {np.dtype(np.float32)}
    assert model.count_params() == record["parameters"]
    assert getattr(model, "optimizer", None) is None


def test_a_digest_sees_values_shapes_and_order() -> None:
    """Three ways for weights to differ."""
    first, second = np.arange(6, dtype=np.float32), np.ones(2, dtype=np.float32)
    others = ([first.reshape(2, 3), second], [second, first], [first + 1, second])
    assert all(weights_digest(other) != weights_digest([first, second]) for other in others)


def test_pictures_are_the_same_for_the_same_seed() -> None:
    """Another seed draws others; a longer set begins as the shorter one."""
    first, again, other = draw(6, 3), draw(9, 3), draw(6, 4)
    assert first.images.shape == (6, SIDE, SIDE, 3)
    assert np.array_equal(first.images, again.images[:6])
    assert np.array_equal(first.outlines, again.outlines[:6])
    assert not np.array_equal(first.images, other.images)


def test_labels_cover_outlines_and_families() -> None:
    """Named figures and assemblies both come; a picture holds up to a few families of texture, and may hold none."""
    drawn = draw(300, 5)
    assert 0 <= drawn.outlines.min() < len(FIGURES) <= drawn.outlines.max() < OUTLINES == len(FIGURES) + ASSEMBLIES
    assert drawn.families.shape == (300, len(FAMILIES))
    assert drawn.families.any(axis=0).all()
    assert 1 < drawn.families.sum(axis=1).mean() < 4
    assert not draw(20, 5, textured=0.0).families.any()


@pytest.mark.parametrize("number", range(ASSEMBLIES))
def test_every_assembly_is_seen(number: int) -> None:
    """Each silhouette fills part of the picture, not all of it; jitter changes it a little."""
    y, x = np.mgrid[-1:1:96j, -1:1:96j].astype(np.float32)
    one, two = (assembly(number, np.random.default_rng(seed))(x / 0.75, y / 0.75) < 0 for seed in (0, 1))
    assert 0.02 < one.mean() < 0.7
    assert 0 < (one != two).mean() < 0.25


def test_textures_stay_between_their_two_colours() -> None:
    """Fields from 0 to 1, and not constant."""
    for seed in range(60):
        field, family = texture(np.random.default_rng(seed), 1.0)
        assert family in range(len(FAMILIES))
        assert 0 <= field.min() < field.max() <= 1


def test_the_network_never_sees_the_catalogue() -> None:
    """No outline of the catalogue is a class of the training, and the drawing code imports nothing of vista_nb."""
    assert not set(FIGURES) & set(SHAPES)
    names = ["outlines", "textures", "pictures"]
    for path in [BENCHMARKS / f"formula_{name}.py" for name in names] + [BENCHMARKS / "vistanet_augmentation.py"]:
        nodes = list(ast.walk(ast.parse(path.read_text())))
        modules = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
        modules += [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
        assert not [module for module in modules if module.startswith("vista_nb")]
