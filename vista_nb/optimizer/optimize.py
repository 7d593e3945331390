"""The optimizer: an ordered tuple of stages from a snapshot to a plan.

Reads a snapshot (workload, statistics, system, what is stored); returns a plan or raises NoFeasiblePlan.
May touch: nothing. Paper: section 4.3; DESIGN.md section 7. Reading STAGES is reading the design; each stage lives
in its own file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from vista_nb.catalog.snapshot import Snapshot
from vista_nb.optimizer.algorithm1 import plan_sigmod2020
from vista_nb.optimizer.answers import store_sentences
from vista_nb.optimizer.calibration import Calibration, calibrate
from vista_nb.optimizer.candidates import EVERYTHING, Option, Outline, Space, outlines
from vista_nb.optimizer.cost import predict
from vista_nb.optimizer.describe import Ends, candidate
from vista_nb.optimizer.facts import Facts, gather
from vista_nb.optimizer.infeasible import no_feasible_plan
from vista_nb.optimizer.ladder import fallback_ladder
from vista_nb.optimizer.memory import Admission, admit
from vista_nb.optimizer.precision import in_doubt
from vista_nb.optimizer.ranking import Priced, order, why_it_lost
from vista_nb.optimizer.rates import DEFAULT, Rates
from vista_nb.optimizer.reuse import find_reuse
from vista_nb.optimizer.search import fits, search
from vista_nb.optimizer.speculation import beside_notes, speculate
from vista_nb.optimizer.starting import warm_note
from vista_nb.optimizer.waves import choose_waves, first_result_seconds
from vista_nb.plan.candidate import Candidate, Plan
from vista_nb.plan.engines import needs_spark, works_on_photos
from vista_nb.plan.titles import step_title
from vista_nb.units import format_bytes

__all__ = ["STAGES", "Planning", "optimize"]


@dataclass(frozen=True)
class Planning:
    """What is known so far; each stage fills in one more field."""

    facts: Facts
    space: Space = EVERYTHING
    outlines: tuple[Outline, ...] = ()
    options: tuple[Option, ...] = ()
    looked_at: int = 0
    admitted: tuple[tuple[Option, Admission], ...] = ()
    ranked: tuple[Priced, ...] = ()  # feasible ones, best first, then the others
    best: Priced | None = None  # of ranked, with what it keeps beside
    waves: int = 1
    interim: tuple[float, ...] = ()  # seconds by step
    plan: Plan | None = None


def optimize(
    snapshot: Snapshot, *, rates: Rates = DEFAULT, space: Space = EVERYTHING, calibration: Calibration | None = None
) -> Plan:
    """The plan of least predicted seconds that fits; the profile `sigmod2020` plans by Algorithm 1 instead.

    space: which logical plans to weigh; `calibration`: what was measured on this machine.
    """
    if snapshot.workload.spec.plan.profile == "sigmod2020":
        return plan_sigmod2020(snapshot)
    rates = in_doubt(rates, snapshot.workload)
    if calibration is not None:
        snapshot, rates = calibrate(snapshot, rates, calibration)
    state = Planning(gather(snapshot, find_reuse(snapshot), rates), space)
    for stage in STAGES:
        state = stage(state)
    assert state.plan is not None
    return state.plan


def enumerate_logical_plans(state: Planning) -> Planning:
    """Every shape and every place to start from that the user leaves open."""
    return replace(state, outlines=outlines(state.facts, state.space))


def prune_physical_plans(state: Planning) -> Planning:
    """Of each logical plan's points keep those that no other of its kind beats."""
    found = search(state.facts, state.outlines)
    return replace(state, options=found.options, looked_at=found.looked_at)


def admit_by_memory(state: Planning) -> Planning:
    """Apportion memory to each option; none fitting ends the planning."""
    admitted = tuple((option, admit(option, state.facts)) for option in state.options)
    if not any(admission.feasible for _, admission in admitted):
        raise no_feasible_plan(state.options, state.outlines, state.facts, lambda changed: _fits(changed, state))
    return replace(state, admitted=admitted)


