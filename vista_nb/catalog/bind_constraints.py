"""What an estimator asks of its data, known before a photo is looked at: two classes, no negative feature, a score.

Reads the spec and everything that is bound, returns problems. May touch: nothing. DESIGN.md section 11. What only the
values can tell (a layer with a negative feature) is a coded error of the training itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vista_nb.catalog.bind_task import Target
from vista_nb.catalog.found import place
from vista_nb.catalog.roster import LayerFacts
from vista_nb.catalog.workload import EstimatorFacts, FeatureUse
from vista_nb.errors import Problem
from vista_nb.spec.model import EstimatorCall, Spec, Task

__all__ = ["constraint_problems"]

_ENOUGH = {"logloss": ("probabilities",), "auc": ("probabilities", "margins")}
_MAY_ENABLE = frozenset({"probability", "loss", "voting", "estimator", "estimators", "final_estimator"})


def constraint_problems(
    spec: Spec,
    call: EstimatorCall,
    facts: EstimatorFacts,
    target: Target,
    features: Sequence[FeatureUse],
    layers: Sequence[LayerFacts],
) -> tuple[Problem, ...]:
    """All of them at once."""
    return (
        *_two_classes(spec, call, facts, target),
        *_not_negative(spec, call, facts, features, layers),
        *_scored(spec, call, facts, target),
    )


def _two_classes(spec: Spec, call: EstimatorCall, facts: EstimatorFacts, target: Target) -> Iterator[Problem]:
    if facts.binary and len(target.classes) > 2:
        message = f"`{facts.name}` tells two classes apart, and label `{target.label}` has {len(target.classes)}"
        yield place(spec, "model", "VST138", message, _for_many(call, facts), facts.name)


def _for_many(call: EstimatorCall, facts: EstimatorFacts) -> str:
    if facts.library == "pyspark":
        return f"write OneVsRest(classifier={call})"
    if facts.library == "sklearn":
        return f"write sklearn.OneVsRestClassifier(estimator={call})"
    return "take another estimator"


def _not_negative(
    spec: Spec, call: EstimatorCall, facts: EstimatorFacts, features: Sequence[FeatureUse], layers: Sequence[LayerFacts]
) -> Iterator[Problem]:
    kind = dict(call.parameters).get("modelType", "multinomial")
    if not facts.non_negative or kind == "gaussian":
        return
    negative = _negative(spec, facts, kind, features, layers)
    if negative:
        spark = facts.library == "pyspark"
        hint = "NaiveBayes(modelType='gaussian') takes any number" if spark else "try sklearn.GaussianNB()"
        message = f"`{facts.name}` takes no negative feature, and {negative}"
        yield place(spec, "model", "VST138", message, hint, facts.name)


def _negative(
    spec: Spec, facts: EstimatorFacts, kind: object, features: Sequence[FeatureUse], layers: Sequence[LayerFacts]
) -> str:
    """What is below 0 for certain; empty where nothing is."""
    if facts.library == "sklearn":
        return "image features are standardized before a scikit-learn fit"
    numbers = [use.column for use in features if not use.is_category]
    if numbers:
        return f"column `{numbers[0]}` is standardized"
    if spec.reduce is not None:
        return "`reduce: pca` gives components of either sign"
    classes = [layer.name for layer in layers if layer.is_class]
    if classes:
        return f"layer `{classes[0]}` gives logits"
    return "with modelType='bernoulli' it takes only 0 and 1" if kind == "bernoulli" else ""


def _scored(spec: Spec, call: EstimatorCall, facts: EstimatorFacts, target: Target) -> Iterator[Problem]:
    enough = _ENOUGH.get(target.metric)
    if target.task is not Task.CLASSIFICATION or enough is None or facts.scores in enough:
        return
    if {name for name, _ in call.parameters} & _MAY_ENABLE:
        return  # SVC(probability=True): seen when it is fitted
    message = f"`{target.metric}` needs probabilities, and `{facts.name}` gives none"
    yield place(spec, "metric", "VST141", message, "write `metric: accuracy` or `f1`, or take another estimator")
