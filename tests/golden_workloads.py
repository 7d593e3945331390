"""The workloads of the golden EXPLAIN files: the paper's six under both profiles, and one for each other decision."""

from __future__ import annotations

from dataclasses import replace

from planning_fixtures import (
    ALEXNET,
    BINDER,
    FOODS,
    FOODS_ENCODED,
    LAPTOP,
    LOGISTIC,
    MOBILENETV2,
    PAPER_CLUSTER,
    RESNET50,
    VGG16,
    VISTANET,
    snapshot,
)

from vista_nb.catalog.snapshot import Snapshot, StoredLayer
from vista_nb.catalog.statistics import SystemFacts, WorkloadStatistics
from vista_nb.catalog.workload import EstimatorFacts
from vista_nb.spec.model import EstimatorCall, Pooling
from vista_nb.units import GB

__all__ = ["AMAZON", "AMAZON_ENCODED", "WORKLOADS"]

AMAZON = replace(FOODS, rows=200_000, structured_features=200, image_bytes=15_000)
AMAZON_ENCODED = replace(FOODS_ENCODED, rows=200_000, structured_features=200, image_bytes=15_000)
LAPTOP_DATA = WorkloadStatistics(rows=2000, structured_features=20, image_bytes=60_000, mean_pixels=786_432)
BINDER_DATA = WorkloadStatistics(rows=600, structured_features=24, image_bytes=6_000, mean_pixels=9_216)
BIG_LAPTOP = SystemFacts(memory=32 * GB, cores=8, master="local[8]")
DATACENTRE = SystemFacts(memory=512 * GB, cores=64, nodes=500, master="cluster")
ELASTIC = EstimatorCall("pyspark", "LogisticRegression", (("regParam", 0.01), ("elasticNetParam", 0.5)))
FOREST = EstimatorFacts("sklearn", "RandomForestClassifier", ("classification",), (), ("driver",), "ensemble", 100)
DEEP = replace(LOGISTIC, library="variable", name="net", family="deep", sites=("cluster",))


def _raw(layer: str, rows: int) -> StoredLayer:
    return StoredLayer(layer, f"raw-{layer}", rows, rows * 800_000, pooled=False)


def _pooled(layer: str, rows: int) -> StoredLayer:
    return StoredLayer(layer, f"pooled-{layer}", rows, rows * 1000)


def _wide_pair() -> Snapshot:
    """MobileNetV2's block_13 and out, flattened, on a machine that cannot hold both tables of raw tensors."""
    system = SystemFacts(memory=6 * GB, cores=1, disk_free=80 * GB, master="cluster")
    given = snapshot(MOBILENETV2, WorkloadStatistics(190_000, 10, 10_000), system, pool=Pooling.NONE)
    wide = (MOBILENETV2.layers[1], MOBILENETV2.layers[3])
    return replace(given, workload=replace(given.workload, layers=wide))


def _papers_six() -> dict[str, Snapshot]:
    found = {}
    for net in (ALEXNET, VGG16, RESNET50):
        for name, decoded, encoded in (("foods", FOODS, FOODS_ENCODED), ("amazon", AMAZON, AMAZON_ENCODED)):
            found[f"sigmod2020_{net.name}_{name}"] = snapshot(net, decoded, profile="sigmod2020")
            found[f"default_{net.name}_{name}"] = snapshot(net, encoded, call=ELASTIC)
    return found


