"""The reader of bvlc_alexnet.npy's layout: what it reads, and everything that it must refuse without running it."""

from __future__ import annotations

import io
import os
import pickle
import struct
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vista_nb.errors import VistaDataError
from vista_nb.executor.cnn.npy_weights import read_npy_weights

KERNEL = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
BIAS = np.array([0.5, -1.0, 2.0, 1e-9], dtype=np.float32)


def header(kind: str = "'|O'", shape: str = "()", version: int = 1, length: int | None = None) -> bytes:
    text = f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    size = struct.pack("<H" if version == 1 else "<I", len(text) if length is None else length)
    return b"\x93NUMPY" + bytes([version, 0]) + size + text.encode()


def written(tmp_path: Path, content: bytes, name: str = "weights.npy") -> Path:
    file = tmp_path / name
    file.write_bytes(content)
    return file


def pickled(weights: Any, protocol: int) -> bytes:
    held = np.empty((), dtype=object)
    held[()] = weights
    return header() + pickle.dumps(held, protocol=protocol)


def check(found: Any, kernel: Any = KERNEL, bias: Any = BIAS) -> None:
    assert list(found) == ["conv1"]
    for got, expected in zip(found["conv1"], (kernel, bias), strict=True):
        assert got.dtype == np.float32
        assert got.shape == expected.shape
        assert got.tobytes() == expected.astype(np.float32).tobytes()


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("key", ["conv1", b"conv1"])
def test_every_protocol_and_kind_of_key(tmp_path: Path, protocol: int, key: Any) -> None:
    """Python 3 writes bytes by _codecs.encode with protocols 0 to 2; numpy has another form from protocol 5 on."""
    check(read_npy_weights(written(tmp_path, pickled({key: [KERNEL, BIAS]}, protocol))))


def test_numpy_saves_what_we_read(tmp_path: Path) -> None:
    """np.save of an object, as ports of the weights make it; a tuple does as a list does."""
    held = np.empty((), dtype=object)
    held[()] = {"conv1": (KERNEL, BIAS)}
    np.save(tmp_path / "weights.npy", held, allow_pickle=True)
    check(read_npy_weights(tmp_path / "weights.npy"))


def test_orders_and_kinds_of_numbers(tmp_path: Path) -> None:
    """Fortran order, big-endian and double values come out as the same float32 numbers."""
    weights = {"conv1": [np.asfortranarray(KERNEL), BIAS.astype(">f8")]}
    for protocol in (2, 5):
        check(read_npy_weights(written(tmp_path, pickled(weights, protocol))))


def text(value: bytes) -> bytes:
    """Python 2's str in a pickle of protocol 2: raw bytes with their length."""
    return b"U" + bytes([len(value)]) + value if len(value) < 256 else b"T" + struct.pack("<i", len(value)) + value


def python2_array(array: Any, memo: int) -> bytes:
    """What Python 2's numpy wrote, opcode by opcode; `memo` numbers what it remembers."""
    shape = b"(" + b"".join(b"K" + bytes([n]) for n in array.shape) + b"t"
    made = b"cnumpy.core.multiarray\n_reconstruct\nq" + bytes([memo]) + b"cnumpy\nndarray\nq" + bytes([memo + 1])
    made += b"K\x00\x85" + text(b"b") + b"\x87R"
    kind = b"cnumpy\ndtype\n" + text(b"f4") + b"K\x00K\x01\x87R"
    kind += b"(K\x03" + text(b"<") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    return made + b"(K\x01" + shape + kind + b"\x89" + text(array.tobytes()) + b"tb"


def test_a_file_of_python_2(tmp_path: Path) -> None:
    """The published file is one: str for keys, types and numbers, and the dict inside a 0-d object array."""
    kernel = np.arange(300, dtype=np.float32).reshape(3, 100)
    layers = b"}" + text(b"conv1") + b"]q\x05(" + python2_array(kernel, 6) + python2_array(BIAS, 8) + b"es"
    outer = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text(b"b") + b"\x87R"
    kind = b"cnumpy\ndtype\n" + text(b"O8") + b"K\x00K\x01\x87R(K\x03" + text(b"|")
    kind += b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK?tb"
    content = b"\x80\x02" + outer + b"(K\x01)" + kind + b"\x89]" + layers + b"atb."
    file = written(tmp_path, header() + content)
    check(read_npy_weights(file), kernel)
    # our hand-written opcodes are true to Python's and numpy's reading of them
    theirs = np.load(file, allow_pickle=True, encoding="bytes").item()
    assert theirs[b"conv1"][0].tobytes() == kernel.tobytes()


