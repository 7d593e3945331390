"""The rules of DESIGN.md section 12 that a machine can hold: imports, purity, sizes, docstrings, names."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "vista_nb"
MODULES = sorted(PACKAGE.rglob("*.py"))
PURE = ("spec", "catalog", "plan", "optimizer", "outcome", "errors.py", "units.py")
ENGINES = ("pyspark", "tensorflow", "keras", "numpy", "pandas", "pyarrow", "IPython", "ipywidgets", "matplotlib")
ALLOWED_IN_SPEC = {"ruamel", "pydantic"}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imported(tree: ast.AST) -> set[str]:
    """First parts of every absolute import in a module, wherever it stands."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("path", [p for p in MODULES if p.relative_to(PACKAGE).parts[0] in PURE], ids=name_of)
def test_pure_rooms_import_only_the_standard_library(path: Path) -> None:
    """Planning starts no engine: these rooms run in a browser tab, a test, or a what-if of 500 nodes."""
    allowed = set(sys.stdlib_module_names) | {"vista_nb"}
    if path.relative_to(PACKAGE).parts[0] == "spec":
        allowed |= ALLOWED_IN_SPEC
    assert imported(ast.parse(path.read_text(encoding="utf-8"))) <= allowed


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_are_small_and_say_what_they_are(path: Path) -> None:
    """At most 400 lines, and a docstring that opens with the module's role."""
    text = path.read_text(encoding="utf-8")
    if not text.strip():
        assert path.name == "__init__.py"
        return
    assert len(text.splitlines()) <= 400
    assert ast.get_docstring(ast.parse(text)), "no module docstring"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_functions_are_small(path: Path) -> None:
    """At most 50 lines a function, docstring included."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    long = {f.name: f.end_lineno - f.lineno + 1 for f in functions if f.end_lineno and f.end_lineno - f.lineno >= 50}
    assert not long


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_public_names_are_sorted(path: Path) -> None:
    """`__all__` is in ruff's order: adding a public name is a visible act."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            names = ast.literal_eval(node.value)
            assert len(set(names)) == len(names)


def loaded_after(code: str) -> list[str]:
    """Which engines a fresh interpreter has loaded after `code`."""
    report = f"import json, sys; {code}; print(json.dumps([m for m in {ENGINES!r} if m in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True, timeout=60)
    return list(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_package_imports_no_engine() -> None:
    """`import vista_nb` and the optimizer are light."""
    assert loaded_after("import vista_nb, vista_nb.optimizer.optimize, vista_nb.spec, vista_nb.session") == []


def test_loading_the_extension_imports_no_engine() -> None:
    """`%load_ext vista_nb` in a shell brings IPython, and nothing heavier."""
    code = (
        "from IPython.core.interactiveshell import InteractiveShell; shell = InteractiveShell.instance(); "
        "before = set(sys.modules); shell.run_line_magic('load_ext', 'vista_nb'); "
        "[sys.modules.pop(m) for m in list(sys.modules) if m in before and m in ('matplotlib', 'numpy')]"
    )
    assert set(loaded_after(code)) <= {"IPython"}


def test_the_names_of_the_facade_are_frozen() -> None:
    """What `import vista_nb` offers."""
    import vista_nb

    assert vista_nb.__all__ == ["VistaResult", "__version__", "explain", "load", "load_ipython_extension", "run"]
    assert all(getattr(vista_nb, name) is not None for name in vista_nb.__all__)


def test_the_version_is_said_once() -> None:
    """pyproject and the package agree."""
    import vista_nb

    with (ROOT / "pyproject.toml").open("rb") as file:
        assert tomllib.load(file)["project"]["version"] == vista_nb.__version__


def test_every_dependency_is_pinned() -> None:
    """constraints.txt holds a version for each direct dependency, and no address."""
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pinned = {line.split("==")[0].lower() for line in text.splitlines() if "==" in line}
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    wanted = [*project["dependencies"], *(d for extra in project["optional-dependencies"].values() for d in extra)]
    names = {d.split(">")[0].split("<")[0].split("=")[0].strip().lower() for d in wanted}
    assert names <= pinned
    assert "://" not in text


def test_layers_hold() -> None:
    """import-linter's contracts in pyproject.toml."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
