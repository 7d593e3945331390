"""The binder: every name of a spec looked up in the roster, the estimators and the table's columns.

Reads a parsed spec, the roster and a plain list of columns (None: a what-if without data); returns the workload, or all
problems at once. May touch: nothing. DESIGN.md sections 3 and 12. The order of the rules below is the order of the
notes; a column that predicts the label alone (a leak) cannot be seen from the columns' facts: the executor warns of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from vista_nb.catalog.bind_cluster import cluster_problems
from vista_nb.catalog.bind_cnn import bind_cnn, bind_weights, has_class_head
from vista_nb.catalog.bind_columns import bind_features, bind_images, bind_key
from vista_nb.catalog.bind_constraints import constraint_problems
from vista_nb.catalog.bind_cuts import bind_cuts
from vista_nb.catalog.bind_layers import bind_layers
from vista_nb.catalog.bind_model import bind_model, training_notes
from vista_nb.catalog.bind_not_yet import not_yet
from vista_nb.catalog.bind_task import Target, bind_target
from vista_nb.catalog.estimators import load_estimators
from vista_nb.catalog.found import Found, joined
from vista_nb.catalog.own_cnn import OwnCNN
from vista_nb.catalog.precision import bfloat16_note, in_precision
from vista_nb.catalog.roster import CNNFacts, LayerFacts, Roster
from vista_nb.catalog.statistics import ColumnFacts
from vista_nb.catalog.workload import EstimatorFacts, FeatureUse, Workload
from vista_nb.errors import Problem
from vista_nb.spec.model import EstimatorCall, Spec

__all__ = ["Bound", "bind"]

ASSUMED_FEATURES = "structured features"  # the name of d_s given by `statistics: {structured_features: n}`


@dataclass(frozen=True)
class Bound:
    """problems: the spec is wrong, run and explain refuse. not_yet: explain plans, run refuses.

    workload is None where problems has entries, and where the CNN is one of the user's that could not be described.
    """

    workload: Workload | None
    problems: tuple[Problem, ...] = ()
    not_yet: tuple[Problem, ...] = ()


def bind(
    spec: Spec,
    roster: Roster,
    columns: Sequence[ColumnFacts] | None,
    own: OwnCNN | None = None,
    own_model: EstimatorFacts | None = None,
) -> Bound:
    """Look up everything; the spec has already been parsed without problems. own: the CNN of a file or variable.
    own_model: facts of the estimator of a variable.
    """
    network = _bind_network(spec, roster, own)
    target = bind_target(spec, None if columns is None else tuple(columns))
    table = _bind_table(spec, columns)
    model = bind_model(spec, target.value.task, load_estimators(), own_model)
    parts: tuple[Found[object], ...] = (network, target, table, model)
    layers = () if network.value is None else network.value.layers
    asked = () if model.value is None else constraint_problems(spec, *model.value, target.value, table.value, layers)
    problems = joined([*(part.problems for part in parts), asked, cluster_problems(spec)])
    later = joined([*(part.not_yet for part in parts), not_yet(spec)])
    if problems or network.value is None or model.value is None:
        return Bound(None, problems, later)
    notes = (*(note for part in parts for note in part.notes), *training_notes(spec))
    return Bound(_workload(spec, network.value, target.value, table.value, model.value, notes), (), later)


@dataclass(frozen=True)
class _Network:
    cnn: CNNFacts
    weights: str
    layers: tuple[LayerFacts, ...]


def _bind_network(spec: Spec, roster: Roster, own: OwnCNN | None) -> Found[_Network | None]:
    """cnn, then weights, then layers: each needs the one before."""
    cnn = bind_cnn(spec, roster, own)
    if cnn.value is None:
        return Found(None, cnn.problems, cnn.not_yet)
    facts = in_precision(cnn.value, spec.precision)
    weights = bind_weights(spec, facts)
    layers = bind_layers(spec, facts, has_class_head(weights.value, facts), roster)
    network = _Network(facts, weights.value, layers.value)
    problems = (*cnn.problems, *weights.problems, *layers.problems, *bind_cuts(spec, facts, layers.value))
    return Found(network, problems, cnn.not_yet, (*cnn.notes, *layers.notes, *bfloat16_note(facts, spec.precision)))


def _bind_table(spec: Spec, columns: Sequence[ColumnFacts] | None) -> Found[tuple[FeatureUse, ...]]:
    """The features; without columns d_s of `statistics` stands for all of them."""
    if columns is None:
        width = spec.statistics.structured_features or 0
        return Found((FeatureUse(ASSUMED_FEATURES, "number", width),) if width else ())
    by_name = {facts.name: facts for facts in columns}
    key = bind_key(spec, by_name)
    images = bind_images(spec, by_name)
    features = bind_features(spec, by_name, images.value)
    problems = (*key.problems, *images.problems, *features.problems)
    return Found(features.value, problems, features.not_yet, features.notes)


def _workload(
    spec: Spec,
    network: _Network,
    target: Target,
    features: tuple[FeatureUse, ...],
    model: tuple[EstimatorCall, EstimatorFacts],
    notes: tuple[str, ...],
) -> Workload:
    call, facts = model
    return Workload(
        spec=spec,
        cnn=network.cnn,
        layers=network.layers,
        pool=spec.pool,
        precision=spec.precision,
        weights=network.weights,
        label=target.label,
        task=target.task,
        metric=target.metric,
        call=call,
        estimator=replace(facts, iterations=_iterations(call, facts)),
        features=features,
        classes=target.classes,
        notes=notes,
    )


def _iterations(call: EstimatorCall, facts: EstimatorFacts) -> int:
    """The call's own limit of passes, where it sets one."""
    given = next((value for name, value in call.parameters if name in ("maxIter", "max_iter")), None)
    return given if isinstance(given, int) and not isinstance(given, bool) and given > 0 else facts.iterations
