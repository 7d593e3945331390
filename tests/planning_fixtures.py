"""Hand-made CNNs and workloads for planning tests: fixed numbers, so that goldens do not move with the roster."""

from __future__ import annotations

from typing import Any

from vista_nb.catalog.roster import CNNFacts, LayerFacts
from vista_nb.catalog.snapshot import Snapshot, StoredLayer
from vista_nb.catalog.statistics import SystemFacts, WorkloadStatistics
from vista_nb.catalog.workload import EstimatorFacts, Workload
from vista_nb.plan.titles import step_kind
from vista_nb.spec.model import EstimatorCall, PlanChoice, Pooling, Precision, Spec, Task
from vista_nb.units import GB, MB

LOGISTIC = EstimatorFacts(
    "pyspark",
    "LogisticRegression",
    ("classification",),
    ("regParam", "elasticNetParam", "maxIter"),
    ("cluster", "driver"),
    "linear",
    100,
)
CALL = EstimatorCall("pyspark", "LogisticRegression", (("regParam", 0.01),))


def cnn(
    name: str,
    layers: list[tuple[str, tuple[int, ...], float, float]],
    side: int,
    serialized: int,
    resident: int,
    paper: tuple[int, int] | None = None,
) -> CNNFacts:
    """layers: (name, shape, GFLOPs from the image, seconds from the image)."""
    facts = tuple(LayerFacts(n, n, shape, int(g * 1e9), s) for n, shape, g, s in layers)
    return CNNFacts(
        name=name,
        builder="",
        input_height=side,
        input_width=side,
        preprocessing="caffe",
        layers=facts,
        default_layers=tuple(layer.name for layer in facts),
        default_weights="random",
        parameters=serialized // 4,
        serialized=serialized,
        resident=resident,
        gpu=resident,
        start_seconds=5.3,
        provenance="hand-made for tests",
        paper_serialized=paper[0] if paper else None,
        paper_resident=paper[1] if paper else None,
    )


ALEXNET = cnn(
    "alexnet",
    [
        ("conv5", (13, 13, 256), 1.33, 0.020),
        ("fc6", (4096,), 1.41, 0.022),
        ("fc7", (4096,), 1.44, 0.023),
        ("fc8", (1000,), 1.45, 0.0235),
    ],
    227,
    244 * MB,
    1_200 * MB,
    (300 * MB, 2 * GB),
)
VGG16 = cnn(
    "vgg16",
    [("fc6", (4096,), 30.90, 0.300), ("fc7", (4096,), 30.93, 0.301), ("fc8", (1000,), 30.94, 0.302)],
    224,
    553 * MB,
    1_800 * MB,
    (600 * MB, 5_500 * MB),
)
RESNET50 = cnn(
    "resnet50",
    [
        ("conv4_6", (14, 14, 1024), 6.25, 0.033),
        ("conv5_1", (7, 7, 2048), 6.84, 0.036),
        ("conv5_2", (7, 7, 2048), 7.28, 0.038),
        ("conv5_3", (7, 7, 2048), 7.71, 0.040),
        ("fc6", (1000,), 7.72, 0.041),
    ],
    224,
    103 * MB,
    1_200 * MB,
    (200 * MB, 1 * GB),
)
MOBILENETV2 = cnn(
    "mobilenetv2",
    [
        ("block_6", (28, 28, 192), 0.20, 0.004),
        ("block_13", (14, 14, 576), 0.44, 0.0075),
        ("block_16", (7, 7, 320), 0.56, 0.0095),
        ("out", (7, 7, 1280), 0.60, 0.010),
    ],
    224,
    14 * MB,
    850 * MB,
)
VISTANET = cnn(
    "vistanet",
    [
        ("block3", (16, 16, 64), 0.05, 0.001),
        ("block4", (8, 8, 96), 0.07, 0.0014),
        ("block5", (4, 4, 128), 0.08, 0.0016),
    ],
    96,
    2 * MB,
    760 * MB,
)

FOODS = WorkloadStatistics(
    rows=20_129,
    structured_features=130,
    image_bytes=14_000,
    decoded_image_values=227 * 227 * 3,
    model_resident=100 * MB,
    classes=2,
)
FOODS_ENCODED = WorkloadStatistics(rows=20_129, structured_features=130, image_bytes=14_000)
PAPER_CLUSTER = SystemFacts(memory=32 * GB, cores=8, nodes=8, master="spark://head:7077", driver_memory=32 * GB)
LAPTOP = SystemFacts(memory=24 * GB, cores=2, master="local[2]")
BINDER = SystemFacts(memory=2 * GB, cores=1, master="local[1]")


def snapshot(
    net: CNNFacts = RESNET50,
    statistics: WorkloadStatistics = FOODS,
    system: SystemFacts = PAPER_CLUSTER,
    *,
    pool: Pooling = Pooling.MAX_2X2,
    layers: int | None = None,
    stored: tuple[StoredLayer, ...] = (),
    missing: int | None = None,
    estimator: EstimatorFacts = LOGISTIC,
    call: EstimatorCall = CALL,
    baseline: bool = True,
    **plan: Any,
) -> Snapshot:
    """A bound workload over `net`; `plan` are forced decisions, `layers` takes the top ones only."""
    spec = Spec(label="label", cnn=net.name, pool=pool, baseline=baseline, plan=PlanChoice(**plan))
    chosen = net.layers if layers is None else net.layers[-layers:]
    workload = Workload(
        spec=spec,
        cnn=net,
        layers=chosen,
        pool=pool,
        precision=Precision.FLOAT32,
        weights="random",
        label="label",
        task=Task.CLASSIFICATION,
        metric="accuracy",
        call=call,
        estimator=estimator,
    )
    return Snapshot(workload, statistics, system, stored, missing)


PHOTOS = WorkloadStatistics(rows=2000, structured_features=20, image_bytes=60_000)


def kinds(plan_steps: tuple[object, ...]) -> list[str]:
    return [step_kind(step) for step in plan_steps]  # type: ignore[arg-type]


def stored(layer: str, rows: int) -> StoredLayer:
    return StoredLayer(layer, f"key-{layer}", rows, rows * 1000)
