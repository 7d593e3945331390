"""A spec written as text is read as the same spec: `%vista export` loses nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vista_nb.spec import KEYS, parse
from vista_nb.spec.model import (
    DataSource,
    EstimatorCall,
    FeatureColumn,
    ImageSource,
    LayerChoice,
    PlanChoice,
    Resources,
    Spec,
    StatisticsOverrides,
    Tune,
)
from vista_nb.spec.write import spec_text

HOUSES = parse(
    "structured: houses.csv\nimages: photos/{id}_frontal.jpg\nlabel: expensive\ncnn: resnet50\nlayers: top 5\n"
    "model: LogisticRegression(regParam=0.01, elasticNetParam=0.5)\n"
).spec


def again(spec: Spec) -> Spec:
    """Written and read."""
    parsed = parse(spec_text(spec))
    assert not parsed.problems, spec_text(spec)
    return parsed.spec


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_every_key_as_its_example_says(key: object) -> None:
    """The examples of `%vista spec KEY`."""
    name, example = key.name, key.example  # type: ignore[attr-defined]
    base = {"structured": "t.csv", "images": "p/{id}.jpg", "label": "y", "cnn": "vgg16"}
    parsed = parse("".join(f"{k}: {v}\n" for k, v in {**base, name: example}.items()))
    assert not parsed.problems
    assert again(parsed.spec) == parsed.spec


@pytest.mark.parametrize(
    "changed",
    [
        {"structured": DataSource("$houses", "variable")},
        {"structured": DataSource("houses", "either")},
        {"structured": DataSource("houses", "path")},
        {"structured": DataSource("s3://bucket/a b/*.parquet", "path")},
        {"structured": DataSource("it's #1 table.csv", "path")},
        {"images": (ImageSource("a/{id}.jpg", "pattern"), ImageSource("b c/{id}, {kind}.jpg", "pattern"))},
        {"images": (ImageSource("photos", "folder_or_column"),)},
        {"images": (ImageSource("p [1]/*.jpg", "glob"),)},
        {"features": ()},
        {"features": (FeatureColumn("area"), FeatureColumn("zip code", True), FeatureColumn("a, b"))},
        {"label": "is it #1"},
        {"label": "'quoted'"},
        {"label": "größe: m²"},
        {"layers": LayerChoice("range", names=("conv1", "conv5"))},
        {"layers": LayerChoice("names", names=("backbone/conv1", "add@2"))},
        {"layers": LayerChoice("all")},
        {"model": EstimatorCall("variable", "clf")},
        {"model": EstimatorCall("sklearn", "SVC", (("kernel", "it's"), ("gamma", None), ("probability", True)))},
        {"model": EstimatorCall("pyspark", "MultilayerPerceptronClassifier", (("layers", (4, 5)),))},
        {"tune": Tune((("C", (0.1, 1)), ("penalty", ("l1", None, "null", "1")), ("layers", ((1, 2), (3,)))), 4)},
        {"folds": 5, "test": 0.2},
        {"reduce": 16, "views": "mean", "baseline": False, "seed": 7},
        {"resources": Resources(memory=32 * 10**9, master="spark://h:7077", spark=(("spark.ui.enabled", "true"),))},
        {"plan": PlanChoice(profile="sigmod2020", cpu=4, waves=2)},
        {"statistics": StatisticsOverrides(rows=10**10, cnn_gpu=0)},
    ],
)
def test_what_people_write(changed: dict[str, object]) -> None:
    """Quotes, commas, braces, comments signs, numbers that are texts."""
    spec = replace(HOUSES, **changed)  # type: ignore[arg-type]
    assert again(spec) == spec


WORDS = (
    st.text(st.characters(exclude_categories=("C", "Z"), include_characters=" "), min_size=1, max_size=20)
    .map(str.strip)
    .filter(lambda text: text and "{{" not in text and "$" not in text[:1])
)


@settings(deadline=None)
@given(label=WORDS, column=WORDS)
def test_any_name_survives(label: str, column: str) -> None:
    """Column names are the user's data."""
    spec = replace(HOUSES, label=label, features=(FeatureColumn(column),))
    assert again(spec) == spec


def test_flags_and_inserted_variables_are_in_it() -> None:
    """What ran, not what was typed."""
    from vista_nb.spec.overrides import apply_overrides

    text = "structured: t.csv\nimages: p/{id}.jpg\nlabel: y\ncnn: {{net}}\n"
    parsed = apply_overrides(parse(text, {"net": "vgg16"}), [("plan.cpu", "2"), ("layers", "top 2")])
    assert spec_text(parsed.spec) == (
        "structured: t.csv\nimages: [p/{id}.jpg]\non: id\nlabel: y\ncnn: vgg16\nlayers: top 2\nplan: {cpu: 2}\n"
    )
