"""What docs/python.md shows runs: plans print, errors carry what the page says. No engine is started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from docs_support import DOCS, blocks

import vista_nb
from vista_nb.errors import NoFeasiblePlan
from vista_nb.plan.explain import explain as explain_text

WHAT_IF = """
cnn: resnet50
layers: top 3
resources: {memory: 16GB, cores: 4}
statistics: {rows: 10000, structured_features: 20, image_bytes: 50000}
"""
TOO_SMALL = WHAT_IF.replace("16GB", "1GB")


def block(start: str) -> str:
    (found,) = [b.text for b in blocks(DOCS / "python.md") if b.text.startswith(start)]
    return found


class Printer:
    """What IPython hands to `_repr_pretty_`."""

    def __init__(self) -> None:
        self.said = ""

    def text(self, text: str) -> None:
        self.said += text


def test_a_plan_prints_as_explain() -> None:
    """`print(vista_nb.explain(...))`, and the same as the last line of a notebook's cell."""
    plan = vista_nb.explain(WHAT_IF)
    printer = Printer()
    plan._repr_pretty_(printer, False)
    assert str(plan) == printer.said == explain_text(plan)
    assert "resnet50" in str(plan)


@pytest.mark.parametrize(("text", "said"), [(TOO_SMALL, "["), (WHAT_IF.replace("top 3", "conv9"), "VST121")])
def test_the_errors_of_the_page(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The block that catches them is run on a spec that does not fit, and on one with a wrong layer."""
    (tmp_path / "houses.vista").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    scope: dict[str, Any] = {"vista_nb": vista_nb}
    exec(block("from vista_nb.errors import"), scope)
    told = capsys.readouterr().out
    if said.startswith("VST"):
        assert told.startswith(said)
    else:
        with pytest.raises(NoFeasiblePlan) as caught:
            vista_nb.explain(text)
        assert told.split()[0] == str(caught.value.smallest_memory)


def test_a_mapping_is_a_spec() -> None:
    """The second block's mapping, without data: the same keys as a cell's."""
    named = block("rooms = vista_nb.run(\n").replace("vista_nb.run(", "dict(")
    scope: dict[str, Any] = {}
    exec(named, scope)
    spec = {key: scope["rooms"][key] for key in ("cnn", "layers")}
    plan = vista_nb.explain({**spec, "statistics": {"rows": 1000}})
    assert len(plan.layers) == 3
