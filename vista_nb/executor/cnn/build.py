"""Builds the Keras model of a roster CNN with the weights asked for: random, imagenet, bundled, or a file.

Reads a weights file (or Keras' own download folder), returns a functional Keras model whose class layer gives
logits. May touch: Keras (imported inside functions: throw-away subprocesses only), the weights file, and for
`imagenet` the network and Keras' folder. No pickle is read: HDF5 and `.keras` with safe_mode. DESIGN.md section 8.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vista_nb.errors import VistaDataError, VistaEnvironmentError, VistaError

__all__ = ["BUNDLED_FILE", "Application", "build", "imagenet_file", "weight_shapes"]

BUNDLED_FILE = Path(__file__).parents[2] / "demo" / "vistanet.keras"
_PREFIX = "keras.applications."


@dataclass(frozen=True)
class Application:
    """How keras.applications makes one CNN: its function, arguments, input size, and the name of its ImageNet file."""

    function: str
    imagenet: str
    arguments: tuple[tuple[str, Any], ...] = ()
    size: int = 224


_APPLICATIONS = {
    "ResNet50": Application("ResNet50", "resnet50_weights_tf_dim_ordering_tf_kernels.h5"),
    "VGG16": Application("VGG16", "vgg16_weights_tf_dim_ordering_tf_kernels.h5"),
    "MobileNet": Application("MobileNet", "mobilenet_1_0_224_tf.h5"),
    "MobileNet(alpha=0.25)": Application("MobileNet", "mobilenet_2_5_224_tf.h5", (("alpha", 0.25),)),
    "MobileNetV2": Application("MobileNetV2", "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5"),
}


def build(
    builder: str, weights: str, file: Path | None = None, seed: int = 0, include_top: bool | None = None
) -> tuple[Any, bool]:
    """The model and whether it has its class layers. include_top None: decided by the weights file.

    Raises VST340 (no such file), VST341 (file of another architecture), VST440 (ImageNet weights not on disk and
    not to be had), VST441 (unknown builder).
    """
    if weights == "random":
        return _random(builder, seed, include_top is not False), include_top is not False
    if weights == "imagenet":
        return _imagenet(builder), True
    return _from_file(builder, _existing(file or BUNDLED_FILE), include_top)


def imagenet_file(builder: str) -> Path:
    """Where Keras keeps (or would keep) the ImageNet weights of this CNN."""
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    return home / "models" / _application(builder).imagenet


def _application(builder: str) -> Application:
    found = _APPLICATIONS.get(builder.removeprefix(_PREFIX)) if builder.startswith(_PREFIX) else None
    if found is None:
        known = ", ".join(_PREFIX + name for name in _APPLICATIONS)
        raise VistaEnvironmentError("VST441", f"no builder {builder!r} for a CNN", f"known builders: {known}, bundled")
    return found


def _make(builder: str, include_top: bool, weights: str | None = None) -> Any:
    """An untrained model of the builder's architecture (or Keras' own ImageNet one)."""
    import keras

    if builder == "bundled":
        model = keras.models.load_model(_existing(BUNDLED_FILE), safe_mode=True, compile=False)
        return model.__class__.from_config(model.get_config())
    application = _application(builder)
    function = getattr(keras.applications, application.function)
    head = {"classifier_activation": None} if include_top else {}
    shape = (application.size, application.size, 3)
    return function(include_top=include_top, weights=weights, input_shape=shape, **head, **dict(application.arguments))


def _random(builder: str, seed: int, include_top: bool) -> Any:
    import keras

    keras.utils.set_random_seed(seed)  # throw-away process: global seeds belong to us
    return _make(builder, include_top)


def _imagenet(builder: str) -> Any:
    expected = imagenet_file(builder)
    try:
        return _make(builder, True, "imagenet")
    except VistaError:
        raise
    except Exception as error:
        raise VistaEnvironmentError(
            "VST440",
            f"ImageNet weights are not on this machine and could not be downloaded: {expected.name} "
            f"is missing or unusable in {expected.parent} ({_first_line(error)})",
            f"put {expected.name} into {expected.parent}, or use `weights: random` or a file",
        ) from error


def _from_file(builder: str, file: Path, include_top: bool | None) -> tuple[Any, bool]:
    """The architecture, with or without its class layers, whose weight shapes are those of the file."""
    if builder == "bundled":
        return _bundled(file), True
    held = weight_shapes(file)
    tried = [True, False] if include_top is None else [include_top]
    model = None
    for top in tried:
        model = _make(builder, top)
        if _shapes(model) == held:
            return _loaded(model, file, builder), top
    raise _mismatch(builder, file, held, _shapes(model))


def _bundled(file: Path) -> Any:
    import keras

    if file == BUNDLED_FILE:
        return keras.models.load_model(file, safe_mode=True, compile=False)
    model = _make("bundled", True)
    held = weight_shapes(file)
    if _shapes(model) != held:
        raise _mismatch("bundled", file, held, _shapes(model))
    return _loaded(model, file, "bundled")


def _loaded(model: Any, file: Path, builder: str) -> Any:
    try:
        model.load_weights(file)
    except Exception as error:
        raise VistaDataError(
            "VST341", f"weights file {file} does not fit {builder}: {_first_line(error)}", "give the matching `cnn:`"
        ) from error
    return model


def weight_shapes(file: Path) -> Counter[tuple[int, ...]]:
    """How often each shape occurs among the weight arrays of a `.h5`, `.weights.h5` or `.keras` file.

    Optimizer state is left out. Raises VST340 where the file is not such a file.
    """
    import h5py  # type: ignore[import-untyped]

    shapes: Counter[tuple[int, ...]] = Counter()

    def visit(name: str, item: Any) -> None:
        foreign = name.split("/")[0] in ("optimizer", "optimizer_weights", "seed_generator")
        if isinstance(item, h5py.Dataset) and not foreign and "seed_generator" not in name:
            shapes[tuple(item.shape)] += 1

    try:
        with h5py.File(_hdf5(file), "r") as handle:
            handle.visititems(visit)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise VistaDataError(
            "VST340",
            f"weights file {file} is not a Keras weights file: {_first_line(error)}",
            "give a .h5, .weights.h5 or .keras file",
        ) from error
    return shapes


def _hdf5(file: Path) -> Path | io.BytesIO:
    """The HDF5 part of a weights file: the file itself, or the member of a `.keras` archive."""
    if file.suffix != ".keras":
        return file
    with zipfile.ZipFile(file) as archive:
        return io.BytesIO(archive.read("model.weights.h5"))


def _shapes(model: Any) -> Counter[tuple[int, ...]]:
    return Counter(tuple(int(n) for n in weight.shape) for weight in model.weights)


def _mismatch(
    builder: str, file: Path, held: Counter[tuple[int, ...]], wanted: Counter[tuple[int, ...]]
) -> VistaDataError:
    """Names shapes that only one side has, so that a wrong width (MobileNet's alpha) is seen at once."""
    extra = ", ".join("x".join(map(str, s)) for s in sorted(held - wanted, key=len, reverse=True)[:3])
    missing = ", ".join("x".join(map(str, s)) for s in sorted(wanted - held, key=len, reverse=True)[:3])
    return VistaDataError(
        "VST341",
        f"weights file {file} does not fit {builder}: it holds {extra or 'no'} arrays that the CNN lacks, "
        f"the CNN needs {missing or 'no'} arrays that it lacks",
        "give the weights of this very CNN (`%vista cnns` lists them; a width such as alpha is part of it)",
    )


def _existing(file: Path) -> Path:
    if not file.is_file():
        raise VistaDataError("VST340", f"weights file {file} does not exist", "check the path after `weights:`")
    return file


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
