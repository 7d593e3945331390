"""Tensor records: numpy -> record -> Arrow -> record -> numpy, and what is refused."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from vista_nb.errors import VistaRunError
from vista_nb.executor.cnn.tensors import TENSORS_TYPE, from_arrow, stack, tensors_column, to_array, to_record
from vista_nb.executor.inputs import TensorRecord


@pytest.mark.parametrize("dtype", ["float32", "float16", "int64", "uint8", ">f4"])
def test_round_trip_keeps_values_and_shape(dtype):
    """Also of a big-endian and of a strided array."""
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)[:, ::2]
    back = to_array(to_record("conv5", array))
    assert back.shape == (2, 2, 4)
    assert np.array_equal(back, array)


def test_column_holds_every_layer_and_null_for_bad_rows():
    """Rows without a tensor are null, the others hold the layers in order."""
    low, high = np.arange(8, dtype=np.float32).reshape(2, 2, 2), np.ones((2, 3), np.float32)
    column = tensors_column({"low": low, "high": high}, [True, False, True])
    assert column.type == TENSORS_TYPE
    assert [len(from_arrow(row)) for row in column] == [2, 0, 2]
    rows = [from_arrow(row) for row in column if row.is_valid]
    assert np.array_equal(stack(rows, "low"), low)
    assert np.array_equal(stack(rows, "high"), high)


def test_scalar_shape_and_empty_batch():
    """A tensor without axes is a record too; a column may be all null."""
    assert to_array(to_record("x", np.float32(3).reshape(()))) == 3
    column = tensors_column({"x": None}, [False, False])
    assert column.null_count == 2
    assert isinstance(column, pa.ListArray)


def test_bytes_that_do_not_fit_the_shape_are_refused():
    """A damaged record names the tensor and both sizes."""
    with pytest.raises(VistaRunError, match=r"VST541.*'conv5' has 4 bytes") as caught:
        to_array(TensorRecord("conv5", "float32", (2,), b"0000"))
    assert "needs 8" in caught.value.message


def test_missing_tensor_is_named():
    """The error says which tensors the cut holds."""
    row = (to_record("conv5", np.zeros(2, np.float32)),)
    with pytest.raises(VistaRunError, match=r"VST542.*'fc6'") as caught:
        stack([row], "fc6")
    assert "conv5" in caught.value.hint
