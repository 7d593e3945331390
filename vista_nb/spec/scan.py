"""Where quotes, brackets and comments begin and end in spec text: the one place that knows these rules.

Reads text, returns indices. May touch: nothing. DESIGN.md section 3: `#` starts a comment at line start or after white
space, outside quotes; lists are cut at commas outside quotes and braces.
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["comment_start", "matching_end", "plain_characters", "quote_end"]

OPENING, CLOSING = "[{(", "]})"
# a quote opens only where a value can start: the apostrophe of `bob's photos` is a letter
_BEFORE_QUOTE = " \t\n[{(,:="


def quote_end(text: str, start: int) -> int | None:
    """Index after the quoted text that opens at `start`; None where no quote opens or it is not closed on its line."""
    if text[start] not in "'\"" or (start and text[start - 1] not in _BEFORE_QUOTE):
        return None
    quote, i = text[start], start + 1
    while i < len(text) and text[i] != "\n":
        if text[i] == "\\" and quote == '"':
            i += 1
        elif text[i] == quote:
            if not (quote == "'" and text[i + 1 : i + 2] == "'"):
                return i + 1
            i += 1
        i += 1
    return None


def plain_characters(text: str) -> Iterator[tuple[int, str]]:
    """(index, character) of everything outside quotes."""
    i = 0
    while i < len(text):
        end = quote_end(text, i)
        if end is not None:
            i = end
            continue
        yield i, text[i]
        i += 1


def comment_start(line: str) -> int:
    """Index where the comment of this line begins; its length where it has none."""
    for i, character in plain_characters(line):
        if character == "#" and (i == 0 or line[i - 1].isspace()):
            return i
    return len(line)


def matching_end(text: str, start: int = 0) -> int | None:
    """Index of the bracket that closes the one at `start`; None where none does."""
    depth = 0
    for i, character in plain_characters(text[start:]):
        if character in OPENING:
            depth += 1
        elif character in CLOSING:
            depth -= 1
            if depth == 0:
                return start + i
    return None
