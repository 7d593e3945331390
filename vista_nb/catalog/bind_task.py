"""Binds `label`, `task` and `metric`: what is predicted, and how a layer is scored.

Reads the spec and the label's column, returns task, metric and classes. May touch: nothing. DESIGN.md section 3:
strings, booleans and integers of at most 20 values are classes, anything else is a number.
"""

from __future__ import annotations

from dataclasses import dataclass

from vista_nb.catalog.found import Found, place
from vista_nb.catalog.statistics import ColumnFacts
from vista_nb.errors import Problem
from vista_nb.spec.keys import METRICS
from vista_nb.spec.model import Spec, Task
from vista_nb.spec.suggest import did_you_mean

__all__ = ["Target", "bind_target"]

MOST_CLASSES = 20  # distinct integers that still read as classes


@dataclass(frozen=True)
class Target:
    """What is predicted. classes: the label's values as text, sorted, where there are at most 20."""

    label: str
    task: Task
    metric: str
    classes: tuple[str, ...] = ()


def bind_target(spec: Spec, columns: tuple[ColumnFacts, ...] | None) -> Found[Target]:
    """The target; without columns (a what-if) a class label is assumed."""
    facts = next((c for c in columns or () if c.name == spec.label), None)
    if columns is None or spec.label is None:
        task = spec.task or Task.CLASSIFICATION
        return _scored(spec, spec.label or "", task, (), ())
    if facts is None:
        hint = did_you_mean(spec.label, [c.name for c in columns], "columns")
        problem = place(spec, "label", "VST122", f"the table has no column `{spec.label}`", hint)
        return Found(Target(spec.label, spec.task or Task.CLASSIFICATION, spec.metric or ""), (problem,))
    task = spec.task or _task_of(facts)
    return _scored(spec, facts.name, task, _classes(facts, task), _label_problems(spec, facts, task))


def _task_of(facts: ColumnFacts) -> Task:
    few = facts.kind == "integer" and facts.distinct <= MOST_CLASSES
    return Task.CLASSIFICATION if few or facts.kind in ("string", "boolean") else Task.REGRESSION


def _classes(facts: ColumnFacts, task: Task) -> tuple[str, ...]:
    whole = facts.distinct == len(facts.values)
    return facts.values if task is Task.CLASSIFICATION and whole else ()


def _label_problems(spec: Spec, facts: ColumnFacts, task: Task) -> tuple[Problem, ...]:
    """At most one: what makes this column no label for this task."""
    name = facts.name
    if facts.name == spec.on:
        return (place(spec, "label", "VST130", f"`{name}` is the key, it cannot be the label"),)
    if facts.kind in ("date", "other"):
        return (place(spec, "label", "VST130", f"column `{name}` ({facts.kind}) cannot be a label"),)
    if facts.rows and facts.nulls >= facts.rows:
        return (place(spec, "label", "VST130", f"label `{name}` is empty in every row"),)
    if facts.rows and facts.distinct <= 1:
        value = f" ({facts.values[0]})" if facts.values else ""
        return (place(spec, "label", "VST130", f"label `{name}` has one value only{value}", "nothing to predict"),)
    if task is Task.REGRESSION and facts.kind in ("string", "boolean"):
        hint = "write `task: classification`"
        return (place(spec, "task", "VST127", f"label `{name}` holds no numbers, so no regression", hint),)
    if task is Task.CLASSIFICATION and facts.near_unique:
        message = f"label `{name}` has {facts.distinct} distinct texts in {facts.rows} rows: no class repeats"
        return (place(spec, "label", "VST130", message, "choose a column with a few values"),)
    return ()


def _scored(
    spec: Spec, label: str, task: Task, classes: tuple[str, ...], problems: tuple[Problem, ...]
) -> Found[Target]:
    metric = spec.metric or METRICS[task.value][0]
    if metric not in METRICS[task.value]:
        other = next(name for name, metrics in METRICS.items() if metric in metrics)
        why = "" if spec.task else f", which label `{label}` gives"
        hint = f"write `task: {other}`, or one of: {', '.join(METRICS[task.value])}"
        problem = place(spec, "metric", "VST127", f"`{metric}` does not score a {task.value}{why}", hint)
        problems = (*problems, problem)
    return Found(Target(label, task, metric, classes), problems)
