"""The keys of a spec as data: name, kind, default, one line of help, an example.

Reads nothing, returns frozen values; the parser, `%vista spec KEY`, completion and docs/spec.md read them. May touch:
nothing. DESIGN.md section 3, the table.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["KEYS", "METRICS", "SYNONYMS", "Key", "Part", "find_key", "find_part"]

METRICS = {"classification": ("accuracy", "f1", "auc", "logloss"), "regression": ("rmse", "mae", "r2")}


@dataclass(frozen=True)
class Part:
    """One part of a YAML key. kind: size | count | text | choice | mapping; least: of a count or size."""

    name: str
    kind: str
    help: str
    default: str
    choices: tuple[str, ...] = ()
    least: int = 1


@dataclass(frozen=True)
class Key:
    """One key. kind: literal | list | yaml. choices: its words where it has only these."""

    name: str
    kind: str
    default: str
    help: str
    example: str
    required: bool = False
    choices: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    data_only: bool = False  # required only where there is data: not with `statistics: {rows: n}` alone

    def part(self, name: str) -> Part | None:
        return next((part for part in self.parts if part.name == name), None)


_RESOURCES = (
    Part("memory", "size", "memory of one worker node", "detected (a cgroup's limit counts)", least=10**6),
    Part("cores", "count", "cores of one worker node", "detected"),
    Part("gpu_memory", "size", "GPU memory of one worker node", "0", least=0),
    Part("nodes", "count", "worker nodes", "1"),
    Part("master", "text", "Spark's master URL", "local"),
    Part("spark", "mapping", "official Spark keys and values, merged into ours", "none"),
)

_PLAN = (
    Part(
        "profile", "choice", "the optimizer: ours, or the published Algorithm 1", "default", ("default", "sigmod2020")
    ),
    Part("materialization", "choice", "which layers are live at once", "chosen", ("lazy", "eager", "staged")),
    Part("materialize", "text", "keep this layer's raw tensors in the store, and infer from them", "none"),
    Part("start", "text", "where inference starts: a layer whose raw tensors are stored, or images", "chosen"),
    Part(
        "speculate",
        "choice",
        "keep pooled features of other layers on the CNN's way for later cells",
        "auto",
        ("auto", "always", "never"),
    ),
    Part("inference", "choice", "the CNN before or after the join", "chosen", ("before_join", "after_join")),
    Part("pooling", "choice", "pooling inside the CNN's pass or after it", "chosen", ("pulled_up", "pushed_down")),
    Part("waves", "count", "growing samples that give early accuracies", "chosen"),
    Part("join", "choice", "the join operator", "chosen", ("shuffle", "broadcast")),
    Part("persistence", "choice", "the format of kept tables", "chosen", ("serialized", "deserialized")),
    Part("cpu", "count", "inference workers per node", "chosen"),
    Part("num_partitions", "count", "partitions of the joined table", "chosen"),
    Part("batch_size", "count", "images per call of the CNN", "chosen"),
    Part("training", "choice", "where the model is trained", "chosen", ("cluster", "driver")),
)

_STATISTICS = (
    Part("rows", "count", "records; plans without any data where structured is absent", "measured"),
    Part("structured_features", "count", "encoded width of the structured features", "measured", least=0),
    Part("image_bytes", "size", "mean encoded bytes of one image", "measured", least=1),
    Part("decoded_image_values", "count", "values of one decoded image, where decoded images form a table", "never"),
    Part("cnn_serialized", "size", "bytes of the CNN's file", "the roster's", least=0),
    Part("cnn_resident", "size", "resident bytes of one CNN replica", "calibrated", least=0),
    Part("cnn_gpu", "size", "GPU bytes of one CNN replica", "the roster's", least=0),
    Part("model_resident", "size", "resident bytes of the downstream model", "by formula", least=0),
    Part("model_gpu", "size", "GPU bytes of the downstream model", "0 unless it is a DL model", least=0),
)

_TUNE = (Part("folds", "count", "folds of the cross validation", "3", least=2),)

KEYS: tuple[Key, ...] = (
    Key(
        "structured",
        "literal",
        "",
        "the table: a file, URI or glob (csv, parquet, json), or a notebook variable as `$name`",
        "houses.csv",
        required=True,
        data_only=True,
    ),
    Key(
        "images",
        "list",
        "",
        "the photos: a pattern with {column}, a folder, a glob, or a column of paths or bytes; one item per view",
        "photos/{id}_frontal.jpg",
        required=True,
        data_only=True,
    ),
    Key("on", "literal", "id", "the key column that joins table and photos", "id"),
    Key("label", "literal", "", "the column to predict", "expensive", required=True, data_only=True),
    Key(
        "features",
        "list",
        "all others",
        "the structured columns used; `name:category` one-hots a numeric column; `[]` is the photo alone",
        "[bedrooms, area, zipcode:category]",
    ),
    Key(
        "cnn",
        "literal",
        "",
        "the pretrained CNN: a roster name, a .keras file, or `$variable`",
        "resnet50",
        required=True,
    ),
    Key(
        "weights",
        "literal",
        "the roster's; an own CNN's",
        "the CNN's weights: imagenet, random, bundled, own (of your own CNN), or a file",
        "imagenet",
    ),
    Key(
        "preprocessing",
        "literal",
        "the CNN's",
        "how pixel values 0..255 are scaled for the CNN, as keras.applications names it",
        "tf",
        choices=("tf", "caffe", "torch", "none"),
    ),
    Key("layers", "list", "the roster's", "the layers to compare: `top k`, names, `a..b`, `all`", "top 5"),
    Key(
        "pool",
        "literal",
        "max 2x2",
        "how a layer's tensor becomes a vector",
        "avg",
        choices=("max 2x2", "avg", "max", "none"),
    ),
    Key("views", "literal", "concat", "how several views of a record are combined", "mean", choices=("concat", "mean")),
    Key("reduce", "literal", "none", "reduce each layer's vector: `pca K`, fitted on train rows", "pca 64"),
    Key(
        "model",
        "literal",
        "LogisticRegression(); LinearRegression()",
        "the downstream model: a pyspark.ml or sklearn.* call with literal arguments, or `$variable`",
        "LogisticRegression(regParam=0.01)",
    ),
    Key(
        "tune",
        "yaml",
        "none",
        "a grid over the model's parameters: {param: [values], folds: 3}",
        "{regParam: [0.01, 0.1], folds: 3}",
        parts=_TUNE,
    ),
    Key(
        "task",
        "literal",
        "by the label",
        "what is predicted",
        "classification",
        choices=("classification", "regression"),
    ),
    Key(
        "metric",
        "literal",
        "accuracy; rmse",
        "how a layer is scored",
        "f1",
        choices=(*METRICS["classification"], *METRICS["regression"]),
    ),
    Key("test", "literal", "0.2", "the share of rows held out for scoring", "0.2"),
    Key("folds", "literal", "none", "score with k folds in place of one held-out share", "5"),
    Key("seed", "literal", "0", "the salt of the split and of every random start", "7"),
    Key("baseline", "literal", "true", "also score the structured features alone", "false", choices=("true", "false")),
    Key(
        "bad_images",
        "literal",
        "drop",
        "what a photo that cannot be read does to the run",
        "fail",
        choices=("drop", "fail"),
    ),
    Key(
        "precision",
        "literal",
        "float32",
        "the numbers the CNN computes with",
        "bfloat16",
        choices=("float32", "bfloat16"),
    ),
    Key(
        "resources",
        "yaml",
        "detected",
        "the machine or cluster, per worker node",
        "{memory: 32GB, cores: 8, nodes: 8}",
        parts=_RESOURCES,
    ),
    Key("plan", "yaml", "chosen", "force any decision of the optimizer", "{profile: sigmod2020, cpu: 4}", parts=_PLAN),
    Key(
        "statistics",
        "yaml",
        "measured",
        "numbers to plan with in place of measured ones",
        "{rows: 1e10}",
        parts=_STATISTICS,
    ),
)

# words of other tools, for better hints
SYNONYMS = {
    "batch": "plan.batch_size",
    "column": "label",
    "data": "structured",
    "estimator": "model",
    "gpu": "resources.gpu_memory",
    "id": "on",
    "image": "images",
    "join_on": "on",
    "key": "on",
    "layer": "layers",
    "network": "cnn",
    "photos": "images",
    "pictures": "images",
    "pooling": "pool",
    "preprocess": "preprocessing",
    "scaling": "preprocessing",
    "score": "metric",
    "split": "test",
    "table": "structured",
    "target": "label",
    "test_size": "test",
    "x": "features",
    "y": "label",
}


def find_key(name: str) -> Key | None:
    return next((key for key in KEYS if key.name == name), None)


def find_part(name: str) -> str | None:
    """`resources.memory` for `memory`: the key a part belongs to, where exactly one has it."""
    owners = [f"{key.name}.{part.name}" for key in KEYS for part in key.parts if part.name == name]
    return owners[0] if len(owners) == 1 else None
