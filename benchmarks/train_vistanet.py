"""Train the bundled CNN, `vistanet`, and write the file that ships with the package, and the record of its training.

Reads nothing of the world: the pictures are drawn by formula (formula_pictures.py) and shown cropped, mirrored and
recoloured at random. Returns an exit status; prints a line per epoch and what the network knows of unseen pictures.
May touch the files named by --output and --record, the pool of drawn pictures and the checkpoints under --work.

    python -m benchmarks.train_vistanet --work FOLDER     # half an hour; goes on where it was stopped
    python -m benchmarks.evaluate_vistanet                # what its layers are worth on the bundled catalogue
    python -m benchmarks.vistanet_against_random          # ... and against networks that learned nothing

The network takes float32 pictures 96x96x3 scaled by x / 127.5 - 1 (outside the model) and returns 13 linear logits.
A layer to tap is a block's output after ReLU and bears the block's name; the parts of a block are named after it.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.formula_outlines import FIGURES
from benchmarks.formula_pictures import OUTLINES, SIDE, Pictures, draw
from benchmarks.formula_textures import FAMILIES
from benchmarks.vistanet_augmentation import varied
from benchmarks.vistanet_record import record_of

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

if TYPE_CHECKING:
    import keras

__all__ = ["LAYERS", "OUTPUT", "build_vistanet", "main", "scaled"]

OUTPUT: Final = Path(__file__).resolve().parent.parent / "vista_nb" / "demo" / "vistanet.keras"
RECORD: Final = Path(__file__).resolve().with_name("vistanet_training.json")
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
TEXTURED: Final = 0.75
"""Share of textured surfaces once the network has seen plain figures."""
PLAIN_EPOCHS: Final = 6
"""Epochs from plain figures to textured ones: shown textures first, it learns nothing for a long time."""
POOL: Final = 18
"""Epochs of different pictures."""
EPOCHS: Final = 52
COOLDOWN: Final = 18
BATCH: Final = 64
RATE: Final = 1.5e-3
WARM_STEPS: Final = 200
WEIGHT_DECAY: Final = 1e-4
SMOOTHING: Final = 0.05
"""Share of the label's weight that is spread over all classes."""
HELD_OUT: Final = 6000


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


def training_heads(model: "keras.Model") -> "keras.Model":
    """Return model plus what it is asked in training only.

    The outline, of all eighty, from fc6 and from conv5's channel means; the families of texture in the picture from
    the channel means of conv3 and conv4. A feature that is to serve a linear model later is asked linear questions now.
    """
    import keras

    means = {name: keras.layers.GlobalAveragePooling2D()(model.get_layer(name).output) for name in LAYERS[2:5]}
    return keras.Model(
        model.input,
        {
            "logits": model.output,
            "outline_fc6": keras.layers.Dense(OUTLINES)(model.get_layer("fc6").output),
            "outline_conv5": keras.layers.Dense(OUTLINES)(means["conv5"]),
            "families_conv4": keras.layers.Dense(len(FAMILIES))(means["conv4"]),
            "families_conv3": keras.layers.Dense(len(FAMILIES))(means["conv3"]),
        },
    )


def loss_of(answers: Any, outlines: Any, families: Any) -> Any:
    """Return the sum of the five losses; `logits` is asked only about the thirteen figures that have one."""
    import tensorflow as tf

    def outline(answer: Any, weights: Any = 1.0) -> Any:
        target = tf.one_hot(outlines, answer.shape[1]) * (1.0 - SMOOTHING) + SMOOTHING / answer.shape[1]
        return tf.reduce_mean(weights * tf.nn.softmax_cross_entropy_with_logits(target, answer))

    def family(answer: Any) -> Any:
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(families, tf.float32), answer))

    named = tf.cast(outlines < len(FIGURES), tf.float32)
    return (
        outline(answers["logits"], named)
        + outline(answers["outline_fc6"])
        + 0.5 * outline(answers["outline_conv5"])
        + family(answers["families_conv4"])
        + family(answers["families_conv3"])
    )


def rate(step: int, steps: int, cooldown: int) -> float:
    """Return the learning rate: a short rise, a plateau, a straight fall over the last `cooldown` steps."""
    return RATE * min(1.0, (step + 1) / WARM_STEPS, (steps - step) / max(1, cooldown))


