"""A call as written becomes an estimator of its library: the class from the list of estimators, never from the text.

Reads an EstimatorCall, returns an unfitted object, or raises VST521 with the library's own words. May touch: the
imports of scikit-learn; pyspark.ml's estimators need a running session. DESIGN.md sections 3 and 14.
"""

from __future__ import annotations

import copy
import importlib
from collections.abc import Mapping
from typing import Any

from vista_nb.catalog.estimators import load_estimators
from vista_nb.catalog.workload import EstimatorFacts
from vista_nb.errors import VistaRunError
from vista_nb.spec.model import EstimatorCall

__all__ = ["check_sklearn", "check_spark", "make_sklearn", "make_spark", "refused"]

_CHECK = "check the model's parameters"
_OUR_COLUMNS = {  # the names that pyspark.ml itself takes for granted
    "featuresCol": "features",
    "labelCol": "label",
    "predictionCol": "prediction",
    "probabilityCol": "probability",
    "rawPredictionCol": "rawPrediction",
}


def refused(call: EstimatorCall, error: BaseException) -> VistaRunError:
    """A library's complaint of a call, its first line."""
    said = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return VistaRunError("VST521", f"{call}: {said[:300]}", _CHECK, stage="train")


def make_sklearn(call: EstimatorCall, given: object | None = None, *, seed: int = 0, threads: int = 1) -> Any:
    """scikit-learn's estimator. given: the user's own object, which is cloned and gets the call's parameters.

    What takes a seed and was given none gets the spec's, so that a run can be repeated; forests use `threads`.
    """
    try:
        if given is not None:
            return _cloned(given, dict(call.parameters))
        facts = _facts(call)
        ours = {"random_state": seed} | ({"n_jobs": threads} if facts.family == "ensemble" else {})
        ours = {name: value for name, value in ours.items() if name in facts.parameters}
        return _class(facts)(**(ours | _arguments(call, lambda inner: make_sklearn(inner, seed=seed, threads=threads))))
    except (TypeError, ValueError, AttributeError) as error:
        raise refused(call, error) from error


def check_sklearn(estimator: Any, call: EstimatorCall) -> None:
    """Raises VST521 for a value that scikit-learn would refuse at the fit, an hour later."""
    check = getattr(estimator, "_validate_params", None)
    if check is None:
        return
    try:
        check()
    except (TypeError, ValueError) as error:
        raise refused(call, error) from error


def make_spark(
    call: EstimatorCall, given: object | None = None, *, seed: int = 0, layers: tuple[int, int] | None = None
) -> Any:
    """pyspark.ml's estimator on our columns. given: the user's own, which is copied.

    layers: (features, classes) of a network: its hidden layers are what the user names.
    """
    try:
        if given is not None:
            return _on_our_columns(given, dict(call.parameters))
        facts = _facts(call)
        arguments = _arguments(call, lambda inner: make_spark(inner, seed=seed, layers=layers))
        if call.name == "MultilayerPerceptronClassifier" and layers is not None:
            arguments["layers"] = [layers[0], *_hidden(arguments.get("layers")), layers[1]]
        if "seed" in facts.parameters:
            arguments.setdefault("seed", seed)
        return _on_our_columns(_class(facts)(**arguments), {})
    except (TypeError, ValueError, AttributeError) as error:
        raise refused(call, error) from error


def check_spark(estimator: Any, call: EstimatorCall) -> None:
    """Raises VST521 for a value that Spark would refuse at the fit: the JVM checks it as it takes it over."""
    from pyspark.errors import IllegalArgumentException

    take_over = getattr(estimator, "_transfer_params_to_java", None)
    if take_over is None:
        return  # a Pipeline, an estimator in Python
    try:
        take_over()
    except (IllegalArgumentException, TypeError, ValueError) as error:
        raise refused(call, error) from error


def _facts(call: EstimatorCall) -> EstimatorFacts:
    facts = load_estimators().find(call.library, call.name)
    if facts is None:
        raise VistaRunError("VST521", f"no estimator {call.name} is known", _CHECK, stage="train")
    return facts


def _class(facts: EstimatorFacts) -> Any:
    return getattr(importlib.import_module(facts.module), facts.name)


def _arguments(call: EstimatorCall, make: Any) -> dict[str, Any]:
    """Literals as they are (tuples as lists, which both libraries take), an inner call as its estimator."""
    return {name: _argument(value, make) for name, value in call.parameters}


def _argument(value: Any, make: Any) -> Any:
    if isinstance(value, EstimatorCall):
        return make(value)
    if isinstance(value, tuple):
        items = [_argument(item, make) for item in value]
        return tuple(items) if any(isinstance(item, EstimatorCall) for item in value) else items  # ("name", estimator)
    return value


def _hidden(given: Any) -> list[int]:
    """The hidden layers; one of a hundred units where none are named, as scikit-learn's perceptron has."""
    return [100] if given is None else [int(units) for units in (given if isinstance(given, list) else [given])]


def _cloned(given: object, parameters: Mapping[str, Any]) -> Any:
    """A copy that was never fitted, with the search's parameters in it."""
    from sklearn.base import clone

    made: Any = clone(given) if hasattr(given, "get_params") else copy.deepcopy(given)
    return made.set_params(**parameters) if parameters else made


def _on_our_columns(given: Any, parameters: Mapping[str, Any]) -> Any:
    """A copy that reads and writes our columns; a Pipeline has none to set, and reads what its stages say."""
    made = given.copy()
    for name, value in (_OUR_COLUMNS | dict(parameters)).items():
        if made.hasParam(name):
            made.set(made.getParam(name), list(value) if isinstance(value, tuple) else value)
        elif name in parameters:
            raise ValueError(f"it has no parameter {name}")
    return made
