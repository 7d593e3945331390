"""The splitter: entries, places, comments, continuation lines; round trips by hypothesis."""

from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st

from vista_nb.spec.located import Located, Source
from vista_nb.spec.scan import comment_start, matching_end
from vista_nb.spec.splitter import split

NAMES = st.text(string.ascii_lowercase + "_", min_size=1, max_size=8)
# no quote, no `#`: these have tests of their own
WORDS = st.text(string.ascii_letters + string.digits + "äß€./{}[](),:=+-* ", min_size=1, max_size=30).map(str.strip)
VALUES = st.lists(WORDS.filter(bool), min_size=1, max_size=3)
COMMENTS = st.sampled_from(["", "  # a comment", "\t#", " # key: value"])


def source_piece(text: str, line: int, column: int, length: int) -> str:
    return text.splitlines()[line - 1][column - 1 : column - 1 + length]


@given(st.lists(st.tuples(NAMES, VALUES, COMMENTS), max_size=6), st.sampled_from(["", "   ", "\t"]))
def test_what_is_written_is_read_back_with_its_place(rows: list[tuple[str, list[str], str]], margin: str) -> None:
    """Keys and values come back whole, and every position points at the very text, whatever the margin."""
    lines = []
    for key, values, comment in rows:
        lines.append(f"{margin}{key}: {values[0]}{comment}")
        lines += ["", *(f"{margin}  {value}{comment}" for value in values[1:])]
    text = "\n".join(lines)
    entries, problems = split(text)
    assert not problems
    assert [e.name for e in entries] == [key for key, _, _ in rows]
    for entry, (key, values, _) in zip(entries, rows, strict=True):
        assert [piece.text for piece in entry.value.lines()] == values
        where = entry.key.position()
        assert source_piece(text, where.line, where.column, where.length) == key
        for piece in entry.value.lines():
            at = piece.position()
            assert source_piece(text, at.line, at.column, at.length) == piece.text


@given(st.text(max_size=200))
def test_any_text_is_split_without_an_accident(text: str) -> None:
    """Whatever is typed gives entries or problems inside the text."""
    entries, problems = split(text)
    count = len(text.splitlines())
    assert all(1 <= entry.key.position().line <= count for entry in entries)
    assert all(1 <= problem.line <= count for problem in problems)


def test_comments_start_after_white_space_and_outside_quotes() -> None:
    """`#` inside a word or quotes is text."""
    assert comment_start("a: b # c") == 5
    assert comment_start("# whole") == 0
    assert comment_start("a: b#c") == len("a: b#c")
    assert comment_start("a: 'b # c' # d") == 11
    assert comment_start('a: "b \\" # c" # d') == 14
    assert comment_start("a: bob's # photos of bob's") == 9
    assert comment_start("a: 'it''s # x' # y") == 15


def test_a_quote_that_is_not_closed_hides_no_comment() -> None:
    """An opening quote counts only when it closes on its line."""
    assert comment_start("a: 'b # c") == 6


def test_unindented_items_and_closing_brackets_go_on_with_the_value() -> None:
    """What YAML and Python users write."""
    entries, problems = split("images:\n- a\n- b\nfeatures: [\n  x,\n]\nlabel: y")
    assert not problems
    assert [(e.name, e.value.folded().text) for e in entries] == [
        ("images", "- a - b"),
        ("features", "[ x, ]"),
        ("label", "y"),
    ]


def test_a_line_that_is_no_entry_is_reported_once_with_the_lines_under_it() -> None:
    """The lost line's continuation is not reported again, and the next key is read."""
    entries, problems = split("label = y\n  more\ncnn: vgg16")
    assert [(p.code, p.line, p.column, p.length) for p in problems] == [("VST101", 1, 1, 9)]
    assert problems[0].hint.startswith("write `label: y`")
    assert [e.name for e in entries] == ["cnn"]


def test_windows_line_ends_and_odd_separators_keep_lines_right() -> None:
    """Lines are those of str.splitlines, which the error text uses too."""
    entries, _ = split("a: 1\r\nb: 2\x0cc: 3\rd: 4")
    assert [(e.name, e.value.text, e.key.position().line) for e in entries] == [
        ("a", "1", 1),
        ("b", "2", 2),
        ("c", "3", 3),
        ("d", "4", 4),
    ]


def test_matching_end_skips_quotes_and_nested_brackets() -> None:
    """Only the bracket that closes the first one counts."""
    assert matching_end("[a, {b}, ']']x") == 12
    assert matching_end("[ab]*.jpg") == 3
    assert matching_end("[a, (b]") is None


def test_folding_joins_lines_with_one_space() -> None:
    """A literal over several lines reads as one, and keeps its places."""
    text = "label: a\n\n     b  \n  c"
    value = split(text)[0][0].value.folded()
    assert value.text == "a b c"
    assert value[4:5].position().line == 4
    assert Located.of("x").position().line == 0
    assert Source.of("").position(0, 1).line == 0
