"""What `python -m build` makes: a source archive, and of that a wheel that needs no repository beside it."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LARGEST = 10_000_000
QUICKSTART = "vista_nb/demo/01_quickstart.ipynb"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with both; the tools that build it are the test environment's, so no network is asked."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        check=True,
        capture_output=True,
        timeout=120,
    )
    return folder


@pytest.fixture(scope="module")
def wheel(made: Path) -> zipfile.ZipFile:
    (found,) = made.glob("*.whl")
    return zipfile.ZipFile(found)


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    (name,) = (n for n in wheel.namelist() if n.endswith(".dist-info/METADATA"))
    return Parser().parsestr(wheel.read(name).decode())


def project() -> dict[str, object]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return dict(tomllib.load(file)["project"])


def tracked() -> set[str]:
    """The package's files as the repository has them; without git, as they lie there."""
    done = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "vista_nb"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return {name for name in done.stdout.splitlines() if (ROOT / name).is_file()}
    files = (path for path in (ROOT / "vista_nb").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(ROOT).as_posix() for path in files}


def test_the_wheel_is_the_package_and_the_quickstart(wheel: zipfile.ZipFile) -> None:
    """Every module, roster, estimators, bundled CNN, py.typed; no test, no benchmark, nothing that lay about."""
    inside = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert inside == tracked() | {QUICKSTART}
    assert {"vista_nb/catalog/roster.json", "vista_nb/demo/vistanet.keras", "vista_nb/py.typed"} <= inside


def test_it_is_small_and_for_every_machine(made: Path, wheel: zipfile.ZipFile) -> None:
    """Pure Python, at most 10 MB."""
    name = Path(str(wheel.filename)).name
    assert name == f"vista_nb-{project()['version']}-py3-none-any.whl"
    assert all(path.stat().st_size <= LARGEST for path in made.iterdir())


def test_the_files_are_whole(wheel: zipfile.ZipFile) -> None:
    """The demo notebook is the repository's, the data files are not empty."""
    assert wheel.testzip() is None
    assert wheel.read(QUICKSTART) == (ROOT / "notebooks" / "01_quickstart.ipynb").read_bytes()
    for name in ("vista_nb/catalog/roster.json", "vista_nb/demo/vistanet.keras"):
        assert wheel.read(name) == (ROOT / name).read_bytes()


def test_its_metadata_says_what_pyproject_says(wheel: zipfile.ZipFile, metadata: Message) -> None:
    """Pythons, dependencies, extras, licence, and the command."""
    assert set(str(metadata["Requires-Python"]).split(",")) == {">=3.11", "<3.14"}
    assert metadata["License-Expression"] == "Apache-2.0"
    assert {"jvm", "lab"} <= set(metadata.get_all("Provides-Extra", []))
    plain = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert len(plain) == len(project()["dependencies"])  # type: ignore[arg-type]
    (scripts,) = (n for n in wheel.namelist() if n.endswith("entry_points.txt"))
    assert "vista-nb = vista_nb.cli:main" in wheel.read(scripts).decode()
    assert any(n.endswith("licenses/LICENSE") for n in wheel.namelist())


def test_the_source_archive_is_what_the_wheel_is_made_of(made: Path) -> None:
    """And nothing else of the repository: no photos, no benchmarks."""
    (archive,) = made.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        inside = {name.partition("/")[2] for name in file.getnames()}
    around = {"README.md", "LICENSE", "pyproject.toml", "constraints.txt", "notebooks/01_quickstart.ipynb"}
    assert inside - {"PKG-INFO", ".gitignore"} == tracked() | around


def test_the_demo_of_the_wheel_runs_without_the_repository(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    """Unpacked alone, it finds the notebook beside the bundled CNN, and its own roster."""
    wheel.extractall(tmp_path)
    code = (
        "from vista_nb.demo_run import quickstart_path; from vista_nb.catalog.roster import load_roster; "
        "import vista_nb; print(quickstart_path()); print(vista_nb.__file__); print(len(load_roster().cnns))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    notebook, package, cnns = done.stdout.splitlines()
    assert Path(notebook) == tmp_path / QUICKSTART
    assert Path(package).is_relative_to(tmp_path)
    assert int(cnns) > 5
