"""What must start before the work can: the JVM, the workers, the CNN's artifacts; and what an earlier cell left warm.

Reads facts (with `snapshot.warm`) and an option; returns seconds. May touch: nothing. DESIGN.md section 8: start-up
counts as much as speed on a thousand photos; docs/adr/0019. Cold, everything is paid once; in a second cell of the same
kernel only what is not there yet.
"""

from __future__ import annotations

from vista_nb.catalog.snapshot import Snapshot
from vista_nb.catalog.warm import CNNPass, WarmFacts
from vista_nb.optimizer.candidates import Option, outlines
from vista_nb.optimizer.facts import Facts, gather, given
from vista_nb.optimizer.rates import DEFAULT
from vista_nb.optimizer.reuse import find_reuse
from vista_nb.optimizer.widening import widened
from vista_nb.plan.engines import needs_spark
from vista_nb.plan.logical import Infer, LogicalPlan, Materialization
from vista_nb.plan.physical import PhysicalPlan, TrainingSite

__all__ = [
    "cnn_pass",
    "engine_seconds",
    "first_jobs_seconds",
    "hops",
    "mllib_start_seconds",
    "pass_start_seconds",
    "possible_passes",
    "tensorflow_threads",
    "warm_note",
]


def hops(nodes: int) -> int:
    """Depth of the tree along which something reaches all nodes."""
    return (nodes - 1).bit_length()


def engine_seconds(facts: Facts, logical: LogicalPlan, site: TrainingSite) -> float:
    """Before the first step: the JVM, where the plan needs one. The model's digest is found meanwhile."""
    needed = needs_spark(logical, site) and not facts.snapshot.warm.jvm
    return facts.rates.session_seconds if needed else 0.0


def first_jobs_seconds(facts: Facts) -> float:
    """A new JVM's first jobs compile Spark's path, beside workers that start: seen in the join, the first of them."""
    return 0.0 if facts.snapshot.warm.jvm else facts.rates.first_jobs


def mllib_start_seconds(facts: Facts) -> float:
    """The first training on the cluster compiles MLlib's path."""
    return 0.0 if facts.snapshot.warm.mllib else facts.rates.mllib_first


def tensorflow_threads(physical: PhysicalPlan, facts: Facts) -> int:
    """Of one worker: what it began with stays, whatever a later plan wants."""
    return facts.snapshot.warm.threads or physical.threads_per_task


def pass_start_seconds(step: Infer, option: Option, facts: Facts) -> float:
    """Until this pass works on photos: its artifact made where the disk lacks it, workers started, the artifact loaded.

    The first pass brings the CNN to the nodes and starts the workers; a later one loads another cut into them.
    """
    if step.images == 0:
        return 0.0
    warm, rates, physical = facts.snapshot.warm, facts.rates, option.physical
    passes = [other for other in option.logical.steps if isinstance(other, Infer)]
    is_first = step.number == passes[0].number
    making = _making(step, passes, option.logical, facts)
    crowd = 1 + rates.start_contention * (physical.cpu - 1)
    cnn = facts.snapshot.workload.cnn
    serialized = given(facts.snapshot.statistics.cnn_serialized, cnn.serialized)
    if not is_first or _all_live(physical, warm):
        held = _stays_loaded(step, passes, option.logical, warm)
        return making + (0.0 if held else (rates.artifact_seconds + serialized / rates.artifact_load) * crowd)
    shipped = hops(physical.nodes) * serialized / rates.broadcast
    return making + cnn.start_seconds * rates.start_factor * crowd + shipped


def cnn_pass(step: Infer, logical: LogicalPlan) -> CNNPass:
    """What the step's artifact depends on, but for model, pooling and precision, which all passes share."""
    wanted = {other.start for other in logical.steps if isinstance(other, Infer)}
    return CNNPass(step.start, step.outputs, step.pooled, tuple(name for name in step.layers if name in wanted))


def _all_live(physical: PhysicalPlan, warm: WarmFacts) -> bool:
    return warm.threads > 0 and physical.cpu <= warm.workers


def _making(step: Infer, passes: list[Infer], logical: LogicalPlan, facts: Facts) -> float:
    """Artifacts that this disk lacks, by one throw-away process, which starts with the first of them."""
    warm, rates = facts.snapshot.warm, facts.rates
    if cnn_pass(step, logical) in warm.made:
        return 0.0
    lacking = (other.number for other in passes if cnn_pass(other, logical) not in warm.made)
    # unless it is up already, as the model's digest had to be found
    process = rates.make_process if step.number == next(lacking) and warm.known_model else 0.0
    # from a cut upwards it holds few of the weights (VGG16 from fc6: 1 s, from the photo: 27 s)
    weights = facts.snapshot.workload.cnn.serialized if step.start is None else 0
    return process + rates.make_seconds + weights / rates.make_write


def _stays_loaded(step: Infer, passes: list[Infer], logical: LogicalPlan, warm: WarmFacts) -> bool:
    """Workers keep one CNN's bytes: a staged plan's parts lie side by side, lazy's whole CNNs push each other out."""
    if logical.materialization is Materialization.LAZY and len(passes) > 1:
        return False
    return cnn_pass(step, logical) in warm.loaded


def warm_note(logical: LogicalPlan, facts: Facts) -> str:
    """What the prediction takes as warm, in one sentence; empty for a cold start."""
    warm = facts.snapshot.warm
    passes = [cnn_pass(step, logical) for step in logical.steps if isinstance(step, Infer)]
    parts = ["the JVM"] if warm.jvm else []
    parts += ["MLlib's path"] if warm.mllib else []
    parts += [f"{warm.workers} worker{'s' if warm.workers > 1 else ''} with TensorFlow"] if warm.workers else []
    if passes and warm.loaded.issuperset(passes):
        parts.append("this CNN in them")
    elif passes and warm.made.issuperset(passes):
        parts.append("the inference artifact on disk")
    return f"taken as warm: {', '.join(parts)}" if parts else ""


def possible_passes(snapshot: Snapshot) -> frozenset[CNNPass]:
    """Every pass of every logical plan of the space: what may be made or loaded already."""
    facts = gather(snapshot, find_reuse(snapshot), DEFAULT)
    plans = [outline.logical for outline in outlines(facts)]
    plans += [wider for plan in plans for wider in widened(plan, facts)]
    return frozenset(cnn_pass(step, plan) for plan in plans for step in plan.steps if isinstance(step, Infer))
