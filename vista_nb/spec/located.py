"""Text that remembers where each of its characters was written, so that every caret points at the cell.

Reads the cell's text; returns slices of it with places. May touch: nothing. DESIGN.md section 3: the splitter keeps
line and column; a variable inserted for `{{x}}` keeps the place of its braces.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

from vista_nb.errors import Problem
from vista_nb.spec.model import Position

__all__ = ["NO_SOURCE", "BadValue", "Located", "Source"]


class BadValue(Exception):
    """A value that its key's parser refuses, with all problems found in it. Never leaves the spec room."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(*(p.message for p in self.problems))


@dataclass(frozen=True)
class Source:
    """The whole cell text. `lines`: (offset of its first character, content without the line end)."""

    text: str
    lines: tuple[tuple[int, str], ...]
    offsets: tuple[int, ...] = field(repr=False, default=())

    @classmethod
    def of(cls, text: str) -> Source:
        lines, offset = [], 0
        for line in text.splitlines(keepends=True):
            lines.append((offset, line.splitlines()[0]))
            offset += len(line)
        return cls(text, tuple(lines), tuple(start for start, _ in lines))

    def position(self, start: int, end: int) -> Position:
        """Line and column of `start`, counted from 1; the length stops at the line's end."""
        if not self.lines:
            return Position()
        index = max(bisect_right(self.offsets, start) - 1, 0)
        offset, content = self.lines[index]
        stop = min(end, offset + len(content))
        return Position(index + 1, start - offset + 1, max(stop - start, 1))


NO_SOURCE = Source.of("")


@dataclass(frozen=True)
class Located:
    """A piece of text; `spans` holds (start, end) in the source for every character of it.

    anchor: the offset that stands for an empty piece. Text that was never in a cell (a dict, `--set`) has NO_SOURCE,
    and its problems have line 0.
    """

    text: str
    spans: tuple[tuple[int, int], ...] = ()
    source: Source = NO_SOURCE
    anchor: int = 0

    @classmethod
    def of(cls, text: str) -> Located:
        """Text without a place."""
        return cls(text, ((0, 0),) * len(text))

    @classmethod
    def cut(cls, source: Source, start: int, end: int) -> Located:
        """The piece [start, end) of the source."""
        return cls(source.text[start:end], tuple((i, i + 1) for i in range(start, end)), source, start)

    def __bool__(self) -> bool:
        return bool(self.text)

    def __getitem__(self, part: slice) -> Located:
        start, _, _ = part.indices(len(self.text))
        anchor = self.spans[start][0] if start < len(self.spans) else self.end
        return Located(self.text[part], self.spans[part], self.source, anchor)

    def __add__(self, other: Located) -> Located:
        return Located(self.text + other.text, self.spans + other.spans, self.source, self.anchor)

    @property
    def end(self) -> int:
        return self.spans[-1][1] if self.spans else self.anchor

    def strip(self) -> Located:
        left = len(self.text) - len(self.text.lstrip())
        return self[left : max(len(self.text.rstrip()), left)]

    def standing_for(self, text: str) -> Located:
        """Other text in this piece's place: every character of it points at the whole piece."""
        whole = (self.spans[0][0], self.end) if self.spans else (self.anchor, self.anchor)
        return Located(text, (whole,) * len(text), self.source, self.anchor)

    def folded(self) -> Located:
        """One line: each line break with the white space around it becomes one space, as in YAML."""
        lines = [piece for piece in self.lines() if piece]
        if not lines:
            return self[0:0]
        result = lines[0]
        for line in lines[1:]:
            result = result + result[len(result.text) :].standing_for(" ") + line
        return result

    def lines(self) -> tuple[Located, ...]:
        """The stripped lines of the piece, empty ones too."""
        pieces, start = [], 0
        for line in self.text.split("\n"):
            pieces.append(self[start : start + len(line)].strip())
            start += len(line) + 1
        return tuple(pieces)

    def position(self) -> Position:
        return self.source.position(self.spans[0][0] if self.spans else self.anchor, self.end)

    def problem(self, code: str, message: str, hint: str = "") -> Problem:
        """A problem at this piece."""
        where = self.position()
        return Problem(code, message, hint, where.line, where.column, where.length)

    def bad(self, code: str, message: str, hint: str = "") -> BadValue:
        """The same as an exception of the value parsers."""
        return BadValue([self.problem(code, message, hint)])