def rank_by_cost(state: Planning) -> Planning:
    """Predict seconds at one wave; the fastest feasible option first."""
    priced = [Priced(o, a, predict(o, a.spill, state.facts)) for o, a in state.admitted]
    return replace(state, ranked=tuple(sorted(priced, key=lambda p: (not p.admission.feasible, order(p)))))


def keep_beside(state: Planning) -> Planning:
    """Other layers on the winner's way are kept for later cells, where they cost next to nothing."""
    return replace(state, best=speculate(state.ranked[0], state.facts))


def spread_over_waves(state: Planning) -> Planning:
    """The winner gets as many waves as it can pay for."""
    best = state.best or state.ranked[0]
    waves, interim = choose_waves(best.option, best.cost, state.facts)
    return replace(state, waves=waves, interim=interim)


def assemble(state: Planning) -> Planning:
    """The plan as a value: the chosen candidate, the others with why they lost, the fallback ladder."""
    facts, best = state.facts, state.best or state.ranked[0]
    ends = Ends(replace(facts, rates=facts.rates.fast()), replace(facts, rates=facts.rates.slow()))
    chosen = _chosen(state, best, ends)
    winner, *others = state.ranked
    losers = (candidate(priced, facts, ends, why_it_lost(priced, winner)) for priced in others)
    workload, physical = facts.snapshot.workload, best.option.physical
    titles = map(step_title, best.option.logical.steps)
    plan = Plan(
        profile="default",
        cnn=workload.cnn.name,
        layers=workload.layer_names,
        model=str(workload.call),
        pool=workload.pool.value,
        logical=chosen.logical,
        physical=physical,
        memory=best.admission.regions,
        sizes=best.option.sizes,
        candidates=(chosen, *losers),
        ladder=fallback_ladder(physical, facts.snapshot.system.cores),
        seconds_by_step=tuple(zip(titles, (round(s, 3) for s in best.cost.by_step), strict=True)),
        chosen=chosen,
        rows=facts.snapshot.statistics.rows,
        images=facts.snapshot.images,
        nodes=facts.snapshot.system.nodes,
        driver_node=best.admission.driver_node,
        notes=(*workload.notes, *_notes(best, facts), *beside_notes(best, winner, facts)),
        looked_at=state.looked_at,
        store=store_sentences(state.ranked, facts),
        start_seconds=round(best.cost.engines, 3),
        interim_by_step=tuple(round(s, 3) for s in state.interim),
    )
    return replace(state, plan=plan)


STAGES: tuple[Callable[[Planning], Planning], ...] = (
    enumerate_logical_plans,
    prune_physical_plans,
    admit_by_memory,
    rank_by_cost,
    keep_beside,
    spread_over_waves,
    assemble,
)
"""In this order. Reuse is found first of all (`find_reuse`), as every stage reads it from the facts."""


def _fits(snapshot: Snapshot, state: Planning) -> bool:
    """Whether a changed workload has a plan, without looking for hints again."""
    facts = gather(snapshot, find_reuse(snapshot), state.facts.rates)
    return fits(facts, outlines(facts, state.space))


def _chosen(state: Planning, best: Priced, ends: Ends) -> Candidate:
    facts = state.facts
    first = first_result_seconds(state.waves, best.option, best.admission.spill, facts)
    logical = replace(best.option.logical, waves=state.waves)
    return replace(
        candidate(best, facts, ends, None),
        logical=logical,
        interim_seconds=round(sum(state.interim), 3),
        first_result_seconds=round(first, 3),
    )


def _notes(best: Priced, facts: Facts) -> tuple[str, ...]:
    warm = warm_note(best.option.logical, facts)
    notes = [warm] if warm else []
    if not works_on_photos(best.option.logical):
        spark = needs_spark(best.option.logical, best.option.physical.training)
        notes.append(f"every layer is in the store: no CNN runs{'' if spark else ', and Spark is not needed'}")
    if best.admission.spill:
        notes.append(f"{format_bytes(best.admission.spill)} of live tables go to disk")
    return tuple(notes)
