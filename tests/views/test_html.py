"""What the views draw: right numbers, nothing unescaped, a text twin for everything, readable without style."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from sample_run import LAYERS, SampleRun, sample_events, sample_outcome, sample_plan, sample_score

from vista_nb.outcome import events as ev
from vista_nb.outcome.scores import BadImage
from vista_nb.result import VistaResult
from vista_nb.views.header_view import header_html
from vista_nb.views.layers_view import Scale, layers_html, layers_text, scale_of
from vista_nb.views.memory_view import memory_html, memory_text
from vista_nb.views.plan_view import Explanation, plan_html
from vista_nb.views.plots import plain_label
from vista_nb.views.report_view import key_sentences, report_html, reuse_line, reuse_lines
from vista_nb.views.state import PanelState, apply_all
from vista_nb.views.table_view import Table
from vista_nb.views.theme import esc

HOSTILE = (
    "<script>alert(1)</script>",
    "</style><b>",
    '"><img src=x onerror=alert(1)>',
    "\u202eevil",
    "שכבה",
    "🏠🏡",
    "a\x00b",
)
ALLOWED = {"table", "tr", "th", "td", "div", "span", "b", "p", "bdi", "details", "summary", "pre"}
VOID = {"br", "img", "hr", "input"}


class Checked(HTMLParser):
    """Collects tags and attributes, and fails on tags that are not closed in order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def checked(html: str) -> Checked:
    parser = Checked()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    assert parser.tags <= ALLOWED
    assert not [name for name in parser.attributes if name.startswith("on") or name in ("src", "href", "id")]
    return parser


def bundle(run: SampleRun) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    result = VistaResult(run)
    while run.portions:
        result.poll()
    return result._repr_mimebundle_()


@pytest.fixture
def hostile_run() -> SampleRun:
    """Every name a user, a file or an engine can choose is an attack."""
    plan = replace(sample_plan(HOSTILE, cnn=HOSTILE[0]), model=HOSTILE[2])
    run = SampleRun([[*sample_events(plan, reused=HOSTILE[:1]), ev.LogLine(text=HOSTILE[0])]], plan)
    bad = tuple(BadImage(text, text, text, text) for text in HOSTILE)
    run.outcome = sample_outcome(plan, bad_images=bad, notes=HOSTILE)
    return run


def test_no_name_breaks_out_of_the_result(hostile_run: SampleRun) -> None:
    """Scripts, closing tags, quotes and control characters stay text; only our own tags remain."""
    data, _ = bundle(hostile_run)
    page = checked(data["text/html"])
    assert "<script>alert(1)</script>" in page.text
    assert "\x00" not in data["text/html"]
    assert "onerror" not in page.attributes
    assert "\x00" not in data["text/plain"]


def test_large_numbers_keep_their_space() -> None:
    """`9 215` has a no-break space, which is no control character, in HTML and in pictures."""
    plan = replace(sample_plan(), looked_at=9_216)
    space = "\N{NO-BREAK SPACE}"
    assert f"of 9{space}215 other plans looked at" in plan_html(plan)
    assert (esc(f"9{space}2\x00"), plain_label(f"9{space}2\x00")) == (f"9{space}2\ufffd",) * 2


@pytest.mark.parametrize("stage", [None, 5, 9])
def test_no_name_breaks_out_of_the_live_views(hostile_run: SampleRun, stage: int | None) -> None:
    """The same at every moment of the panel."""
    plan = hostile_run.plan
    state = apply_all(PanelState.of(plan), sample_events(plan, stage))
    for html in (layers_html(state, HOSTILE[0], live=True), plan_html(plan, state), header_html(state, plan.cnn, 3.0)):
        checked(html)
    checked(Explanation(plan)._repr_mimebundle_()["text/html"])
    checked(report_html(HOSTILE))
    checked(Table(("a",), tuple((text,) for text in HOSTILE), note=HOSTILE[0])._repr_mimebundle_()["text/html"])


def test_names_keep_their_own_writing_direction(hostile_run: SampleRun) -> None:
    """A right-to-left layer name must not turn the numbers beside it round."""
    data, _ = bundle(hostile_run)
    assert "<bdi>שכבה</bdi>" in data["text/html"]
    assert "🏠🏡" in data["text/html"]


