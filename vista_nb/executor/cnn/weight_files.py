"""Weights from a file into a built model: HDF5 and `.keras` through Keras, `.npy` through our own reader, or refusals.

Reads a weights file and a Keras model, returns the model with the weights in it. May touch: that file; Keras' own
loading (throw-away subprocesses and tests only). Nothing is guessed: shapes (for `.npy` names too) must agree one by
one, or the error says what one side has and the other lacks. DESIGN.md sections 8 and 14.
"""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vista_nb.errors import VistaDataError
from vista_nb.executor.cnn.npy_weights import read_npy_weights

__all__ = ["fill", "fits", "held_shapes", "mismatch", "weight_shapes"]

Shapes = Counter[tuple[int, ...]]
_GIVE = "give the weights of this very CNN (`%vista cnns` lists them; a width such as alpha is part of it)"


def fill(model: Any, file: Path, called: str) -> Any:
    """The model with the file's weights. called: the CNN's name for messages.

    Raises VST340 (no such file, or none of weights), VST341 (of another architecture), VST346 (unsafe content).
    """
    if not file.is_file():
        raise VistaDataError("VST340", f"weights file {file} does not exist", "check the path after `weights:`")
    if file.suffix.lower() == ".npy":
        return _fill_npy(model, file, called)
    held = weight_shapes(file)
    if not fits(model, held):
        raise mismatch(called, file, held, [model])
    try:
        model.load_weights(file)
    except Exception as error:
        raise VistaDataError(
            "VST341", f"weights file {file} does not fit {called}: {_first_line(error)}", _GIVE
        ) from error
    return model


def _fill_npy(model: Any, file: Path, called: str) -> Any:
    weights = read_npy_weights(file)
    layers = {layer.name: layer for layer in model.layers if layer.weights}
    if weights.keys() != layers.keys():
        only = [f"it holds {_some(weights.keys() - layers.keys())}"] if weights.keys() - layers.keys() else []
        only += [f"it lacks {_some(layers.keys() - weights.keys())}"] if layers.keys() - weights.keys() else []
        raise VistaDataError("VST341", f"weights file {file} does not fit {called}: {', '.join(only)}", _GIVE)
    for name, layer in layers.items():
        wanted = [tuple(int(n) for n in weight.shape) for weight in layer.weights]
        given = [array.shape for array in weights[name]]
        if wanted != given:
            message = f"layer {name!r} holds {_listed(given)}, the CNN needs {_listed(wanted)}"
            raise VistaDataError("VST341", f"weights file {file} does not fit {called}: {message}", _GIVE)
        layer.set_weights(weights[name])
    return model


def held_shapes(file: Path) -> Shapes | None:
    """What `weight_shapes` says, or None for a `.npy` file, which names its layers itself."""
    return None if file.suffix.lower() == ".npy" else weight_shapes(file)


def weight_shapes(file: Path) -> Shapes:
    """How often each shape occurs among the weight arrays of a `.h5`, `.weights.h5` or `.keras` file.

    Optimizer state is left out. Raises VST340 where the file is not such a file.
    """
    import h5py  # type: ignore[import-untyped]

    shapes: Shapes = Counter()

    def visit(name: str, item: Any) -> None:
        foreign = name.split("/")[0] in ("optimizer", "optimizer_weights", "seed_generator")
        if isinstance(item, h5py.Dataset) and not foreign and "seed_generator" not in name:
            shapes[tuple(item.shape)] += 1

    try:
        with h5py.File(_hdf5(file), "r") as handle:
            handle.visititems(visit)
    except Exception as error:  # damaged bytes end in almost any exception
        raise VistaDataError(
            "VST340",
            f"weights file {file} is not a Keras weights file: {_first_line(error)}",
            "give a .h5, .weights.h5 or .keras file, whole (a copy that broke off is shorter)",
        ) from error
    return shapes


def _hdf5(file: Path) -> Path | io.BytesIO:
    """The HDF5 part of a weights file: the file itself, or the member of a `.keras` archive."""
    if file.suffix != ".keras":
        return file
    with zipfile.ZipFile(file) as archive:
        return io.BytesIO(archive.read("model.weights.h5"))


def fits(model: Any, held: Shapes) -> bool:
    """Whether the file holds as many arrays of each shape as the model has."""
    return held == _shapes(model)


def _shapes(model: Any) -> Shapes:
    return Counter(tuple(int(n) for n in weight.shape) for weight in model.weights)


def mismatch(called: str, file: Path, held: Shapes, models: Sequence[Any]) -> VistaDataError:
    """Names shapes that only one side has, so that a wrong width (MobileNet's alpha) is seen at once.

    models: the CNN with and without its class layers; the nearer one is spoken of.
    """
    wanted = min((_shapes(model) for model in models), key=lambda shapes: _difference(shapes, held))
    extra, missing = _most_telling(held - wanted), _most_telling(wanted - held)
    return VistaDataError(
        "VST341",
        f"weights file {file} does not fit {called}: it holds {extra or 'no'} arrays that the CNN lacks, "
        f"the CNN needs {missing or 'no'} arrays that it lacks",
        _GIVE,
    )


def _difference(one: Shapes, other: Shapes) -> int:
    return sum((one - other).values()) + sum((other - one).values())


def _most_telling(shapes: Shapes) -> str:
    return _listed(sorted(shapes, key=len, reverse=True)[:3])


def _listed(shapes: Sequence[tuple[int, ...]]) -> str:
    return ", ".join("x".join(map(str, shape)) or "single values" for shape in shapes)


def _some(names: set[str]) -> str:
    shown = sorted(names)[:4]
    return "layers " + ", ".join(repr(name[:40]) for name in shown) + (", ..." if len(names) > len(shown) else "")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
