"""Score every layer of the bundled CNN on the bundled catalogue, by hand: the reference a vista_nb run must meet.

Reads vista_nb/demo/vistanet.keras (or --model) and a catalogue drawn into a temporary folder.
Returns an exit status; prints a table: layer, shape, width, accuracy of the photo alone and joined to the table,
and how well each layer knows the print and the outline.
May touch a temporary folder, removed at the end.

Accuracies are means over random 80/20 splits (--splits): one split of 800 rows has 160 test rows, a standard error
of three points. The downstream model is L2 logistic regression, C = 1 / (regParam n_train) (DESIGN.md section 11).
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from benchmarks.formula_pictures import SIDE
from benchmarks.train_vistanet import LAYERS, OUTPUT, scaled
from vista_nb.demo import CataloguePaths, generate
from vista_nb.demo.products import MOTIF_APPEAL, draw_product

if TYPE_CHECKING:
    import keras

__all__ = ["activations_of", "main", "pooled", "read_pictures", "read_table"]

Matrix = NDArray[np.float32]
NUMBERS: Final = ("price", "weight", "rating", "rating_count")


def read_table(paths: CataloguePaths) -> tuple[list[str], Matrix, NDArray[np.int64]]:
    """Return keys, structured features (numbers, then one column per department) and labels."""
    table = pq.read_table(paths.table).to_pydict()
    departments = sorted(set(table["department"]))
    columns = [table[name] for name in NUMBERS]
    columns += [[value == name for value in table["department"]] for name in departments]
    return table["id"], np.array(columns, dtype=np.float32).T, np.array(table["bestseller"])


def read_pictures(paths: CataloguePaths, keys: list[str]) -> Matrix:
    """Return the photos at the network's size, scaled."""

    def one(key: str) -> NDArray[np.uint8]:
        with Image.open(paths.images / f"{key}.jpg") as image:
            return np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR))

    return scaled(np.stack([one(key) for key in keys]))


def pooled(tensor: Matrix, pool: str) -> Matrix:
    """Return (n, d): `avg`, or the paper's `max 2x2` (adaptive: cells may share the middle row)."""
    if tensor.ndim == 2:
        return tensor
    if pool == "avg":
        return np.asarray(tensor.mean(axis=(1, 2)))
    side = tensor.shape[1]
    low, high = slice(0, -(-side // 2)), slice(side // 2, side)
    return np.concatenate([tensor[:, r, c].max(axis=(1, 2)) for r in (low, high) for c in (low, high)], axis=1)


def accuracy(features: Matrix, labels: NDArray[Any], splits: int, reg: float) -> float:
    """Return the mean test accuracy over random 80/20 splits."""
    scores = []
    for train, test in ShuffleSplit(splits, test_size=0.2, random_state=0).split(features):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=1.0 / (reg * len(train)), max_iter=2000))
        with threadpool_limits(1):  # two BLAS threads on a busy machine: 30 times slower
            scores.append(model.fit(features[train], labels[train]).score(features[test], labels[test]))
    return float(np.mean(scores))


def activations(model_path: Path, pictures: Matrix) -> dict[str, Matrix]:
    """Return the raw tensor of every tappable layer of a model file."""
    import keras

    return activations_of(keras.saving.load_model(model_path, safe_mode=True), pictures)


def activations_of(model: "keras.Model", pictures: Matrix) -> dict[str, Matrix]:
    """Return the raw tensor of every tappable layer."""
    import keras

    taps = keras.Model(model.input, {name: model.get_layer(name).output for name in LAYERS})
    found: dict[str, Matrix] = taps.predict(pictures, batch_size=64, verbose=0)
    return found


def report(model_path: Path, paths: CataloguePaths, splits: int, reg: float, seed: int) -> None:
    """Print the table-only line, one line per pooling and layer, then what `avg` features know of the photos."""
    keys, table, labels = read_table(paths)
    majority = max(labels.mean(), 1.0 - labels.mean())
    print(f"majority {majority:.3f}  table alone {accuracy(table, labels, splits, reg):.3f}")
    tensors = activations(model_path, read_pictures(paths, keys))
    for pool in ("avg", "max 2x2"):
        for layer in LAYERS:
            photo = pooled(tensors[layer], pool)
            alone = accuracy(photo, labels, splits, reg)
            joined = accuracy(np.hstack([table, photo]), labels, splits, reg)
            shape = "x".join(str(side) for side in tensors[layer].shape[1:])
            print(f"{pool:8} {layer:7} {shape:9} {photo.shape[1]:4}  photo {alone:.3f}  joined {joined:.3f}")
    products = [draw_product(seed, row) for row in range(len(keys))]
    corners = np.array([MOTIF_APPEAL[product.motif] < 0 for product in products])
    shapes = np.array([product.shape for product in products])
    for name, truth in (("motif with corners or without", corners), ("outline, of 8", shapes)):
        known = (accuracy(pooled(tensors[layer], "avg"), truth, splits, reg) for layer in LAYERS)
        print(f"{name:30} " + "  ".join(f"{layer} {value:.3f}" for layer, value in zip(LAYERS, known, strict=True)))


def main(arguments: list[str] | None = None) -> int:
    """Draw the catalogue, score the layers."""
    parser = argparse.ArgumentParser(description="Score vistanet's layers on the bundled catalogue.")
    parser.add_argument("--model", type=Path, default=OUTPUT)
    parser.add_argument("--rows", type=int, default=800)
    parser.add_argument("--seed", type=int, default=0, help="of the catalogue")
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--reg-param", type=float, default=0.01)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        paths = generate(Path(folder) / "catalogue", rows=options.rows, seed=options.seed)
        report(options.model, paths, options.splits, options.reg_param, options.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
