"""The report: what the scores mean, in sentences, and what was reused or left out.

Reads sentences, reuse events and the outcome, returns HTML or text. May touch: nothing. DESIGN.md sections 5, 9, 11.
"""

from __future__ import annotations

from collections.abc import Sequence

from vista_nb.outcome.events import LayerReused
from vista_nb.outcome.scores import RunOutcome
from vista_nb.units import format_bytes, format_seconds
from vista_nb.views.numbers import count, format_age
from vista_nb.views.theme import css, esc, muted

__all__ = ["Report", "bad_image_line", "key_sentences", "report_html", "reuse_line", "reuse_lines", "small_lines"]


class Report(str):
    """The sentences of `.report()`: a text that a notebook shows as paragraphs, not as a quoted string."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return report_html(self.splitlines())

    def _repr_pretty_(self, printer: object, cycle: bool) -> None:  # noqa: ARG002
        printer.text(str(self))  # type: ignore[attr-defined]


def report_html(sentences: Sequence[str]) -> str:
    """The winner and the verdict on pictures first, everything else quieter below."""
    if not sentences:
        return ""
    first, *more = key_sentences(sentences, 2)
    strong = f"<p{css(margin='6px 0 2px 0')}><b>{esc(first)}</b>{''.join(f' {esc(s)}' for s in more)}</p>"
    rest = [esc(sentence) for sentence in sentences if sentence not in (first, *more)]
    return strong + (muted(" ".join(rest)) if rest else "")


def reuse_line(reused: Sequence[LayerReused]) -> str:
    """`reused fc6, fc7 from run r3, 4 min ago: 800 images, 212 MB, 21.0 s saved`, for layers of one run.

    Layers of one pass share its cost, so the seconds saved are those of the dearest, not their sum.
    """
    first = reused[0]
    layers = ", ".join(map(_name, reused))
    run = f" from run {first.run}" if first.run else ""
    seconds = max(event.saved_seconds for event in reused)
    saved = f", {format_seconds(seconds)} saved" if seconds > 0 else ""
    size = format_bytes(sum(event.size for event in reused))
    age = format_age(max(event.age_seconds for event in reused))
    return f"reused {layers}{run}, {age} ago: {count(first.rows, 'image')}, {size}{saved}"


def reuse_lines(reused: Sequence[LayerReused], exact: bool = True) -> tuple[str, ...]:
    """One line per run they came from; not `exact`: one line for all, without run, age and bytes."""
    if not exact:
        return (f"reused {', '.join(map(_name, reused))} from the store",) if reused else ()
    groups: dict[tuple[str, int], list[LayerReused]] = {}
    for event in reused:
        groups.setdefault((event.run, event.rows), []).append(event)
    return tuple(reuse_line(group) for group in groups.values())


def _name(event: LayerReused) -> str:
    name = f"raw {event.layer}" if event.raw else event.layer
    name = f"{name} (of {event.pooling})" if event.pooling else name
    name = f"{name} (from the remote store)" if event.remote else name
    return f"{name} (in memory)" if event.memory else name


def bad_image_line(outcome: RunOutcome) -> str:
    """How many pictures could not be read, and where their names are; empty where all could."""
    bad = max(len(outcome.bad_images), outcome.rows.bad_images)
    return f"{count(bad, 'image')} could not be read: see .bad_images" if bad else ""


def key_sentences(sentences: Sequence[str], limit: int) -> tuple[str, ...]:
    """The first sentence and the verdict on pictures before all others, in their own order."""
    wanted = sorted(range(len(sentences)), key=lambda at: (at > 0, not sentences[at].startswith("Pictures"), at))
    return tuple(sentences[at] for at in sorted(wanted[: max(0, limit)]))


def small_lines(lines: Sequence[str]) -> str:
    """Quiet lines under the table."""
    return "".join(muted(esc(line)) for line in lines if line)
