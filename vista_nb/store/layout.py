"""Where everything of a store lies, and its manifests on disk: read, replaced, put aside.

Reads and writes `<root>/v1/`, returns paths and LayerSets. May touch: the manifests. DESIGN.md section 9; ADR 21.

    v1/layers/KEY/manifest.json   which parts exist, with their checksums
    v1/layers/KEY/*.parquet       the parts
    v1/layers/KEY/uses.json       when each part was last used (advice: losing it loses nothing)
    v1/layers/KEY/pinned          the budget never takes this layer set
    v1/staging/NAME, NAME.lock    files that are being written, the writer's alone while it holds the lock
    v1/leases/NAME.json, .lock    parts that a run relies on, as long as it holds the lock
    v1/locks/KEY.lock, room.lock  one writer of a manifest at a time; one at a time makes room
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from vista_nb.errors import VistaStoreError
from vista_nb.store.disk import replace_text
from vista_nb.store.manifest import FORMAT, LayerSet, is_key, parse, render

__all__ = ["MANIFEST", "PINNED", "USES", "Layout"]

MANIFEST, USES, PINNED = "manifest.json", "uses.json", "pinned"


@dataclass(frozen=True)
class Layout:
    """The store of this format version below `base`, the folder that the user names."""

    base: Path

    @property
    def root(self) -> Path:
        return self.base / f"v{FORMAT}"

    @property
    def staging(self) -> Path:
        return self.root / "staging"

    @property
    def leases(self) -> Path:
        return self.root / "leases"

    @property
    def room_lock(self) -> Path:
        """Taken before any layer's lock, never while one is held."""
        return self.root / "locks" / "room.lock"

    def folder(self, key: str) -> Path:
        if not is_key(key):
            raise ValueError(f"not a layer key: {key!r}")
        return self.root / "layers" / key

    def lock(self, key: str) -> Path:
        return self.root / "locks" / f"{key}.lock"

    def layer_keys(self) -> list[str]:
        """Of every layer set that has a folder."""
        layers = self.root / "layers"
        return sorted(folder.name for folder in layers.iterdir() if is_key(folder.name)) if layers.is_dir() else []

    def load(self, key: str) -> LayerSet | None:
        """The manifest as it is now; None where there is none, or one of another version. Raises ValueError where
        it cannot be understood.
        """
        try:
            return parse((self.folder(key) / MANIFEST).read_text(encoding="utf-8"), key)
        except FileNotFoundError:
            return None

    def load_to_write(self, key: str) -> LayerSet | None:
        """The same under the layer's lock, before it is replaced: one that cannot be understood is put aside, one of
        another version is not this version's to replace (VST607).
        """
        path = self.folder(key) / MANIFEST
        try:
            found = self.load(key)
        except ValueError:
            path.replace(path.with_name(f"{MANIFEST}.{uuid4().hex}.broken"))
            return None
        if found is None and path.exists():
            message = f"layer set {key} was written by another version of vista_nb"
            raise VistaStoreError("VST607", message, "use another VISTA_NB_STORE_DIR for this version")
        return found

    def replace(self, layers: LayerSet) -> None:
        """Put the manifest in its place, under the layer's lock: from here on it is what the store holds."""
        replace_text(self.folder(layers.key) / MANIFEST, render(layers))

    def others(self) -> list[Path]:
        """Folders of other format versions: ignored, never read."""
        found = self.base.glob("v*") if self.base.is_dir() else []
        return sorted(path for path in found if path.is_dir() and path.name[1:].isdigit() and path != self.root)
