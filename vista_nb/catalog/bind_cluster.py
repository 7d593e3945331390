"""The cluster a spec names: a master that Spark knows, and the numbers without which no plan for it can be made.

Reads the spec, returns problems with their places. May touch: nothing. DESIGN.md sections 3 and 10. A worker node's
memory and cores cannot be detected from here: a standalone master's own page lies on a port that its URL does not
tell, YARN and Kubernetes grant what is asked for. So the spec says them, as it does for a what-if.
"""

from __future__ import annotations

from vista_nb.catalog.found import place
from vista_nb.catalog.masters import Master, MasterKind, read_master
from vista_nb.errors import Problem
from vista_nb.spec.model import Resources, Spec

__all__ = ["cluster_of", "cluster_problems", "is_cluster"]

_KEY = "resources.master"


def cluster_problems(spec: Spec) -> tuple[Problem, ...]:
    """VST135: no such master. VST136: a cluster without the size of its nodes. VST137: sizes that contradict it."""
    if spec.resources.master is None:
        return ()
    found = read_master(spec.resources.master)
    if isinstance(found, str):
        message = f"`{_KEY}` cannot be `{spec.resources.master}`: {found}"
        return (place(spec, _KEY, "VST135", message, "for example {master: spark://host:7077}"),)
    return _missing(spec, found) if not found.is_local else _many_nodes(spec, found)


def cluster_of(resources: Resources) -> Master | None:
    """The master of a bound spec; None where it names none."""
    found = read_master(resources.master) if resources.master else None
    return found if isinstance(found, Master) else None


def is_cluster(resources: Resources) -> bool:
    """Whether the spec names a master whose workers are processes, or machines, of their own."""
    found = cluster_of(resources)
    return found is not None and not found.is_local


def _missing(spec: Spec, master: Master) -> tuple[Problem, ...]:
    given = spec.resources
    known = {"nodes": given.nodes or master.nodes, "cores": given.cores or master.cores, "memory": given.memory}
    missing = [name for name, value in known.items() if value is None]
    if not missing:
        return _no_image(spec, master)
    message = f"a plan for `{master.url}` needs {' and '.join(missing)} of `resources`, per worker node"
    example = {"nodes": "nodes: 2", "cores": "cores: 4", "memory": "memory: 16GB"}
    return (place(spec, _KEY, "VST136", message, f"add {', '.join(example[name] for name in missing)}"),)


def _no_image(spec: Spec, master: Master) -> tuple[Problem, ...]:
    """Kubernetes makes its executors from a container image; only the user has one with TensorFlow in it."""
    image = "spark.kubernetes.container.image"
    if master.kind is not MasterKind.KUBERNETES or any(
        name.endswith("container.image") for name, _ in spec.resources.spark
    ):
        return ()
    message = f"Kubernetes makes executors from an image: `{image}` is missing"
    return (
        place(spec, _KEY, "VST136", message, f"add spark: {{{image}: ...}} with Python, TensorFlow, pyarrow, Pillow"),
    )


def _many_nodes(spec: Spec, master: Master) -> tuple[Problem, ...]:
    if (spec.resources.nodes or 1) == 1:
        return ()
    message = f"`{master.url}` is this machine alone, and `nodes` is {spec.resources.nodes}"
    return (place(spec, "resources.nodes", "VST137", message, "leave one of the two out"),)
