"""The pages of the panel that are new to it: head, store, log; each with a text twin, nothing unescaped."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sample_run import sample_events, sample_plan
from test_html import HOSTILE, checked

from vista_nb.outcome import events as ev
from vista_nb.views.header_view import header_html, header_text
from vista_nb.views.log_view import LogRing, log_html, log_text
from vista_nb.views.memory_view import measured_peaks, memory_html
from vista_nb.views.numbers import count
from vista_nb.views.pace import Pace
from vista_nb.views.pages import PAGES, Scene, drawn
from vista_nb.views.state import LOG_LINES, PanelState, apply, apply_all
from vista_nb.views.store_view import store_html, store_text

ENTRIES = (
    ev.StoreEntry("resnet50", "fc6", "avg", 800, 26_000_000, "r1", 250.0, 3, 63.0),
    ev.StoreEntry("resnet50", "conv5_3", "raw", 800, 321_000_000, "r2", 4.0, 0, 0.0, True, True),
)
LISTED = ev.StoreListed(entries=ENTRIES, holds=7, size=1_200_000_000, budget=20_000_000_000, saved_seconds=63.0)


def ring(events: list[ev.Event], state: PanelState) -> LogRing:
    found = LogRing()
    for event in events:
        state = apply(state, event)
        found = found.took(event, state)
    return found


def scene(last_stage: int | None = None, plan_names: tuple[str, ...] = ()) -> Scene:
    plan = sample_plan(plan_names) if plan_names else sample_plan()
    events = [*sample_events(plan, last_stage), LISTED]
    state = apply_all(PanelState.of(plan), events)
    return Scene(plan, "accuracy", state, ring(events, PanelState.of(plan)), 12.0, 0.5)


def test_the_head_counts_down_before_the_first_event_and_between_events() -> None:
    """Start of the engines, then the running step by its own speed; whole seconds only."""
    plan = replace(sample_plan(), start_seconds=6.0)
    state = PanelState.of(plan)
    assert header_text(state, plan.cnn, 2.0, 2.0) == "resnet50 · starting the engines · 2 s so far · about 43 s left"
    state = apply_all(state, sample_events(plan, 5))
    assert state.left(0.0) == pytest.approx(448 / 32 + 0.5 + 10.0)
    assert state.left(4.0) == pytest.approx(448 / 32 - 4.0 + 0.5 + 10.0)
    words = checked(header_html(state, plan.cnn, 13.4, 1.0)).text
    assert "resnet50 · running · step 5 of 11: CNN: image to conv4_6 .. fc6" in words
    assert "13 s so far · about 24 s left · 352 of 800 images · 32.0 images/s" in words
    slow = apply(state, ev.StageStarted(7, 1, 40.0, "train", ("conv4_6",), "Train on conv4_6"))
    assert slow.left(1.0) == pytest.approx(1.0 + 4 * 2.0)
    assert slow.left(60.0) == pytest.approx(4 * 2.0), "a step that takes longer than predicted leaves the later ones"


def test_the_head_of_a_finished_run_promises_nothing() -> None:
    """No time left, no step."""
    done = scene().state
    assert header_text(done, "resnet50", 63.4) == "resnet50 · done · 1 min 3 s so far"


def test_the_store_page_says_what_came_and_what_went() -> None:
    """This run's reuse and saves, the layer sets with marks, how full the store is."""
    plan = sample_plan()
    events = [*sample_events(plan, reused=("fc6",)), LISTED]
    state = apply_all(PanelState.of(plan), events)
    page = checked(store_html(state))
    assert "reused fc6 from run r1, 4 min ago: 800 images" in page.text
    assert "stored conv4_6, conv5_1, conv5_2, conv5_3, fc6: 800 images, 131 MB" in page.text
    assert "resnet50 conv5_3 raw 800 321 MB 4 s" in page.text
    assert "new, pinned" in page.text
    assert f"{count(5, 'more layer set')}: %vista store ls" in page.text
    assert "1.2 GB of 20.0 GB; 1 min 3 s of inference saved so far" in page.text
    twin = store_text(state)
    for words in ("reused fc6", "stored conv4_6", "conv5_3", "new, pinned", "7 layer sets, 1.2 GB of 20.0 GB"):
        assert words in twin
    assert "the store is empty" in store_text(apply(PanelState.of(plan), ev.StoreListed(budget=1)))
    assert "the store is empty" in store_html(apply(PanelState.of(plan), ev.StoreListed(budget=1)))


