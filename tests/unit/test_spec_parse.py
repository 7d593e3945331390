"""Every example of DESIGN.md and of the issues parses to what it means; text and dict give the same spec."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vista_nb.spec import KEYS, parse
from vista_nb.spec.model import (
    BadImages,
    DataSource,
    EstimatorCall,
    FeatureColumn,
    ImageSource,
    LayerChoice,
    PlanChoice,
    Pooling,
    Precision,
    Resources,
    Spec,
    StatisticsOverrides,
    Task,
    Tune,
)

ROOMS = """\
structured: houses.csv
images: photos/{id}_frontal.jpg
on: id
label: expensive
features: [bedrooms, bathrooms, area]
cnn: resnet50
layers: top 5
model: LogisticRegression(regParam=0.01, elasticNetParam=0.5)
"""
REQUIRED = {"structured": "t.csv", "images": "p/{id}.jpg", "label": "y", "cnn": "vgg16"}


def read(line: str, **variables: object) -> Spec:
    """The spec of the required keys with `line` in the place of its own key."""
    name = line.split(":")[0]
    head = "".join(f"{key}: {value}\n" for key, value in REQUIRED.items() if key != name)
    parsed = parse(head + line, variables)
    assert not parsed.problems
    return parsed.spec


def test_the_first_example_of_the_design() -> None:
    """Section 1, whole."""
    parsed = parse(ROOMS)
    assert not parsed.problems
    assert parsed.spec == Spec(
        structured=DataSource("houses.csv", "path"),
        images=(ImageSource("photos/{id}_frontal.jpg", "pattern"),),
        on="id",
        label="expensive",
        features=(FeatureColumn("bedrooms"), FeatureColumn("bathrooms"), FeatureColumn("area")),
        cnn="resnet50",
        layers=LayerChoice("top", count=5),
        model=EstimatorCall("pyspark", "LogisticRegression", (("regParam", 0.01), ("elasticNetParam", 0.5))),
    )


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("structured: $houses", "structured", DataSource("$houses", "variable")),
        ("structured: houses", "structured", DataSource("houses", "either")),
        ("structured: 'houses'", "structured", DataSource("houses", "path")),
        ("structured: s3://bucket/a b/*.parquet", "structured", DataSource("s3://bucket/a b/*.parquet", "path")),
        ("images: images/{id}.jpg", "images", (ImageSource("images/{id}.jpg", "pattern"),)),
        (
            "images:\n  - a/{id}.jpg\n  - b/{id}.jpg",
            "images",
            (ImageSource("a/{id}.jpg", "pattern"), ImageSource("b/{id}.jpg", "pattern")),
        ),
        (
            "images: [photos/{id}_a.jpg, photos/{id}_b.jpg]",
            "images",
            (
                ImageSource("photos/{id}_a.jpg", "pattern"),
                ImageSource("photos/{id}_b.jpg", "pattern"),
            ),
        ),
        ("images: [ab]*.jpg", "images", (ImageSource("[ab]*.jpg", "glob"),)),
        ("images: photos/", "images", (ImageSource("photos/", "folder_or_column"),)),
        ("images: $photos", "images", (ImageSource("$photos", "variable"),)),
        ("on: house", "on", "house"),
        ('label: "is it # expensive?"', "label", "is it # expensive?"),
        ("label: 'bob''s'", "label", "bob's"),
        (
            "features: [kids, width, height, sender_id:category]",
            "features",
            (
                FeatureColumn("kids"),
                FeatureColumn("width"),
                FeatureColumn("height"),
                FeatureColumn("sender_id", True),
            ),
        ),
        ("features: []", "features", ()),
        ("features: all", "features", None),
        ("features: area", "features", (FeatureColumn("area"),)),
        (
            "features: ['a, b', \"c:category\", 'd':category,]",
            "features",
            (
                FeatureColumn("a, b"),
                FeatureColumn("c:category"),
                FeatureColumn("d", True),
            ),
        ),
        ("features: [\n  a,   # first\n  b\n]", "features", (FeatureColumn("a"), FeatureColumn("b"))),
        ("cnn: models/mine.keras", "cnn", "models/mine.keras"),
        ("cnn: $net", "cnn", "$net"),
        ("weights: random", "weights", "random"),
        ("weights: w/no_top.h5", "weights", "w/no_top.h5"),
        ("layers: top 5", "layers", LayerChoice("top", count=5)),
        ("layers: conv5_1..fc6", "layers", LayerChoice("range", names=("conv5_1", "fc6"))),
        (
            "layers: [block_3_expand_relu, out_relu]",
            "layers",
            LayerChoice("names", names=("block_3_expand_relu", "out_relu")),
        ),
        ("layers:\n- fc7\n- fc8", "layers", LayerChoice("names", names=("fc7", "fc8"))),
        ("layers: all", "layers", LayerChoice("all")),
        ("layers: fc7", "layers", LayerChoice("names", names=("fc7",))),
        ("pool: max 2x2", "pool", Pooling.MAX_2X2),
        ("pool: avg", "pool", Pooling.AVG),
        ("pool: none", "pool", Pooling.NONE),
        ("views: mean", "views", "mean"),
        ("reduce: pca 64", "reduce", 64),
        ("reduce: none", "reduce", None),
        (
            "model: LogisticRegression(regParam=0.01, elasticNetParam=0.5)",
            "model",
            EstimatorCall(
                "pyspark",
                "LogisticRegression",
                (("regParam", 0.01), ("elasticNetParam", 0.5)),
            ),
        ),
        ("model: LogisticRegression", "model", EstimatorCall("pyspark", "LogisticRegression")),
        (
            "model: sklearn.LogisticRegression(C=-1e-3, penalty=None, x=[1, 'a'])",
            "model",
            EstimatorCall(
                "sklearn",
                "LogisticRegression",
                (("C", -0.001), ("penalty", None), ("x", (1, "a"))),
            ),
        ),
        ("model: sklearn.linear_model.LogisticRegression()", "model", EstimatorCall("sklearn", "LogisticRegression")),
        ("model: pyspark.ml.classification.GBTClassifier()", "model", EstimatorCall("pyspark", "GBTClassifier")),
        ("model: $mine", "model", EstimatorCall("variable", "mine")),
        (
            "model: LogisticRegression(\n    regParam=0.1,  # L2\n  )",
            "model",
            EstimatorCall(
                "pyspark",
                "LogisticRegression",
                (("regParam", 0.1),),
            ),
        ),
        ("tune: {regParam: [0.01, 0.1], folds: 3}", "tune", Tune((("regParam", (0.01, 0.1)),), 3)),
        ("tune:\n  maxDepth: [3, 5]\n  folds: 5", "tune", Tune((("maxDepth", (3, 5)),), 5)),
        ("task: regression", "task", Task.REGRESSION),
        ("metric: F1", "metric", "f1"),
        ("test: 0.25", "test", 0.25),
        ("folds: 5", "folds", 5),
        ("seed: 1e3", "seed", 1000),
        ("baseline: false", "baseline", False),
        ("bad_images: fail", "bad_images", BadImages.FAIL),
        ("precision: bfloat16", "precision", Precision.BFLOAT16),
        ("resources: {memory: 32GB, cores: 8, nodes: 8}", "resources", Resources(32 * 10**9, 8, nodes=8)),
        (
            "resources:\n  memory: 2 GiB\n  master: local[2]\n  spark:\n    spark.ui.enabled: false\n    spark.x: 2g",
            "resources",
            Resources(2 * 2**30, master="local[2]", spark=(("spark.ui.enabled", "false"), ("spark.x", "2g"))),
        ),
        ("plan: {profile: sigmod2020, cpu: 4}", "plan", PlanChoice(profile="sigmod2020", cpu=4)),
        ("plan: {waves: 2}", "plan", PlanChoice(waves=2)),
        (
            "plan: {inference: before join, pooling: Pulled_Up}",
            "plan",
            PlanChoice(inference="before_join", pooling="pulled_up"),
        ),
        ("statistics: {rows: 1e10}", "statistics", StatisticsOverrides(rows=10**10)),
        (
            "statistics: {rows: 20129, structured_features: 130, image_bytes: 14 KB, decoded_image_values: 154587}",
            "statistics",
            StatisticsOverrides(20129, 130, 14000, 154587),
        ),
        (
            "statistics: {cnn_resident: 5.5 GB, model_gpu: 0}",
            "statistics",
            StatisticsOverrides(cnn_resident=5_500_000_000, model_gpu=0),
        ),
    ],
)
def test_values_mean_what_they_say(line: str, key: str, value: object) -> None:
    """One line of the grammar, one typed value."""
    assert getattr(read(line), key) == value


def test_a_what_if_needs_no_data() -> None:
    """`statistics: {rows: n}` stands for structured, images and label."""
    parsed = parse("cnn: resnet50\nlayers: top 5\nstatistics: {rows: 1e10}")
    assert not parsed.problems
    assert parsed.spec.structured is None
    assert parsed.spec.statistics.rows == 10**10


def test_text_and_dict_give_the_same_spec() -> None:
    """Lists, mappings, numbers and flags of a dict mean the text's."""
    text = ROOMS + "seed: 7\ntest: 0.3\nbaseline: false\nplan: {cpu: 2}\ntune: {regParam: [0.1, 1], folds: 2}\n"
    data = {
        "structured": Path("houses.csv"),
        "images": ["photos/{id}_frontal.jpg"],
        "on": "id",
        "label": "expensive",
        "features": ["bedrooms", "bathrooms", "area"],
        "cnn": "resnet50",
        "weights": None,
        "layers": "top 5",
        "model": "LogisticRegression(regParam=0.01, elasticNetParam=0.5)",
        "seed": 7,
        "test": 0.3,
        "baseline": False,
        "plan": {"cpu": 2},
        "tune": {"regParam": [0.1, 1], "folds": 2},
    }
    assert not parse(data).problems
    assert parse(data).spec == parse(text).spec


