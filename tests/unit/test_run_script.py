"""`./run` on machines that lack something: it installs it, or prints the line to type. No engine, no network."""

from __future__ import annotations

import os
import shutil
import subprocess
from importlib.metadata import distribution, distributions
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("sh", "env", "dirname", "sed", "grep", "cat", "head", "cksum", "pwd", "touch", "rm", "mkdir", "ln")

# a Python that is what the test says: its version fits or not, it has ensurepip or not; it makes environments of itself
PYTHON = """#!/bin/sh
case "$*" in
    *version_info*sys.exit*|*sys.exit*version_info*) [ -e "$FAKE/fits" ] ;;
    *"import ensurepip"*) [ -e "$FAKE/has_venv" ] ;;
    *"print("*) echo python3.12-venv ;;
    *"import pip"*) exit 1 ;;
    *"-m venv"*)
        for folder do :; done
        mkdir -p "$folder/bin" && ln -sf "$0" "$folder/bin/python" && touch "$folder/pyvenv.cfg"
        ln -sf "$FAKE/bin/jupyter" "$folder/bin/jupyter" ;;
    *"-m pip install"*) echo "pip: $*" ;;
esac
"""
APT = '#!/bin/sh\necho "apt: $*" >&2\ncase "$*" in *install*) touch "$FAKE/has_venv" "$FAKE/fits"; {more} ;; esac\n'


class Machine:
    """A PATH of its own: POSIX tools, and of the rest what a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bin = folder, folder / "bin"
        self.bin.mkdir()
        for tool in TOOLS:
            (self.bin / tool).symlink_to(Path(str(shutil.which(tool))).resolve())
        self.user(1000)

    def put(self, name: str, text: str) -> None:
        path = self.bin / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)

    def user(self, number: int) -> None:
        self.put("id", f"#!/bin/sh\necho {number}\n")

    def python(self, *, fits: bool = True, has_venv: bool = True) -> None:
        self.put("python3", PYTHON)
        for name, so in (("fits", fits), ("has_venv", has_venv)):
            if so:
                (self.folder / name).touch()

    def apt(self, more: str = "") -> None:
        self.put("apt-get", APT.format(more=more))

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """`./run demo` unless said otherwise; the environment it makes lies in the test's folder."""
        given = {"PATH": str(self.bin), "FAKE": str(self.folder), "VISTA_NB_VENV": str(self.folder / "venv")}
        return subprocess.run(
            [str(ROOT / "run"), *(arguments or ("demo",))],
            env=given | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_no_python_says_what_to_type(machine: Machine) -> None:
    """Not root: nothing is installed behind the user's back."""
    machine.apt()
    done = machine.run()
    assert done.returncode == 1
    assert "no Python 3.11, 3.12 or 3.13 found" in done.stderr
    assert "apt install python3 python3-venv" in done.stderr
    assert "apt:" not in done.stderr


def test_root_gets_a_python(machine: Machine) -> None:
    """A bare Debian: Python and its venv module come from apt, then the package is installed."""
    machine.user(0)
    machine.put("later", PYTHON)
    machine.apt(more=f'ln -sf later "{machine.bin}/python3"')
    done = machine.run()
    assert "apt: install -y -qq --no-install-recommends python3 python3-venv" in done.stderr
    assert "making" in done.stderr
    assert "pip: -m pip install" in done.stderr


def test_an_old_python_is_not_replaced(machine: Machine) -> None:
    """apt has no other python3 than the one that is there."""
    machine.user(0)
    machine.apt()
    machine.python(fits=False)
    done = machine.run()
    assert done.returncode == 1
    assert "apt:" not in done.stderr
    assert "no Python 3.11" in done.stderr


@pytest.mark.parametrize("user", [0, 1000])
def test_a_python_without_venv(machine: Machine, user: int) -> None:
    """Root installs Debian's package of that very version, others read its name."""
    machine.user(user)
    machine.apt()
    machine.python(has_venv=False)
    done = machine.run()
    if user == 0:
        assert "apt: install -y -qq --no-install-recommends python3.12-venv" in done.stderr
        assert "making" in done.stderr
    else:
        assert done.returncode == 1
        assert "sudo apt-get install python3.12-venv" in done.stderr


def test_a_python_that_was_named_and_does_not_fit(machine: Machine) -> None:
    """It is not passed over in silence for another one."""
    machine.python()
    machine.put("old", "#!/bin/sh\nexit 1\n")
    done = machine.run(VISTA_NB_PYTHON="old")
    assert done.returncode == 1
    assert "VISTA_NB_PYTHON=old is no Python 3.11, 3.12 or 3.13" in done.stderr


@pytest.mark.parametrize(("java", "extras"), [("17.0.15", "[lab]"), ("11.0.2", "[lab,jvm]"), (None, "[lab,jvm]")])
def test_java_is_a_wheel_where_there_is_none_that_fits(machine: Machine, java: str | None, extras: str) -> None:
    """Too old is as good as none."""
    machine.python()
    if java is not None:
        machine.put("java", f"#!/bin/sh\necho 'openjdk version \"{java}\"' >&2\n")
    done = machine.run()
    assert f"installing vista_nb{extras}" in done.stderr


@pytest.mark.parametrize(("user", "allowed"), [(0, True), (1000, False)])
def test_lab_starts_as_root_too(machine: Machine, user: int, allowed: bool) -> None:
    """The server refuses root unless told so; what the user adds is handed on."""
    machine.python()
    machine.put("jupyter", '#!/bin/sh\necho "jupyter: $*"\n')
    machine.user(user)
    done = machine.run("lab", "--no-browser")
    root = "--allow-root " if allowed else ""
    assert done.stdout == f"jupyter: lab notebooks/01_quickstart.ipynb {root}--no-browser\n"


def test_a_half_made_environment_is_mended(machine: Machine) -> None:
    """The first try ended between its Python and its pip; what the user put there stays."""
    machine.python()
    half = machine.folder / "venv"
    (half / "bin").mkdir(parents=True)
    (half / "bin" / "python").symlink_to(machine.bin / "python3")
    (half / "pyvenv.cfg").touch()
    (half / "mine.txt").touch()
    done = machine.run()
    assert "making" in done.stderr
    assert (half / "mine.txt").exists()


def test_unknown_words_show_the_help(machine: Machine) -> None:
    """Status 1, and the commands with what they do; `help` is no mistake."""
    done = machine.run("nonsense")
    assert (done.returncode, "./run demo" in done.stdout) == (1, True)
    assert machine.run("help").returncode == 0


def test_it_is_a_posix_script() -> None:
    """dash reads it as bash does."""
    assert (ROOT / "run").read_text(encoding="utf-8").startswith("#!/bin/sh\n")
    subprocess.run(["sh", "-n", str(ROOT / "run")], check=True)
    assert os.access(ROOT / "run", os.X_OK)


@pytest.mark.parametrize("python", ["3.11.2", "3.12.3", "3.13.5"])
def test_every_pin_fits_the_pythons_that_distributions_ship(python: str) -> None:
    """Debian 12, Ubuntu 24.04, Debian 13: a pin that wants a later patch of Python cannot be installed there at all."""
    unfit = []
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        name, _, version = line.partition("==")
        if not version or not any(distributions(name=name)):
            continue
        found = distribution(name)
        if found.version == version and python not in SpecifierSet(found.metadata["Requires-Python"] or ""):
            unfit.append(f"{line} wants {found.metadata['Requires-Python']}")
    assert not unfit
