"""estimators.json is what the installed libraries say: written again, it comes out the same."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_writing_the_file_again_changes_nothing() -> None:
    """After an upgrade of pyspark or scikit-learn: run benchmarks/write_estimators.py and read the diff."""
    spec = importlib.util.spec_from_file_location("write_estimators", ROOT / "benchmarks" / "write_estimators.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    kept = json.loads(script.TARGET.read_text(encoding="utf-8"))["estimators"]
    written = sorted(
        [*script.pyspark_estimators(), *script.sklearn_estimators()], key=lambda e: (e["library"], e["name"])
    )
    assert written == kept
