"""Bad pictures of a run: collected with key and path, dropped with their rows, fatal above 5 %.

Reads digests that failed and why, returns BadImage values. May touch: nothing. DESIGN.md section 3 (bad_images).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vista_nb.errors import VistaDataError
from vista_nb.executor.inputs import ImageTables, in_table
from vista_nb.outcome.scores import BadImage
from vista_nb.spec.model import BadImages

__all__ = ["LIMIT", "Quarantine", "nobodys"]

LIMIT = 0.05


class Quarantine:
    """Fills while the run goes on. `digests`: images no row may use."""

    def __init__(self, images: ImageTables, policy: BadImages) -> None:
        self.digests: set[str] = set()
        self.reasons: dict[str, str] = {}  # digest -> why
        self._policy = policy
        self._bad = list(images.bad)
        self._images = images

    @property
    def images(self) -> tuple[BadImage, ...]:
        return tuple(self._bad)

    @property
    def rows(self) -> int:
        """Rows that lost their photo."""
        return len({bad.key for bad in self._bad})

    def add(self, reasons: Mapping[str, str], links: Sequence[tuple[str, int, str]]) -> None:
        """Images that the decoder refused: digest -> reason; links: (key, view, digest) of the joined rows."""
        fresh = {digest: reason for digest, reason in reasons.items() if digest not in self.digests}
        if not fresh:
            return
        self.digests |= fresh.keys()
        self.reasons |= fresh
        paths, own = self._paths(), self._images.copies
        found = [
            BadImage(key, own.get((key, view)) or paths.get(d) or in_table(key), "decode", fresh[d])
            for key, view, d in links
            if d in fresh
        ]
        self._bad.extend(sorted(found, key=lambda bad: (bad.key, bad.path)))

    def check(self, joined: int) -> None:
        """Raises VST337 (any, where the spec says fail) or VST338 (above 5 % of the rows with a photo)."""
        if not self._bad:
            return
        total = joined + len({bad.key for bad in self._images.bad})
        if self._policy is BadImages.FAIL:
            raise VistaDataError("VST337", f"{self._told()}, and `bad_images: fail` is set", _HINT)
        if self.rows > LIMIT * total:
            raise VistaDataError("VST338", f"{self._told()}: more than 5 % of {total} rows", _HINT)

    def _told(self) -> str:
        shown = "; ".join(f"{bad.path or bad.key} ({bad.reason})" for bad in self._bad[:3])
        more = f"; and {len(self._bad) - 3} more" if len(self._bad) > 3 else ""
        rows = "1 row has" if self.rows == 1 else f"{self.rows} rows have"
        return f"{rows} a bad photo: {shown}{more}"

    def _paths(self) -> dict[str, str]:
        table = self._images.images
        if "path" not in table.column_names:
            return {}
        return dict(zip(table.column("digest").to_pylist(), table.column("path").to_pylist(), strict=True))


def nobodys(images: ImageTables) -> tuple[str, ...]:
    """The rows and the files that joined nothing, counted and with examples, as sentences."""
    sides = (
        (images.no_image, "of the table without a photo", images.no_image_some),
        (images.unmatched, "without a row in the table", images.unmatched_some),
    )
    return tuple(
        f"{count} {'row' if place == 0 else 'photo'}{'' if count == 1 else 's'} {what}: {_some(some, count)}."
        for place, (count, what, some) in enumerate(sides)
        if count
    )


def _some(names: Sequence[str], count: int) -> str:
    return ", ".join(map(repr, names)) + (", ..." if count > len(names) else "")


_HINT = "replace these files or take their rows out of the table"