WORKLOADS: dict[str, Snapshot] = {
    **_papers_six(),
    "default_mobilenetv2_laptop": snapshot(MOBILENETV2, LAPTOP_DATA, LAPTOP, pool=Pooling.AVG),
    "default_vistanet_binder": snapshot(VISTANET, BINDER_DATA, BINDER),
    "default_vgg16_big_laptop": snapshot(VGG16, LAPTOP_DATA, BIG_LAPTOP),
    "default_ten_billion_rows": snapshot(RESNET50, replace(FOODS_ENCODED, rows=10**10), DATACENTRE, call=ELASTIC),
    "default_one_layer": snapshot(RESNET50, LAPTOP_DATA, LAPTOP, layers=1),
    "default_two_views": snapshot(RESNET50, replace(LAPTOP_DATA, views=2), BIG_LAPTOP, pool=Pooling.AVG),
    "default_photo_alone": snapshot(VISTANET, replace(BINDER_DATA, structured_features=0), LAPTOP, baseline=False),
    "default_flattened": snapshot(RESNET50, FOODS_ENCODED, PAPER_CLUSTER, pool=Pooling.NONE, call=ELASTIC),
    "default_large_table": snapshot(
        MOBILENETV2, WorkloadStatistics(1_000_000, 300, 20_000), PAPER_CLUSTER, pool=Pooling.AVG, call=ELASTIC
    ),
    "default_forest_on_the_driver": snapshot(
        MOBILENETV2, LAPTOP_DATA, LAPTOP, pool=Pooling.AVG, estimator=FOREST,
        call=EstimatorCall("sklearn", "RandomForestClassifier"),
    ),
    "default_deep_model": snapshot(
        RESNET50, replace(LAPTOP_DATA, model_resident=2 * GB), BIG_LAPTOP, estimator=DEEP,
        call=EstimatorCall("variable", "net"),
    ),
    "default_gpu": snapshot(
        RESNET50, replace(LAPTOP_DATA, cnn_gpu=3 * GB), replace(BIG_LAPTOP, gpu_memory=16 * GB), pool=Pooling.AVG
    ),
    "default_from_raw_layer": snapshot(
        RESNET50, replace(LAPTOP_DATA, rows=4000), LAPTOP, stored=(_raw("conv4_6", 4000),), pool=Pooling.AVG
    ),
    "default_from_raw_layer_staged": snapshot(
        RESNET50, replace(LAPTOP_DATA, rows=4000), LAPTOP, stored=(_raw("conv4_6", 4000),), pool=Pooling.NONE,
        materialization="staged",
    ),
    "default_kept_raw_layer": snapshot(  # of 3 900 photos kept before, of 100 made now
        RESNET50, replace(LAPTOP_DATA, rows=4000), LAPTOP, stored=(_raw("conv4_6", 3900),), pool=Pooling.AVG,
        materialize="conv4_6", materialization="lazy",
    ),
    "default_all_layers_stored": snapshot(
        VISTANET, BINDER_DATA, BINDER, missing=0,
        stored=tuple(_pooled(name, 600) for name in ("block3", "block4", "block5")),
    ),
    "default_some_layers_stored": snapshot(
        VISTANET, BINDER_DATA, BINDER, stored=(_pooled("block3", 600), _pooled("block4", 560))
    ),
    "default_flattened_via_a_narrow_layer": _wide_pair(),
    "default_forced_lazy": snapshot(RESNET50, LAPTOP_DATA, LAPTOP, materialization="lazy"),
    "default_forced_before_join": snapshot(
        RESNET50, LAPTOP_DATA, LAPTOP, materialization="staged", inference="before_join", pooling="pulled_up"
    ),
    "default_forced_eager_8x": snapshot(
        RESNET50, replace(FOODS_ENCODED, rows=8 * 20_129), PAPER_CLUSTER, materialization="eager", call=ELASTIC,
        pooling="pulled_up",
    ),
    "default_forced_physical": snapshot(
        VISTANET, BINDER_DATA, LAPTOP, cpu=1, batch_size=20, join="shuffle", persistence="serialized",
        num_partitions=7, waves=2,
    ),
    "sigmod2020_one_layer": snapshot(RESNET50, layers=1, profile="sigmod2020"),
    "sigmod2020_gpu": snapshot(
        VGG16, replace(FOODS, cnn_gpu=4 * GB), replace(PAPER_CLUSTER, gpu_memory=12 * GB), profile="sigmod2020"
    ),
    "sigmod2020_deep_model": snapshot(
        RESNET50, replace(FOODS, model_resident=3 * GB), estimator=DEEP, call=EstimatorCall("variable", "net"),
        profile="sigmod2020",
    ),
}  # fmt: skip
