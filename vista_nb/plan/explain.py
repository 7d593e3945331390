"""EXPLAIN as text: the plan tree, sizes, memory regions, runners-up.

Reads a plan, returns text that depends on nothing but the plan (steps are numbered in execution order; no ids, no
sets, no clock), so it can be golden-tested. May touch: nothing. Form: a DBMS's EXPLAIN, the last operator on top.
"""

from __future__ import annotations

from collections.abc import Iterator

from vista_nb.plan.candidate import Candidate, Plan
from vista_nb.plan.logical import (
    Infer,
    Join,
    Load,
    Pool,
    Release,
    Save,
    ScanImages,
    ScanStructured,
    Step,
    Train,
    TrainBaselines,
)
from vista_nb.plan.memory import MemoryRegions
from vista_nb.plan.titles import START, layer_span
from vista_nb.plan.waves import wave_bounds
from vista_nb.plan.why import why_sentences
from vista_nb.units import format_bytes, format_seconds

__all__ = ["explain", "head_lines", "prediction_lines", "tree_lines"]

_WIDTH = 72


def explain(plan: Plan) -> str:
    """The whole EXPLAIN text, lines without trailing blanks."""
    blocks = [
        head_lines(plan),
        _tree(plan),
        _store(plan),
        _sizes(plan),
        _physical(plan),
        _memory(plan),
        _others(plan),
        _notes(plan),
    ]
    return "\n".join(line.rstrip() for block in blocks for line in block)


def head_lines(plan: Plan) -> Iterator[str]:
    """Workload, plan and data in three lines."""
    yield f"FeatureTransfer {plan.cnn}, L = {{{', '.join(plan.layers)}}}, M = {plan.model}"
    waves = "1 wave" if plan.logical.waves == 1 else f"{plan.logical.waves} waves"
    via = f", via {', '.join(plan.logical.via)}" if plan.logical.via else ""
    yield f"plan: {plan.logical.name}, {waves}{via}   [profile {plan.profile}]"
    inferred = max((step.images for step in plan.logical.steps if isinstance(step, Infer)), default=0)
    images = f"{_count(plan.images)} images, {_count(inferred)} through the CNN"
    yield f"{_count(plan.rows)} rows, {images}, pool {plan.pool}"


def _tree(plan: Plan) -> Iterator[str]:
    steps = plan.logical.steps
    seconds = dict(zip((s.number for s in steps), (s for _, s in plan.seconds_by_step), strict=False))
    for text, number in tree_lines(plan):
        yield f"{text:<{_WIDTH}} {format_seconds(seconds[number]):>12}" if number in seconds else text
    if plan.start_seconds is not None:
        yield f"{f' {START}':<{_WIDTH}} {format_seconds(plan.start_seconds):>12}"


def tree_lines(plan: Plan) -> Iterator[tuple[str, int]]:
    """(line, number of its step), roots first (the last training on top).

    A step read twice is printed once and then named by its number.
    """
    steps = plan.logical.steps
    readers = {number for step in steps for number in _inputs(step, steps)}
    printed: set[int] = set()

    def emit(step: Step, depth: int) -> Iterator[tuple[str, int]]:
        printed.add(step.number)
        known = [n for n in _inputs(step, steps) if n in printed]
        text = f"{' ' * depth} [{step.number}] {_operator(step, plan)}"
        text += f" <- {', '.join(f'[{n}]' for n in known)}" if known else ""
        yield text, step.number
        for number in _inputs(step, steps):
            if number not in printed:
                yield from emit(steps[number - 1], depth + 1)

    for step in reversed(steps):
        if step.number not in readers and not isinstance(step, Release):
            yield from emit(step, 0)


def _inputs(step: Step, steps: tuple[Step, ...]) -> tuple[int, ...]:
    """Numbers of the steps whose output `step` reads: the nearest ones before it."""
    before = steps[: step.number - 1]

    def last(*kinds: type[Step], layer: str = "") -> tuple[int, ...]:
        found = (s.number for s in reversed(before) if isinstance(s, kinds) and (not layer or layer in _made(s)))
        number = next(found, None)
        return () if number is None else (number,)

    match step:
        case Join():
            made = tuple(s.number for s in before if isinstance(s, Save) and not s.raw)[-1:]
            return (*last(ScanStructured), *(made or last(ScanImages)))
        case Load():
            return last(Join) or last(ScanImages)
        case TrainBaselines():
            return last(Join) or last(ScanStructured)
        case Infer() if step.start:
            return _raw_makers(step.start, before)
        case Infer():
            return last(Join) or last(ScanImages)
        case Pool():
            return _raw_makers(step.layer, before)
        case Save() if step.raw:
            return last(Infer, layer=step.layers[0])
        case Save():
            return tuple(n for name in step.layers for n in last(Pool, layer=name)) or last(Infer)
        case Train():
            loads = (s.number for s in before if isinstance(s, Load) and not s.raw and step.layer in s.layers)
            features = (*loads, *last(Save, layer=step.layer))
            join = last(Join)
            # joined after inference: the training reads the joined table, which holds the features
            return join if join and features and join > features[-1:] else features
    return ()


def _raw_makers(layer: str, before: tuple[Step, ...]) -> tuple[int, ...]:
    """Where the raw tensors of a layer come from: the store, the last pass that made them, or (in part each) both."""
    loads = tuple(s.number for s in before if isinstance(s, Load) and s.raw and layer in s.layers)
    passes = [s.number for s in before if isinstance(s, Infer) and layer in s.layers and s.start != layer]
    return (*loads, *passes[-1:])