def test_the_same_problems_in_a_dict_have_no_place() -> None:
    """A dict has no lines."""
    problems = parse(
        {"structured": ["a"], "cnn": 3, "label": "y", "images": "p", "plan": {"cpu": "x"}, "sed": 1}
    ).problems
    assert [(p.code, p.line) for p in problems] == [("VST105", 0), ("VST105", 0), ("VST102", 0)]


def test_variables_are_inserted_as_text() -> None:
    """Numbers, text, lists; the braces of a pattern stay."""
    assert read("images: photos/{{kind}}/{id}.jpg", kind="front").images[0].text == "photos/front/{id}.jpg"
    assert read("features: {{ columns }}", columns=["a", "b, c"]).features == (
        FeatureColumn("a"),
        FeatureColumn("b, c"),
    )
    assert read("model: LogisticRegression(regParam={{r}})", r=0.5).model == EstimatorCall(
        "pyspark", "LogisticRegression", (("regParam", 0.5),)
    )
    assert read("plan: {cpu: {{k}}}", k=3).plan.cpu == 3
    assert read("structured: {{folder}}/t.csv", folder=Path("data")).structured == DataSource("data/t.csv", "path")


def test_places_of_parts_are_kept() -> None:
    """Items, arguments and parts have their own positions for the binder."""
    spec = parse(ROOMS + "plan:\n  profile: default\n  cpu: 4\n").spec
    assert (spec.position("features[1]").line, spec.position("features[1]").column) == (5, 22)
    assert (spec.position("model.elasticNetParam").column, spec.position("model.elasticNetParam").length) == (42, 15)
    assert (spec.position("plan.cpu").line, spec.position("plan.cpu").column) == (11, 8)
    assert spec.position("plan.waves") == spec.position("plan")
    assert spec.position("seed").line == 0


