"""A small shop that a fault is put into, a run of it through the real path (reference CNN), and what the user sees.

Everything but the CNN is the package's own: spec, binder, readers, links, decoder, join, encoding, fit, report.
"""

from __future__ import annotations

import csv
import io
import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from executor_support import COLOURS, make_plan, run_plan, tiny_cnn
from PIL import Image

from vista_nb.catalog.bind import bind
from vista_nb.catalog.roster import Roster
from vista_nb.errors import VistaError, VistaSpecError
from vista_nb.executor.inputs import ModelSource, RunInputs
from vista_nb.executor.local import LocalBackend
from vista_nb.executor.probe_images import link_images
from vista_nb.executor.probe_table import check_keys, column_facts, read_structured
from vista_nb.executor.quarantine import Quarantine
from vista_nb.outcome.report import report
from vista_nb.outcome.scores import RunOutcome
from vista_nb.spec.parse import parse

ROWS = 60
ROSTER = Roster((tiny_cnn(),))


@dataclass
class Shop:
    """A csv and a photo per row, to be spoilt. spec: the cell's lines by key; tables: notebook variables."""

    folder: Path
    rows: list[dict[str, Any]] = field(default_factory=list)
    spec: dict[str, str] = field(default_factory=dict)
    tables: dict[str, object] = field(default_factory=dict)
    spoil: Callable[[LocalBackend], None] = lambda _: None

    def photo(self, key: str) -> Path:
        return self.folder / "photos" / f"{key}.jpg"

    def set(self, name: str, values: Callable[[int], Any]) -> None:
        """A column anew, row by row."""
        for place, row in enumerate(self.rows):
            row[name] = values(place)


@dataclass(frozen=True)
class Fault:
    """One kind of bad data. given: what the input is, for docs/data_faults.md; make puts it in."""

    name: str
    given: str
    make: Callable[[Shop], None]


@dataclass(frozen=True)
class Seen:
    """told: sentences that a run without the fault does not have; kept: what is left to work with."""

    told: tuple[str, ...]
    kept: str
    outcome: RunOutcome | None = None
    error: VistaError | None = None


def shop(folder: Path) -> Shop:
    """60 rows: a number, a category, a label of three colours that the photo shows."""
    made = Shop(folder)
    (folder / "photos").mkdir(parents=True)
    for place in range(ROWS):
        colour = list(COLOURS)[place % 3]
        key = f"k{place:02d}"
        made.rows.append({"id": key, "price": (place * 37) % 100, "kind": "xyx"[place % 2], "label": colour})
        picture(colour, place).save(made.photo(key), quality=90)
    made.spec = {
        "structured": "items.csv",
        "images": "photos/{id}.jpg",
        "label": "label",
        "cnn": "tiny",
        "layers": "all",
        "model": "LogisticRegression(regParam=0.05)",
        "test": "0.3",
    }
    return made


def picture(colour: str = "red", shade: int = 0) -> Image.Image:
    """A ramp of one colour, another for each shade."""
    ramp = Image.linear_gradient("L").resize((24, 16)).point(lambda value: value // 4 + shade)
    return Image.merge("RGB", [ramp.point(lambda v, c=c: (v + c) // 2) for c in COLOURS[colour]])


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def bomb() -> bytes:
    """A PNG of a few bytes that claims 60 000 x 60 000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(10)))


def see(fault: Fault, folder: Path) -> Seen:
    """The cell run with the fault put into a shop in `folder`."""
    broken = shop(folder)
    fault.make(broken)
    usual = _usual()
    try:
        outcome = _outcome(broken)
    except VistaError as error:
        return Seen((_error(error, broken.folder),), "nothing: the cell ends here", error=error)
    new = [sentence for sentence in _sentences(outcome) if sentence not in usual]
    told = tuple(sentence.replace(f"{broken.folder}/", "") for sentence in new)
    rows = outcome.rows
    return Seen(told, f"{rows.joined} of {rows.structured} rows, all layers scored", outcome)


@cache
def _usual() -> frozenset[str]:
    """What a run without any fault says."""
    with TemporaryDirectory() as folder:
        return frozenset(_sentences(_outcome(shop(Path(folder)))))


def _outcome(made: Shop) -> RunOutcome:
    """From the cell's text to the outcome, as the session goes, with the reference backend."""
    path = made.folder / "items.csv"
    if not path.exists() and made.rows:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(made.rows[0]))
            writer.writeheader()
            writer.writerows(made.rows)
    table_name = made.spec["structured"]
    lines = made.spec | {"structured": table_name if table_name[0] == "$" else str(made.folder / table_name)}
    text = "".join(f"{key}: {value}\n" for key, value in lines.items())
    parsed = parse(text, made.tables)
    spec = parsed.spec
    assert spec.structured is not None
    table = read_structured(spec.structured, made.tables)
    bound = bind(spec, ROSTER, column_facts(table))
    problems = (*parsed.problems, *bound.problems)
    if problems:
        raise VistaSpecError(problems, text)
    assert bound.workload is not None
    assert not bound.not_yet
    rows, _ = check_keys(table, spec.on)
    images = link_images(spec, rows, cache=made.folder / "digests.sqlite")
    Quarantine(images, spec.bad_images).check(images.links.num_rows // max(1, len(spec.images)))
    model = ModelSource("local", "random", None, "0" * 64)
    inputs = RunInputs("r1", bound.workload, table, images, model, made.folder / "store", made.folder / "cache")
    plan = make_plan(bound.workload)
    backend = LocalBackend(plan, inputs)
    made.spoil(backend)
    outcome, _ = run_plan(plan, backend)
    assert len(outcome.scores) == 3
    notes = (*bound.workload.notes, *outcome.notes)
    return replace(outcome, notes=notes)


def _sentences(outcome: RunOutcome) -> list[str]:
    """What the result says of the data: `.bad_images`, notes, and what the report says was left out."""
    bad = [f"`.bad_images`: {b.key}, {b.path or '(no path)'}, {b.stage}, {b.reason}" for b in outcome.bad_images]
    left = [re.sub(r"^.*; left out", "Left out", s) for s in report(outcome) if "; left out" in s]
    return [*bad, *outcome.notes, *left]


def _error(error: VistaError, folder: Path) -> str:
    """`VST312: message; hint`, without the machine's folder."""
    if isinstance(error, VistaSpecError):
        first = error.problems[0]
        code, message, hint = first.code, first.message, first.hint
    else:
        code, message, hint = error.code, error.message, error.hint
    text = f"{code}: {message}" + (f" (hint: {hint})" if hint else "")
    return text.replace(f"{folder.resolve()}/", "").replace(f"{folder}/", "").replace(str(folder.resolve()), ".")
