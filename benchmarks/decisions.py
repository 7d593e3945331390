"""Two decisions on real photos: one that pictures make, one that they do not. Five folds, every layer, with intervals.

    python -m benchmarks.decisions [--quick]

Reads ../shared/data (VISTA_NB_SHARED), prints each variant's layers and report, writes results/decisions.csv.
Issue 8, must show 1: clothing's label, houses' `expensive` (never with `price`) and `price` itself; table alone, photo
alone, table + photos, beside the hand-written references of ../shared/data/README.md; what `reduce`, `views: mean`,
`pool: avg` and tuned regularisation change where plain concatenation hurts. The weights are MobileNetV2's of ImageNet.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import vista_nb
from benchmarks.real_photos import LAYERS, shared, weights
from benchmarks.record import Row, asked, ended, report
from vista_nb.outcome.scores import TABLE, TABLE_TREE, LayerScore
from vista_nb.outcome.wording import interval, written

__all__ = ["VARIANTS", "Variant", "main", "spec_of"]

FOLDS: Final = 5
ROOMS: Final = ("frontal", "kitchen", "bedroom", "bathroom")
LINEAR: Final = "sklearn.LogisticRegression(C=0.01, max_iter=2000)"
GRID: Final = "{C: [0.0003, 0.001, 0.01, 0.1, 1.0], folds: 3}"
RIDGE: Final = "sklearn.Ridge(alpha=1000.0)"
RIDGE_GRID: Final = "{alpha: [10.0, 100.0, 1000.0, 10000.0], folds: 3}"
CLOTHING_TABLE: Final = "[kids, width, height, sender_id:category]"
HOUSES_TABLE: Final = "[bedrooms, bathrooms, area, zipcode:category]"
PICTURES_HELP: Final = "Pictures help:"


@dataclass(frozen=True)
class Variant:
    """One cell. name: set, label and what is joined how; keys: what it says beside the set's own; reference: accuracy
    by layer as measured by hand, with another assignment of rows to folds. helps: what the report must say of
    pictures; None where that is not the question (no table beside them).
    """

    name: str
    data: str
    label: str
    views: tuple[str, ...]
    keys: Mapping[str, str]
    reference: Mapping[str, float]
    helps: bool | None = None


def _by_layer(*values: float, table: float | None = None) -> dict[str, float]:
    found = dict(zip(LAYERS, values, strict=True))
    return found if table is None else {TABLE: table, **found}


_ONE = ("frontal",)
_PLAIN = {"pool": "avg", "model": LINEAR}
_TUNED = {"pool": "avg", "model": LINEAR, "tune": GRID}
_PRICE = {"pool": "avg", "model": RIDGE, "features": HOUSES_TABLE, "task": "regression"}

VARIANTS: Final = (
    Variant(
        "clothing: photo alone", "clothing", "label", (), {**_PLAIN, "features": "[]"},
        _by_layer(0.452, 0.558, 0.823, 0.848, 0.844),
    ),
    Variant(
        "clothing: table + photo", "clothing", "label", (), {**_PLAIN, "features": CLOTHING_TABLE},
        _by_layer(0.515, 0.603, 0.824, 0.858, 0.850, table=0.348), helps=True,
    ),
    Variant(
        "clothing: table + photo, tuned", "clothing", "label", (), {**_TUNED, "features": CLOTHING_TABLE}, {},
        helps=True,
    ),
    Variant(
        "houses: photo alone", "houses", "expensive", _ONE, {**_PLAIN, "features": "[]"},
        _by_layer(0.641, 0.641, 0.695, 0.693, 0.682),
    ),
    Variant(
        "houses: table + photo", "houses", "expensive", _ONE, {**_PLAIN, "features": HOUSES_TABLE},
        _by_layer(0.800, 0.798, 0.774, 0.785, 0.720, table=0.830), helps=False,
    ),
    Variant(
        "houses: table + four photos", "houses", "expensive", ROOMS, {**_PLAIN, "features": HOUSES_TABLE},
        _by_layer(0.787, 0.793, 0.750, 0.761, 0.774, table=0.830), helps=False,
    ),
    Variant(
        "houses: table + four photos, pool max 2x2", "houses", "expensive", ROOMS,
        {**_PLAIN, "features": HOUSES_TABLE, "pool": "max 2x2"}, {}, helps=False,
    ),
    Variant(
        "houses: table + four photos, views mean", "houses", "expensive", ROOMS,
        {**_PLAIN, "features": HOUSES_TABLE, "views": "mean"}, {}, helps=False,
    ),
    Variant(
        "houses: table + four photos, reduce pca 16", "houses", "expensive", ROOMS,
        {**_PLAIN, "features": HOUSES_TABLE, "reduce": "pca 16"}, {}, helps=False,
    ),
    Variant(
        "houses: table + four photos, tuned", "houses", "expensive", ROOMS, {**_TUNED, "features": HOUSES_TABLE}, {},
        helps=False,
    ),
    Variant(
        "houses: table + four photos, views mean, pca 16, tuned", "houses", "expensive", ROOMS,
        {**_TUNED, "features": HOUSES_TABLE, "views": "mean", "reduce": "pca 16"}, {}, helps=False,
    ),
    Variant("houses, price: photo alone", "houses", "price", _ONE, {**_PRICE, "features": "[]"}, {}),
    Variant("houses, price: table + photo", "houses", "price", _ONE, _PRICE, {}),
    Variant("houses, price: table + four photos", "houses", "price", ROOMS, _PRICE, {}),
    Variant(
        "houses, price: table + four photos, views mean, tuned", "houses", "price", ROOMS,
        {**_PRICE, "views": "mean", "tune": RIDGE_GRID}, {},
    ),
)  # fmt: skip
QUICK: Final = ("houses: table + photo", "houses, price: table + photo")


def spec_of(variant: Variant) -> dict[str, Any]:
    """The cell as a mapping, as `vista_nb.run` takes it."""
    folder = shared() / variant.data
    patterns = [str(folder / "images" / f"{{id}}_{view}.jpg") for view in variant.views]
    lines: dict[str, Any] = {
        "structured": str(folder / f"{variant.data}.csv"),
        "images": patterns or [str(folder / "images" / "{id}.jpg")],
        "on": "id",
        "label": variant.label,
        "cnn": "mobilenetv2",
        "weights": str(weights()),
        "layers": LAYERS,
        "folds": FOLDS,
    }
    return lines | dict(variant.keys)


def rows_of(variant: Variant, store: Path) -> Iterator[Row]:
    """A row per layer and baseline, then whether the report's sentence is right."""
    result = vista_nb.run(_text(spec_of(variant)), store_dir=store)
    every = result.metrics.set_index(["layer", "metric"]).value
    scores = {score.layer: score for score in result.outcome.scores}
    for layer in (TABLE, TABLE_TREE, *LAYERS):
        if layer in scores:
            yield _row(variant, scores[layer], every[layer].to_dict())
    said = str(result.report())
    print("\n".join(f"    {line}" for line in said.splitlines()), flush=True)
    if variant.helps is not None:
        right = (PICTURES_HELP in said) == variant.helps
        word = "help" if variant.helps else "do not (clearly) help"
        yield ended(f"{variant.name}: the report says that pictures {word}", float(right), "of 1", ">= 1")


