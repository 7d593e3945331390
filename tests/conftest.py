"""Fixtures that several folders of tests share: one real local Spark per session, the real data beside the repo."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow files first: of two processes neither ends with minutes of one while the other has nothing to do."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="module", autouse=True)
def engines_border(request: pytest.FixtureRequest) -> None:
    """Each file meets the engines as if it ran alone: which one ran before it in this process is chance (`-n 2`).

    The Spark of another file is a user's own to `vista_nb.run`, and warm. Files on the fixture `spark` share theirs.
    """
    tests = (item for item in request.session.items if item.getparent(pytest.Module) is request.node)
    if not any("spark" in getattr(item, "fixturenames", ()) for item in tests):
        stop_spark()


def stop_spark() -> None:
    """Whoever started it, and its JVM. Imports and starts nothing."""
    if "pyspark" not in sys.modules:
        return
    from pyspark.sql import SparkSession

    from vista_nb.executor.spark_session import stop
    from vista_nb.session import jvm

    jvm.stop()
    if SparkSession._instantiatedSession is not None:
        stop(SparkSession._instantiatedSession)


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A real local[2] Spark session: no UI, one gigabyte of heap, workers run this very Python."""
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    from pyspark.sql import SparkSession

    from vista_nb.executor.java import java_home
    from vista_nb.session import jvm

    if jvm.current() is not None:
        stop_spark()  # of a test that ran before: a session of vista_nb's own is not these tests' to keep

    # as a run does: the machine's Java, else the wheel's
    os.environ["JAVA_HOME"] = str(java_home(tmp_path_factory.mktemp("java")))

    session = (
        SparkSession.builder.master("local[2]")
        .appName("vista_nb tests")
        .config("spark.driver.memory", "1g")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.sql.execution.arrow.pyspark.enabled", "true")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    return session


@pytest.fixture(scope="session", autouse=True)
def nothing_left_running() -> Iterator[None]:
    """The last file's Spark ends with the process of the tests."""
    yield
    stop_spark()


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Artifacts are made once for all files and processes (`-n`). A test that counts their making has its own."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "artifact_cache"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real photos and weights; the test is skipped where it is absent."""
    default = Path(__file__).resolve().parents[1].parent / "shared"
    folder = Path(os.environ.get("VISTA_NB_SHARED", default))
    if not (folder / "data").is_dir():
        pytest.skip("the real data beside the repository is absent (VISTA_NB_SHARED)")
    return folder


@pytest.fixture(scope="session", autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Caches and store of the tests are their own: nothing of the user's is read or written."""
    own = {name: str(tmp_path_factory.mktemp(name.lower())) for name in ("VISTA_NB_CACHE_DIR", "VISTA_NB_STORE_DIR")}
    own["VISTA_NB_CALIBRATE"] = "never"  # plans that do not depend on the machine; a test of it sets its own
    before = {name: os.environ.get(name) for name in own}
    os.environ.update(own)
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    yield
    for name, value in before.items():
        if value is None:
            os.environ.pop(name)
        else:
            os.environ[name] = value


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """In CI the real data lies beside the repository: a test of it that was skipped has failed to do its work."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.skipped and item.get_closest_marker("shared") and os.environ.get("VISTA_NB_REQUIRE_SHARED"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped although VISTA_NB_REQUIRE_SHARED is set: {report.longrepr}"
