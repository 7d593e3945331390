"""What the bundled CNN learnt: its layers on photos of the world and on the catalogue, against untrained networks.

Reads vista_nb/demo/vistanet.keras (or --model), the clothing photos of VISTA_NB_SHARED where they are, and a catalogue
drawn into a temporary folder. Prints a table per data set and writes a CSV. May touch the CSV; imports TensorFlow.

    python -m benchmarks.vistanet_against_random [--output benchmarks/vistanet_against_random.csv]

Against the pretrained network stand five of the same architecture with He's normal initialisation whose batch
normalizations have the moments of the photos at hand (a random network without them is a straw man: its layers
saturate or die). Photos alone, no table. Per layer: L2 logistic regression on standardized features, C = 1 / (regParam
n_train) (DESIGN.md section 11; regParam 0.05 on clothing, which is C = 0.01 as in the reference of the shared data,
0.01 on the catalogue), stratified 5 folds, repeated. Every network is given its own best layer. The gain is paired: per
row, the share of repetitions in which the pretrained network was right less the mean of that share over the five; its
95 % interval is a bootstrap over rows. `avg` and the paper's `max 2x2` are both shown.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from benchmarks.evaluate_vistanet import activations_of, pooled, read_pictures, read_table
from benchmarks.train_vistanet import LAYERS, OUTPUT, SIDE, scaled
from vista_nb.demo import generate
from vista_nb.executor.cnn.decode import decode

if TYPE_CHECKING:
    import keras

__all__ = ["Data", "Gain", "catalogue", "clothing", "compare", "gain_of", "he_network", "main", "right_rows"]

Matrix = NDArray[np.float32]
Rights = dict[str, NDArray[np.float64]]
"""Pooling -> (layers, rows): the share of repetitions in which a row was classified rightly."""
POOLS: Final = ("avg", "max 2x2")
CALIBRATED_ON: Final = 512
"""Photos, without their labels, that set a random network's batch normalizations."""


@dataclass(frozen=True)
class Data:
    """Photos scaled for the network, (n, 96, 96, 3), and labels."""

    name: str
    pictures: Matrix
    labels: NDArray[Any]
    reg: float


@dataclass(frozen=True)
class Gain:
    """Accuracy of the pretrained and the mean of the random networks; their difference with its 95 % interval."""

    pretrained: float
    random: float
    gain: float
    low: float
    high: float


def clothing(folder: Path, rows: int | None) -> Data | None:
    """The shared clothing set, stretched by vista_nb's own decoder; None where it is absent."""
    path = folder / "data" / "clothing"
    if not path.is_dir():
        return None
    with (path / "clothing.csv").open(newline="") as file:
        table = list(csv.DictReader(file))[:rows]
    photos = [decode((path / "images" / f"{row['id']}.jpg").read_bytes(), SIDE, SIDE) for row in table]
    pixels = np.stack(photos).astype(np.uint8)
    return Data("clothing", scaled(pixels), np.array([row["label"] for row in table]), 0.05)


def catalogue(rows: int) -> Data:
    """The bundled catalogue, seed 0."""
    with tempfile.TemporaryDirectory() as folder:
        paths = generate(Path(folder) / "catalogue", rows=rows, seed=0)
        keys, _, labels = read_table(paths)
        return Data("catalogue", read_pictures(paths, keys), labels, 0.01)


def he_network(model: keras.Model, seed: int, pictures: Matrix) -> keras.Model:
    """Return a network of the same architecture: He-normal kernels, zero biases, moments of these pictures."""
    import keras

    network = keras.models.clone_model(model)
    for number, layer in enumerate(network.layers):
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
            layer.kernel.assign(keras.initializers.HeNormal(seed=1000 * seed + number)(layer.kernel.shape))
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0  # the moving moments become those of the one batch shown
    chosen = np.random.default_rng(seed).permutation(len(pictures))[:CALIBRATED_ON]
    network(pictures[chosen], training=True)
    return network


def right_rows(features: Matrix, labels: NDArray[Any], reg: float, repeats: int) -> NDArray[np.float64]:
    """Return per row the share of repetitions in which it was classified rightly while held out."""
    right = np.zeros(len(labels))
    for repeat in range(repeats):
        for train, test in StratifiedKFold(5, shuffle=True, random_state=repeat).split(features, labels):
            scaler = StandardScaler().fit(features[train])
            model = LogisticRegression(C=1.0 / (reg * len(train)), max_iter=200)
            with warnings.catch_warnings(), threadpool_limits(1):  # two BLAS threads on a busy machine: 30 times slower
                warnings.simplefilter("ignore", ConvergenceWarning)  # the last digits of a weight move no row
                model.fit(scaler.transform(features[train]), labels[train])
            right[test] += model.predict(scaler.transform(features[test])) == labels[test]
    return right / repeats


