"""Binds `on`, `images` and `features` to the table's columns, and says how each feature is encoded.

Reads the spec and a plain list of columns, returns the features. May touch: nothing. DESIGN.md section 3: strings and
categories one-hot (infrequent: under 10 rows, merged), numbers one value; the default leaves out key, label, path-like
and near-unique string columns, and says so. A date is three values, with a time five (ADR 27).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from vista_nb.catalog.found import Found, place
from vista_nb.catalog.statistics import ColumnFacts
from vista_nb.catalog.workload import FeatureUse
from vista_nb.errors import Problem
from vista_nb.spec.model import FeatureColumn, Spec
from vista_nb.spec.suggest import did_you_mean

__all__ = ["Columns", "bind_features", "bind_images", "bind_key", "feature_width"]

Columns = Mapping[str, ColumnFacts]
Uses = tuple[FeatureUse, ...]
_NUMBERS = ("integer", "number", "boolean")
_CALENDAR = {"date": 3, "datetime": 5}
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def bind_key(spec: Spec, columns: Columns) -> Found[str]:
    """The key column is there."""
    if spec.on in columns:
        return Found(spec.on)
    where = f" (`on` was not given, so `{spec.on}` is the key)" if not spec.position("on").line else ""
    return Found(spec.on, (_unknown(spec, "on", spec.on, tuple(columns), where),))


def bind_images(spec: Spec, columns: Columns) -> Found[tuple[str, ...]]:
    """The columns that hold photos; placeholders of patterns and such columns must be there."""
    used: list[str] = []
    problems: list[Problem] = []
    for i, source in enumerate(spec.images):
        if source.kind == "pattern":
            for name in _PLACEHOLDER.findall(source.text):
                if name not in columns:
                    problems.append(_unknown(spec, f"images[{i}]", name, tuple(columns), word=f"{{{name}}}"))
        elif source.kind == "folder_or_column" and source.text in columns:
            used.append(source.text)
            if columns[source.text].kind not in ("string", "other"):
                message = f"column `{source.text}` holds {columns[source.text].kind} values, no paths or bytes"
                problems.append(place(spec, f"images[{i}]", "VST129", message))
    return Found(tuple(dict.fromkeys(used)), tuple(problems))


def bind_features(spec: Spec, columns: Columns, photo_columns: Sequence[str]) -> Found[Uses]:
    """The encoded features: those named, or by default all other columns that can be used."""
    if spec.features is None:
        return _default_features(spec, columns, photo_columns)
    problems: list[Problem] = []
    seen: set[str] = set()
    for i, feature in enumerate(spec.features):
        problem = _wrong_feature(spec, i, feature, columns, seen)
        if problem is not None:
            problems.append(problem)
        seen.add(feature.name)
    named = [(f, columns[f.name]) for f in spec.features if f.name in columns]
    uses = tuple(_use(facts, feature.category) for feature, facts in named if facts.kind != "other")
    return Found(uses, tuple(problems))


def _wrong_feature(spec: Spec, i: int, feature: FeatureColumn, columns: Columns, seen: set[str]) -> Problem | None:
    key, name = f"features[{i}]", feature.name
    facts = columns.get(name)
    if facts is None:
        return _unknown_feature(spec, key, name, columns)
    if name in seen:
        return place(spec, key, "VST129", f"feature `{name}` is listed twice", "remove it")
    if name in (spec.label, spec.on):
        role = "label" if name == spec.label else "key"
        return place(spec, key, "VST129", f"`{name}` is the {role}, it cannot be a feature", "remove it")
    if facts.rows and facts.nulls >= facts.rows:
        return place(spec, key, "VST129", f"column `{name}` is empty", "remove it")
    if facts.kind == "other":
        hint = "make numbers or texts of them in a cell above"
        return place(spec, key, "VST129", f"column `{name}` holds values that cannot be encoded", hint)
    return None


def _unknown_feature(spec: Spec, key: str, name: str, columns: Columns) -> Problem:
    before, _, after = name.rpartition(":")
    if before.strip() in columns:
        message = f"`{before.strip()}` can be taken as a category, not as `{after.strip()}`"
        return place(spec, key, "VST122", message, f"write `{before.strip()}:category`")
    parts = [part.strip() for part in name.split(",")]
    if len(parts) > 1 and any(part.partition(":")[0] in columns for part in parts):
        return place(spec, key, "VST122", f"no column `{name}`", f"write `features: [{', '.join(parts)}]`")
    return _unknown(spec, key, name, tuple(columns))


def _default_features(spec: Spec, columns: Columns, photo_columns: Sequence[str]) -> Found[Uses]:
    others = [facts for name, facts in columns.items() if name not in (spec.on, spec.label)]
    reasons = {facts.name: reason for facts in others if (reason := _unfit(facts, photo_columns))}
    uses = tuple(_use(facts, False) for facts in others if facts.name not in reasons)
    notes = tuple(f"Column {name} is no feature: {reason}." for name, reason in reasons.items())
    if not uses:
        notes += ("No structured feature is left: the photo alone.",)
    return Found(uses, notes=notes)


def _unfit(facts: ColumnFacts, photo_columns: Sequence[str]) -> str:
    """Why the default leaves this column out; empty where it is used."""
    if facts.rows and facts.nulls >= facts.rows:
        return "it is empty"
    if facts.kind == "other":
        return "its type cannot be encoded"
    if facts.path_like or facts.name in photo_columns:
        return "it holds paths"
    if facts.near_unique:
        return f"{facts.distinct} distinct texts in {facts.rows} rows, hardly one repeats"
    return ""


def _use(facts: ColumnFacts, category: bool) -> FeatureUse:
    if facts.kind in _NUMBERS and not category:
        return FeatureUse(facts.name, "number", 1)
    if facts.kind in _CALENDAR and not category:
        return FeatureUse(facts.name, facts.kind, _CALENDAR[facts.kind])
    return FeatureUse(facts.name, "category", feature_width(facts))


def feature_width(facts: ColumnFacts) -> int:
    """One place per value with at least 10 rows, one more for all the others together."""
    return max(facts.frequent + (1 if facts.distinct > facts.frequent else 0), 1)


def _unknown(spec: Spec, key: str, name: str, names: Sequence[str], more: str = "", word: str = "") -> Problem:
    hint = did_you_mean(name, names, "columns")
    return place(spec, key, "VST122", f"the table has no column `{name}`{more}", hint, word)
