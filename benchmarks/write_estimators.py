"""Writes vista_nb/catalog/estimators.json from the installed pyspark and scikit-learn: no name is typed by hand.

    python benchmarks/write_estimators.py

Reads the libraries' classes (no JVM is started, nothing is fitted), writes the one file. What cannot be read from the
libraries is below, as rules: what no layer's features can train (LEFT_OUT), where the others are trained, each one's
family, and what pyspark.ml says only in its documentation (BINARY, NON_NEGATIVE, MARGINS).
"""

from __future__ import annotations

import importlib
import inspect
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyspark
import sklearn

TARGET = Path(__file__).parents[1] / "vista_nb" / "catalog" / "estimators.json"
LEFT_OUT = {  # several labels at once, one feature only, a censor column: no one label over one layer's features
    ("pyspark", "AFTSurvivalRegression"),
    ("pyspark", "IsotonicRegression"),
    ("sklearn", "CCA"),
    ("sklearn", "CategoricalNB"),
    ("sklearn", "ClassifierChain"),
    ("sklearn", "FixedThresholdClassifier"),
    ("sklearn", "IsotonicRegression"),
    ("sklearn", "MultiOutputClassifier"),
    ("sklearn", "MultiOutputRegressor"),
    ("sklearn", "MultiTaskElasticNet"),
    ("sklearn", "MultiTaskElasticNetCV"),
    ("sklearn", "MultiTaskLasso"),
    ("sklearn", "MultiTaskLassoCV"),
    ("sklearn", "PLSCanonical"),
    ("sklearn", "RegressorChain"),
}
# trained by pyspark.ml on the cluster, and where both give the same model also on the driver (catalog.estimators)
BOTH_SITES = {("pyspark", "LogisticRegression"), ("pyspark", "LinearRegression")}
BINARY = {"LinearSVC", "GBTClassifier", "FMClassifier"}
NON_NEGATIVE = {"NaiveBayes"}  # all its model types but gaussian
MARGINS = {"LinearSVC", "OneVsRest"}
NESTED = {  # parameters that take another estimator of the same library
    "base_estimator",
    "classifier",
    "estimator",
    "estimators",
    "final_estimator",
    "regressor",
}
MOST_ITERATIONS = 100
FAMILIES = (  # the first word found in the class name or its module decides
    ("ensemble", ("RandomForest", "GBT", "GradientBoosting", "ExtraTrees", ".ensemble")),
    ("tree", ("DecisionTree", "ExtraTree", ".tree")),
    ("linear", ("LogisticRegression", "LinearSV", "LinearRegression", ".linear_model", "FMC", "FMR")),
)


def main() -> None:
    """The whole file, one estimator a line."""
    entries = sorted([*pyspark_estimators(), *sklearn_estimators()], key=lambda e: (e["library"], e["name"]))
    versions = {"pyspark": pyspark.__version__, "sklearn": sklearn.__version__}
    lines = ",\n  ".join(json.dumps(entry) for entry in entries)
    head = f'"version": 1,\n "written_by": "benchmarks/write_estimators.py",\n "libraries": {json.dumps(versions)}'
    TARGET.write_text(f'{{{head},\n "estimators": [\n  {lines}\n ]}}\n', encoding="utf-8")
    print(f"{len(entries)} estimators, {TARGET.stat().st_size} bytes: {TARGET.name}")


def compact(found: dict[str, Any]) -> dict[str, Any]:
    """What is so of most is left out: the reader has the same defaults. A regressor says nothing but its number."""
    usual = {"binary": False, "non_negative": False, "scores": "probabilities", "needs": [], "nested": []}
    if "classification" not in found["tasks"]:
        found |= {"scores": "probabilities"}
    return {name: value for name, value in found.items() if name not in usual or value != usual[name]}


def pyspark_estimators() -> Iterator[dict[str, Any]]:
    """Every estimator of pyspark.ml.classification and .regression; columns are ours to set, so left out."""
    from pyspark.ml import Estimator
    from pyspark.ml.param import Param

    for task in ("classification", "regression"):
        module = importlib.import_module(f"pyspark.ml.{task}")
        for name in module.__all__:
            cls = getattr(module, name)
            if not (inspect.isclass(cls) and issubclass(cls, Estimator)) or name.startswith("_"):
                continue
            arguments = inspect.signature(cls.__init__).parameters
            known = {p for p in dir(cls) if isinstance(getattr(cls, p, None), Param)}
            names = [p for p in arguments if p in known and not p.endswith(("Col", "Cols"))]
            constraints = {
                "binary": name in BINARY,
                "non_negative": name in NON_NEGATIVE,
                "scores": "margins" if name in MARGINS else "probabilities",
                "needs": ["classifier"] if name == "OneVsRest" else [],
            }
            yield compact(entry("pyspark", cls, [task], names, arguments) | constraints)


def sklearn_estimators() -> Iterator[dict[str, Any]]:
    """Every classifier and regressor of scikit-learn, with its constructor's arguments."""
    from sklearn.utils import all_estimators

    tasks: dict[type, list[str]] = {}
    for task, kind in (("classification", "classifier"), ("regression", "regressor")):
        for _, cls in all_estimators(type_filter=kind):
            tasks.setdefault(cls, []).append(task)
    for cls, names in tasks.items():
        arguments = dict(list(inspect.signature(cls).parameters.items()))
        yield compact(entry("sklearn", cls, names, list(arguments), arguments) | sklearn_constraints(cls, arguments))


def sklearn_constraints(cls: type, arguments: Any) -> dict[str, Any]:
    """What the estimator's own tags say of it with its default arguments."""
    rest = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    needs = [n for n, p in arguments.items() if p.default is p.empty and p.kind not in rest]
    found = {"binary": False, "non_negative": False, "scores": "probabilities", "needs": needs}
    if needs:
        return found
    made = cls()
    try:
        tags = made.__sklearn_tags__()
    except AttributeError:  # its tags are those of an estimator that it does not have by default
        return found | {"needs": ["estimator"]}
    says = (("predict_proba", "probabilities"), ("decision_function", "margins"))
    scores = next((what for method, what in says if hasattr(made, method)), "predictions")
    binary = tags.classifier_tags is not None and not tags.classifier_tags.multi_class
    return found | {"binary": binary, "non_negative": tags.input_tags.positive_only, "scores": scores}


def entry(library: str, cls: type, tasks: list[str], names: list[str], arguments: Any) -> dict[str, Any]:
    """One line of the file."""
    place = (library, cls.__name__)
    sites = ["driver"] if library == "sklearn" else ["cluster"]
    return {
        "library": library,
        "name": cls.__name__,
        "module": ".".join(itertools.takewhile(lambda part: not part.startswith("_"), cls.__module__.split("."))),
        "tasks": tasks,
        "parameters": sorted(names),
        "sites": ["cluster", "driver"] if place in BOTH_SITES else sites,
        "family": family(cls),
        "iterations": iterations(arguments),
        "nested": sorted(NESTED & set(names)),
        "supported": place not in LEFT_OUT,
    }


def family(cls: type) -> str:
    where = f"{cls.__module__}.{cls.__name__}"
    return next((name for name, words in FAMILIES if any(word in where for word in words)), "other")


def iterations(arguments: Any) -> int:
    """The library's own default of the iteration limit, where it has one."""
    for name in ("maxIter", "max_iter"):
        default = getattr(arguments.get(name), "default", None)
        if isinstance(default, int) and default > 0:
            return min(default, MOST_ITERATIONS)
    return 10


if __name__ == "__main__":
    main()
