"""Writes vista_nb/catalog/roster.json: every CNN's layers, FLOPs, seconds, bytes, resident memory, with provenance.

    python benchmarks/measure_roster.py [--only NAME ...] [--no-timing] [--out FILE]

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
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from roster_child import CHILD_PREFIX
from roster_entries import ALEXNET_CONVOLUTIONS, ALEXNET_DENSE, ALEXNET_PAPER, ENTRIES, Entry, Tap

ROSTER = Path(__file__).parents[1] / "vista_nb" / "catalog" / "roster.json"
BUNDLED = Path(__file__).parents[1] / "vista_nb" / "demo" / "vistanet.keras"
ESTIMATED_FLOPS_PER_SECOND = 6e10
GPU_CONTEXT = 450_000_000
METHODS = {
    "layers": "articulation points of the functional graph, checked; chosen in benchmarks/roster_entries.py",
    "flops": "from kernel and output shapes: multiply-adds of convolutions and dense layers, times two",
    "seconds": "process CPU time of the optimised frozen graph pruned to the layer, one thread, batch 16, per image: "
    "the least of the repetitions, made non-decreasing along the layers",
    "serialized": "bytes of the inference artifact of the whole CNN (optimised graph and its weights)",
    "resident": "peak resident memory of a fresh process after batch 32 to the default layers, max 2x2",
    "gpu": "not measured: float32 weights + the two largest adjacent outputs of batch 32 + 450 MB CUDA context",
    "start_seconds": "CPU time of a fresh process up to and with its first batch of 1 (imports, artifact, call), one "
    "thread: the least of two",
    "plan_only": "AlexNet: FLOPs and parameters from shapes, seconds from FLOPs at ResNet50's measured rate",
}


def main() -> None:
    arguments = _arguments()
    old = json.loads(arguments.out.read_text()) if arguments.out.exists() else {"cnns": []}
    kept = {entry["name"]: entry for entry in old["cnns"]}
    for entry in _entries():
        if arguments.only and entry.name not in arguments.only:
            continue
        print(f"{entry.name} ...", flush=True)
        kept[entry.name] = _measured(entry, arguments.no_timing)
    rate = _rate(kept.get("resnet50"))
    kept["alexnet"] = _alexnet(rate)
    order = ["resnet50", "vgg16", "alexnet", "mobilenet", "mobilenet_025", "mobilenetv2", "vistanet"]
    roster = {
        "version": 1,
        "provenance": {"script": "benchmarks/measure_roster.py", "methods": METHODS, "machine": _machine()},
        "cnns": [kept[name] for name in order if name in kept],
    }
    arguments.out.write_text(json.dumps(roster, indent=1) + "\n", encoding="utf-8")
    for cnn in roster["cnns"]:
        _show(cnn)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--no-timing", action="store_true")
    parser.add_argument("--out", type=Path, default=ROSTER)
    return parser.parse_args()


def _entries() -> list[Entry]:
    return [*ENTRIES, *([_vistanet()] if BUNDLED.exists() else [])]


def _vistanet() -> Entry:
    """The bundled CNN: all its named taps that are articulation points, the logits being its class layer."""
    facts = _child("points", "bundled")
    names = [name for name in facts["points"] if re.fullmatch(r"(conv|fc)\d+|logits", name)]
    taps = tuple(Tap(name, name, is_class=name == "logits") for name in names)
    defaults = tuple(name for name in names if name != "logits")[-5:]
    return Entry("vistanet", "bundled", "tf", taps, defaults, ("bundled",), "bundled", size=int(facts["input"][0]))


def _measured(entry: Entry, no_timing: bool) -> dict[str, Any]:
    request: dict[str, Any] = {"nodes": [tap.node for tap in entry.taps]}
    facts = _child("facts", entry.builder, **request)
    missing = [tap.node for tap in entry.taps if tap.node not in facts["points"]]
    if missing:
        raise SystemExit(f"{entry.name}: not articulation points: {missing}")
    if no_timing:
        timing = {"seconds": [f / ESTIMATED_FLOPS_PER_SECOND for f in facts["flops"]]}
        timing |= {"serialized": 4 * facts["parameters"], "start_seconds": 6.0}
        timing["resident"] = 700_000_000 + 8 * facts["parameters"]
    else:
        defaults = [next(t.node for t in entry.taps if t.name == name) for name in entry.default_layers]
        timing = _child("timing", entry.builder, **request, defaults=defaults)
    return _entry(entry, facts, timing)


def _entry(entry: Entry, facts: dict[str, Any], timing: dict[str, Any]) -> dict[str, Any]:
    layers = [
        _layer(tap, shape, flops, seconds)
        for tap, shape, flops, seconds in zip(
            entry.taps, facts["shapes"], facts["flops"], timing["seconds"], strict=True
        )
    ]
    widest = max(facts["activations"])
    paper = entry.paper or (None, None)
    bundled = entry.builder == "bundled"
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
        "gpu": 4 * facts["parameters"] + 32 * 4 * widest + GPU_CONTEXT,
        "start_seconds": round(timing["start_seconds"], 2),
        "plan_only": False,
        "provenance": "bundled, trained by benchmarks/train_vistanet.py" if bundled else entry.builder,
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


def _alexnet(rate: float) -> dict[str, Any]:
    """Plan-only: Keras has no AlexNet; everything follows from the shapes (grouped convolutions as published)."""
    flops, parameters, done = 0, 0, {}
    for name, kernel, channels, filters, side in ALEXNET_CONVOLUTIONS:
        flops += 2 * kernel * kernel * channels * filters * side * side
        parameters += kernel * kernel * channels * filters + filters
        done[name] = ([side, side, filters], flops)
    for name, before, after in ALEXNET_DENSE:
        flops += 2 * before * after
        parameters += before * after + after
        done[name] = ([after], flops)
    layers = [_layer(Tap(n, n, is_class=n == "fc8"), shape, f, f / rate) for n, (shape, f) in done.items()]
    return {
        "name": "alexnet",
        "builder": "",
        "input_height": 227,
        "input_width": 227,
        "preprocessing": "caffe",
        "layers": layers,
        "default_layers": ["conv5", "fc6", "fc7", "fc8"],
        "default_weights": "random",
        "parameters": parameters,
        "serialized": 4 * parameters,
        "resident": 700_000_000 + 8 * parameters,
        "gpu": 4 * parameters + 32 * 4 * 55 * 55 * 96 * 2 + GPU_CONTEXT,
        "start_seconds": 6.0,
        "plan_only": True,
        "provenance": "shapes of Krizhevsky et al. 2012 (one-tower Caffe form); nothing measured",
        "aliases": [],
        "paper_serialized": ALEXNET_PAPER[0],
        "paper_resident": ALEXNET_PAPER[1],
    }


def _rate(resnet: dict[str, Any] | None) -> float:
    if resnet is None:
        return ESTIMATED_FLOPS_PER_SECOND
    top = resnet["layers"][-1]
    return float(top["flops"] / top["seconds"])


def _child(what: str, builder: str, **request: Any) -> dict[str, Any]:
    """One fresh process of roster_child.py; its last marked line is the answer."""
    script = Path(__file__).with_name("roster_child.py")
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, str(script), json.dumps({"what": what, "builder": builder, **request})]
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
        f"{top['flops'] / 1e9:6.2f} GFLOP  {top['seconds'] * 1000:7.1f} ms  resident {cnn['resident'] / 1e6:6.0f} MB  "
        f"serialized {cnn['serialized'] / 1e6:5.0f} MB  start {cnn['start_seconds']:.1f} s"
    )


if __name__ == "__main__":
    main()