def test_the_result_in_html_says_what_the_table_says() -> None:
    """Layer, score, interval, seconds, the best starred, the report, the plan and the memory."""
    data, metadata = bundle(SampleRun([sample_events(sample_plan())]))
    text = checked(data["text/html"]).text
    assert "★ conv5_2 computed 0.856 0.805 to 0.902 1.8" in text
    assert text.count("★") == 1
    for words in ("(table) baseline 0.702", "Best layer: conv5_2", "Pictures help", "done in 1 min 3 s", "not chosen"):
        assert words in text
    assert "1 image could not be read: see .bad_images" in text
    assert "CNN workers 2.4 GB" in text
    assert "widget" not in data["text/html"]
    assert metadata["image/png"]["alt"].startswith("accuracy by layer with 95 % intervals: conv4_6 0.781")
    assert data["image/png"].startswith("iVBORw0KGgo")


def test_the_text_twin_of_a_result() -> None:
    """At most twelve lines, no id, no clock."""
    data, _ = bundle(SampleRun([sample_events(sample_plan())]))
    assert data["text/plain"].splitlines() == [
        "vista_nb: resnet50, 5 layers, LogisticRegression(regParam=0.01): done",
        "   layer          accuracy  95 % interval   features",
        "   conv4_6        0.781     0.730 to 0.827  computed",
        "   conv5_1        0.812     0.761 to 0.858  computed",
        "*  conv5_2        0.856     0.805 to 0.902  computed",
        "   conv5_3        0.844     0.793 to 0.890  computed",
        "   fc6            0.819     0.768 to 0.865  computed",
        "   (table)        0.702     0.651 to 0.748  -",
        "   (table, tree)  0.721     0.670 to 0.767  -",
        *data["text/plain"].splitlines()[9:11],
        "1 image could not be read: see .bad_images",
    ]
    assert data["text/plain"].splitlines()[9].startswith("Best layer: conv5_2, accuracy 0.856")
    assert data["text/plain"].splitlines()[10].startswith("Pictures help: conv5_2 is clearly better")


