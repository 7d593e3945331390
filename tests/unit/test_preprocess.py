"""The scaling rules, on pixels whose answer is known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from vista_nb.errors import VistaEnvironmentError
from vista_nb.executor.cnn.preprocess import preprocess
from vista_nb.plan import fingerprint

PIXEL = np.array([[[[255, 127.5, 0]]]], np.float32)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("tf", [1, 0, -1]),
        ("caffe", [-103.939, 127.5 - 116.779, 255 - 123.68]),
        ("bvlc", [-104.00699, 127.5 - 116.66877, 255 - 122.67892]),
        ("torch", [(1 - 0.485) / 0.229, (0.5 - 0.456) / 0.224, -0.406 / 0.225]),
        ("none", [255, 127.5, 0]),
    ],
)
def test_rule(rule, expected):
    """tf to [-1, 1]; caffe and bvlc turn to BGR and centre; torch scales and standardizes."""
    result = preprocess(PIXEL, rule)
    assert result.dtype == np.float32
    assert result.ravel().tolist() == pytest.approx(expected, abs=1e-4)


def test_unknown_rule_lists_the_known():
    """A roster entry with another rule is a coded error."""
    with pytest.raises(VistaEnvironmentError, match="VST442") as caught:
        preprocess(PIXEL, "keras")
    assert "caffe" in caught.value.hint


def test_gray_is_scaled_or_left_as_it_is():
    """One channel stays one."""
    gray = np.full((2, 4, 5, 1), 255, np.float32)
    assert preprocess(gray, "tf").shape == gray.shape
    assert preprocess(gray, "tf").max() == 1
    assert np.array_equal(preprocess(gray, "none"), gray)


@pytest.mark.parametrize("rule", ["caffe", "bvlc", "torch"])
def test_rules_of_three_colours_refuse_gray(rule):
    """A mean of three colours would turn one channel into three without a word."""
    with pytest.raises(VistaEnvironmentError, match="three colours") as caught:
        preprocess(np.zeros((1, 4, 4, 1), np.float32), rule)
    assert "none" in caught.value.hint


def test_the_decoders_version_is_in_the_stores_key(monkeypatch):
    """Other pixels for the same photo: features stored before are not used again."""
    before = fingerprint.preprocessing_key("tf", 224, 224)
    monkeypatch.setattr(fingerprint, "DECODER", fingerprint.DECODER + 1)
    assert fingerprint.preprocessing_key("tf", 224, 224) != before
