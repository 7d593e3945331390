"""A small roster, a list of columns, and `bound`: what the binder's tests share."""

from __future__ import annotations

from collections.abc import Sequence

from vista_nb.catalog.bind import Bound, bind
from vista_nb.catalog.roster import CNNFacts, LayerFacts, Roster
from vista_nb.catalog.statistics import ColumnFacts
from vista_nb.errors import VistaSpecError
from vista_nb.spec import parse

HEAD = "structured: t.csv\nimages: p/{id}.jpg\nlabel: kind\ncnn: littlenet\n"
COLUMNS = (
    ColumnFacts("id", "integer", 1000, 1000),
    ColumnFacts("kind", "string", 1000, 3, 0, False, 3, ("cup", "hat", "shoe")),
    ColumnFacts("area", "number", 1000, 400, nulls=3),
    ColumnFacts("rooms", "integer", 1000, 7, frequent=5),
    ColumnFacts("zip", "integer", 1000, 90, frequent=12),
    ColumnFacts("city", "string", 1000, 30, frequent=30),
    ColumnFacts("photo", "string", 1000, 1000, path_like=True),
    ColumnFacts("title", "string", 1000, 990),
    ColumnFacts("sold", "date", 1000, 200),
    ColumnFacts("blank", "number", 1000, 0, nulls=1000),
    ColumnFacts("new", "boolean", 1000, 2, frequent=2, values=("false", "true")),
    ColumnFacts("constant", "string", 1000, 1, frequent=1, values=("a",)),
    ColumnFacts("price", "number", 1000, 900),
    ColumnFacts("stars", "integer", 1000, 21),
)


def cnn(name: str, layers: Sequence[str], **more: object) -> CNNFacts:
    """A CNN of the roster; the last layer is the class layer."""
    facts = tuple(
        LayerFacts(layer, layer, (4,), i, i / 1000, (f"alias_{layer}",), is_class=i == len(layers) - 1)
        for i, layer in enumerate(layers)
    )
    fields: dict[str, object] = {
        "name": name, "builder": "b", "input_height": 8, "input_width": 8, "preprocessing": "tf", "layers": facts,
        "default_layers": (layers[-2], layers[-1]), "default_weights": "imagenet", "parameters": 1, "serialized": 1,
        "resident": 1, "gpu": 0, "start_seconds": 1.0, "provenance": "a test",
    }  # fmt: skip
    return CNNFacts(**(fields | more))  # type: ignore[arg-type]


ROSTER = Roster(
    (
        cnn("littlenet", ["conv1", "conv2", "conv3", "fc4", "fc5"]),
        cnn("paper_net", ["pool1", "fc6", "fc7"]),
        cnn("own", ["a", "b", "c"], default_weights="bundled"),
    )
)


def bound(lines: str = "", columns: Sequence[ColumnFacts] | None = COLUMNS, drop: str = "") -> Bound:
    """HEAD with `lines` in the place of HEAD's lines of the same keys (`drop` names one more to leave out)."""
    keys = {line.split(":")[0] for line in lines.splitlines()} | {drop}
    text = "".join(f"{row}\n" for row in HEAD.splitlines() if row.split(":")[0] not in keys) + lines
    parsed = parse(text)
    assert not parsed.problems, str(VistaSpecError(parsed.problems, text))
    return bind(parsed.spec, ROSTER, columns)
