"""The pages of the documentation as data: their code blocks, links and headings; and what the code says of itself.

Reads Markdown with markdown-it and the package's source with `ast`; nothing is run. Used by the tests of the docs.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PACKAGE = ROOT / "vista_nb"
CODE = re.compile(r"VST\d{3}")
VARIABLE = re.compile(r"VISTA_NB_[A-Z_]+")


@dataclass(frozen=True)
class Block:
    """One code block. language: of its fence, empty where it is indented; line: of the page, from 1."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """The pages people read: README, docs/, the results; decision records and the changelog too."""
    found = [ROOT / "README.md", *DOCS.rglob("*.md"), ROOT / "benchmarks" / "results" / "README.md"]
    return sorted(page for page in found if page.is_file())


def present() -> list[Path]:
    """Those that speak of the package as it is: a decision record or the changelog tells of its day."""
    return [page for page in pages() if page.parent.name != "adr" and page.name != "changelog.md"]


def read(page: str | Path) -> str:
    """The text of a page, named from the repository's root."""
    return (ROOT / page).read_text(encoding="utf-8")


@cache
def tokens(page: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))


def blocks(page: Path) -> Iterator[Block]:
    for token in tokens(page):
        if token.type in ("fence", "code_block"):
            line = token.map[0] + 1 if token.map else 0
            yield Block(page, line, token.info.strip(), token.content)


def spans(page: Path) -> Iterator[str]:
    """The words in backticks."""
    for token in tokens(page):
        yield from (child.content for child in token.children or () if child.type == "code_inline")


def links(page: Path) -> Iterator[str]:
    """Targets of links and pictures."""
    for token in tokens(page):
        for child in token.children or ():
            target = child.attrs.get("href") or child.attrs.get("src")
            if target:
                yield unquote(str(target))


@cache
def anchors(page: Path) -> frozenset[str]:
    """What `page.md#anchor` may name, as GitHub makes it of a heading."""
    found = tokens(page)
    titles = [after.content for token, after in pairwise(found) if token.type == "heading_open"]
    return frozenset(re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles)


def rows(page: Path, heading: str) -> list[list[str]]:
    """The cells of every table row below a heading, up to the next one of its rank or above."""
    lines = page.read_text(encoding="utf-8").splitlines()
    start = lines.index(heading)
    rank = heading.split(" ")[0]
    end = next((i for i in range(start + 1, len(lines)) if re.match(rf"#{{1,{len(rank)}}} ", lines[i])), len(lines))
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))]
        for line in lines[start:end]
        if line.startswith("|") and not line.startswith("| ---")
    ]


# -- what the code says of itself --------------------------------------------------------------------------------------


@cache
def raised_codes() -> frozenset[str]:
    """Every error code that stands in the package's code, docstrings apart."""
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        for text in _strings(ast.parse(path.read_text(encoding="utf-8"))):
            found |= set(CODE.findall(text))
    return frozenset(found)


@cache
def variables_read() -> frozenset[str]:
    """Every environment variable of ours that a script, the package, a test or a benchmark reads."""
    found: set[str] = set()
    for folder in ("vista_nb", "tests", "benchmarks", "notebooks", "binder"):
        for path in (ROOT / folder).rglob("*.py"):
            found |= set(re.findall(rf"[\"']({VARIABLE.pattern})[\"']", path.read_text(encoding="utf-8")))
    for script in (ROOT / "run", ROOT / ".ci" / "run"):
        found |= set(VARIABLE.findall(script.read_text(encoding="utf-8")))
    return frozenset(found)


def _strings(tree: ast.Module) -> Iterator[str]:
    """String constants, docstrings apart."""
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.value


def run_commands() -> frozenset[str]:
    """The words that `./run` knows, read from its case statement."""
    return frozenset(re.findall(r"^    (\w+)\) ", read("run"), re.MULTILINE))
