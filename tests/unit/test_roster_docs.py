"""docs/spec.md lists every CNN of the roster, as the roster has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from vista_nb.catalog.roster import CNNFacts, load_roster
from vista_nb.executor.cnn.applications import imagenet_file

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "spec.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("cnn", load_roster().cnns, ids=lambda cnn: cnn.name)
def test_the_page_agrees_with_the_roster(cnn: CNNFacts) -> None:
    """Name, other names, photo, scaling, and the file that holds the ImageNet weights."""
    (row,) = [line for line in TEXT.splitlines() if line.startswith(f"| `{cnn.name}` |")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1] == ", ".join(f"`{alias}`" for alias in cnn.aliases)
    assert cells[2:4] == [f"{cnn.input_height} x {cnn.input_width}", f"`{cnn.preprocessing}`"]
    assert (cells[4] == "keras.applications") == cnn.builder.startswith("keras.applications.")
    if cnn.builder != "bundled":
        assert cells[5].startswith(f"`{imagenet_file(cnn.builder).name}`")
