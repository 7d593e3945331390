"""What the grammar knows and this version cannot run: each with a code, its place, and what works today.

Reads the spec, returns problems of the kind "not supported yet"; explain plans past them, a run refuses. May touch:
nothing. This list shrinks with every release.
"""

from __future__ import annotations

from vista_nb.catalog.bind_cluster import is_cluster
from vista_nb.catalog.found import place
from vista_nb.catalog.workload import IMAGES
from vista_nb.errors import Problem
from vista_nb.spec.model import Spec

__all__ = ["not_yet"]


def not_yet(spec: Spec) -> tuple[Problem, ...]:
    """All of them at once."""
    return (*_nothing_to_run(spec), *_resources(spec))


def _nothing_to_run(spec: Spec) -> tuple[Problem, ...]:
    """A what-if: `statistics.rows` in the place of data."""
    given = {"structured": spec.structured, "images": spec.images, "label": spec.label}
    absent = [key for key, value in given.items() if not value]
    if spec.statistics.rows is None or not absent:
        return ()
    message = f"there is nothing to run: `statistics.rows` plans without {', '.join(absent)}"
    hint = "explain it (`%%vista --explain`), or give what is missing"
    return (place(spec, "statistics.rows", "VST140", message, hint),)


def _resources(spec: Spec) -> tuple[Problem, ...]:
    """Raw tensors on a cluster; several nodes of no cluster: plans to look at, nothing to run on."""
    resources, cut = spec.resources, spec.plan.materialize or spec.plan.start
    if is_cluster(resources) and cut is not None and cut != IMAGES:
        key = "plan.materialize" if spec.plan.materialize else "plan.start"
        message = "raw tensors in the store are not supported yet with a cluster, whose workers do not see it"
        return (place(spec, key, "VST912", message, "leave it out, or run the cell on this machine"),)
    if resources.master is not None or (resources.nodes or 1) == 1:
        return ()
    message = f"{resources.nodes} nodes need a cluster's master, and this cell names none"
    hint = "name it (resources: {master: spark://host:7077, ...}, yarn, k8s://...), or leave `nodes` out"
    return (place(spec, "resources.nodes", "VST911", message, hint),)
