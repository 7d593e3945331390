"""The bundled CNN against networks of its own kind that learned nothing: photos alone, real ones and the catalogue's.

By benchmarks/vistanet_against_random.py, with its regularisation; one round of five folds instead of two.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import vistanet_against_random as against
from benchmarks.train_vistanet import LAYERS
from vista_nb.demo import vistanet_path

pytestmark = pytest.mark.tf
NETWORKS = 5


@pytest.fixture(scope="module")
def model() -> Any:
    import keras

    return keras.saving.load_model(vistanet_path(), safe_mode=True)


def best(model: Any, data: against.Data) -> dict[str, Any]:
    """Every network's own best layer under `avg`."""
    *layers, found = against.compare(model, data, NETWORKS, 1, ("avg",))
    assert [row["layer"] for row in layers] == list(LAYERS)
    assert found["layer"].startswith("best")
    return found


@pytest.mark.shared
def test_clothing(model: Any, shared: Path) -> None:
    """Real photos: at least five points above the mean of five He initialisations, the paired interval above 0."""
    data = against.clothing(shared, 1200)
    assert data is not None
    found = best(model, data)
    assert found["gain"] >= 0.05
    assert found["low"] > 0


def test_catalogue(model: Any) -> None:
    """The same on the bundled catalogue."""
    found = best(model, against.catalogue(800))
    assert found["gain"] >= 0.05
    assert found["low"] > 0


def test_random_networks_are_no_straw_men(model: Any) -> None:
    """Their channels are standardized on the photos at hand before ReLU, and about half of the values pass it."""
    from benchmarks.evaluate_vistanet import activations_of

    pictures = against.catalogue(600).pictures
    one, other = (against.he_network(model, seed, pictures) for seed in (0, 1))
    tensors, others = activations_of(one, pictures), activations_of(other, pictures)
    for layer in LAYERS[:-1]:
        assert 0.3 < (tensors[layer] > 0).mean() < 0.7
        assert tensors[layer].std() > 0.2
        assert not np.allclose(tensors[layer], others[layer])


def test_the_gain_is_paired_by_row() -> None:
    """Equal accuracies on other rows give 0 with an interval around it; better on the same rows excludes 0."""
    rng = np.random.default_rng(0)
    right = (rng.random(400) < 0.6).astype(float)
    better = np.maximum(right, rng.random(400) < 0.2)
    same = against.gain_of(right, np.stack([right, right]))
    assert (same.gain, same.low, same.high) == (0, 0, 0)
    found = against.gain_of(better, np.stack([right, right]))
    assert 0 < found.low < found.gain < found.high
    assert found.gain == pytest.approx(better.mean() - right.mean())