class Calls:
    """Unpickles as a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize(
    ("function", "named"),
    [(os.system, "system"), (eval, "eval"), (subprocess.Popen, "Popen"), (getattr, "getattr")],
)
def test_a_pickle_in_disguise_is_refused_and_not_executed(
    tmp_path: Path, function: Any, named: str, protocol: int
) -> None:
    """The file and the forbidden global are named; the trap is harmless only where it is never sprung."""
    trap = tmp_path / "sprung"
    argument = f"open({str(trap)!r}, 'w').close()" if function is eval else f"touch {trap}"
    bad = {"conv1": [Calls(function, argument), BIAS]}
    for name, content in (("a.npy", pickled(bad, protocol)), ("b.npy", header() + pickle.dumps(bad, protocol))):
        with pytest.raises(VistaDataError) as caught:
            read_npy_weights(written(tmp_path, content, name))
        assert caught.value.code == "VST346"
        assert name in caught.value.message
        assert named in caught.value.message
        assert caught.value.hint
    assert not trap.exists()
    pickle.loads(pickle.dumps(Calls(os.system, f"touch {trap}")))  # the trap works
    assert trap.exists()


@pytest.mark.parametrize(
    ("reduced", "named"),
    [
        (b"cnumpy\nload\n", "numpy.load"),
        (b"cnumpy.core.multiarray\narray\n", "numpy.core.multiarray.array"),
        (b"c_codecs\nlookup\n", "_codecs.lookup"),
        (b"cbuiltins\ngetattr\n", "builtins.getattr"),
        (b"ios\nsystem\n", "os.system"),
    ],
)
def test_neighbours_of_what_is_allowed_are_refused(tmp_path: Path, reduced: bytes, named: str) -> None:
    """The list is of names, not of modules; the old opcode INST asks too."""
    body = b"(" + reduced if reduced.startswith(b"i") else reduced + b")R"
    with pytest.raises(VistaDataError, match=f"VST346.*{named}"):
        read_npy_weights(written(tmp_path, header() + body + b"."))


def test_what_is_written_into_the_stand_ins_stays_in_its_file(tmp_path: Path) -> None:
    """BUILD sets attributes of whatever lies on the stack, classes too: the next file must not see them."""
    poisoned = b"cnumpy\nndarray\n(N}U\x08contentsU\x01xsU\x07numbersNstb."
    with pytest.raises(VistaDataError, match="VST340"):
        read_npy_weights(written(tmp_path, header() + poisoned))
    check(read_npy_weights(written(tmp_path, pickled({"conv1": [KERNEL, BIAS]}, 2))))


def test_references_outside_the_file_are_refused(tmp_path: Path) -> None:
    """Persistent ids and registered extensions have no meaning here."""
    for body in (b"Pthere\n.", b"\x82\x01."):
        with pytest.raises(VistaDataError, match=r"VST340.*weights\.npy"):
            read_npy_weights(written(tmp_path, header() + body))


@pytest.mark.parametrize("kept", [0, 5, 9, 60, 130, 300, 500])
def test_a_file_that_broke_off(tmp_path: Path, kept: int) -> None:
    """Anywhere: in the magic, the header, the pickle, the numbers."""
    whole = pickled({"conv1": [KERNEL, BIAS]}, 2)
    assert kept < len(whole)
    with pytest.raises(VistaDataError, match=r"VST340.*weights\.npy"):
        read_npy_weights(written(tmp_path, whole[:kept]))


def arrays(**change: Any) -> bytes:
    """A file whose bias is damaged: another shape or kind than its bytes have."""
    content = pickled({"conv1": [KERNEL, BIAS]}, 2)
    for old, new in change.values():
        assert old in content
        content = content.replace(old, new)
    return content


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is no .npy file"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "is no .npy file"),
        (pickle.dumps({"conv1": [KERNEL, BIAS]}), "is no .npy file"),
        (header(version=2)[:6] + b"\x03\x00" + bytes(100), "is no .npy file"),
        (header(version=2, length=2**32 - 1), "header of 4294967295 bytes"),
        (header(length=65_000), "header of 65000 bytes"),
        (header(kind="'<f4'", shape="(4,)") + BIAS.tobytes(), r"array of float32 with shape \(4,\)"),
        (header(shape="(2,)"), r"array of object with shape \(2,\)"),
        (header(kind="__import__('os')"), "is damaged"),
        (header() + b"\xff\xff\xff", "is damaged"),
        (header() + b"N.", "holds no dict of layers"),
        (pickled([KERNEL, BIAS], 2), "holds no dict of layers"),
        (pickled({}, 2), "holds no dict of layers"),
        (pickled({"conv1": KERNEL}, 2), r"no \[kernel, bias\] for layer 'conv1'"),
        (pickled({"conv1": [KERNEL]}, 2), r"no \[kernel, bias\] for layer 'conv1'"),
        (pickled({"conv1": [KERNEL, "bias"]}, 2), r"no \[kernel, bias\] for layer 'conv1'"),
        (pickled({"conv1": [KERNEL, np.array([None, 1])]}, 2), "damaged at layer 'conv1'"),
        (pickled({"conv1": [KERNEL, np.array(["a", "b"])]}, 2), "damaged at layer 'conv1'"),
        (arrays(shape=(b"K\x02K\x03K\x04\x87", b"K\x02K\x03K\x05\x87")), "damaged at layer 'conv1'"),
        (arrays(shape=(b"K\x02K\x03K\x04\x87", b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7fK\x04\x87")), "damaged at layer"),
        (arrays(shape=(b"K\x02K\x03K\x04\x87", b"J\xff\xff\xff\xffJ\xe8\xff\xff\xffK\x01\x87")), "damaged at layer"),
    ],
)
def test_what_is_no_such_file_is_said(tmp_path: Path, content: bytes, says: str) -> None:
    """Other formats, hostile headers and shapes, other structures: VST340 with the file and the reason."""
    with pytest.raises(VistaDataError, match=says) as caught:
        read_npy_weights(written(tmp_path, content))
    assert caught.value.code == "VST340"
    assert "weights.npy" in caught.value.message


def test_a_long_header_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """Four gigabytes announced: nothing is allocated for them."""
    file = written(tmp_path, header(version=2, length=2**32 - 1) + bytes(50_000))
    read = []

    class Watched(io.FileIO):
        def read(self, size: int = -1) -> bytes:
            read.append(size)
            return super().read(size)

    from vista_nb.executor.cnn import npy_weights

    with Watched(str(file)) as stream, pytest.raises(VistaDataError, match="header"):
        npy_weights._check_header(file, stream)
    assert sum(read) <= 12
