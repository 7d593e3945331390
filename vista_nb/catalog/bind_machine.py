"""What a spec asks of the machine that it does not have: a run refuses, a plan for another machine goes on.

Reads the spec and the machine's facts, returns problems with their places. May touch: nothing. DESIGN.md sections 3
and 8.
"""

from __future__ import annotations

from vista_nb.catalog.found import place
from vista_nb.catalog.statistics import SystemFacts
from vista_nb.errors import Problem
from vista_nb.spec.model import Precision, Spec
from vista_nb.units import format_bytes

__all__ = ["unfit"]


def unfit(spec: Spec, machine: SystemFacts, gpu_memory: int | None) -> tuple[Problem, ...]:
    """All of them. machine: as detected, not as the spec describes it. gpu_memory: of the GPU here, if there is one."""
    return (*_precision(spec, machine), *_memory(spec, machine), *_gpu(spec, gpu_memory))


def _precision(spec: Spec, machine: SystemFacts) -> tuple[Problem, ...]:
    if spec.precision is not Precision.BFLOAT16 or machine.bfloat16:
        return ()
    message = "`precision: bfloat16`: this machine's processor has no bfloat16 instructions, and would be slower"
    hint = "leave `precision` out; it needs avx512_bf16, amx_bf16 or ARM's bf16"
    return (place(spec, "precision", "VST411", message, hint),)


def _memory(spec: Spec, machine: SystemFacts) -> tuple[Problem, ...]:
    """More than there is would be admitted, and then ended by the system in the middle of the run."""
    resources = spec.resources
    here = (resources.nodes or 1) == 1 and (resources.master or "local").startswith("local")
    if not here or resources.memory is None or resources.memory <= machine.memory:
        return ()
    by = ", by its cgroup" if machine.source == "cgroup" else ""
    message = (
        f"`resources: memory`: {format_bytes(resources.memory)} are more than this machine has "
        f"({format_bytes(machine.memory)}{by})"
    )
    return (place(spec, "resources.memory", "VST413", message, "leave `memory` out, or ask for less"),)


def _gpu(spec: Spec, gpu_memory: int | None) -> tuple[Problem, ...]:
    wanted = spec.resources.gpu_memory
    if not wanted:
        return ()
    key = "resources.gpu_memory"
    if gpu_memory is None:
        message = "`resources: gpu_memory`: this machine has no GPU that can be used"
        return (place(spec, key, "VST412", message, "leave `gpu_memory` out; explain plans GPUs"),)
    if wanted > gpu_memory:
        message = f"`resources: gpu_memory`: {wanted} bytes are more than the GPU has ({gpu_memory})"
        return (place(spec, key, "VST412", message, "ask for less"),)
    if spec.precision is Precision.BFLOAT16:
        message = "`precision: bfloat16` runs on the processor, not on a GPU"
        return (place(spec, "precision", "VST412", message, "leave `gpu_memory` or `precision` out"),)
    return ()
