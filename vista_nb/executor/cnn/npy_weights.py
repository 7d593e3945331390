"""Reads a weights file in the layout of `bvlc_alexnet.npy` without trusting it.

The layout: a .npy file with one object, a dict from layer name to [kernel, bias], pickled (by Python 2). Reads the
file, returns numpy arrays by layer. May touch: that file. DESIGN.md section 8: no pickle is loaded.
The unpickler below knows stand-ins for numpy's arrays and types and nothing else: a stand-in keeps bytes and a shape,
and numpy builds the array afterwards, from checked numbers. Any other global is refused before it is looked up.
"""

from __future__ import annotations

import pickle
import re
import struct
from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np
from numpy.typing import NDArray

from vista_nb.errors import VistaDataError, VistaError

__all__ = ["read_npy_weights"]

Weights = dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]
_LAYOUT = "give a .npy file as made by caffe-tensorflow (a dict of layer -> [kernel, bias]), or a .h5 file"
_NUMBERS = re.compile(r"[<>=|]?[fiu][1248]")
_LONGEST_HEADER = 10_000  # numpy's own limit; ours is checked before anything is read


def read_npy_weights(file: Path) -> Weights:
    """Layer name -> (kernel, bias), float32. Raises VST340 (another kind of file, damaged), VST346 (unsafe content)."""
    with file.open("rb") as stream:
        try:
            _check_header(file, stream)
            found = _Unpickler(file, stream).load()
        except VistaError:
            raise
        except Exception as error:  # damaged bytes end in almost any exception
            reason = (str(error).splitlines() or [""])[0][:200] or type(error).__name__
            raise VistaDataError("VST340", f"weights file {file} is damaged: {reason}", _LAYOUT) from error
    return _layers(file, found)


def _check_header(file: Path, stream: BinaryIO) -> None:
    """One object without dimensions must follow."""
    start = stream.read(12)
    if start[:6] != np.lib.format.MAGIC_PREFIX or start[6:8] not in (b"\x01\x00", b"\x02\x00"):
        _wrong(file, "is no .npy file")
    length = struct.unpack("<H", start[8:10])[0] if start[6] == 1 else struct.unpack("<I", start[8:12])[0]
    if length > _LONGEST_HEADER:
        _wrong(file, f"has a header of {length} bytes")
    stream.seek(8)
    read = np.lib.format.read_array_header_1_0 if start[6] == 1 else np.lib.format.read_array_header_2_0
    shape, _, kind = read(stream)
    if kind != np.dtype(object) or shape != ():
        _wrong(file, f"holds an array of {kind} with shape {shape}, not a dict of layers")


def _wrong(file: Path, reason: str) -> NoReturn:
    raise VistaDataError("VST340", f"weights file {file} {reason}", _LAYOUT)


class _Unpickler(pickle.Unpickler):
    """Python's, with a closed list of globals, none of which is what its name says."""

    def __init__(self, file: Path, stream: BinaryIO) -> None:
        super().__init__(stream, encoding="bytes")  # Python 2's str: raw bytes
        self._file = file
        self._allowed = _stand_ins()

    def find_class(self, module: str, name: str) -> Any:
        # numpy 2 renamed its private package
        found = self._allowed.get((module.replace("numpy._core", "numpy.core"), name))
        if found is None:
            raise VistaDataError(
                "VST346",
                f"weights file {self._file} was refused: it asks for {module}.{name}, and weights are numbers; "
                "nothing of it was executed",
                "do not open this file with numpy or pickle; take the weights from a source you trust",
            )
        return found


class _Array:
    """An array before numpy has seen it: kind (`f4`, `O`), shape, order, and its bytes (or objects)."""

    def __init__(self, kind: Any = None, shape: Any = (), fortran: Any = False, content: Any = b"") -> None:
        self.kind, self.shape, self.fortran, self.content = kind, shape, fortran, content

    def numbers(self) -> NDArray[Any]:
        """The numpy array. Raises ValueError or TypeError where bytes, shape and kind do not agree."""
        if not _NUMBERS.fullmatch(str(self.kind)):  # numpy.dtype reads much more than names of types
            raise ValueError(f"{str(self.kind)[:40]!r} is no type of numbers")
        dtype = np.dtype(str(self.kind))
        shape = tuple(int(n) for n in self.shape)
        if min(shape, default=1) < 0 or prod(shape) * dtype.itemsize != len(self.content):
            raise ValueError(f"{len(self.content)} bytes are no {dtype} array of shape {shape}")
        return np.frombuffer(self.content, dtype).reshape(shape, order="F" if self.fortran else "C")


def _stand_ins() -> Mapping[tuple[str, str], Callable[..., Any]]:
    """What may be named in the file, made anew for each: a pickle can write into the classes it is given."""

    class Kind:
        def __init__(self, code: Any = b"", *_flags: Any) -> None:
            self.code, self.order = _text(code), ""

        def __setstate__(self, state: Any) -> None:
            self.order = _text(state[1]).replace("|", "")

        def __str__(self) -> str:
            return self.order + self.code

    class Array(_Array):
        def __setstate__(self, state: Any) -> None:
            _version, self.shape, self.kind, self.fortran, self.content = state

    def encode(text: str, encoding: str) -> bytes:
        """How Python 3 writes bytes with protocol 2."""
        return text.encode("latin1") if encoding == "latin1" else b""

    def frombuffer(content: Any, kind: Any, shape: Any, order: Any) -> Array:
        return Array(kind, shape, _text(order) == "F", bytes(content))

    return {
        ("numpy.core.multiarray", "_reconstruct"): lambda *_: Array(),
        ("numpy.core.multiarray", "scalar"): lambda kind, content: Array(kind, (), False, content),
        ("numpy.core.numeric", "_frombuffer"): frombuffer,
        ("numpy", "ndarray"): Array,
        ("numpy", "dtype"): Kind,
        ("_codecs", "encode"): encode,
        ("builtins", "bytes"): lambda: b"",
        ("__builtin__", "bytes"): lambda: b"",
    }


def _text(value: Any) -> str:
    return value.decode("latin1") if isinstance(value, bytes) else str(value)


def _layers(file: Path, found: Any) -> Weights:
    content = found.content if isinstance(found, _Array) and str(found.kind).startswith(("O", "|O")) else [found]
    if not (isinstance(content, list) and len(content) == 1 and isinstance(content[0], dict) and content[0]):
        _wrong(file, "holds no dict of layers")
    return {_text(name): _pair(file, _text(name), value) for name, value in content[0].items()}


def _pair(file: Path, layer: str, value: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    if not (isinstance(value, list | tuple) and len(value) == 2 and all(isinstance(v, _Array) for v in value)):
        _wrong(file, f"holds no [kernel, bias] for layer {layer!r}")
    try:
        kernel, bias = (v.numbers().astype(np.float32, copy=False) for v in value)
    except (ValueError, TypeError, AttributeError) as error:
        raise VistaDataError(
            "VST340", f"weights file {file} is damaged at layer {layer!r}: {str(error)[:200]}", _LAYOUT
        ) from error
    return kernel, bias