def _row(variant: Variant, score: LayerScore, every: Mapping[str, float]) -> Row:
    """The spec's metric with its interval; the others, the parameters and the reference in the note."""
    notes = [f"95 % {interval(score.metric, score.ci_low, score.ci_high)}"]
    notes += [f"{name} {written(name, value)}" for name, value in every.items() if name != score.metric]
    if score.layer in variant.reference:
        notes.append(f"by hand {variant.reference[score.layer]:.3f}")
    if score.parameters:
        notes.append(score.parameters)
    unit = score.metric if score.metric in ("accuracy", "f1") else f"{score.metric} ($)"
    return Row(f"{variant.name}: {score.layer}", round(score.value, 4), unit, note=", ".join(notes))


def _text(spec: Mapping[str, Any]) -> str:
    """As a cell would say it: what this benchmark runs can be pasted."""
    lines = []
    for key, value in spec.items():
        if isinstance(value, list):
            lines += [f"{key}:", *(f"  - {item}" for item in value)]
        else:
            lines.append(f"{key}: {value}")
    return "\n".join(lines)


def _all(variants: Sequence[Variant]) -> Iterator[Row]:
    """One store for all: the CNN sees each photo once per pooling."""
    with tempfile.TemporaryDirectory() as store:
        for variant in variants:
            print(f"-- {variant.name}", flush=True)
            yield from rows_of(variant, Path(store))


def main(argv: Sequence[str] = ()) -> int:
    """Prints the table; returns 1 where a report's sentence is wrong. Without the data it says so."""
    given = asked("decisions", argv)
    if not shared().is_dir():
        print(f"no real data at {shared()}: set VISTA_NB_SHARED")
        return 0
    wanted = [variant for variant in VARIANTS if not given.quick or variant.name in QUICK]
    return report("decisions", _all(wanted), write=not given.quick)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