def train(options: argparse.Namespace) -> tuple["keras.Model", list[dict[str, Any]]]:
    """Return the trained network and one entry per epoch; goes on from the last checkpoint under --work."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(options.seed)
    model = build_vistanet()
    heads = training_heads(model)
    optimizer = keras.optimizers.AdamW(RATE, weight_decay=WEIGHT_DECAY)
    optimizer.build(heads.trainable_variables)
    epoch = tf.Variable(0)
    saver = tf.train.Checkpoint(heads=heads, optimizer=optimizer, epoch=epoch)
    manager = tf.train.CheckpointManager(saver, options.work / "checkpoints", 2)
    saver.restore(manager.latest_checkpoint)
    history = HistoryFile(options.work / "history.json", int(epoch))
    step = compiled_step(heads, optimizer)
    batches = options.pictures // BATCH
    total, cooldown = (batches * count for count in (options.epochs, options.cooldown))
    for number in range(int(epoch), options.epochs):
        started = time.monotonic()
        drawn = chunk(options, number)
        tf.random.set_seed(1000 * (options.seed + 1) + number)
        order = np.random.default_rng([options.seed, number]).permutation(batches * BATCH).reshape(batches, BATCH)
        losses = []
        for index, rows in enumerate(order):
            optimizer.learning_rate.assign(rate(number * batches + index, total, cooldown))
            losses.append(step(drawn.images[rows], drawn.outlines[rows], drawn.families[rows]))
        epoch.assign(number + 1)
        manager.save()
        save(model, options.work / "latest.keras")
        history.add(number + 1, float(np.mean(losses)), time.monotonic() - started)
    return model, history.entries


def compiled_step(heads: "keras.Model", optimizer: Any) -> Any:
    """Return one training step as a graph: batch in, loss out."""
    import tensorflow as tf

    @tf.function
    def step(images: Any, outlines: Any, families: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = loss_of(heads(varied(images), training=True), outlines, families)
        optimizer.apply_gradients(
            zip(tape.gradient(loss, heads.trainable_variables), heads.trainable_variables, strict=True)
        )
        return loss

    return step


class HistoryFile:
    """Loss and seconds of every epoch, kept beside the checkpoints so that a stopped training keeps its past."""

    def __init__(self, path: Path, epochs: int) -> None:
        self.path = path
        self.entries: list[dict[str, Any]] = json.loads(path.read_text())[:epochs] if path.exists() else []

    def add(self, epoch: int, loss: float, seconds: float) -> None:
        """Append one epoch, print it, write the file."""
        self.entries.append({"epoch": epoch, "loss": round(loss, 4), "seconds": round(seconds, 1)})
        self.path.write_text(json.dumps(self.entries))
        print(f"epoch {epoch}  loss {loss:.3f}  {seconds:.0f} s", flush=True)


def chunk(options: argparse.Namespace, number: int) -> Pictures:
    """Return the pictures of epoch `number`: plain ones first, then the pool's in turn; drawn once, kept as files."""
    if number >= options.pool:
        number = PLAIN_EPOCHS + (number - options.pool) % (options.pool - PLAIN_EPOCHS)
    path = options.work / f"pictures_{options.seed}_{number}.npz"
    if not path.exists():
        drawn = draw(options.pictures, 1000 * (options.seed + 1) + number, TEXTURED * min(1.0, number / PLAIN_EPOCHS))
        scratch = path.with_name(f"{os.getpid()}_{path.name}")
        np.savez(scratch, images=drawn.images, outlines=drawn.outlines, families=drawn.families)
        scratch.replace(path)
    with np.load(path) as stored:
        return Pictures(stored["images"], stored["outlines"], stored["families"])


def save(model: "keras.Model", path: Path) -> None:
    """Write architecture and weights, without the heads and the optimizer's state (of use to nobody)."""
    bare = build_vistanet()
    bare.set_weights(model.get_weights())
    bare.save(path)


def held_out(model: "keras.Model", seed: int) -> float:
    """Return the accuracy on figures of a stream that training never draws from."""
    drawn = draw(HELD_OUT, 1000 * (seed + 1) + 999, TEXTURED)
    named = drawn.outlines < len(FIGURES)
    logits = model.predict(scaled(drawn.images[named]), batch_size=BATCH, verbose=0)
    return float((logits.argmax(axis=1) == drawn.outlines[named]).mean())


def main(arguments: list[str] | None = None) -> int:
    """Draw, train, report, save."""
    parser = argparse.ArgumentParser(description="Train vistanet, the bundled CNN.")
    parser.add_argument("--work", type=Path, required=True, help="folder for drawn pictures and checkpoints")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--record", type=Path, default=RECORD)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--cooldown", type=int, default=COOLDOWN, help="last epochs, in which the rate falls to 0")
    parser.add_argument("--pictures", type=int, default=8192, help="pictures per epoch")
    parser.add_argument("--pool", type=int, default=POOL, help="epochs of different pictures; then they come again")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--draw-only", action="store_true", help="fill the pool, train nothing")
    options = parser.parse_args(arguments)
    options.work.mkdir(parents=True, exist_ok=True)
    if options.draw_only:
        for number in range(options.pool):
            chunk(options, number)
        return 0
    return _trained(options)


def _trained(options: argparse.Namespace) -> int:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    model, history = train(options)
    accuracy = held_out(model, options.seed)
    save(model, options.output)
    options.record.write_text(record_of(options, model, history, accuracy))
    size = options.output.stat().st_size
    print(f"{model.count_params()} parameters, {size} bytes, held-out accuracy {accuracy:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
