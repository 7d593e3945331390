"""Binds `model` and `tune`: the estimator by name, its parameters by name, what an argument may be.

Reads the spec, the task and the list of estimators, and the facts of `$variable`; returns the call and the estimator's
facts. May touch: nothing (no library is imported: the names are data). DESIGN.md sections 3 and 11.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from math import prod

from vista_nb.catalog.estimators import LIBRARY_NAMES, Estimators, training_sites
from vista_nb.catalog.found import Found, place
from vista_nb.catalog.workload import EstimatorFacts
from vista_nb.errors import Problem
from vista_nb.spec.model import Argument, EstimatorCall, Spec, Task
from vista_nb.spec.suggest import closest, listed

__all__ = ["bind_model", "default_call", "training_notes"]

Model = tuple[EstimatorCall, EstimatorFacts] | None
# parameters of pyspark's LogisticRegression that take a matrix, which is no literal
_MATRICES = frozenset(f"{side}BoundsOn{what}s" for side in ("lower", "upper") for what in ("Coefficient", "Intercept"))


def default_call(task: Task) -> EstimatorCall:
    """The model where the spec names none."""
    return EstimatorCall("pyspark", "LogisticRegression" if task is Task.CLASSIFICATION else "LinearRegression")


def training_notes(spec: Spec) -> tuple[str, ...]:
    """How many fits one layer takes, where it is more than one: the plan's seconds count all of them."""
    if spec.folds is None and spec.tune is None:
        return ()
    parts, fits = [], 1
    if spec.folds is not None:
        parts.append(f"in {spec.folds} folds, then on all rows")
        fits = spec.folds + 1
    if spec.tune is not None:
        points = prod(len(values) for _, values in spec.tune.grid)
        parts.append(f"as the best of {points} points on {spec.tune.folds} inner folds")
        fits *= points * spec.tune.folds + 1
    return (f"every layer is trained {', each time '.join(parts)}: {fits} fits",)


def bind_model(spec: Spec, task: Task, estimators: Estimators, own: EstimatorFacts | None = None) -> Found[Model]:
    """The call with its facts; None where the estimator is not known. own: of the notebook's object `$variable`."""
    call = spec.model or default_call(task)
    if call.library == "variable":
        found = own or EstimatorFacts("variable", call.name, (), (), ("driver",), "other", kind="unknown")
    elif (known := estimators.find(call.library, call.name)) is not None:
        found = known
    else:
        return Found(None, (_unknown(spec, call, estimators),))
    problems = [*_not_for_a_label(spec, call, found)]
    if found.kind != "unknown":  # the variable's own error comes from the session
        problems += _parameters(spec, found)
    problems += _arguments(spec, call, found, estimators)
    if task.value not in found.tasks and found.tasks:
        message = f"`{call.name}` is for {' and '.join(found.tasks)}, the label asks for {task.value}"
        problems.append(place(spec, "model", "VST127", message, word=call.name))
    sites = training_sites(call, found, spec.tune)
    problems += _other_site(spec, call, sites)
    return Found((call, replace(found, sites=sites)), tuple(problems))


def _other_site(spec: Spec, call: EstimatorCall, sites: tuple[str, ...]) -> list[Problem]:
    """A forced training site must give the model that was asked for."""
    if spec.plan.training is None or spec.plan.training in sites:
        return []
    message = f"`{call.name}` as written here is trained on the {' or the '.join(sites)}"
    return [place(spec, "plan.training", "VST132", message, f"write training: {sites[0]}")]


def _not_for_a_label(spec: Spec, call: EstimatorCall, facts: EstimatorFacts) -> Iterator[Problem]:
    if not facts.supported:
        message = f"`{call.name}` is not for one label and the features of one layer"
        yield place(spec, "model", "VST909", message, "take another estimator", call.name)


def _parameters(spec: Spec, facts: EstimatorFacts) -> list[Problem]:
    """Of the call, and of the grid."""
    given = spec.model.parameters if spec.model is not None else ()
    problems = _unknown_parameters(spec, facts, (name for name, _ in given), "model")
    if spec.tune is not None:
        problems += _unknown_parameters(spec, facts, (name for name, _ in spec.tune.grid), "tune")
    return problems


def _arguments(spec: Spec, call: EstimatorCall, facts: EstimatorFacts, estimators: Estimators) -> Iterator[Problem]:
    """What is missing, what takes no estimator, what is wrong inside an inner call, what is no literal at all."""
    given = dict(call.parameters)
    tuned = {name for name, _ in spec.tune.grid} if spec.tune is not None else set()
    for name in facts.needs:
        if name not in given and name not in tuned:
            message = f"`{call.name}` needs `{name}`"
            yield place(spec, "model", "VST139", message, f"write {_example(call, name)}", call.name)
    for name, value in call.parameters:
        if facts.library == "pyspark" and name in _MATRICES:
            hint = "build the estimator in a cell above and write `$name`"
            yield place(spec, f"model.{name}", "VST916", f"`{name}` takes a matrix, which is no literal", hint, name)
        yield from _inner(spec, facts, name, value, estimators)


def _example(call: EstimatorCall, name: str) -> str:
    prefix = "sklearn." if call.library == "sklearn" else ""
    inner = f"{prefix}LogisticRegression()"
    return f"{prefix}{call.name}({name}={'[(' + repr('a') + ', ' + inner + '), ...]' if name.endswith('s') else inner})"


def _inner(spec: Spec, facts: EstimatorFacts, name: str, value: Argument, estimators: Estimators) -> Iterator[Problem]:
    """Estimators in the place of an argument's value, however deep in lists."""
    if isinstance(value, tuple):
        for item in value:
            yield from _inner(spec, facts, name, item, estimators)
    if not isinstance(value, EstimatorCall):
        return
    if name not in facts.nested:
        if name in facts.parameters:
            hint = f"these do: {listed(facts.nested)}" if facts.nested else "write a number, text, True, False or None"
            yield place(spec, f"model.{name}", "VST139", f"`{name}` takes no estimator", hint, name)
        return
    known = estimators.find(value.library, value.name) if value.library == facts.library else None
    if known is None:
        names = estimators.names(facts.library, supported=True)
        near = closest(value.name, names)
        of_library = f"an estimator of {LIBRARY_NAMES[facts.library]}, as the outer one"
        hint = f"did you mean `{near}`?" if near else of_library
        yield place(spec, f"model.{name}", "VST125", f"`{name}`: `{value}` is not known here", hint, value.name)
        return
    yield from _unknown_parameters(spec, known, (each for each, _ in value.parameters), "model")
    for inner_name, inner in value.parameters:
        yield from _inner(spec, known, inner_name, inner, estimators)


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
        if not facts.parameters:
            hint = "it takes none"
        if name.endswith(("Col", "Cols")):
            message, hint = f"`{name}` is set by vista_nb", "remove it"
        problems.append(place(spec, key if key == "tune" else f"{key}.{name}", "VST126", message, hint, name))
    return problems
