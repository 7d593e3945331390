"""Writes vista_nb/catalog/roster.json: every CNN's layers, FLOPs, seconds, bytes, resident memory, with provenance.

    python benchmarks/measure_roster.py [--only NAME ...] [--no-timing] [--out FILE]
    python benchmarks/measure_roster.py --points BUILDER      where a CNN can be cut, to choose its layers

Each CNN is measured in throw-away subprocesses (TensorFlow's memory never goes back). `--only` keeps the other
entries of the file as they are; `--no-timing` estimates seconds from FLOPs instead (a first draft in a minute).
How each number is made stands in METHODS and is written into the file. Paper: Table 1(A), Table 2.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from itertools import accumulate
from pathlib import Path
from typing import Any

from roster_child import CHILD_PREFIX
from roster_entries import ENTRIES, Entry, Tap

from vista_nb.catalog.roster import CNNFacts, load_roster
from vista_nb.executor.cnn.artifact import artifact_bytes
from vista_nb.executor.cnn.measuring import measure_prefixes, measure_worker
from vista_nb.executor.cnn.prepare import prepare_artifact, resolve_model
from vista_nb.spec.model import Pooling

ROSTER = Path(__file__).parents[1] / "vista_nb" / "catalog" / "roster.json"
BUNDLED = Path(__file__).parents[1] / "vista_nb" / "demo" / "vistanet.keras"
ESTIMATED_FLOPS_PER_SECOND = 6e10
GPU_CONTEXT = 450_000_000
BATCH = 32
_TRAINED = "bundled, trained by benchmarks/train_vistanet.py"
METHODS = {
    "layers": "articulation points of the functional graph, checked; chosen in benchmarks/roster_entries.py",
    "flops": "from kernel and output shapes: multiply-adds of kernels, times two",
    "seconds": "process CPU time of the optimised frozen graph pruned to the layer, one thread, batch 16, per image: "
    "the least of the repetitions, made non-decreasing along the layers",
    "serialized": "bytes of the inference artifact of the whole CNN (optimised graph and its weights)",
    "resident": "peak resident memory of a fresh process that does what a Spark worker does, default layers, max 2x2, "
    "batch 32",
    "resident_per_image": "what each image of a batch adds: the line through batches of 8 and 32",
    "gpu": "not measured: float32 weights + the two largest adjacent outputs of batch 32 + 450 MB CUDA context",
    "start_seconds": "CPU time of a fresh process up to and with its first batch of 1 (imports, artifact, call), one "
    "thread: the least of two",
}


def main() -> None:
    arguments = _arguments()
    if arguments.points:
        _show_points(arguments.points)
        return
    old = json.loads(arguments.out.read_text()) if arguments.out.exists() else {"cnns": []}
    kept = {entry["name"]: entry for entry in old["cnns"]}
    entries = _entries()
    for entry in entries:
        if arguments.only and entry.name not in arguments.only:
            continue
        print(f"{entry.name} ...", flush=True)
        kept[entry.name] = _measured(entry, arguments.no_timing)
    roster = {
        "version": 1,
        "provenance": {"script": "benchmarks/measure_roster.py", "methods": METHODS, "machine": _machine()},
        "cnns": [kept[entry.name] for entry in entries if entry.name in kept],
    }
    arguments.out.write_text(json.dumps(roster, indent=1) + "\n", encoding="utf-8")
    for cnn in roster["cnns"]:
        _show(cnn)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--no-timing", action="store_true")
    parser.add_argument("--out", type=Path, default=ROSTER)
    parser.add_argument("--points", metavar="BUILDER", help="list a CNN's articulation points and write nothing")
    return parser.parse_args()


def _entries() -> list[Entry]:
    return [*ENTRIES, *([_vistanet()] if BUNDLED.exists() else [])]


def _vistanet() -> Entry:
    """The bundled CNN: all its named taps that are articulation points, the logits being its class layer."""
    facts = _child("bundled")
    names = [name for name in facts["points"] if re.fullmatch(r"(conv|fc)\d+|logits", name)]
    taps = tuple(Tap(name, name, is_class=name == "logits") for name in names)
    defaults = tuple(name for name in names if name != "logits")[-5:]
    return Entry(
        "vistanet",
        "bundled",
        "tf",
        taps,
        defaults,
        ("bundled",),
        "bundled",
        size=int(facts["input"][0]),
        provenance=_TRAINED,
    )


def _measured(entry: Entry, no_timing: bool) -> dict[str, Any]:
    facts = _child(entry.builder)
    missing = [tap.node for tap in entry.taps if tap.node not in facts["points"]]
    if missing:
        raise SystemExit(f"{entry.name}: not articulation points: {missing}")
    if facts["input"] != [entry.size, entry.size, 3]:
        raise SystemExit(f"{entry.name}: takes photos of {facts['input']}")
    drafted = _entry(entry, facts, _estimated(entry, facts))
    return drafted if no_timing else _entry(entry, facts, _timing(drafted))


def _estimated(entry: Entry, facts: dict[str, Any]) -> dict[str, Any]:
    """A first draft from FLOPs and parameters."""
    return {
        "seconds": [facts["points"][tap.node][1] / ESTIMATED_FLOPS_PER_SECOND for tap in entry.taps],
        "serialized": 4 * facts["parameters"],
        "start_seconds": 6.0,
        "resident": 700_000_000 + 8 * facts["parameters"],
        "resident_per_image": 0,
    }


def _timing(drafted: dict[str, Any]) -> dict[str, Any]:
    """Through the artifacts and the measuring processes of the package itself, in a cache that is thrown away."""
    with tempfile.TemporaryDirectory(prefix="vista_nb-roster-") as room:
        cache, cnn = Path(room), _as_facts(drafted, Path(room))
        source = resolve_model(cnn, "bundled" if cnn.builder == "bundled" else "random", 0, cache)
        names = [layer.name for layer in cnn.layers]
        whole = prepare_artifact(source, cnn, None, names, None, "float32", cache)
        prefixes = measure_prefixes(whole, names)
        serialized = artifact_bytes(whole)
        shutil.rmtree(whole)
        default = prepare_artifact(source, cnn, None, cnn.default_layers, Pooling.MAX_2X2, "float32", cache)
        worker = measure_worker(default, cnn)
    return {
        "seconds": list(accumulate((min(prefixes[name]) for name in names), max)),
        "serialized": serialized,
        "start_seconds": min(worker.start_seconds),
        "resident": worker.resident.at(BATCH),
        # 0 would say that it was not measured; AlexNet's peak is where its weights are read, whatever the batch
        "resident_per_image": max(1, worker.resident.per_image),
    }


def _as_facts(drafted: dict[str, Any], room: Path) -> CNNFacts:
    """The draft read as the package reads its roster."""
    file = room / "draft.json"
    file.write_text(json.dumps({"version": 1, "cnns": [drafted]}), encoding="utf-8")
    return load_roster(file).cnns[0]


def _entry(entry: Entry, facts: dict[str, Any], timing: dict[str, Any]) -> dict[str, Any]:
    layers = [
        _layer(tap, *facts["points"][tap.node], seconds)
        for tap, seconds in zip(entry.taps, timing["seconds"], strict=True)
    ]
    paper = entry.paper or (None, None)
    return {
        "name": entry.name,
        "builder": entry.builder,
        "input_height": entry.size,
        "input_width": entry.size,
        "preprocessing": entry.preprocessing,
        "layers": layers,
        "default_layers": list(entry.default_layers),
        "default_weights": entry.default_weights,
        "parameters": facts["parameters"],
        "serialized": timing["serialized"],
        "resident": timing["resident"],
        "resident_per_image": timing["resident_per_image"],
        "gpu": 4 * facts["parameters"] + BATCH * 4 * facts["widest"] + GPU_CONTEXT,
        "start_seconds": round(timing["start_seconds"], 2),
        "provenance": entry.provenance or entry.builder,
        "aliases": list(entry.aliases),
        "paper_serialized": paper[0],
        "paper_resident": paper[1],
    }


def _layer(tap: Tap, shape: list[int], flops: int, seconds: float) -> dict[str, Any]:
    return {
        "name": tap.name,
        "node": tap.node,
        "shape": shape,
        "flops": flops,
        "seconds": round(seconds, 6),
        "aliases": list(tap.aliases),
        "is_class": tap.is_class,
    }


def _child(builder: str) -> dict[str, Any]:
    """One fresh process of roster_child.py; its last marked line is the answer."""
    script = Path(__file__).with_name("roster_child.py")
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, str(script), json.dumps({"builder": builder})]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith(CHILD_PREFIX)]
    return dict(json.loads(lines[-1].removeprefix(CHILD_PREFIX)))


def _machine() -> dict[str, Any]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": cpu[0] if cpu else platform.processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("tensorflow", "keras", "numpy")},
    }


def _show(cnn: dict[str, Any]) -> None:
    top = cnn["layers"][-1]
    print(
        f"{cnn['name']:14} {len(cnn['layers']):3} layers  {cnn['parameters']:>11,} parameters  "
        f"{top['flops'] / 1e9:6.2f} GFLOP  {top['seconds'] * 1000:7.1f} ms  resident {cnn['resident'] / 1e6:6.0f} MB "
        f"(+ {cnn.get('resident_per_image', 0) / 1e6:4.1f} MB per image)  "
        f"serialized {cnn['serialized'] / 1e6:5.0f} MB  start {cnn['start_seconds']:.1f} s"
    )


def _show_points(builder: str) -> None:
    """Low to high: what a layer of an Entry may be."""
    facts = _child(builder)
    for name, (shape, flops) in facts["points"].items():
        print(f"{name:50} {'x'.join(map(str, shape)):>14}  {flops / 1e9:7.3f} GFLOP")
    print(f"input {'x'.join(map(str, facts['input']))}, {facts['parameters']:,} parameters")


if __name__ == "__main__":
    main()
