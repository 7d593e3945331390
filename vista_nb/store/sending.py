"""From the local tier into the remote one, beside the run: what it wrote, and what it read that the remote one lacks.

Reads parts of a store, returns nothing. May touch: the remote tier, threads of its own. ADR 30: nothing waits for the
network before the run's end, and a remote store that does not take a part costs a note, never the run. What was not
sent while the network was away is sent by the next run that reads it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

from vista_nb.errors import VistaStoreError
from vista_nb.store.layout import Layout
from vista_nb.store.manifest import LayerSetFacts, Part
from vista_nb.store.parts import BrokenPart, read_digests
from vista_nb.store.remote_part import RemotePart
from vista_nb.units import format_bytes

if TYPE_CHECKING:
    from vista_nb.store.remote import Remote

__all__ = ["Sending"]

_THREADS = 4


class Sending:
    """Of one run. Raw tensors stay here: a network brings them no sooner than the CNN makes them again."""

    def __init__(self, remote: Remote, layout: Layout) -> None:
        self._remote, self._layout = remote, layout
        self._asked: set[str] = set()
        self._waiting: list[Future[None]] = []
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="vista-send")
        self._there: dict[str, set[str]] = {}  # key -> digests that the remote tier has
        self._guard = threading.Lock()
        self._stopped = threading.Event()
        self._error: VistaStoreError | None = None
        self._sent: list[Part] = []

    def send(self, facts: LayerSetFacts, parts: Iterable[Part]) -> None:
        """Each part once, soon. They are under the run's lease."""
        fresh = [] if facts.raw else [part for part in parts if part.file not in self._asked]
        self._asked.update(part.file for part in fresh)
        with suppress(RuntimeError):  # stopped: the pool takes nothing more
            self._waiting += [self._pool.submit(self._one, facts, part) for part in fresh]

    def settle(self) -> tuple[str, ...]:
        """Wait for all of them; what became of them, for the user."""
        for sent in self._waiting:  # futures.wait would not see those that `stop` cancelled
            with suppress(CancelledError):
                sent.result()
        told = []
        if self._sent:
            size = format_bytes(sum(part.bytes for part in self._sent))
            told.append(
                f"store: {len(self._sent)} new part{'s' * (len(self._sent) > 1)} ({size}) sent to {self._remote.name}"
            )
        if self._error is not None:
            error = self._error
            told.append(f"store: not all was sent to the remote tier ({error.code}), it stays here: {error.message}")
        return tuple(told)

    def stop(self) -> None:
        """The run was cancelled, or is over: what has not gone by now does not go."""
        self._stopped.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _one(self, facts: LayerSetFacts, part: Part) -> None:
        if self._over():
            return
        path = self._layout.folder(facts.key) / part.file
        try:
            digests = frozenset(read_digests(path))
            if digests <= self._known(facts.key):
                return
            if self._remote.send(RemotePart(facts, part, digests), path, self._over):
                with self._guard:
                    self._sent.append(part)
                    self._there[facts.key] |= digests
        except BrokenPart:
            return  # whoever reads it sets it aside
        except VistaStoreError as error:
            self._error = self._error or error

    def _over(self) -> bool:
        return self._stopped.is_set() or self._error is not None

    def _known(self, key: str) -> set[str]:
        with self._guard:
            if key not in self._there:
                self._there[key] = {digest for found in self._remote.now(key) for digest in found.digests}
            return self._there[key]
