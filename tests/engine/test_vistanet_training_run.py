"""The training script of the bundled CNN, end to end on a few pictures: it stops, goes on, writes file and record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import train_vistanet

pytestmark = pytest.mark.tf


def arguments(folder: Path, epochs: int) -> list[str]:
    """Batches of 64, two per epoch."""
    settings = {"work": folder / "work", "output": folder / "net.keras", "record": folder / "record.json"}
    numbers = {"epochs": epochs, "cooldown": 1, "pictures": 128, "pool": 7}
    return [part for name, value in (settings | numbers).items() for part in (f"--{name}", str(value))]


def test_a_stopped_training_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two epochs, then a third from the checkpoint; the heads of the training are not in the file."""
    import keras
    import tensorflow as tf

    # this process runs TensorFlow already: its threads are set once, at the start
    monkeypatch.setattr(tf.config.threading, "set_intra_op_parallelism_threads", lambda _: None)
    monkeypatch.setattr(tf.config.threading, "set_inter_op_parallelism_threads", lambda _: None)
    monkeypatch.setattr(train_vistanet, "HELD_OUT", 64)
    assert train_vistanet.main(arguments(tmp_path, 2)) == 0
    before = json.loads((tmp_path / "record.json").read_text())
    assert train_vistanet.main(arguments(tmp_path, 3)) == 0
    after = json.loads((tmp_path / "record.json").read_text())
    assert after["epochs"][:2] == before["epochs"]
    assert [entry["epoch"] for entry in after["epochs"]] == [1, 2, 3]
    assert after["weights_sha256"] != before["weights_sha256"]
    model = keras.saving.load_model(tmp_path / "net.keras", safe_mode=True)
    assert [layer.name for layer in model.layers if layer.name in train_vistanet.LAYERS] == list(train_vistanet.LAYERS)
    assert model.output_shape == (None, 13)
    assert model.count_params() == after["parameters"] == 303_709


def test_the_rate_rises_stays_and_falls_to_nothing() -> None:
    """Warm-up, plateau, cooldown."""
    rates = [train_vistanet.rate(step, 1000, 300) for step in range(1000)]
    assert rates[0] < 0.01 * train_vistanet.RATE
    assert rates[300] == rates[650] == max(rates) == train_vistanet.RATE
    assert 0 < rates[-1] < 0.01 * train_vistanet.RATE
