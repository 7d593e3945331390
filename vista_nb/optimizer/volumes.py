"""How many bytes a plan reads, moves, keeps and spills over its whole run.

Reads an option, its admission and facts; returns a `Volumes`. May touch: nothing. Paper: section 4.2 and table 2;
issue 3 wants them of every candidate.
"""

from __future__ import annotations

from dataclasses import dataclass

from vista_nb.catalog.sizes import layer_table
from vista_nb.optimizer.candidates import Option
from vista_nb.optimizer.cost import shuffled_bytes
from vista_nb.optimizer.facts import Facts
from vista_nb.optimizer.memory import Admission
from vista_nb.plan.logical import Infer, Inference, Join, Load, Materialization, Save
from vista_nb.plan.physical import JoinOperator, Persistence

__all__ = ["Volumes", "volumes"]

_FLOAT = 4


@dataclass(frozen=True)
class Volumes:
    """Bytes over all nodes. read: table, photos (once per pass that starts from them), stored layers.

    shuffled: between nodes, for the joins. materialized: tables kept in Storage Memory, and features saved.
    spilled: of them, what goes to disk because memory does not hold it.
    """

    read: int
    shuffled: int
    materialized: int
    spilled: int


def volumes(option: Option, admission: Admission, facts: Facts) -> Volumes:
    """All four of one option."""
    return Volumes(_read(option, facts), _shuffled(option), _materialized(option, facts), admission.spill)


def _read(option: Option, facts: Facts) -> int:
    total = option.sizes.t_str
    for step in option.logical.steps:
        if isinstance(step, Infer) and step.start is None:
            total += step.images * facts.snapshot.statistics.image_bytes
        if isinstance(step, Load) and not (step.raw and step.memory):
            lengths = facts.raw if step.raw else facts.pooled
            images = step.images if step.raw else facts.reuse.loaded_images
            total += _layer_bytes(step.layers, lengths, images, facts)
    return total


def _shuffled(option: Option) -> int:
    joins = sum(1 for step in option.logical.steps if isinstance(step, Join))
    if option.physical.join is JoinOperator.BROADCAST:
        return joins * option.sizes.t_str * option.physical.nodes
    return joins * shuffled_bytes(option)


def _materialized(option: Option, facts: Facts) -> int:
    sizes, logical = option.sizes, option.logical
    if logical.materialization is Materialization.EAGER:
        kept = sizes.s_double  # |T_E|, less T_str before the join
    else:
        outside = sizes.t_str if logical.inference is Inference.BEFORE_JOIN else 0
        kept = sum(size - outside for _, size in sizes.t_i)
        kept += sum(layer_table(facts.snapshot.statistics.rows, facts.raw[name], 0) for name in logical.via)
    if option.physical.persistence is Persistence.SERIALIZED:
        kept = kept * facts.rates.serialized_percent // 100
    saves = [step for step in logical.steps if isinstance(step, Save)]
    return kept + sum(
        _layer_bytes(s.layers, facts.raw, s.images, facts)
        if s.raw
        else _layer_bytes((*s.layers, *s.beside), facts.pooled, facts.reuse.images, facts)
        for s in saves
    )


def _layer_bytes(layers: tuple[str, ...], lengths: dict[str, int], images: int, facts: Facts) -> int:
    return _FLOAT * sum(lengths[name] for name in layers) * images // facts.snapshot.statistics.views
