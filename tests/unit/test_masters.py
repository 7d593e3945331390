"""Masters that Spark knows, what a cluster's plan needs, and the settings and words that come of it; no JVM."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from executor_support import catalogue, make_plan, workload

from vista_nb.catalog.bind_cluster import cluster_problems
from vista_nb.catalog.bind_not_yet import not_yet
from vista_nb.catalog.masters import Master, MasterKind, is_local_master, read_master
from vista_nb.catalog.statistics import SystemFacts
from vista_nb.executor.cluster_settings import driver_heap, worker_python
from vista_nb.executor.shipping import lacking, package_archive
from vista_nb.executor.spark_errors import translated
from vista_nb.executor.spark_session import settings
from vista_nb.executor.uris import escaped, is_remote, is_uri, local_path
from vista_nb.plan.memory import MemoryRegions, Sizes
from vista_nb.spec.model import Resources
from vista_nb.spec.parse import parse
from vista_nb.units import GB, MIB

CELL = "structured: t.csv\nimages: p/{id}.jpg\nlabel: y\ncnn: resnet50\nresources: "


@pytest.mark.parametrize(
    ("url", "kind", "nodes", "cores", "loopback"),
    [
        ("local", "local", 1, 1, True),
        ("local[*]", "local", 1, None, True),
        ("local[4, 2]", "local", 1, 4, True),
        ("local-cluster[2,1,1024]", "local-cluster", 2, 1, True),
        ("spark://127.0.0.1:7077", "standalone", None, None, True),
        ("spark://a.example:7077,b.example:7077", "standalone", None, None, False),
        ("spark://[::1]:7077", "standalone", None, None, True),
        ("yarn", "yarn", None, None, False),
        ("k8s://https://10.0.0.1:6443", "kubernetes", None, None, False),
    ],
)
def test_masters_that_spark_knows(url: str, kind: str, nodes: int | None, cores: int | None, loopback: bool) -> None:
    """What the URL itself says, and whether workers elsewhere must reach the driver."""
    found = read_master(url)
    assert isinstance(found, Master)
    assert (found.kind, found.nodes, found.cores, found.on_loopback) == (MasterKind(kind), nodes, cores, loopback)
    assert found.is_local == is_local_master(url) == SystemFacts(GB, 1, master=url).is_local == (kind == "local")


@pytest.mark.parametrize(
    "url",
    ["spark:/host:7077", "spark://host", "spark://host:0", "local[0]", "local[x]", "local-cluster[2]", "Yarn", "k8s://"],
)  # fmt: skip
def test_a_malformed_master_is_a_problem_of_the_spec(url: str) -> None:
    """With its place, and an example."""
    spec = parse(f'{CELL}{{master: "{url}", nodes: 2, cores: 1, memory: 2GB}}').spec
    (problem,) = cluster_problems(spec)
    assert (problem.code, problem.line) == ("VST135", 5)
    assert spec.text.splitlines()[4][problem.column - 1 :].lstrip('"').startswith(url)
    assert "spark://host:7077" in problem.hint


def test_a_cluster_needs_the_size_of_its_nodes() -> None:
    """What is missing is named, and nothing else; a local master needs nothing."""
    (problem,) = cluster_problems(parse(f"{CELL}{{master: yarn, cores: 4}}").spec)
    assert problem.code == "VST136"
    assert "needs nodes and memory of `resources`" in problem.message
    assert problem.hint == "add nodes: 2, memory: 16GB"
    (problem,) = cluster_problems(parse(f'{CELL}{{master: "local-cluster[2,1,1024]"}}').spec)
    assert problem.hint == "add memory: 16GB"
    assert not cluster_problems(parse(f'{CELL}{{master: "local[2]"}}').spec)
    (problem,) = cluster_problems(parse(f'{CELL}{{master: "local[2]", nodes: 3}}').spec)
    assert problem.code == "VST137"


def test_nodes_without_a_master_are_only_planned() -> None:
    """A what-if: explain goes on, a run refuses and names the fix."""
    (problem,) = not_yet(parse(f"{CELL}{{nodes: 2}}").spec)
    assert problem.code == "VST911"
    assert "master: spark://" in problem.hint
    assert not not_yet(parse(f"{CELL}{{nodes: 2, master: yarn, cores: 1, memory: 2GB}}").spec)


def test_raw_tensors_stay_on_one_machine() -> None:
    """A cluster's workers do not see the store."""
    spec = parse(f"{CELL}{{master: yarn, nodes: 2, cores: 1, memory: 2GB}}\nplan: {{materialize: conv4_6}}").spec
    assert [(p.code, p.line) for p in not_yet(spec)] == [("VST912", 6)]


def test_kubernetes_needs_an_image() -> None:
    """Its pods are made from one."""
    given = "{master: k8s://https://h:6443, nodes: 2, cores: 1, memory: 2GB%s}"
    (problem,) = cluster_problems(parse(CELL + given % "").spec)
    assert (problem.code, "spark.kubernetes.container.image" in problem.message) == ("VST136", True)
    assert not cluster_problems(parse(CELL + given % ", spark: {spark.kubernetes.container.image: mine}").spec)