def test_what_was_stored_adds_up_over_waves_and_says_what_nobody_asked_for() -> None:
    """A layer's waves are one entry; raw tensors and layers that were kept besides have words of their own."""
    stored = [
        ev.LayerStored(6, 1, 2.0, "conv5_2", 80, 1_000_000),
        ev.LayerStored(6, 1, 2.0, "conv4_6", 80, 5_000_000, raw=True),
        ev.LayerStored(6, 1, 2.0, "conv5_3", 80, 2_000_000, later=True),
        ev.LayerStored(6, 2, 3.0, "conv5_2", 720, 9_000_000),
    ]
    state = apply_all(PanelState.of(sample_plan()), stored)
    assert store_text(state).splitlines() == [
        "stored conv5_2, raw conv4_6: 800 images, 15.0 MB",
        "kept for later cells too: conv5_3: 80 images, 2.0 MB",
    ]
    assert "kept for later cells too: conv5_3" in checked(store_html(state)).text
    assert store_text(PanelState()) == ""


def test_the_log_holds_steps_scores_and_the_end_newest_first() -> None:
    """What a terminal would print, with its time; warnings are marked in words too."""
    plan = sample_plan()
    said = ring([*sample_events(plan, 7), ev.LogLine(7, 1, 31.5, "warning", "a worker was\nlost")], PanelState.of(plan))
    page = checked(log_html(said))
    assert page.text.startswith("31.5 s warning a worker was lost")
    assert page.text.index("CNN: image") < page.text.index("Read the table")
    assert log_text(said).splitlines()[0].endswith("Read the table: 2.0 s")
    assert log_text(said).splitlines()[-1] == "    31.5 s  warning: a worker was lost"
    failed = ring([ev.RunFinished(0, 1, 9.0, "failed", 9.0, "VST501: worker lost")], PanelState.of(plan))
    assert failed.last == "failed: VST501: worker lost"


def test_the_log_is_a_ring() -> None:
    """A chatty engine does not grow the notebook: the oldest lines go, and their number is said."""
    said = ring([ev.LogLine(text=f"line {k}") for k in range(LOG_LINES + 40)], PanelState.of(sample_plan()))
    assert len(said.entries) == LOG_LINES
    assert said.dropped == 40
    html = log_html(said, shown=100)
    assert f"line {LOG_LINES + 39}" in html
    assert count(LOG_LINES - 60, "older line") in html
    assert html.count("<bdi>") == 100


def test_memory_now_and_peak_differ() -> None:
    """A worker that gave memory back: the bar stands lower than its stroke; more than planned is said in words."""
    plan = sample_plan()
    state = apply_all(
        PanelState.of(plan),
        [ev.MemorySampled(driver=1, jvm=2, workers=2_600_000_000), ev.MemorySampled(driver=1, jvm=2, workers=10**9)],
    )
    peaks, now = measured_peaks(state.peak), measured_peaks(state.memory_now)
    text = checked(memory_html(plan.memory, peaks, now=now)).text
    assert "CNN workers: 1.0 GB now, peak 2.6 GB, 108 % of 2.4 GB planned: more than planned" in text
    assert "now" not in checked(memory_html(plan.memory, peaks)).text


@pytest.mark.parametrize("stage", [None, 1, 5, 9])
def test_no_name_breaks_out_of_any_page(stage: int | None) -> None:
    """Layers, CNN, log lines and stored entries with hostile names, in every page as the panel draws it."""
    plan = sample_plan(HOSTILE, cnn=HOSTILE[0])
    entries = tuple(ev.StoreEntry(text, text, text, run=text) for text in HOSTILE)
    events = [*sample_events(plan, stage, reused=HOSTILE[:2] if stage is None else ())]
    events += [ev.StoreListed(entries=entries, holds=9), *(ev.LogLine(text=text) for text in HOSTILE)]
    state = apply_all(PanelState.of(plan), events)
    whole = Scene(plan, HOSTILE[0], state, ring(events, PanelState.of(plan)), 3.0, 0.1)
    for page in PAGES:
        found = checked(drawn(page, whole))
        assert "onerror" not in found.attributes
        assert "\x00" not in drawn(page, whole)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_is_drawn_of_the_values_it_reads(page: object) -> None:
    """What changes a page's HTML changes its values too, or the panel would show old news."""
    moments = [scene(stage) for stage in (1, 3, 5, 7, 9, None)]
    for one in moments:
        for other in moments:
            if page.reads(one) == page.reads(other):  # type: ignore[attr-defined]
                assert page.draw(one) == page.draw(other)  # type: ignore[attr-defined]


def test_a_second_has_room_for_so_many_messages() -> None:
    """Any second, not each second of the clock."""
    pace = Pace(3)
    for at in (0.5, 0.6, 0.7):
        assert pace.may(at)
        pace.spent(at)
    assert not pace.may(1.4)
    assert pace.may(1.5)
    pace.spent(1.5)
    assert not pace.may(1.55)
