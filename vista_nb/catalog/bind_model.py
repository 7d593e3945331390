"""Binds `model` and `tune`: the estimator by name, its parameters by name.

Reads the spec, the task and the list of estimators; returns the call and the estimator's facts. May touch: nothing
(no library is imported: the names are data). DESIGN.md sections 3 and 11.
"""

from __future__ import annotations

from collections.abc import Iterable

from vista_nb.catalog.estimators import LIBRARY_NAMES, Estimators, training_sites
from vista_nb.catalog.found import Found, place
from vista_nb.catalog.workload import EstimatorFacts
from vista_nb.errors import Problem
from vista_nb.spec.model import EstimatorCall, Spec, Task
from vista_nb.spec.suggest import closest, listed

__all__ = ["bind_model", "default_call"]

Model = tuple[EstimatorCall, EstimatorFacts] | None
# parameters of pyspark's LogisticRegression that the executor does not obey yet
_LATER = frozenset(
    {"threshold", "thresholds"}
    | {f"{side}BoundsOn{what}s" for side in ("lower", "upper") for what in ("Coefficient", "Intercept")}
)
_SUPPORTED = "supported today: LogisticRegression, sklearn.LogisticRegression"


def default_call(task: Task) -> EstimatorCall:
    """The model where the spec names none."""
    return EstimatorCall("pyspark", "LogisticRegression" if task is Task.CLASSIFICATION else "LinearRegression")


def bind_model(spec: Spec, task: Task, estimators: Estimators) -> Found[Model]:
    """The call with its facts; None where the estimator is not known."""
    call = spec.model or default_call(task)
    if call.library == "variable":
        facts = EstimatorFacts("variable", call.name, (task.value,), (), ("driver",), "other", supported=False)
        problem = place(
            spec, "model", "VST908", f"a model from a variable (`${call.name}`) is not supported yet", _SUPPORTED
        )
        return Found((call, facts), not_yet=(problem, *_tune_not_yet(spec)))
    found = estimators.find(call.library, call.name)
    if found is None:
        return Found(None, (_unknown(spec, call, estimators),), _tune_not_yet(spec))
    problems = [*_unknown_parameters(spec, found, (name for name, _ in call.parameters), "model")]
    if spec.tune is not None:
        problems += _unknown_parameters(spec, found, (name for name, _ in spec.tune.grid), "tune")
    if task.value not in found.tasks and found.tasks:
        message = f"`{call.name}` is for {' and '.join(found.tasks)}, the label asks for {task.value}"
        problems.append(place(spec, "model", "VST127", message, word=call.name))
    problems += _other_site(spec, call, found)
    not_yet = list(_tune_not_yet(spec))
    if not found.supported and spec.model is not None:
        name = call.name if call.library == "pyspark" else f"{call.library}.{call.name}"
        not_yet.append(place(spec, "model", "VST909", f"`{name}` is not supported yet", _SUPPORTED, call.name))
    not_yet += _later_parameters(spec, found)
    return Found((call, found), tuple(problems), tuple(not_yet))


def _other_site(spec: Spec, call: EstimatorCall, facts: EstimatorFacts) -> list[Problem]:
    """A forced training site must give the model that was asked for."""
    sites = training_sites(call, facts)
    if spec.plan.training is None or spec.plan.training in sites:
        return []
    message = f"`{call.name}` as written here is trained on the {' or the '.join(sites)}"
    return [place(spec, "plan.training", "VST132", message, f"write training: {sites[0]}")]


def _tune_not_yet(spec: Spec) -> tuple[Problem, ...]:
    if spec.tune is None:
        return ()
    return (place(spec, "tune", "VST903", "a grid search is not supported yet", "set the parameters in `model`"),)


def _later_parameters(spec: Spec, facts: EstimatorFacts) -> list[Problem]:
    if spec.model is None or (facts.library, facts.name) != ("pyspark", "LogisticRegression"):
        return []
    names = [name for name, _ in spec.model.parameters if name in _LATER]
    return [
        place(spec, f"model.{name}", "VST916", f"parameter `{name}` is not supported yet", f"leave {name} out", name)
        for name in names
    ]


def _unknown(spec: Spec, call: EstimatorCall, estimators: Estimators) -> Problem:
    library = LIBRARY_NAMES[call.library]
    names = estimators.names(call.library)
    elsewhere = next((e for e in estimators.estimators if e.name == call.name), None)
    near = closest(call.name, names)
    if elsewhere is not None:
        written = f"sklearn.{call.name}" if elsewhere.library == "sklearn" else call.name
        hint = f"{LIBRARY_NAMES[elsewhere.library]} has one: write `{written}(...)`"
    else:
        hint = f"did you mean `{near}`?" if near else f"{library} has: {listed(names)}"
    return place(spec, "model", "VST125", f"{library} has no estimator `{call.name}`", hint, call.name)


def _unknown_parameters(spec: Spec, facts: EstimatorFacts, names: Iterable[str], key: str) -> list[Problem]:
    problems = []
    for name in names:
        if name in facts.parameters:
            continue
        message = f"`{facts.name}` has no parameter `{name}`"
        near = closest(name, facts.parameters)
        hint = f"did you mean `{near}`?" if near else f"parameters: {listed(facts.parameters, limit=20)}"
        if name.endswith(("Col", "Cols")):
            message, hint = f"`{name}` is set by vista_nb", "remove it"
        problems.append(place(spec, key if key == "tune" else f"{key}.{name}", "VST126", message, hint, name))
    return problems
