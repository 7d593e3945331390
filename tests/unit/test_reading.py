"""Features on their way to the kernel: read once for all folds, the next layer's while a model is fitted."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from vista_nb.executor.reading import FeatureReader
from vista_nb.executor.records import Vectors

IN_TIME = 10.0


@dataclass(frozen=True)
class Photos:
    """What a reader looks at of Rows."""

    digests: tuple[tuple[str, ...], ...]


def photos(*names: str) -> Any:
    return Photos((names,))


class Store:
    """Counts who reads what."""

    def __init__(self) -> None:
        self.read: list[tuple[str, str]] = []
        self.asked = threading.Event()

    def __call__(self, layer: str, rows: Any) -> Vectors:
        self.read.append((layer, threading.current_thread().name.split("_")[0]))
        self.asked.set()
        if layer == "lost":
            raise LookupError(layer)
        return Vectors(rows.digests[0], (np.zeros((len(rows.digests[0]), 1), np.float32),), 1)


def test_a_layer_is_read_once_for_all_its_folds() -> None:
    """Each fold asks with rows of its own over the same photos."""
    store = Store()
    reader = FeatureReader(store, keep=True)
    found = [reader.vectors("fc6", photos("a", "b")) for _ in range(5)]
    assert [layer for layer, _ in store.read] == ["fc6"]
    assert all(one is found[0] for one in found)
    reader.vectors("fc6", photos("a"))  # a wave before this one had fewer rows
    assert len(store.read) == 2


def test_without_folds_nothing_is_held() -> None:
    """The matrix is made of it, and the fit needs the room."""
    store = Store()
    reader = FeatureReader(store, keep=False)
    for _ in range(2):
        reader.vectors("fc6", photos("a"))
    assert len(store.read) == 2


def test_the_next_layer_is_read_by_another_thread() -> None:
    """And what it read is what the next training gets; other rows read again."""
    store = Store()
    reader = FeatureReader(store, keep=False)
    reader.ahead("fc7", photos("a", "b"))
    assert store.asked.wait(IN_TIME)
    assert reader.vectors("fc7", photos("a", "b")).digests == ("a", "b")
    assert store.read == [("fc7", "vista-read")]
    reader.ahead("fc8", photos("a"))
    assert reader.vectors("fc8", photos("a", "b")).digests == ("a", "b")
    assert store.read[-1] == ("fc8", "MainThread")
    reader.close()


def test_what_is_asked_for_twice_is_read_once_ahead() -> None:
    """Every fold of a layer says what comes next."""
    store = Store()
    reader = FeatureReader(store, keep=True)
    for _ in range(3):
        reader.ahead("fc7", photos("a"))
    reader.vectors("fc7", photos("a"))
    assert store.read == [("fc7", "vista-read")]
    reader.close()


def test_what_reading_raises_is_raised_where_the_layer_is_needed() -> None:
    """Not in the training before it."""
    reader = FeatureReader(Store(), keep=False)
    reader.ahead("lost", photos("a"))
    assert reader.vectors("fc6", photos("a")).digests == ("a",)
    reader.ahead("lost", photos("a"))
    with pytest.raises(LookupError):
        reader.vectors("lost", photos("a"))
    reader.close()
    reader.close()
