"""The four scaling rules, on pixels whose answer is known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from vista_nb.errors import VistaEnvironmentError
from vista_nb.executor.cnn.preprocess import preprocess

PIXEL = np.array([[[[255, 127.5, 0]]]], np.float32)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("tf", [1, 0, -1]),
        ("caffe", [-103.939, 127.5 - 116.779, 255 - 123.68]),
        ("torch", [(1 - 0.485) / 0.229, (0.5 - 0.456) / 0.224, -0.406 / 0.225]),
        ("none", [255, 127.5, 0]),
    ],
)
def test_rule(rule, expected):
    """tf to [-1, 1]; caffe turns to BGR and centres; torch scales and standardizes."""
    result = preprocess(PIXEL, rule)
    assert result.dtype == np.float32
    assert result.ravel().tolist() == pytest.approx(expected, abs=1e-4)


def test_unknown_rule_lists_the_known():
    """A roster entry with another rule is a coded error."""
    with pytest.raises(VistaEnvironmentError, match="VST442") as caught:
        preprocess(PIXEL, "keras")
    assert "caffe" in caught.value.hint
