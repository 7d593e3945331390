"""The memory regions of one worker as a stacked bar against the detected limit; planned, used now, and the peak.

Reads MemoryRegions and measured peaks, returns HTML or text. May touch: nothing.
DESIGN.md section 6, tab Memory; paper: section 4.1, Figure 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vista_nb.outcome.events import MemorySampled
from vista_nb.plan.memory import MemoryRegions
from vista_nb.units import format_bytes
from vista_nb.views.theme import ACCENT, BAD, GREY, REGION_COLOURS, card, css, esc, scroll, table

__all__ = ["MemoryReport", "measured_peaks", "memory_html", "memory_text", "region_name"]

_NAMES = {"os_reserved": "system", "driver": "driver", "dl_execution": "CNN workers"}
_NAMES |= {"user": "user", "core": "core", "storage": "storage"}
_MEANS = {
    "os_reserved": "left to everything else on the machine",
    "driver": "kernel, collected results, training on the driver",
    "dl_execution": "Python workers with TensorFlow",
    "user": "JVM heap: features and models in use",
    "core": "JVM heap: joins and Spark's own work",
    "storage": "JVM heap: materialized tables",
}
_GROUPS = (("driver", ("driver",)), ("workers", ("dl_execution",)), ("jvm", ("user", "core", "storage")))
_WIDE_ENOUGH = 0.1  # of the bar: narrower segments carry no text

Peaks = Sequence[tuple[str, int]]


def region_name(region: str) -> str:
    """The region's short name for people."""
    return _NAMES.get(region, region)


def measured_peaks(sampled: MemorySampled | None) -> tuple[tuple[str, int], ...]:
    """(`driver` | `workers` | `jvm`, peak bytes), where they were measured."""
    if sampled is None:
        return ()
    pairs = (("driver", sampled.driver), ("workers", sampled.workers), ("jvm", sampled.jvm))
    return tuple((group, count) for group, count in pairs if count)


def memory_html(
    memory: MemoryRegions, peaks: Peaks = (), limit: int | None = None, *, who: str = "one worker", now: Peaks = ()
) -> str:
    """The bar of what was planned, its legend, and each group of processes against its share: used now, at most so far.

    limit: bytes that the machine allows, `memory.total` unless given.
    """
    limit = limit or memory.total
    head = f"{who}: {format_bytes(memory.total)} planned, limit {format_bytes(limit)}"
    style = css(margin="2px 0 4px 0")
    used = _used(memory, peaks, now)
    return f"<div{style}>{esc(head)}</div>{_bar(memory, limit, who)}{_legend(memory)}{used}"


def _bar(memory: MemoryRegions, limit: int, who: str) -> str:
    whole = max(limit, memory.total, 1)
    parts = "".join(_segment(region, size / whole) for region, size in memory.items() if size)
    label = f"memory of {who}: " + ", ".join(f"{region_name(r)} {format_bytes(b)}" for r, b in memory.items() if b)
    frame = {"border": f"1px solid {BAD if memory.total > limit else GREY}", "border_radius": "3px"}
    style = css(display="flex", width="100%", height="24px", overflow="hidden", **frame)
    return f'<div role="img" aria-label="{esc(label)}"{style}>{parts}</div>'


def _segment(region: str, share: float) -> str:
    text = esc(region_name(region)) if share >= _WIDE_ENOUGH else ""
    fill = {"background": REGION_COLOURS[region], "color": "#1a1a1a", "font_size": "12px", "line_height": "24px"}
    style = css(width=f"{100 * share:.2f}%", text_align="center", overflow="hidden", white_space="nowrap", **fill)
    return f'<div title="{esc(_MEANS[region])}"{style}>{text}</div>'


def _legend(memory: MemoryRegions) -> str:
    cell = {"text_align": "left", "padding": "1px 14px 1px 0", "white_space": "nowrap"}
    rows = []
    for region, size in memory.items():
        key = css(display="inline-block", width="10px", height="10px", background=REGION_COLOURS[region])
        share = f"{100 * size / memory.total:.0f} %" if memory.total else ""
        number = css(**(cell | {"text_align": "right"}))
        rows.append(
            f"<tr{css(background='transparent')}><td{css(**cell)}><span{key}></span> {esc(region_name(region))}</td>"
            f"<td{number}>{format_bytes(size)}</td><td{number}>{share}</td>"
            f"<td{css(**(cell | {'opacity': '0.75', 'white_space': 'normal'}))}>{esc(_MEANS[region])}</td></tr>"
        )
    return scroll(table("".join(rows)))