def _made(step: Step) -> tuple[str, ...]:
    if isinstance(step, Save) and step.raw:
        return ()
    if isinstance(step, Infer | Save | Load):
        return step.layers
    return (step.layer,) if isinstance(step, Pool) else ()


def _operator(step: Step, plan: Plan) -> str:
    sizes = plan.sizes
    match step:
        case ScanStructured():
            return f"Scan(T_str) {format_bytes(sizes.t_str)}"
        case ScanImages():
            return f"Scan(T_img) {format_bytes(sizes.t_img)}"
        case Join():
            return f"Join[{plan.physical.join.upper()}]"
        case Load():
            place = "memory" if step.memory and step.raw else "the store and memory" if step.memory else "the store"
            return f"Load {'raw ' if step.raw else ''}{layer_span(step.layers)} from {place}"
        case TrainBaselines():
            return "Train(M, tree) on T_str alone"
        case Infer():
            passed = f"PartialInference({step.start or 'image'} -> {layer_span(step.layers)})"
            return f"{passed} + Pool[{plan.pool}]{_aside(step)}" if step.pooled else passed
        case Pool():
            return f"Pool[{plan.pool}] {step.layer}"
        case Save():
            return f"Save {'raw ' if step.raw else ''}{layer_span(step.layers)}{_aside(step)}"
        case Train():
            return f"Train(M) {step.layer}{_released(step, plan)}"
    return ""


def _aside(step: Infer | Save) -> str:
    """` and 2 more`: layers kept for later cells; a note names them."""
    return f", and {len(step.beside)} more" if step.beside else ""


def _released(step: Train, plan: Plan) -> str:
    """` release conv4_6`: raw tensors whose last reader was the step before this release."""
    after = plan.logical.steps[step.number :]
    names = []
    for other in after:
        if not isinstance(other, Release):
            break
        names.append(other.layer)
    return f", release {', '.join(names)}" if names else ""


def _store(plan: Plan) -> Iterator[str]:
    return (f"store: {sentence}" for sentence in plan.store)


def _sizes(plan: Plan) -> Iterator[str]:
    sizes = plan.sizes
    tables = "  ".join(f"{layer} {format_bytes(size)}" for layer, size in sizes.t_i)
    yield f"|T_i|: {tables}"
    yield f"s_single {format_bytes(sizes.s_single)}   s_double {format_bytes(sizes.s_double)}"


def _physical(plan: Plan) -> Iterator[str]:
    p = plan.physical
    nodes = f" on {p.nodes} of {plan.nodes} nodes" if plan.nodes > 1 else ""
    threads = f"{p.threads_per_task} thread{'s' if p.threads_per_task > 1 else ''}"
    rest = f"num_partitions {p.num_partitions}   batch {p.batch_size}   join {p.join}   {p.persistence}"
    yield f"cpu {p.cpu} x {threads}{nodes}   {rest}   training {p.training}"
    yield from prediction_lines(plan)


def prediction_lines(plan: Plan) -> tuple[str, ...]:
    """Predicted seconds with their spread, then FLOPs and bytes; nothing where no time is predicted."""
    chosen = plan.chosen
    if chosen is None or chosen.seconds is None or chosen.first_result_seconds is None:
        return ()
    first = f"first accuracy after {format_seconds(chosen.first_result_seconds)}"
    total = f"predicted {format_seconds(chosen.seconds)}{_spread_words(chosen)}"
    return f"{total}, {first}{_wave_words(plan)}", _volume_words(chosen)


def _spread_words(chosen: Candidate) -> str:
    if chosen.seconds_low is None or chosen.seconds_high is None:
        return ""
    return f" ({format_seconds(chosen.seconds_low)} to {format_seconds(chosen.seconds_high)})"


def _volume_words(chosen: Candidate) -> str:
    """FLOPs, and bytes read, shuffled, materialized and spilled."""
    named = (
        ("read", chosen.bytes_read),
        ("shuffled", chosen.bytes_shuffled),
        ("materialized", chosen.bytes_materialized),
        ("spilled", chosen.bytes_spilled),
    )
    words = [f"{name} {format_bytes(size)}" for name, size in named if size is not None]
    return "   ".join([f"FLOPs {chosen.flops or 0:.3g}", *words])


def _wave_words(plan: Plan) -> str:
    if plan.logical.waves == 1 or plan.chosen is None:
        return ""
    shares = ", ".join(f"{high:.0%}" for _, high in wave_bounds(plan.logical.waves))
    return f"; waves of {shares} cost {format_seconds(plan.chosen.interim_seconds)} more"


def _memory(plan: Plan) -> Iterator[str]:
    yield f"worker {_regions(plan.memory)}"
    if plan.driver_node is not None:
        yield f"driver node {_regions(plan.driver_node)}"


def _regions(regions: MemoryRegions) -> str:
    parts = " | ".join(f"{name} {format_bytes(size)}" for name, size in regions.items() if size)
    return f"{format_bytes(regions.total)} = {parts}"


def _others(plan: Plan) -> Iterator[str]:
    sentences = why_sentences(plan)
    if sentences:
        yield f"other plans ({_count(max(plan.looked_at, len(plan.candidates)) - 1)} looked at):"
        yield from (f"  {sentence}" for sentence in sentences)


def _notes(plan: Plan) -> Iterator[str]:
    return (f"note: {note}" for note in plan.notes)


def _count(number: int) -> str:
    return f"{number:,}".replace(",", " ")
