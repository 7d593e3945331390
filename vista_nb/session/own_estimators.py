"""`model: $variable`: what the notebook's object is, as facts for the binder, and the object for the executor.

Reads the spec and the notebook's variables; returns EstimatorFacts and an OwnModel. May touch: nothing (a Keras model
is written down as text by the Keras that the user imported). DESIGN.md section 3: a pyspark.ml Estimator, a
scikit-learn estimator or one that works like it, a Keras model, a callable. docs/adr/0026.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vista_nb.catalog.estimators import load_estimators
from vista_nb.catalog.workload import EstimatorFacts
from vista_nb.errors import VistaDataError
from vista_nb.executor.cnn.keras_file import check_config
from vista_nb.executor.downstream.own_model import OwnModel
from vista_nb.session.folders import cache_root
from vista_nb.spec.model import Spec
from vista_nb.spec.suggest import closest

__all__ = ["FIT_PARAMETERS", "FoundModel", "find_own_model"]

FIT_PARAMETERS = ("batch_size", "epochs")
_TASKS = ("classification", "regression")
_KINDS = "a pyspark.ml Estimator, a scikit-learn estimator, a Keras model, or a function f(X, y)"


@dataclass(frozen=True)
class FoundModel:
    """facts: of the estimator, for the binder; model: the object, for the executor."""

    facts: EstimatorFacts
    model: OwnModel


def find_own_model(spec: Spec, namespace: Mapping[str, object]) -> FoundModel | None:
    """The object that `model: $name` means; None where the spec names an estimator. Raises VST368 or VST369."""
    if spec.model is None or spec.model.library != "variable":
        return None
    name = spec.model.name
    if name not in namespace:
        near = closest(name, [known for known in namespace if not known.startswith("_")])
        hint = f"did you mean `model: ${near}`?" if near else "run the cell that makes it first"
        raise VistaDataError("VST368", f"there is no variable {name}", hint)
    return _found(name, namespace[name])


def _found(name: str, value: Any) -> FoundModel:
    if isinstance(value, type):
        message = f"${name} is the class {value.__name__}, not an object of it"
        raise VistaDataError("VST369", message, f"write {name} = {value.__name__}(...)")
    keras, spark = sys.modules.get("keras"), sys.modules.get("pyspark.ml.base")
    if keras is not None and isinstance(value, keras.Model):
        return _keras(name, value, keras)
    if spark is not None and isinstance(value, spark.Transformer):
        message = f"${name} is a {type(value).__name__}, which is fitted already"
        raise VistaDataError("VST369", message, "give the estimator itself: every layer gets a model of its own")
    if spark is not None and isinstance(value, spark.Estimator):
        return _spark(name, value)
    if callable(getattr(value, "fit", None)) and callable(getattr(value, "predict", None)):
        return _sklearn(name, value)
    if callable(value):
        facts = _facts(name, "callable", _TASKS, (), ("driver",), scores="probabilities")
        return FoundModel(facts, OwnModel(name, "callable", value))
    kind = f"{type(value).__module__}.{type(value).__name__}".removeprefix("builtins.")
    raise VistaDataError("VST369", f"${name} is a {kind}, no model", f"`model:` takes {_KINDS}")


def _facts(
    name: str, kind: str, tasks: tuple[str, ...], parameters: tuple[str, ...], sites: tuple[str, ...], **more: Any
) -> EstimatorFacts:
    family = str(more.pop("family", "other"))
    return EstimatorFacts("variable", name, tasks, tuple(sorted(parameters)), sites, family, kind=kind, **more)


def _like(library: str, value: object) -> dict[str, Any]:
    """What the list says of an estimator of the same class, for the plan and the constraints."""
    known = load_estimators().find(library, type(value).__name__)
    if known is None or not type(value).__module__.startswith(known.module):
        return {}
    names = ("family", "iterations", "binary", "non_negative", "scores")
    return {name: getattr(known, name) for name in names}


def _spark(name: str, value: Any) -> FoundModel:
    """Its own parameters, but the columns, which are ours. A Pipeline is for whatever its last stage is for."""
    bases = {base.__name__ for base in type(value).__mro__}
    tasks = tuple(t for t, base in zip(_TASKS, ("Classifier", "Regressor"), strict=True) if base in bases) or _TASKS
    parameters = tuple(p.name for p in value.params if not p.name.endswith(("Col", "Cols")))
    facts = _facts(name, "pyspark", tasks, parameters, ("cluster",), **_like("pyspark", value))
    return FoundModel(facts, OwnModel(name, "pyspark", value))


def _sklearn(name: str, value: Any) -> FoundModel:
    """scikit-learn's, or one that works like it (a Pipeline, xgboost's, ...); parameters of inner steps as `a__b`."""
    from sklearn.base import is_classifier, is_regressor

    try:
        kinds = (is_classifier(value), is_regressor(value))
    except Exception:  # no tags: what it is for cannot be known
        kinds = (True, True)
    tasks = tuple(task for task, holds in zip(_TASKS, kinds, strict=True) if holds) or _TASKS
    parameters = tuple(value.get_params(deep=True)) if hasattr(value, "get_params") else ()
    like = _like("sklearn", value) | {"scores": _scores(value)}
    facts = _facts(name, "sklearn", tasks, parameters, ("driver",), **like)
    return FoundModel(facts, OwnModel(name, "sklearn", value))


def _scores(value: object) -> str:
    if hasattr(value, "predict_proba"):
        return "probabilities"
    return "margins" if hasattr(value, "decision_function") else "predictions"


def _keras(name: str, value: Any, keras: Any) -> FoundModel:
    """As text: TensorFlow trains it in a process of its own, from new weights for every layer."""
    try:
        config = keras.saving.serialize_keras_object(value)
        text = json.dumps(config)
    except Exception as error:  # a layer without get_config: NotImplementedError, TypeError, ...
        said = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        message = f"${name} cannot be described: {said}"
        raise VistaDataError("VST362", message, "use Keras' own layers") from error
    plain = {key: item for key, item in config.items() if key != "compile_config"}
    check_config(plain, f"${name}")
    inputs = getattr(value, "inputs", None) or ()
    if len(inputs) > 1 or any(len(each.shape) != 2 for each in inputs):
        message = f"${name} takes {[tuple(each.shape) for each in inputs]}, not one vector of features"
        raise VistaDataError("VST369", message, "begin it with keras.Input((width,)): any width will do")
    facts = _facts(name, "keras", _TASKS, FIT_PARAMETERS, ("driver",), family="deep", iterations=20)
    return FoundModel(facts, OwnModel(name, "keras", text, cache_root() / "keras_models"))
