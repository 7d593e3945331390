"""A run as the session room would hold it, with events a real one emits: what the tests of views and magic draw.

Not a test. Only the RunHandle protocol is stood in for; plan, events, scores and rendering are the real types.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

from vista_nb.catalog.roster import CNNFacts, LayerFacts
from vista_nb.catalog.workload import EstimatorFacts, FeatureUse, Workload
from vista_nb.outcome import events as ev
from vista_nb.outcome.scores import BadImage, LayerScore, PairedTest, RowCounts, RunOutcome
from vista_nb.plan.candidate import Candidate, Plan
from vista_nb.plan.logical import (
    Infer,
    Inference,
    Join,
    LogicalPlan,
    Materialization,
    PoolingPlace,
    Save,
    ScanImages,
    ScanStructured,
    Step,
    Train,
    TrainBaselines,
)
from vista_nb.plan.memory import MemoryRegions, Sizes
from vista_nb.plan.physical import JoinOperator, Persistence, PhysicalPlan, TrainingSite
from vista_nb.plan.titles import step_kind, step_layers, step_title
from vista_nb.spec.model import EstimatorCall, Pooling, Precision, Spec, Task

LAYERS = ("conv4_6", "conv5_1", "conv5_2", "conv5_3", "fc6")
VALUES = {"conv4_6": 0.781, "conv5_1": 0.812, "conv5_2": 0.856, "conv5_3": 0.844, "fc6": 0.819}
MODEL = "LogisticRegression(regParam=0.01)"
GB = 10**9


def sample_plan(layers: tuple[str, ...] = LAYERS, cnn: str = "resnet50", waves: int = 1) -> Plan:
    """Eager with pooling pushed down, and three plans that lost."""
    steps: list[Step] = [ScanStructured(1), ScanImages(2), Join(3), TrainBaselines(4)]
    steps += [Infer(5, None, layers, True, 800), Save(6, layers)]
    steps += [Train(7 + place, layer) for place, layer in enumerate(layers)]
    eager = LogicalPlan(
        Materialization.EAGER, Inference.AFTER_JOIN, PoolingPlace.PUSHED_DOWN, waves=waves, steps=tuple(steps)
    )
    physical = PhysicalPlan(2, 1, 4, 32, JoinOperator.BROADCAST, Persistence.DESERIALIZED, TrainingSite.DRIVER)
    staged = replace(eager, materialization=Materialization.STAGED, pooling=PoolingPlace.PULLED_UP)
    lazy = replace(eager, materialization=Materialization.LAZY)
    wide = replace(eager, pooling=PoolingPlace.PULLED_UP)
    chosen = Candidate(eager, physical, True, 3 * GB, 41.2, first_result_seconds=30.0, flops=10**12)
    others = (
        Candidate(staged, physical, True, 4 * GB, 66.0, why="24.8 s slower: raw tensors are written and read"),
        Candidate(lazy, physical, True, 2 * GB, 171.3, why="130.1 s slower: the CNN runs once per layer"),
        Candidate(wide, physical, False, 9 * GB, None, why="storage: 6.1 GB needed, 1.9 GB free"),
    )
    seconds = {"infer": 24.0, "train": 2.0, "train_baselines": 3.0}
    return Plan(
        profile="default",
        cnn=cnn,
        layers=layers,
        model=MODEL,
        pool="max 2x2",
        logical=eager,
        physical=physical,
        memory=MemoryRegions(GB, GB // 2, 2_400_000_000, 300_000_000, 1_200_000_000, 1_900_000_000),
        sizes=Sizes(1_000_000, 20_000_000, tuple((layer, 5_000_000) for layer in layers), 20_000_000, 30_000_000),
        candidates=(chosen, *others),
        seconds_by_step=tuple((step_title(step), seconds.get(step_kind(step), 0.5)) for step in steps),
        chosen=chosen,
        rows=800,
        images=800,
    )


def sample_workload(layers: tuple[str, ...] = LAYERS, cnn: str = "resnet50") -> Workload:
    facts = tuple(LayerFacts(layer, layer, (7, 7, 512), 10**9, 0.01) for layer in layers)
    known = CNNFacts(
        cnn, "keras.applications.ResNet50", 224, 224, "caffe", facts, layers, "imagenet", 25_000_000, 10**8, 10**9, 0,
        5.0, False, "test",
    )  # fmt: skip
    estimator = EstimatorFacts(
        "pyspark", "LogisticRegression", ("classification",), (), ("cluster", "driver"), "linear"
    )
    return Workload(
        spec=Spec(text="structured: products"),
        cnn=known,
        layers=facts,
        pool=Pooling.MAX_2X2,
        precision=Precision.FLOAT32,
        weights="imagenet",
        label="bestseller",
        task=Task.CLASSIFICATION,
        metric="accuracy",
        call=EstimatorCall("pyspark", "LogisticRegression", (("regParam", 0.01),)),
        estimator=estimator,
        features=(FeatureUse("price", "number", 1),),
        classes=("no", "yes"),
    )


def sample_score(layer: str, value: float | None = None, **changes: Any) -> LayerScore:
    value = VALUES.get(layer, 0.7) if value is None else value
    score = LayerScore(layer, "accuracy", value, value - 0.051, value + 0.046, 1.8, "computed", 640, 160)
    return replace(score, **changes)


def sample_events(plan: Plan, last_stage: int | None = None, reused: tuple[str, ...] = ()) -> list[ev.Event]:
    """What a run of `plan` emits; with `last_stage`, up to the middle of that stage."""
    found: list[ev.Event] = [ev.RunStarted(0, 1, 0.0, plan.layers, 800, len(plan.logical.steps), 1)]
    at = 0.5
    for step in plan.logical.steps:
        kind, layers, number = step_kind(step), step_layers(step), step.number
        found.append(ev.StageStarted(number, 1, at, kind, layers, step_title(step)))
        halfway = number == last_stage
        if kind == "infer":
            found += [ev.BatchDone(number, 1, at + k, 32 * k, 800) for k in range(1, 12 if halfway else 26)]
            found.append(ev.MemorySampled(number, 1, at + 11, 400_000_000, 900_000_000, 2_100_000_000))
            at += 11 if halfway else 25
        if halfway:
            return found
        if kind == "train_baselines":
            found += [ev.LayerScored(number, 1, at, sample_score("(table)", 0.702), True)]
            found += [ev.LayerScored(number, 1, at, sample_score("(table, tree)", 0.721), True)]
        if kind == "train":
            found.append(ev.LayerScored(number, 1, at + 1.8, sample_score(layers[0]), True))
        at += 2
        rows = 800 if kind == "infer" else 160 if kind == "train" else 0
        if kind == "save":
            found += [ev.LayerStored(number, 1, at, layer, 800, 26_214_400) for layer in layers]
        found.append(ev.StageFinished(number, 1, at, kind, layers, 25.0 if kind == "infer" else 2.0, rows))
    found += [ev.LayerReused(5, 1, 3.0, layer, "r1", 800, 26_214_400, 240.0, 5.2) for layer in reused]
    found.append(ev.RunFinished(0, 1, at, "done", at, ""))
    return found


def sample_outcome(plan: Plan, **changes: Any) -> RunOutcome:
    scores = (sample_score("(table)", 0.702), sample_score("(table, tree)", 0.721), *map(sample_score, plan.layers))
    tests = (
        PairedTest("conv5_2", "(table, tree)", "McNemar, exact", 0.135, 0.0007, 6),
        PairedTest("conv5_2", "conv5_3", "McNemar, exact", 0.012, 0.61, 6),
    )
    bad = (BadImage("p17", "photos/p17.jpg", "decode", "truncated file"),)
    rows = RowCounts(structured=801, images=801, joined=800, bad_images=1, distinct_images=800, train=640, test=160)
    timeline = tuple((step_title(step), 2.0 * k, 2.0 * k + 2) for k, step in enumerate(plan.logical.steps))
    peaks = (("driver", 410_000_000), ("workers", 2_150_000_000), ("jvm", 1_300_000_000))
    outcome = RunOutcome(scores, tests, bad, rows, (), timeline, peaks, 63.4, 800, majority=0.56)
    return replace(outcome, **changes)


class SampleRun:
    """A RunHandle whose events come in the given portions: each `poll` hands out the next."""

    def __init__(self, portions: list[list[ev.Event]], plan: Plan | None = None, status: str = "done") -> None:
        self.run_id = "r2"
        self.plan = plan or sample_plan()
        self.portions = list(portions)
        self.final_status = status
        self.outcome = sample_outcome(self.plan) if status == "done" else RunOutcome()
        self.error: BaseException | None = None
        self.workload = sample_workload(self.plan.layers, self.plan.cnn)
        self.cancelled = threading.Event()

    @property
    def status(self) -> str:
        return "running" if self.portions else self.final_status

    def poll(self) -> list[ev.Event]:
        return self.portions.pop(0) if self.portions else []

    def wait(self, timeout: float | None = None) -> bool:
        return not self.portions

    def cancel(self) -> None:
        self.cancelled.set()

    def features(self, layer: str) -> Any:
        import pyarrow as pa

        vectors = pa.array([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]], type=pa.list_(pa.float32()))
        return pa.table({"key": ["p1", "p2"], "vector": vectors})

    def model(self, layer: str) -> object:
        return f"model of {layer}"