@dataclass(frozen=True)
class _Group:
    """One kind of process: planned, peak and present bytes (now is None after the run)."""

    name: str
    planned: int
    peak: int
    now: int | None = None

    @property
    def words(self) -> str:
        """`CNN workers: 1.2 GB now, peak 1.4 GB, 58 % of 2.4 GB planned`."""
        share = (
            f"{100 * self.peak / self.planned:.0f} % of {format_bytes(self.planned)} planned" if self.planned else ""
        )
        now = "" if self.now is None else f"{format_bytes(self.now)} now, "
        over = ": more than planned" if self.peak > self.planned else ""
        return f"{self.name}: {now}peak {format_bytes(self.peak)}, {share or 'nothing planned'}{over}"


def _groups(memory: MemoryRegions, peaks: Peaks, now: Peaks = ()) -> list[_Group]:
    """Each measured process group against the regions it may use."""
    highest, present = dict(peaks), dict(now)
    return [
        _Group(
            "JVM" if group == "jvm" else region_name(regions[0]),
            sum(getattr(memory, region) for region in regions),
            highest[group],
            present.get(group),
        )
        for group, regions in _GROUPS
        if group in highest
    ]


def _used(memory: MemoryRegions, peaks: Peaks, now: Peaks) -> str:
    found = _groups(memory, peaks, now)
    if not found:
        return ""
    head = f"<div{css(margin='8px 0 2px 0', font_weight='600')}>measured</div>"
    return head + "".join(f"<div{css(margin='3px 0')}>{_track(group)}{esc(group.words)}</div>" for group in found)


def _track(group: _Group) -> str:
    """Filled to what is used now (after the run: to the peak), a stroke at the peak, as wide as what was planned."""
    whole = max(group.planned, group.peak, 1)
    used = group.peak if group.now is None else min(group.now, group.peak)
    colour = BAD if group.peak > group.planned else ACCENT
    parts = (
        f"<div{css(width=f'{100 * used / whole:.1f}%', height='8px', background=colour, opacity='0.7')}></div>"
        f"<div{css(width=f'{100 * (group.peak - used) / whole:.1f}%', height='8px')}></div>"
        f"<div{css(width='0', height='12px', border_left=f'2px solid {colour}', margin='0 0 0 -2px')}></div>"
    )
    frame = css(display="flex", align_items="center", border=f"1px solid {GREY}", height="8px", border_radius="2px")
    box = css(display="inline-block", vertical_align="middle", width="38%", min_width="120px", margin="0 10px 0 0")
    return f'<div role="img" aria-label="{esc(group.words)}"{box}><div{frame}>{parts}</div></div>'


def _peak_lines(memory: MemoryRegions, peaks: Peaks) -> list[str]:
    """`CNN workers 1.4 GB of 2.0 GB`."""
    return [f"{g.name} {format_bytes(g.peak)} of {format_bytes(g.planned)}" for g in _groups(memory, peaks)]


def memory_text(memory: MemoryRegions, peaks: Peaks = (), limit: int | None = None) -> str:
    """The same as text: one line per region with a bar of 40 characters for the whole limit."""
    limit = limit or memory.total
    lines = [f"one worker: {format_bytes(memory.total)} planned, limit {format_bytes(limit)}"]
    for region, size in memory.items():
        mark = "#" * round(40 * size / max(limit, 1))
        lines.append(f"  {region_name(region):<12}{format_bytes(size):>9}  {mark}".rstrip())
    lines += [f"  measured peak: {line}" for line in _peak_lines(memory, peaks)]
    return "\n".join(lines)


@dataclass(frozen=True)
class MemoryReport:
    """`VistaResult.memory`: the planned regions in bytes, and (group, bytes) as measured."""

    regions: MemoryRegions
    peaks: tuple[tuple[str, int], ...] = ()

    @property
    def total(self) -> int:
        """Bytes per worker: the six regions together."""
        return self.regions.total

    def __str__(self) -> str:
        return memory_text(self.regions, self.peaks)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:  # noqa: ARG002
        return {"text/plain": str(self), "text/html": card(memory_html(self.regions, self.peaks))}
