"""Builds the Keras model of a roster CNN with the weights asked for: random, imagenet, bundled, or a file.

Reads a weights file (or Keras' own download folder), returns a functional Keras model whose class layer gives
logits. May touch: Keras (imported inside functions: throw-away subprocesses only), the weights file, and for
`imagenet` the network and Keras' folder. No pickle is loaded: see npy_weights. DESIGN.md section 8.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vista_nb.errors import VistaDataError, VistaEnvironmentError, VistaError
from vista_nb.executor.cnn.applications import ALEXNET, expect_deviations, imagenet_file, make_application
from vista_nb.executor.cnn.weight_files import fill, fits, held_shapes, mismatch, weight_shapes

__all__ = ["BUNDLED_FILE", "build", "fill", "imagenet_file", "weight_shapes"]

BUNDLED_FILE = Path(__file__).parents[2] / "demo" / "vistanet.keras"


def build(
    builder: str, weights: str, file: Path | None = None, seed: int = 0, include_top: bool | None = None
) -> tuple[Any, bool]:
    """The model and whether it has its class layers. include_top None: decided by the weights file.

    Raises VST340 (no such file, or none of weights), VST341 (file of another architecture), VST346 (unsafe file),
    VST440 (ImageNet weights not on disk and not to be had), VST441 (unknown builder).
    """
    if builder.startswith("file:"):  # a CNN of the user's own
        from vista_nb.executor.cnn.own_build import build_own

        return build_own(Path(builder.removeprefix("file:")), weights, file, seed), True
    if weights == "random":
        top = include_top is not False
        return _make(builder, top, seed), top
    if weights == "imagenet":
        return _imagenet(builder), True
    return _from_file(builder, _existing(file or BUNDLED_FILE), include_top)


def _make(builder: str, include_top: bool, seed: int = 0) -> Any:
    """An untrained model of the builder's architecture."""
    import keras

    _count_names_anew()
    keras.utils.set_random_seed(seed)  # throw-away process: global seeds belong to us
    if builder == "bundled":
        model = keras.models.load_model(_existing(BUNDLED_FILE), safe_mode=True, compile=False)
        return model.__class__.from_config(model.get_config())
    if builder == ALEXNET:
        from vista_nb.executor.cnn.alexnet import alexnet

        return alexnet(include_top)
    return make_application(builder, include_top)


def _count_names_anew() -> None:
    """Keras numbers the layers that it names itself (Xception's `add_3`): the roster's names need a fresh count."""
    import keras

    keras.backend.clear_session(free_memory=False)


def _imagenet(builder: str) -> Any:
    """Through Keras' own loader, which uses its folder first; AlexNet's file, which Keras does not know, from there."""
    expected = imagenet_file(builder)
    if builder == ALEXNET:
        if not expected.is_file():
            raise _not_to_be_had(expected, "is missing, and Keras has no download for it")
        return fill(_make(builder, True), expected, builder)
    _count_names_anew()
    try:
        return make_application(builder, True, "imagenet")
    except VistaError:
        raise
    except Exception as error:
        state = "is there, but unusable" if expected.is_file() else "is missing, and could not be downloaded"
        raise _not_to_be_had(expected, f"{state} ({_first_line(error)})") from error


def _not_to_be_had(expected: Path, why: str) -> VistaEnvironmentError:
    return VistaEnvironmentError(
        "VST440",
        f"no ImageNet weights on this machine: {expected.name} in {expected.parent} {why}",
        f"put {expected.name} into {expected.parent}, or use `weights: random` or a file",
    )


def _from_file(builder: str, file: Path, include_top: bool | None) -> tuple[Any, bool]:
    """The architecture, with or without its class layers, whose weight shapes are those of the file."""
    if builder == "bundled":
        return _bundled(file), True
    held = held_shapes(file)
    tried = [True, False] if include_top is None and held is not None else [include_top is not False]
    models = []
    for top in tried:
        models.append(_make(builder, top))
        if held is None or fits(models[-1], held):
            return expect_deviations(fill(models[-1], file, builder)), top
    assert held is not None
    raise mismatch(builder, file, held, models)


def _bundled(file: Path) -> Any:
    import keras

    if file == BUNDLED_FILE:
        return keras.models.load_model(file, safe_mode=True, compile=False)
    return fill(_make("bundled", True), file, "bundled")


def _existing(file: Path) -> Path:
    if not file.is_file():
        raise VistaDataError("VST340", f"weights file {file} does not exist", "check the path after `weights:`")
    return file


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
