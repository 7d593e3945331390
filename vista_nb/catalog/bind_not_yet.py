"""What the grammar knows and this version cannot run: each with a code, its place, and what works today.

Reads the spec, returns problems of the kind "not supported yet"; explain plans past them, a run refuses. May touch:
nothing. This list shrinks with every release.
"""

from __future__ import annotations

import re

from vista_nb.catalog.found import place
from vista_nb.errors import Problem
from vista_nb.spec.model import Spec

__all__ = ["not_yet"]

_LOCAL = re.compile(r"local(\[(\d+|\*)(,\s*\d+)?\])?")


def not_yet(spec: Spec) -> tuple[Problem, ...]:
    """All of them at once."""
    return (*_nothing_to_run(spec), *_photos(spec), *_scoring(spec), *_resources(spec))


def _nothing_to_run(spec: Spec) -> tuple[Problem, ...]:
    """A what-if: `statistics.rows` in the place of data."""
    given = {"structured": spec.structured, "images": spec.images, "label": spec.label}
    absent = [key for key, value in given.items() if not value]
    if spec.statistics.rows is None or not absent:
        return ()
    message = f"there is nothing to run: `statistics.rows` plans without {', '.join(absent)}"
    hint = "explain it (`%%vista --explain`), or give what is missing"
    return (place(spec, "statistics.rows", "VST140", message, hint),)


def _photos(spec: Spec) -> tuple[Problem, ...]:
    found = []
    if len(spec.images) > 1 or spec.views != "concat":
        hint = "name one pattern; one photo per record is supported today"
        key = "images[1]" if len(spec.images) > 1 else "views"
        found.append(place(spec, key, "VST901", "several views of a record are not supported yet", hint))
    if spec.reduce is not None:
        found.append(
            place(spec, "reduce", "VST902", "`reduce` is not supported yet", "`pool: avg` gives shorter vectors")
        )
    return tuple(found)


def _scoring(spec: Spec) -> tuple[Problem, ...]:
    if spec.folds is None:
        return ()
    return (place(spec, "folds", "VST904", "scoring with folds is not supported yet", "supported today: `test: 0.2`"),)


def _resources(spec: Spec) -> tuple[Problem, ...]:
    resources, found = spec.resources, []
    hint = "a run uses this machine's cores and memory; explain plans clusters"
    if resources.nodes is not None and resources.nodes > 1:
        message = f"running on {resources.nodes} nodes is not supported yet"
        found.append(place(spec, "resources.nodes", "VST911", message, hint))
    if resources.master is not None and not _LOCAL.fullmatch(resources.master):
        message = f"running on `{resources.master}` is not supported yet"
        found.append(place(spec, "resources.master", "VST911", message, "supported today: `local[k]`"))
    return tuple(found)