def test_the_key_table_and_the_spec_agree() -> None:
    """Every key is a field of Spec and the other way round; every example of the table parses."""
    assert {key.name for key in KEYS} == {f.name for f in fields(Spec)} - {"text", "positions"}
    for key in KEYS:
        assert not parse({**REQUIRED, key.name: key.example}).problems, key.name


def test_spec_imports_no_yaml_until_it_is_needed() -> None:
    """A cell without YAML keys never loads the library."""
    code = f"import sys; from vista_nb.spec import parse; parse({ROOMS!r}); print('ruamel.yaml' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"


LINES = st.sampled_from([f"{key.name}: " for key in KEYS])
JUNK = st.text("ab1.,:;[]{}()'\"\\#$-*&!|>%@`=+ \n\t\u00e9\ud800", max_size=40)


@given(st.lists(st.tuples(LINES, JUNK), max_size=5))
def test_no_text_makes_the_parser_fail(rows: list[tuple[str, str]]) -> None:
    """Whatever stands after a key is a value or a problem, never another exception."""
    text = "\n".join(f"{key}{junk}" for key, junk in rows)
    parsed = parse(text)
    assert all(0 <= problem.line <= len(text.splitlines()) for problem in parsed.problems)
    assert all(p.message and p.code.startswith("VST1") for p in parsed.problems)
