"""docs/spec.md tells of every key and every part, with the defaults of the key table."""

from __future__ import annotations

from pathlib import Path

from vista_nb.spec import KEYS, parse

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "spec.md").read_text(encoding="utf-8")


def test_every_key_part_and_word_is_documented() -> None:
    """A key without a line in the table, a part or a word that is nowhere, fails here."""
    for key in KEYS:
        kind = "YAML" if key.kind == "yaml" else key.kind
        assert f"| `{key.name}` | {kind} |" in TEXT, key.name
        for word in (*key.choices, *(part.name for part in key.parts)):
            assert f"`{word}`" in TEXT or f"{word}:" in TEXT, f"{key.name}: {word}"
        for part in key.parts:
            assert all(f"`{word}`" in TEXT for word in part.choices), part.name


def test_the_example_of_the_page_parses() -> None:
    """The first block, without its flag line."""
    lines = [line[4:] for line in TEXT.splitlines() if line.startswith("    ")]
    assert lines[0] == "%%vista -o rooms"
    assert not parse("\n".join(lines[1:])).problems