@pytest.mark.parametrize("count", [1, 5, 6, 12, 40])
def test_the_text_stays_within_twelve_lines_and_keeps_the_best_layer(count: int) -> None:
    """A CNN with many layers shows its most useful ones and says how many are left out."""
    layers = tuple(f"block{k}" for k in range(count))
    plan = sample_plan(layers)
    best = layers[count // 2]
    run = SampleRun([[]], plan)
    outcome = sample_outcome(plan)
    scores = tuple(replace(s, value=0.9) if s.layer == best else s for s in outcome.scores)
    run.outcome = replace(outcome, scores=scores)
    data, _ = bundle(run)
    lines = data["text/plain"].splitlines()
    assert len(lines) <= 12
    assert any(line.startswith(f"*  {best} ") for line in lines)
    hidden = re.search(r"and (\d+) more: see .accuracy", data["text/plain"])
    shown = sum(1 for line in lines if re.match(r"[* ]  block\d+ ", line))
    assert shown + (int(hidden[1]) if hidden else 0) == count


def test_static_output_depends_on_nothing_but_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two machines, two days, other speed, other memory: the same html and text under VISTA_NB_UI=static."""
    monkeypatch.setenv("VISTA_NB_UI", "static")
    plan = sample_plan()
    slow = replace(plan, memory=replace(plan.memory, storage=1), physical=replace(plan.physical, cpu=7))
    runs = [SampleRun([sample_events(p, reused=("fc6",))], p) for p in (plan, slow)]
    outcome = runs[1].outcome
    slower = tuple(replace(s, seconds=99.0) for s in outcome.scores)
    runs[1].outcome = replace(outcome, seconds=1e4, scores=slower, peak_bytes=())
    first, second = (bundle(run)[0] for run in runs)
    assert first["text/plain"] == second["text/plain"]
    assert first["text/html"] == second["text/html"]
    assert "reused fc6 from the store" in first["text/plain"]
    assert not re.search(r"\d s\b", first["text/html"])


def test_a_failed_run_shows_what_is_finished_and_one_line_of_error() -> None:
    """The partial result is for looking at; the error itself is raised."""
    plan = sample_plan()
    run = SampleRun([sample_events(plan, last_stage=9)], plan, status="failed")
    run.outcome = sample_outcome(plan, scores=(sample_score("conv4_6"),), tests=())
    run.error = RuntimeError("worker lost\nsecond line")
    data, _ = bundle(run)
    assert "worker lost" in data["text/html"]
    assert "second line" not in data["text/html"]
    assert "conv5_2" in data["text/plain"]
    assert "failed" in data["text/plain"]


def test_the_interval_bar_needs_no_positions_and_fills_the_axis() -> None:
    """JupyterLab drops positions from notebooks it does not trust; widths alone must add up."""
    plan = sample_plan()
    state = apply_all(PanelState.of(plan), sample_events(plan))
    html = layers_html(state, "accuracy")
    assert "position:" not in html
    assert "var(" not in html
    for bar in re.findall(r'<div role="img".*?>(.*?)</div></td>', html):
        widths = [float(w) for w in re.findall(r"width:([\d.]+)%", bar)]
        assert sum(widths) == pytest.approx(100.0, abs=0.1)


def test_an_interim_score_is_hollow_and_marked_in_words() -> None:
    """Not by colour or shape alone."""
    state = apply_all(PanelState.of(sample_plan()), [ev.LayerScored(7, 1, 2.0, sample_score("fc6", 0.6), final=False)])
    assert "interim" in layers_html(state, "accuracy", live=True)
    assert "(interim)" in layers_text(state, "accuracy")


def test_the_axis_holds_every_interval() -> None:
    """Shares stay within 0 and 1; other metrics get room on both sides; equal values still have a width."""
    low = sample_score("a", 0.03, ci_low=0.0, ci_high=0.1)
    assert scale_of((low, sample_score("b", 0.99, ci_low=0.9, ci_high=1.0))) == Scale(0.0, 1.0)
    rmse = sample_score("a", 50.0, metric="rmse", ci_low=40.0, ci_high=60.0)
    assert scale_of((rmse,)).low < 40.0 < 60.0 < scale_of((rmse,)).high
    flat = sample_score("a", 3.0, metric="r2", ci_low=3.0, ci_high=3.0)
    assert scale_of((flat,)).share(3.0) == pytest.approx(50.0)


def test_memory_in_html_and_text() -> None:
    """Regions against the limit, and what was measured."""
    memory = sample_plan().memory
    peaks = (("workers", 2_150_000_000),)
    page = checked(memory_html(memory, peaks, limit=8_000_000_000))
    assert "one worker: 7.3 GB planned, limit 8.0 GB" in page.text
    assert "CNN workers: peak 2.1 GB, 90 % of 2.4 GB planned" in page.text
    text = memory_text(memory, peaks, limit=8_000_000_000)
    assert "  CNN workers    2.4 GB  ############" in text.splitlines()
    assert "aria-label" in page.attributes


def test_the_plan_marks_where_the_run_is() -> None:
    """Done, running and waiting steps differ in a sign, and the runners-up say why they lost."""
    plan = sample_plan()
    state = apply_all(PanelState.of(plan), sample_events(plan, last_stage=9))
    text = checked(plan_html(plan, state)).text
    assert "9 ▶ Train on conv5_2" in text
    assert "5 ✓ └ CNN: image to conv4_6 .. fc6 24.0 s 25.0 s" in text
    assert "10 Train on conv5_3" in text
    assert text.index("Train on fc6") < text.index("CNN: image") < text.index("Read the table")
    assert "130.1 s slower: the CNN runs once per layer" in text


def test_reuse_is_said_in_one_line() -> None:
    """What, from which run, age, rows, bytes, seconds saved."""
    event = ev.LayerReused(layer="fc6", run="r1", rows=800, size=212_000_000, age_seconds=250, saved_seconds=21.0)
    assert reuse_line([event]) == "reused fc6 from run r1, 4 min ago: 800 images, 212 MB, 21.0 s saved"
    others = (replace(event, layer="fc7", size=8_000_000, saved_seconds=22.0), replace(event, layer="fc8", run="r2"))
    assert reuse_lines((event, *others)) == (
        "reused fc6, fc7 from run r1, 4 min ago: 800 images, 220 MB, 22.0 s saved",
        "reused fc8 from run r2, 4 min ago: 800 images, 212 MB, 21.0 s saved",
    )
    assert reuse_lines((event, *others), exact=False) == ("reused fc6, fc7, fc8 from the store",)
    assert reuse_lines(()) == reuse_lines((), exact=False) == ()


def test_the_short_text_prefers_the_verdict_on_pictures() -> None:
    """The question of the whole tool comes before the runner-up."""
    said = ("Best layer: a.", "It is not clearly better.", "Pictures help: yes.", "Chosen on the same rows.")
    assert key_sentences(said, 2) == ("Best layer: a.", "Pictures help: yes.")
    assert key_sentences(said, 9) == said
    assert key_sentences((), 2) == ()


def test_every_layer_is_in_the_running_table() -> None:
    """Before the first score too, in HTML and in text."""
    state = PanelState.of(sample_plan())
    page = checked(layers_html(state, "accuracy", live=True))
    for layer in LAYERS:
        assert f"{layer} ○ queued" in page.text
        assert layer in layers_text(state, "accuracy")
