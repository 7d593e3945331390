"""The remote tier: immutable parts in an object store, append-only, without locks and without renames.

Reads and writes `ADDRESS/v1/KEY/NAME.parquet` and `NAME.json`, returns parts. May touch: that address, through
pyarrow.fs (S3, Google Cloud, Azure, HDFS, mounted folders), and the one local file it is given. DESIGN.md section 9;
ADR 30. The Parquet object is put first, the JSON after it: a reader lists the JSONs alone, so that a killed upload
has left nothing anybody sees. What is not as its JSON says is ignored by this process from then on.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from vista_nb.errors import VistaStoreError
from vista_nb.store.manifest import FORMAT, is_key
from vista_nb.store.parts import BrokenPart
from vista_nb.store.place import shown
from vista_nb.store.remote_part import RemotePart, Unfinished, parse_part, render_part

__all__ = ["RETRY_SECONDS", "Leftover", "Remote"]

RETRY_SECONDS = 300.0
"""A store that did not answer is not asked again before, but where somebody waits for its answer: each question takes
seconds.
"""

_CHUNK = 4_000_000
_THREADS = 8
_HINT = "see docs/store.md for the address and the credentials; the local store goes on without it"

_down: dict[str, tuple[float, VistaStoreError]] = {}  # address -> when it did not answer, and how
_known: dict[tuple[str, str, str], RemotePart] = {}  # (address, key, name): they never change
_damaged: set[tuple[str, str, str]] = set()


class Leftover(NamedTuple):
    """An object that no JSON names."""

    path: str
    bytes: int


class Remote:
    """One address. Nothing is asked of it before the first look."""

    def __init__(self, address: str, say: Callable[[str], None]) -> None:
        self.address, self.name, self._say = address, shown(address), say
        self._opened: tuple[Any, str] | None = None
        self._keys: frozenset[str] | None = None

    def ask_again(self) -> None:
        """Even if it did not answer a moment ago: somebody wants to know."""
        _down.pop(self.address, None)

    # -- looking -----------------------------------------------------------------------------------------------------

    def layer_keys(self) -> frozenset[str]:
        """Of all layer sets, asked once. Raises VST618 where the store cannot be reached."""
        if self._keys is None:
            self._raise_if_down()
            try:
                with self._reaching("looking into"):
                    entries = self._list(self._at())
            except VistaStoreError as error:
                _down[self.address] = (time.monotonic(), error)
                raise
            names = (path.rpartition("/")[2] for path, _, _ in entries)
            self._keys = frozenset(name for name in names if is_key(name))
        return self._keys

    def parts(self, key: str) -> tuple[RemotePart, ...]:
        """Those of a layer set that this process may use, newest first. Raises VST618."""
        if key not in self.layer_keys():
            return ()
        with self._reaching("looking into"):
            paths = [path.rpartition("/")[2] for path, _, _ in self._list(self._at(key))]
            names = [name.removesuffix(".json") for name in paths if name.endswith(".json")]
            with ThreadPoolExecutor(_THREADS, thread_name_prefix="vista-remote") as pool:
                found = [part for part in pool.map(lambda name: self._part(key, name), names) if part is not None]
        return tuple(sorted(found, key=lambda p: (-p.part.created, p.name)))

    def now(self, key: str) -> tuple[RemotePart, ...]:
        """The same with what others have put there meanwhile."""
        self._keys = None
        return self.parts(key)

    def leftovers(self, before: float) -> list[Leftover]:
        """Objects older than `before` (seconds since 1970) that no JSON names, and JSONs that a killed upload left."""
        with self._reaching("looking into"):
            files = {path: (size, when) for key in self.layer_keys() for path, size, when in self._list(self._at(key))}
            whole = {path for path in files if path.endswith(".json") and self._is_whole(path)}
        named = whole | {f"{path.removesuffix('.json')}.parquet" for path in whole}
        return [
            Leftover(path, size) for path, (size, when) in sorted(files.items()) if path not in named and when < before
        ]

    # -- parts -------------------------------------------------------------------------------------------------------

    def fetch(self, found: RemotePart, target: Path) -> None:
        """Its bytes as the file `target`. Raises BrokenPart where they are not what the JSON says, VST618."""
        with self._reaching("reading from"), target.open("wb") as file:
            try:
                checksum = self._read(found, file.write)
            except FileNotFoundError:
                checksum = "it is gone"
        if checksum != found.part.sha256:
            self.ignore(found)
            raise BrokenPart("its bytes are not those that were sent" if len(checksum) == 64 else checksum)

    def verify(self, found: RemotePart) -> bool:
        """Whether every byte is as it was sent. Raises VST618."""
        with self._reaching("reading from"):
            try:
                return self._read(found, lambda _: None) == found.part.sha256
            except FileNotFoundError:
                return False

    def ignore(self, found: RemotePart) -> None:
        """Not seen by this process any more."""
        _damaged.add((self.address, found.key, found.name))

    def send(self, found: RemotePart, source: Path, stopped: Callable[[], bool]) -> bool:
        """Put the part, then the JSON that makes it exist; false where it was stopped. Raises VST618."""
        target = self._at(found.key, f"{found.name}.parquet")
        with self._reaching("writing to"):
            checksum = hashlib.sha256()
            with source.open("rb") as file, self._writing(target) as stream:
                while block := file.read(_CHUNK):
                    if stopped():
                        return False
                    stream.write(block)
                    checksum.update(block)
            fs, _ = self._open()
            if checksum.hexdigest() != found.part.sha256 or fs.get_file_info(target).size != found.part.bytes:
                raise OSError(f"{found.part.file} did not arrive whole")
            with self._writing(self._at(found.key, f"{found.name}.json")) as stream:
                stream.write(render_part(found).encode())
        return True

    def remove(self, found: RemotePart) -> None:
        """The JSON first: what it does not name does not exist. Raises VST618."""
        self.delete([self._at(found.key, f"{found.name}.{kind}") for kind in ("json", "parquet")])

    def withdraw(self, found: RemotePart) -> None:
        """Nobody finds it any more; `leftovers` does, once it is old enough. Raises VST618."""
        self.delete([self._at(found.key, f"{found.name}.json")])

    def delete(self, paths: Iterable[str]) -> None:
        """These objects; one that is gone already is no error. Raises VST618."""
        with self._reaching("removing from"):
            fs, _ = self._open()
            for path in paths:
                with suppress(FileNotFoundError):
                    fs.delete_file(path)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _at(self, *names: str) -> str:
        _, base = self._open()
        return "/".join((base, f"v{FORMAT}", *names))

    def _open(self) -> tuple[Any, str]:
        if self._opened is None:
            from pyarrow import fs

            opened, base = fs.FileSystem.from_uri(self.address)
            self._opened = opened, base.rstrip("/")
        return self._opened

    def _list(self, folder: str) -> list[tuple[str, int, float]]:
        """(path, bytes, seconds since 1970) of everything right inside; nothing where there is no such folder."""
        from pyarrow import fs

        opened, _ = self._open()
        found = opened.get_file_info(fs.FileSelector(folder, allow_not_found=True))
        return [(entry.path, entry.size or 0, (entry.mtime_ns or 0) / 1e9) for entry in found]

    def _part(self, key: str, name: str) -> RemotePart | None:
        """None for what is unfinished, of another version, damaged (said) or gone since it was listed."""
        place = (self.address, key, name)
        if place in _damaged:
            return None
        if place not in _known:
            try:
                found = parse_part(self._text(self._at(key, f"{name}.json")), key, name)
            except (Unfinished, FileNotFoundError):
                return None
            except ValueError as reason:
                self._say(f"store: a part of layer set {key[:12]} in {self.name} was ignored: {reason}")
                _damaged.add(place)
                return None
            if found is None:
                return None
            _known[place] = found
        return _known[place]

    def _is_whole(self, path: str) -> bool:
        """Whether this JSON is one that somebody may read, this version or another."""
        key, name = path.removesuffix(".json").split("/")[-2:]
        try:
            parse_part(self._text(path), key, name)
        except (FileNotFoundError, ValueError):
            return False
        return True

    def _text(self, path: str) -> str:
        fs, _ = self._open()
        with fs.open_input_stream(path) as stream:
            return str(stream.read().decode(errors="replace"))

    def _read(self, found: RemotePart, use: Callable[[bytes], object]) -> str:
        """SHA-256 of the part's bytes, which go to `use`."""
        fs, _ = self._open()
        checksum = hashlib.sha256()
        with fs.open_input_stream(self._at(found.key, found.part.file)) as stream:
            while block := stream.read(_CHUNK):
                checksum.update(block)
                use(block)
        return checksum.hexdigest()

    def _writing(self, path: str) -> Any:
        """A stream; the folder is made where the file system has folders, and this one is not there yet."""
        fs, _ = self._open()
        try:
            return fs.open_output_stream(path)
        except FileNotFoundError:
            fs.create_dir(path.rpartition("/")[0], recursive=True)
            return fs.open_output_stream(path)

    def _raise_if_down(self) -> None:
        since, error = _down.get(self.address, (0.0, None))
        if error is not None and time.monotonic() - since < RETRY_SECONDS:
            raise error

    @contextmanager
    def _reaching(self, doing: str) -> Iterator[None]:
        """What the store answers as VST618, without what the address may carry besides the place."""
        import pyarrow as pa

        try:
            yield
        except (OSError, pa.ArrowException) as error:
            reason = " ".join(str(error).replace(self.address, self.name).split())[:300]
            raise VistaStoreError("VST618", f"{doing} {self.name}: {reason or type(error).__name__}", _HINT) from error
