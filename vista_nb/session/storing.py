"""The store as people handle it: which layer sets they mean, and what is done with those.

Reads words of a command line, returns values of store.admin. May touch: the materialization store. DESIGN.md sections
4 and 9. Starts no engine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vista_nb.errors import VistaStoreError, VistaUsageError
from vista_nb.spec.suggest import did_you_mean
from vista_nb.store.admin import Checked, Holding, Inventory, check, clean, drop, inventory, pin
from vista_nb.store.files import Store
from vista_nb.store.place import store_place
from vista_nb.store.room import Freed
from vista_nb.units import parse_bytes

__all__ = ["Dropped", "check_store", "clean_store", "drop_layers", "look", "pin_layers"]

_KEY_WORD = 4  # a word of so many hex digits may be the beginning of a key


@dataclass(frozen=True)
class Dropped:
    """kept: why a layer set that was meant is still there."""

    holdings: tuple[Holding, ...]
    bytes: int
    kept: tuple[str, ...] = ()


def look(store_dir: Path | str | None = None, budget: int | None = None) -> Inventory:
    """Everything in the store."""
    return inventory(_open(store_dir, budget))


def pin_layers(words: Sequence[str], pinned: bool, store_dir: Path | str | None = None) -> tuple[Holding, ...]:
    """Pin or unpin the layer sets that `words` mean. Raises VST014."""
    store = _open(store_dir, None)
    here = [holding for holding in inventory(store).holdings if holding.layers.parts]
    meant = select(here, words)  # what lies in the remote store alone needs no pin: no budget takes it
    for holding in meant:
        pin(store, holding.layers.key, pinned)
    return meant


def drop_layers(words: Sequence[str], store_dir: Path | str | None = None) -> Dropped:
    """Remove the layer sets that `words` mean, but for those that are pinned or in use. Raises VST014, and VST617 where
    none of them could go.
    """
    store = _open(store_dir, None)
    gone, size, kept = [], 0, list[VistaStoreError]()
    for holding in select(inventory(store).holdings, words):
        try:
            size += drop(store, holding.layers.key)
            gone.append(holding)
        except VistaStoreError as error:
            if error.code != "VST617":
                raise
            kept.append(error)
    if kept and not gone:
        raise kept[0]
    return Dropped(tuple(gone), size, tuple(error.message for error in kept))


def clean_store(most: str | None = None, store_dir: Path | str | None = None, budget: int | None = None) -> Freed:
    """Remove rubbish, then the least recently used parts beyond `most` (`2GB`; default: the budget)."""
    try:
        limit = None if most is None else parse_bytes(most)
    except ValueError as error:
        raise VistaUsageError("VST003", f"store gc: {error}", "%vista store gc 2GB") from error
    return clean(_open(store_dir, budget), limit)


def check_store(words: Sequence[str] = (), store_dir: Path | str | None = None) -> Checked:
    """Read the layer sets that `words` mean (none: all) again, byte by byte. Raises VST014."""
    store = _open(store_dir, None)
    holdings = inventory(store).holdings
    meant = select(holdings, words) if words else holdings
    return check(store, [holding.layers.key for holding in meant])


def select(holdings: Sequence[Holding], words: Sequence[str]) -> tuple[Holding, ...]:
    """Those of which every word is true: a CNN, a layer, a pooling, a precision, `raw`, or the beginning of the id;
    `all` means all. Raises VST014 where a word is true of none of those left.
    """
    meant = tuple(holdings)
    for word in words:
        fits = _meaning(word)
        found = tuple(holding for holding in meant if fits(holding))
        if not found:
            names = sorted({name for holding in meant for name in _names(holding)})
            hint = did_you_mean(word, names, "names") if names else "%vista store ls lists what there is"
            raise VistaUsageError("VST014", f"the store has nothing called {' '.join(words)!r}", hint)
        meant = found
    return meant


def _meaning(word: str) -> Callable[[Holding], bool]:
    low = word.lower()
    is_key = len(low) >= _KEY_WORD and all(c in "0123456789abcdef" for c in low)
    return lambda h: low == "all" or low in _names(h) or (is_key and h.layers.key.startswith(low))


def _names(holding: Holding) -> set[str]:
    facts = holding.layers.facts
    return {word.lower() for word in (facts.cnn, facts.layer, facts.precision, *facts.pooling.split())}


def _open(store_dir: Path | str | None, budget: int | None) -> Store:
    folder, remote = store_place(store_dir)
    store = Store(folder, budget, remote=remote)
    if store.remote is not None:
        store.remote.ask_again()
    return store
