"""Train the bundled CNN, `vistanet`, and write the file that ships with the package.

Reads nothing: the pictures are drawn by formula (formula_pictures.py), new ones for every epoch.
Returns an exit status; prints loss and accuracy, on training pictures and on others of the same kind.
May touch the file named by --output (default: vista_nb/demo/vistanet.keras beside this folder).

    python benchmarks/train_vistanet.py            # some minutes on two cores
    python benchmarks/evaluate_vistanet.py         # what its layers are worth on the bundled catalogue

The network takes float32 pictures 96x96x3 scaled by x / 127.5 - 1 (outside the model) and returns 13 linear logits.
A layer to tap is a block's output after ReLU and bears the block's name; the parts of a block are named after it.
"""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from formula_pictures import FIGURES, SIDE, draw
from numpy.typing import NDArray

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

if TYPE_CHECKING:
    import keras

__all__ = ["LAYERS", "build_vistanet", "main", "scaled"]

OUTPUT: Final = Path(__file__).resolve().parent.parent / "vista_nb" / "demo" / "vistanet.keras"
CONVOLUTIONS: Final = (
    ("conv1", 16, 5, 2),
    ("conv2", 32, 3, 2),
    ("conv3", 64, 3, 1),
    ("conv4", 96, 3, 2),
    ("conv5", 128, 3, 2),
)
"""Name, channels, kernel, stride. Outputs: 48x48x16, 24x24x32, 24x24x64, 12x12x96, 6x6x128."""
HIDDEN: Final = 96
LAYERS: Final = (*(name for name, _, _, _ in CONVOLUTIONS), "fc6", "logits")
"""The layers to tap, from the picture to the top."""
BATCH: Final = 32
HELD_OUT: Final = 2000
TEXTURED: Final = 0.75
"""Share of textured surfaces at the end of training."""


def build_vistanet() -> "keras.Model":
    """Return the untrained network; every layer is named, so that its configuration is the same in every process."""
    import keras

    picture = x = keras.Input((SIDE, SIDE, 3), name="picture")
    for name, channels, kernel, stride in CONVOLUTIONS:
        convolution = keras.layers.Conv2D(
            channels, kernel, stride, padding="same", use_bias=False, name=f"{name}_convolution"
        )
        x = _normalized(convolution(x), name)
    x = keras.layers.MaxPooling2D(2, name="pool5")(x)
    x = keras.layers.Flatten(name="flat5")(x)
    x = _normalized(keras.layers.Dense(HIDDEN, use_bias=False, name="fc6_dense")(x), "fc6")
    return keras.Model(picture, keras.layers.Dense(len(FIGURES), name="logits")(x), name="vistanet")


def _normalized(x: "keras.KerasTensor", name: str) -> "keras.KerasTensor":
    """Close a block: batch normalization, then the ReLU that bears the block's name."""
    import keras

    x = keras.layers.BatchNormalization(momentum=0.97, name=f"{name}_normalization")(x)
    return keras.layers.ReLU(name=name)(x)


def scaled(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the network's input: 0..255 to -1..1."""
    return pictures.astype(np.float32) / np.float32(127.5) - np.float32(1.0)


def train(epochs: int, pictures: int, seed: int) -> "keras.Model":
    """Return the trained network. No picture is shown twice, so what it learns is no picture by heart."""
    import keras

    keras.utils.set_random_seed(seed)
    model = build_vistanet()
    steps = epochs * (pictures // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(1.5e-3, steps, alpha=0.01)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(rate, weight_decay=1e-4), loss, metrics=["accuracy"])
    for epoch in range(epochs):
        started = time.monotonic()
        images, labels = draw(pictures, 1000 * (seed + 1) + epoch, textured=_textured(epoch, epochs))
        history = model.fit(scaled(images), labels, batch_size=BATCH, verbose=0).history
        print(
            f"epoch {epoch + 1}/{epochs}  loss {history['loss'][0]:.3f}  accuracy {history['accuracy'][0]:.3f}"
            f"  {time.monotonic() - started:.0f} s",
            flush=True,
        )
    return model


def _textured(epoch: int, epochs: int) -> float:
    """Start on plain figures: shown textures from the first step, the network learns nothing for a long time."""
    return TEXTURED * min(1.0, epoch / max(1.0, 0.4 * epochs))


def save(model: "keras.Model", path: Path) -> None:
    """Write architecture and weights, without the optimizer's state (three times the size, and of use to nobody)."""
    bare = build_vistanet()
    bare.set_weights(model.get_weights())
    bare.save(path)


def held_out_accuracy(model: "keras.Model", seed: int) -> float:
    """Return the accuracy on formula pictures of a stream that training never draws from."""
    images, labels = draw(HELD_OUT, 1000 * (seed + 1) + 999, TEXTURED)
    logits = model.predict(scaled(images), batch_size=BATCH, verbose=0)
    return float((logits.argmax(axis=1) == labels).mean())


def main(arguments: list[str] | None = None) -> int:
    """Train, report, save."""
    parser = argparse.ArgumentParser(description="Train vistanet, the bundled CNN.")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--pictures", type=int, default=5120, help="new pictures per epoch")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    model = train(options.epochs, options.pictures, options.seed)
    accuracy = held_out_accuracy(model, options.seed)
    save(model, options.output)
    size = options.output.stat().st_size
    print(f"{model.count_params()} parameters, {size} bytes, held-out accuracy {accuracy:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
