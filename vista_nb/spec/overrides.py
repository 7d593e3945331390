"""`--set a.b=v`: changes single settings of a spec, through the same readers as the cell.

Reads a source (or its Parsed) and (path, text) pairs, returns a new Parsed. May touch: nothing. DESIGN.md section 4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from vista_nb.errors import Problem
from vista_nb.spec.keys import Key, find_key, find_part
from vista_nb.spec.located import Located
from vista_nb.spec.parse import Parsed, check, parse, unknown_key
from vista_nb.spec.splitter import Entry

__all__ = ["apply_overrides"]


def apply_overrides(
    source: str | Mapping[str, object] | Parsed,
    overrides: Sequence[tuple[str, str]],
    variables: Mapping[str, object] | None = None,
) -> Parsed:
    """The spec with each path set: ("plan.cpu", "2"), ("layers", "top 3"), ("model.regParam", "0.1").

    Unknown paths are problems. Later pairs win over earlier ones. Places in the text stay as they were; what is set
    here has none.
    """
    parsed = source if isinstance(source, Parsed) else parse(source, variables)
    entries = {entry.name: entry for entry in reversed(parsed.entries)}
    repeated = [entry for entry in parsed.entries if entry is not entries[entry.name]]
    ordered = {entry.name: entry for entry in parsed.entries if entry is entries[entry.name]}
    problems: list[Problem] = []
    for path, value in overrides:
        problem = _override(ordered, path, value)
        if problem is not None:
            problems.append(problem)
    result = check((*ordered.values(), *repeated), parsed.text_problems, parsed.spec.text)
    return replace(result, problems=(*result.problems, *problems))


def _override(entries: dict[str, Entry], path: str, value: str) -> Problem | None:
    name, _, part = path.strip().partition(".")
    key = find_key(name)
    if key is None:
        problem, owner = unknown_key(Located.of(name)), find_part(name)
        hint = f"write --set {owner}={value}" if owner else problem.hint
        return replace(problem, message=f"--set {path}: {problem.message}", hint=hint)
    if part and key.kind != "yaml" and key.name != "model":
        return Problem("VST109", f"--set {path}: `{name}` has no parts", f"write --set {name}={value}", 0, 0)
    text = Located.of(value.strip())
    if not part:
        entries[name] = Entry(Located.of(name), text)
        return None
    entry = entries.get(name) or Entry(Located.of(name), Located.of(_start(key)))
    entries[name] = replace(entry, parts=(*entry.parts, (part, text)))
    return None


def _start(key: Key) -> str:
    """What a part is set on where the cell does not give the key."""
    return "LogisticRegression()" if key.name == "model" else "{}"
