"""Code blocks of the pages are real: cells parse with the real parser, Python compiles, commands exist.

What a block is, its fence says (`python`, `sh`, `text`) or its first words do; a block that is none of these fails:
fence it as `text`. What a block of docs/extending.md promises is run by test_extending.py.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from docs_support import ROOT, Block, blocks, present, run_commands
from PIL import Image

import vista_nb
from benchmarks.__main__ import NAMES as BENCHMARKS
from vista_nb.catalog.estimators import load_estimators
from vista_nb.catalog.roster import load_roster
from vista_nb.cli import _parsed
from vista_nb.magic import VistaMagic
from vista_nb.magic_flags import SUBCOMMANDS, insert_into, parse_flags, split_line
from vista_nb.result import VistaResult
from vista_nb.spec import KEYS, parse
from vista_nb.spec.model import Spec

BLOCKS = [block for page in present() for block in blocks(page)]
SHELL = ("./run", "vista-nb", "python", ".venv/bin/", "pip", "git", "cd", "sudo", "apt-get", "docker", "export")
KEY = re.compile(rf"(?:{'|'.join(key.name for key in KEYS)}):( |$)")
VARIABLES = {"limit": "4GB", "wanted": "top 2", "threshold": 0.5}
RESULTS = ("rooms", "result")
DIAGRAMS = ("text", "json", "csv")


def kind_of(block: Block) -> str:
    """notebook, shell, spec, python or text."""
    if block.language in DIAGRAMS:
        return "text"
    if block.language in ("python", "sh", "ini", "toml"):
        return {"sh": "shell"}.get(block.language, block.language)
    lines = [line for line in block.text.splitlines() if line.strip() and not line.startswith("#")]
    if any(line.startswith("%") for line in lines):
        return "notebook"
    if lines[0].startswith(SHELL):
        return "shell"
    if KEY.match(lines[0]):
        return "spec"
    return "python"


def of_kind(*kinds: str) -> list[Block]:
    return [block for block in BLOCKS if kind_of(block) in kinds]


def cells(block: Block) -> Iterator[tuple[str, str]]:
    """(line, body) of every `%%vista`; a cell ends with the block, or where the next magic begins."""
    found: list[list[str]] = []
    for line in block.text.splitlines():
        if line.startswith("%"):
            found.append([line])
        elif found:
            found[-1].append(line)
    for head, *body in found:
        if head.startswith("%%vista"):
            yield head.removeprefix("%%vista"), "\n".join(body)


@pytest.mark.parametrize("block", of_kind("notebook"), ids=str)
def test_cells_parse(block: Block) -> None:
    """Flags and body of a cell, every name in it; a line magic has a subcommand that exists."""
    for line, body in cells(block):
        words = insert_into(split_line(line), VARIABLES)
        parse_flags(shlex.join(words))
        if body.strip():
            parsed = parse(body, VARIABLES)
            assert not parsed.problems
            assert parsed.spec is not None
            check_names(parsed.spec)
    for line in block.text.splitlines():
        if line.startswith("%vista "):
            assert split_line(line)[1] in SUBCOMMANDS, line
        elif line.startswith("%config "):
            name = line.removeprefix("%config VistaMagic").lstrip(".").partition("=")[0].strip()
            assert not name or name in VistaMagic.class_trait_names(config=True), line
        else:
            assert not line.startswith("%") or line.startswith(("%%vista", "%load_ext vista_nb")), line


def whole_cells() -> list[Any]:
    """The cells that a reader could run: with a table, photos and a label, all of them in files."""
    found = []
    for block in of_kind("notebook"):
        for _, body in cells(block):
            spec = parse(body, VARIABLES).spec
            if spec.structured is not None and spec.images and spec.label and "$" not in body:
                found.append(pytest.param(body, id=str(block)))
    return found


@pytest.mark.parametrize("body", whole_cells())
def test_whole_cells_are_planned(body: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside a table and photos of the names that the cell gives, EXPLAIN plans it, every layer and column bound."""
    spec = parse(body).spec
    assert spec.structured is not None
    numbers = [column.name for column in spec.features or ()] or ["price", "weight"]
    rows = [[f"k{i:02}", "yn"[i % 2], *(str(i * (place + 1) % 17) for place in range(len(numbers)))] for i in range(40)]
    lines = [",".join([spec.on, str(spec.label), *numbers]), *(",".join(row) for row in rows)]
    (tmp_path / spec.structured.text).write_text("\n".join(lines), encoding="utf-8")
    for source in spec.images:
        for row in rows:
            photo = tmp_path / source.text.replace("{" + spec.on + "}", row[0])
            photo.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (32, 32)).save(photo)
    monkeypatch.chdir(tmp_path)
    plan = vista_nb.explain(body)
    assert plan.rows == 40
    assert plan.layers