def test_regions_become_a_cluster_s_settings(tmp_path: Path) -> None:
    """One executor per node with the plan's heap, overhead and cores; a task has the cores of its TensorFlow."""
    master = "spark://127.0.0.1:7077"
    work = workload(catalogue(tmp_path, rows=3), resources=Resources(16 * GB, 4, None, 3, master))
    plan = make_plan(work, cpu=2, threads_per_task=2, nodes=3)
    plan = replace(plan, memory=MemoryRegions(GB, 0, 5 * GB, 2 * GB, GB, 3 * GB))
    chosen = settings(plan, work)
    wanted = {
        "master": master,
        "executor.memory": f"{6 * GB // MIB}m",
        "executor.memoryOverhead": f"{5 * GB // MIB}m",
        "executor.cores": "4",
        "executor.instances": "3",
        "cores.max": "12",
        "task.cpus": "2",
        "driver.host": "127.0.0.1",
        "driver.bindAddress": "127.0.0.1",
    }
    assert {name: chosen[f"spark.{name}"] for name in wanted} == wanted
    assert "spark.executor.pyspark.memory" not in chosen


def test_other_machines_reach_the_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never 127.0.0.1 for workers elsewhere; an address that cannot be found out is left to Spark."""
    monkeypatch.delenv("SPARK_LOCAL_IP", raising=False)
    for master in ("spark://192.0.2.7:7077", "yarn"):
        work = workload(catalogue(tmp_path, rows=3), resources=Resources(16 * GB, 4, None, 2, master))
        chosen = settings(make_plan(work), work)
        assert not chosen.get("spark.driver.host", "").startswith("127.")
        assert chosen["spark.driver.bindAddress"] == "0.0.0.0"


def test_the_driver_has_room_for_packed_photos(tmp_path: Path) -> None:
    """Photos that travel lie in the driver's heap."""
    plan = make_plan(workload(catalogue(tmp_path, rows=3)))
    assert driver_heap(plan) == 512 * MIB
    assert driver_heap(replace(plan, sizes=Sizes(0, 500 * MIB, (), 0, 0))) >= 1500 * MIB


def test_the_workers_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """The spec's, else the environment's, else the kernel's path."""
    monkeypatch.setenv("PYSPARK_PYTHON", "/env/python")
    assert worker_python({"spark.pyspark.python": "/spec/python"}, "/kernel") == "/spec/python"
    assert worker_python({}, "/kernel") == "/env/python"
    monkeypatch.delenv("PYSPARK_PYTHON")
    assert worker_python({}, "/kernel") == "/kernel"


def test_the_package_travels_whole_and_is_named_by_its_content(tmp_path: Path) -> None:
    """What a worker imports is in it, no bytecode; made twice it is the same file."""
    one, two = package_archive(tmp_path), package_archive(tmp_path / "..")
    try:
        assert one.name == two.name
        assert one.read_bytes() == two.read_bytes()
        names = zipfile.ZipFile(one).namelist()
        assert {"vista_nb/__init__.py", "vista_nb/executor/cnn/worker.py", "vista_nb/catalog/roster.json"} <= set(names)
        assert not [name for name in names if "__pycache__" in name or name.endswith(".keras")]
    finally:
        two.unlink()


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("ModuleNotFoundError: No module named 'PIL'", "lacks the package Pillow", "install Pillow"),
        ("ModuleNotFoundError: No module named 'tensorflow.python'", "lacks the package tensorflow", "tensorflow"),
        ("PackageNotFoundError: No package metadata was found for tensorflow", "tensorflow", "install tensorflow"),
        ("[PACKAGE_NOT_INSTALLED] PyArrow >= 18.0.0 must be installed; however", "package pyarrow", "install pyarrow"),
        ('IOException: Cannot run program "/x/python": error=2', "no Python at /x/python", "spark.pyspark.python"),
        ("[PYTHON_VERSION_MISMATCH] Python in worker has other version: 3.9", "another", "spark.pyspark.python"),
    ],
)  # fmt: skip
def test_what_a_worker_lacks_is_named(text: str, said: str, hint: str) -> None:
    """VST405 with the package's name and what to do, also where the worker's end is in the same text."""
    error = translated(RuntimeError(f"Python worker exited unexpectedly\n{text}"), "CNN")
    assert error.code == "VST405"
    assert said in error.message
    assert hint in error.hint
    assert lacking("java.lang.OutOfMemoryError", "CNN") is None


def test_names_say_who_can_read_them() -> None:
    """Local paths, `file:` in its forms, other file systems; a drive and a column of `a:b` are no URI."""
    assert [local_path(t) for t in ("file:///a/b", "file:/a/b", "file://host/a/b", "/a/b")] == ["/a/b"] * 4
    assert [is_remote(t) for t in ("hdfs://nn/a", "s3a://b/c", "file:///a", "/a", "C:/a")] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert [is_uri(t) for t in ("file:/a", "p/{id}.jpg", "a:b")] == [True, False, False]
    assert escaped("hdfs://n/a[1]{x}*.jpg") == r"hdfs://n/a\[1\]\{x\}\*.jpg"
