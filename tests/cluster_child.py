"""A driver of its own: runs plans or cells on the master it is told of, and writes down what came out.

`python cluster_child.py FOLDER` reads FOLDER/request.json, writes FOLDER/answer.json, and features as FOLDER/*.npz.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from cluster_support import kill_tree
from executor_support import EAGER, SMALL_LAYERS, SparkMaker, make_plan, small_workload

from vista_nb.errors import VistaError
from vista_nb.executor.walk import walk
from vista_nb.outcome.events import BatchDone, Event
from vista_nb.plan.candidate import Plan
from vista_nb.plan.logical import Inference, Materialization, PoolingPlace
from vista_nb.plan.physical import JoinOperator, Persistence, TrainingSite
from vista_nb.spec.model import Resources

KINDS = {"join": JoinOperator, "persistence": Persistence, "training": TrainingSite, "inference": Inference}


def main(folder: Path) -> None:
    request = json.loads((folder / "request.json").read_text())
    own = {"CACHE_DIR": request["cache"], "STORE_DIR": str(folder / "store"), "CALIBRATE": "never"}
    os.environ |= {f"VISTA_NB_{name}": value for name, value in own.items()}
    try:
        answer = {"plans": plans, "cells": cells}[request["what"]](request, folder)
    except VistaError as error:
        answer = {"code": error.code, "message": error.message, "hint": error.hint}
    (folder / "answer.json").write_text(json.dumps(answer))


def plans(request: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Forced plans one after another on one session; `kill`: the process that ends in the middle of the first."""
    from vista_nb.executor import spark_session

    data, cache = Path(request["data"]), Path(request["cache"])
    bound = small_workload(data, rows=request["rows"])
    resources = Resources(master=request["master"], nodes=2, cores=1, memory=3_000_000_000)
    work = replace(bound, spec=replace(bound.spec, resources=resources))
    session = spark_session.start(make_plan(work, nodes=2, cpu=1), work, cache=cache)
    maker = SparkMaker(session, cache, data)
    killed: list[int] = []

    def emit(event: Event) -> None:
        if request["kill"] and not killed and isinstance(event, BatchDone) and 0 < event.done < event.total:
            killed.append(event.done)
            kill_tree(request["kill"])

    outcomes = {}
    for name, case in request["plans"].items():
        plan, began = forced(work, case), time.monotonic()
        backend = maker(work, plan, store=str(folder / name))
        outcome = walk(plan, backend, emit, backend.cancelled)
        features = {layer: np.array(backend.features(layer).column("vector").to_pylist()) for layer in SMALL_LAYERS}
        np.savez(folder / f"{name}.npz", **features)
        outcomes[name] = {
            "scores": [(s.layer, s.value, s.rows_test) for s in outcome.scores],
            "inferred": outcome.inferred_images,
            "columns": backend._images.columns,
            "loaded": loaded(session),
            "seconds": time.monotonic() - began,
        }
    maker.close()
    executors = len(session.sparkContext._jsc.sc().statusTracker().getExecutorInfos()) - 1
    conf = dict(session.sparkContext.getConf().getAll())
    spark_session.stop(session)
    return {"outcomes": outcomes, "killed": killed, "executors": executors, "conf": conf}


def forced(work: Any, case: dict[str, Any]) -> Plan:
    kind = tuple(case.pop("kind", EAGER))
    decisions = {key: KINDS[key](value) if key in KINDS else value for key, value in case.items()}
    shape = (Materialization(kind[0]), PoolingPlace(kind[1]))
    return make_plan(work, shape, baseline=True, **{"nodes": 2, "cpu": 1} | decisions)


def loaded(session: Any) -> list[str]:
    """Where the workers' processes took vista_nb and their artifacts from; the package first."""

    def look(batches: Any) -> Any:
        import pyarrow as pa

        import vista_nb
        from vista_nb.executor.cnn.model_cache import loads

        for _ in batches:
            pass
        yield pa.RecordBatch.from_pydict({"place": [str(vista_nb.__file__), *loads()]})

    found = session.range(0, 8, 1, 4).mapInArrow(look, "place string").distinct().collect()
    return sorted(row["place"] for row in found)


def cells(request: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Whole cells through `vista_nb.run`. wait: seconds for executors to come."""
    import vista_nb
    from vista_nb.executor import cluster_settings

    cluster_settings.WAIT_SECONDS = request.get("wait", cluster_settings.WAIT_SECONDS)
    answers = []
    for spec in request["specs"]:
        result = vista_nb.run(spec)
        result.wait()
        if result.error is not None:
            raise result.error
        found = {row.layer: row.value for row in result.accuracy.itertuples()}
        answers.append({"scores": found, "sources": sorted(set(result.accuracy.source))})
    return {"cells": answers}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