@pytest.mark.parametrize("block", of_kind("spec"), ids=str)
def test_parts_of_a_spec_parse(block: Block) -> None:
    """A few keys alone: nothing is wrong with them but what is missing. A key in several forms is tried in each."""
    for text in _alternatives(block.text.splitlines()):
        assert not [p for p in parse(text, VARIABLES).problems if p.code != "VST104"], text


def _alternatives(lines: list[str]) -> Iterator[str]:
    """The block; or, where it shows a key twice, each entry alone."""
    entries: list[list[str]] = []
    for line in lines:
        if KEY.match(line) or not entries:
            entries.append([line])
        else:
            entries[-1].append(line)
    keys = [entry[0].partition(":")[0] for entry in entries]
    if len(set(keys)) == len(keys):
        yield "\n".join(lines)
    else:
        yield from ("\n".join(entry) for entry in entries)


def check_names(spec: Spec) -> None:
    """The CNN is one of the roster, its layers are its own, the model is one of the libraries'."""
    if spec.model is not None and spec.model.library != "variable":
        assert load_estimators().find(spec.model.library, spec.model.name) is not None, spec.model
    if spec.cnn is not None and not re.search(r"[.$]", spec.cnn):
        cnn = load_roster().find(spec.cnn)
        assert cnn is not None, spec.cnn
        assert all(cnn.layer(name) is not None for name in spec.layers.names), spec.layers


@pytest.mark.parametrize("block", of_kind("python", "notebook"), ids=str)
def test_python_compiles(block: Block) -> None:
    """Magics apart; members of a result are members of a result."""
    text = re.split(r"(?m)^%%vista", block.text)[0] if kind_of(block) == "notebook" else block.text
    tree = ast.parse(re.sub(r"(?m)^%.*$", "", text))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in RESULTS:
            assert hasattr(VistaResult, node.attr), f".{node.attr}"


@pytest.mark.parametrize("block", of_kind("shell"), ids=str)
def test_commands_exist(block: Block) -> None:
    """Each line names a command of ours with options that it has, or a module or file that is there."""
    for line in re.sub(r"\\\n\s*", "", block.text).splitlines():
        for part in re.split(r"\s(?:&&|\|)\s", re.sub(r"(^|\s)#.*$", "", line)):
            words = [word for word in shlex.split(part) if not re.match(r"[A-Z_]+=", word)]
            if words:
                check_command(words)


def check_command(words: list[str]) -> None:
    name, *rest = words
    if name == "./run":
        assert rest, words
        assert rest[0] in run_commands(), words
        named = [word for word in rest[1:] if not word.startswith("-")] if rest[0] == "bench" else []
        assert set(named) <= {*BENCHMARKS, "NAME"}, words
        assert all((ROOT / word).exists() for word in rest[1:] if "/" in word and rest[0] == "test"), words
    elif name in ("vista-nb", ".venv/bin/vista-nb"):
        _parsed([word for word in rest if word != "--version"] or ["cnns"])
    elif name in ("python", "python3", ".venv/bin/python"):
        check_python(rest)
    else:
        assert name in SHELL or re.fullmatch(r"\.venv/bin/(pytest|ruff|mypy|lint-imports|pip|jupyter)", name), words


def check_python(rest: list[str]) -> None:
    """`python -m MODULE` or `python FILE`, ours or one of the tools; options of our scripts stand in them."""
    module = rest[1] if rest and rest[0] == "-m" else ""
    if module in ("pytest", "pip", "venv", "build", "twine"):
        paths = [word.partition("::")[0] for word in rest[2:] if word.startswith(("tests", "benchmarks"))]
        assert all((ROOT / path).exists() for path in paths), rest
        return
    file = ROOT / (module.replace(".", "/") + ".py" if module else rest[0])
    if file.with_suffix("").is_dir():
        file = file.with_suffix("") / "__main__.py"
    assert file.is_file(), rest
    text = file.read_text(encoding="utf-8")
    assert all(option in text for option in rest if option.startswith("--")), rest
