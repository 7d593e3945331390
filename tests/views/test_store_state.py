"""The Store tab is a pure function of the run's events: what was reused, what was put there, how full the store is."""

from __future__ import annotations

from sample_run import sample_plan

from vista_nb.outcome import events as ev
from vista_nb.views.state import PanelState, apply_all
from vista_nb.views.store_state import StoreState, store_state
from vista_nb.views.store_view import store_html, store_text

EVENTS = [
    ev.LayerReused(4, 1, 1.0, "conv5_1", "r1", 800, 30_000_000, 240.0, 5.0),
    ev.LayerReused(4, 1, 1.0, "conv4_6", "r1", 800, 90_000_000, 240.0, 2.0, raw=True),
    ev.LayerReused(4, 1, 1.0, "fc6", "r3", 100, 10_000_000, 60.0, 4.0),
    ev.StoreLevel(4, 1, 1.0, 1_000_000_000, 4_000_000_000),
    ev.LayerStored(6, 1, 2.0, "conv5_2", 80, 1_000_000),
    ev.LayerStored(6, 1, 2.0, "conv5_3", 80, 2_000_000, later=True),
    ev.LayerStored(6, 2, 3.0, "conv5_2", 720, 9_000_000),
    ev.StoreLevel(6, 2, 3.0, 1_012_000_000, 4_000_000_000),
]


def state_of(events: list[ev.Event]) -> StoreState:
    return store_state(apply_all(PanelState.of(sample_plan()), events))


def test_before_anything_it_is_empty() -> None:
    """A tab can be drawn at once."""
    state = state_of([])
    assert state == StoreState()
    assert (state.share, state.saved_seconds) == (0.0, 0.0)
    assert store_text(state) == "nothing was reused, and nothing stored yet"


def test_rows_add_up_over_waves() -> None:
    """Reused layers first, cuts after them; what was written, wave by wave, is one row."""
    state = state_of(EVENTS)
    found = [(row.layer, row.kind, row.rows, row.size, row.raw) for row in state.rows]
    assert found == [
        ("conv5_1", "reused", 800, 30_000_000, False),
        ("fc6", "reused", 100, 10_000_000, False),
        ("conv4_6", "reused", 800, 90_000_000, True),
        ("conv5_2", "materialized", 800, 10_000_000, False),
        ("conv5_3", "kept for later", 80, 2_000_000, False),
    ]
    assert (state.reused_bytes, state.written_bytes) == (130_000_000, 12_000_000)
    assert state.saved_seconds == 5.0 + 4.0, "layers of one run's pass share its cost"
    assert (state.held, state.budget, state.share) == (1_012_000_000, 4_000_000_000, 0.253)


def test_text_and_html_say_the_same() -> None:
    """The twin of the tab; sizes, ages and savings are left out where output must not change from day to day."""
    state = state_of(EVENTS)
    text, page = store_text(state), store_html(state)
    for piece in ("conv4_6 (raw)", "kept for later", "30.0 MB", "4 min", "r3", "5.0 s"):
        assert piece in text
        assert piece in page
    assert "reused 130 MB, 9.0 s of inference saved; wrote 12.0 MB; the store holds 1.0 GB of 4.0 GB" in text
    plain = store_text(state, exact=False)
    assert "conv5_2" in plain
    assert not any(piece in plain for piece in ("MB", "min", "r1", " s"))


def test_names_are_escaped() -> None:
    """A layer of a user's own CNN may be called anything."""
    page = store_html(state_of([ev.LayerStored(6, 1, 2.0, "<b>x", 1, 1)]))
    assert "<b>x" not in page
    assert "&lt;b&gt;x" in page