def gain_of(pretrained: NDArray[np.float64], others: NDArray[np.float64]) -> Gain:
    """Pair (n,) with (networks, n) row by row; bootstrap over rows."""
    difference = pretrained - others.mean(axis=0)
    rng = np.random.default_rng(0)
    means = [difference[rng.integers(0, len(difference), len(difference))].mean() for _ in range(4000)]
    low, high = np.quantile(means, (0.025, 0.975))
    return Gain(float(pretrained.mean()), float(others.mean()), float(difference.mean()), float(low), float(high))


def rights(network: keras.Model, data: Data, repeats: int, pools: Sequence[str]) -> Rights:
    """Return (layers, n) for either pooling."""
    tensors = activations_of(network, data.pictures)
    return {
        pool: np.stack([right_rows(pooled(tensors[layer], pool), data.labels, data.reg, repeats) for layer in LAYERS])
        for pool in pools
    }


def compare(
    model: keras.Model, data: Data, networks: int, repeats: int, pools: Sequence[str] = POOLS
) -> Iterator[dict[str, Any]]:
    """Yield per pooling a row per layer and one for every network's own best; then the best of all poolings."""
    trained = rights(model, data, repeats, pools)
    random = [rights(he_network(model, seed, data.pictures), data, repeats, pools) for seed in range(networks)]
    for pool in pools:
        facts = {"data": data.name, "rows": len(data.labels), "pool": pool}
        for number, layer in enumerate(LAYERS):
            others = np.stack([found[pool][number] for found in random])
            yield facts | {"layer": layer} | vars(gain_of(trained[pool][number], others))
        yield facts | _best(trained, random, (pool,))
    if len(pools) > 1:
        yield {"data": data.name, "rows": len(data.labels), "pool": "either"} | _best(trained, random, pools)


def _best(trained: Rights, random: Sequence[Rights], pools: Sequence[str]) -> dict[str, Any]:
    """Every network's own best layer and pooling."""
    mine = np.concatenate([trained[pool] for pool in pools])
    theirs = [np.concatenate([found[pool] for pool in pools]) for found in random]
    top = int(mine.mean(axis=1).argmax())
    others = np.stack([found[found.mean(axis=1).argmax()] for found in theirs])
    return {"layer": f"best ({LAYERS[top % len(LAYERS)]})"} | vars(gain_of(mine[top], others))


def report(rows: list[dict[str, Any]]) -> None:
    """Print accuracies in percent and gains in points."""
    print(f"{'data':10} {'pool':8} {'layer':14} {'pretrained':>10} {'He':>6} {'gain':>6}  95 % interval")
    for row in rows:
        numbers = "{pretrained:10.1f} {random:6.1f} {gain:+6.1f}  [{low:+.1f}, {high:+.1f}]".format(
            **{name: 100 * value for name, value in row.items() if isinstance(value, float)}
        )
        print(f"{row['data']:10} {row['pool']:8} {row['layer']:14} {numbers}")


def write(rows: list[dict[str, Any]], path: Path) -> None:
    """Write the CSV, with versions."""
    facts = {name: version(name) for name in ("tensorflow", "keras", "scikit-learn")} | {"cores": os.cpu_count()}
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], *facts])
        writer.writeheader()
        for row in rows:
            writer.writerow({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()} | facts)


def main(arguments: list[str] | None = None) -> int:
    """Score, compare, print; 1 where a best layer gains under five points (`avg`, either) or its interval reaches 0."""
    parser = argparse.ArgumentParser(description="Compare vistanet with networks that learned nothing.")
    parser.add_argument("--model", type=Path, default=OUTPUT)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".csv"))
    parser.add_argument("--networks", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--rows", type=int, default=None, help="of the clothing set (all)")
    parser.add_argument("--catalogue-rows", type=int, default=800)
    options = parser.parse_args([] if arguments is None else arguments)
    import keras

    model = keras.saving.load_model(options.model, safe_mode=True)
    shared = Path(os.environ.get("VISTA_NB_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    sets = (clothing(shared, options.rows), catalogue(options.catalogue_rows))
    rows = [row for data in sets if data for row in compare(model, data, options.networks, options.repeats)]
    report(rows)
    write(rows, options.output)
    best = [row for row in rows if row["pool"] in ("avg", "either") and row["layer"].startswith("best")]
    return int(any(row["gain"] < 0.05 or row["low"] <= 0 for row in best))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
