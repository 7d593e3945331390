"""`%vista export RUN --py`: a run as a readable script on the public API.

Reads a run's spec as it ran (flags, `--set` and `{{x}}` in place), its table and, for `$variables`, the notebook's
names; returns a Script, which writes itself and the data it needs. May touch: the file named and the folder beside it.
DESIGN.md section 4; docs/adr/0029. A script that cannot run as it stands says so in its first lines.
"""

from __future__ import annotations

import inspect
import shutil
import textwrap
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vista_nb.errors import VistaUsageError
from vista_nb.spec.model import DataSource, ImageSource, Spec
from vista_nb.spec.write import spec_text

if TYPE_CHECKING:
    import pyarrow as pa

    from vista_nb.catalog.workload import Workload
    from vista_nb.result import VistaResult

__all__ = ["Script", "script_of"]

_OPTIONS = ("reuse", "speculate", "max_memory", "max_seconds")


@dataclass(frozen=True)
class Script:
    """text: the script. table: T_str where the notebook held it; files: other files it needs, by name.

    missing: variables that have no text and must be defined by hand.
    """

    text: str
    folder: str = ""
    table: tuple[str, pa.Table] | None = None
    files: tuple[tuple[str, Path], ...] = ()
    missing: tuple[str, ...] = ()

    def write(self, file: Path) -> tuple[Path, ...]:
        """Every file written, the script first. Raises VistaUsageError VST027 where the script is there already."""
        if file.exists():
            raise VistaUsageError("VST027", f"{file} is there already", "name another file, or remove it")
        folder = file.parent / self.folder
        file.parent.mkdir(parents=True, exist_ok=True)
        written = []
        if self.table is not None:
            from pyarrow import parquet

            folder.mkdir(exist_ok=True)
            written.append(folder / self.table[0])
            parquet.write_table(self.table[1], written[-1])
        for name, source in self.files:
            folder.mkdir(exist_ok=True)
            written.append(folder / name)
            shutil.copyfile(source, written[-1])
        file.write_text(self.text, encoding="utf-8")
        return (file, *written)


@dataclass(frozen=True)
class _Code:
    """The notebook's variables in the script: lines that make them, name -> expression, those that have no text."""

    lines: tuple[str, ...] = ()
    names: tuple[tuple[str, str], ...] = ()
    missing: tuple[str, ...] = ()

    def __add__(self, more: _Code) -> _Code:
        return _Code(self.lines + more.lines, self.names + more.names, self.missing + more.missing)


def script_of(result: VistaResult, namespace: Mapping[str, object], name: str = "vista_run") -> Script:
    """The script of a run of this kernel. name: of the script, without its suffix; data goes into `NAME_data`."""
    handle = result._handle
    workload = handle.workload
    spec, folder = workload.spec, f"{name}_data"
    table: tuple[str, pa.Table] | None = None
    files: list[tuple[str, Path]] = []
    code = _model(spec, namespace)
    prepared = getattr(handle, "prepared", None)  # a loaded result has none
    if spec.structured is not None and _is_variable(spec.structured, namespace):
        if prepared is None:
            code += _missing(spec.structured.name, "table")
        else:
            table = (f"{spec.structured.name}.parquet", prepared.structured)
            spec = replace(spec, structured=DataSource(f"{folder}/{table[0]}", "path"))
    if (spec.cnn or "").startswith("$"):
        file = f"{(spec.cnn or '')[1:]}.keras"
        files.append((file, Path(workload.cnn.builder.removeprefix("file:"))))
        spec = replace(spec, cnn=f"{folder}/{file}")
    spec = replace(spec, images=tuple(_image(source, namespace) for source in spec.images))
    text = _text(_title(result, workload), spec, code, _options(getattr(handle, "options", None)))
    return Script(text, folder, table, tuple(files), code.missing)


def _options(options: object) -> dict[str, Any]:
    """What the caller chose outside the spec, where it is not the default."""
    given = {name: getattr(options, name, None) for name in _OPTIONS}
    return {name: value for name, value in given.items() if value is not None and (name, value) != ("reuse", "auto")}


def _is_variable(source: DataSource, namespace: Mapping[str, object]) -> bool:
    """Whether T_str was the notebook's: then it goes beside the script."""
    return source.kind == "variable" or (source.kind == "either" and source.name in namespace)


def _image(source: ImageSource, namespace: Mapping[str, object]) -> ImageSource:
    value = namespace.get(source.text.removeprefix("$")) if source.kind == "variable" else None
    return ImageSource(str(value), "pattern" if "{" in str(value) else "glob") if value is not None else source


def _model(spec: Spec, namespace: Mapping[str, object]) -> _Code:
    """An estimator of scikit-learn becomes its constructor, a function of the notebook its source."""
    if spec.model is None or spec.model.library != "variable":
        return _Code()
    name = spec.model.name
    value = namespace.get(name)
    if inspect.isfunction(value) and value.__name__.isidentifier():  # a lambda's source is the line it stands in
        with suppress(OSError, TypeError):  # typed at a prompt: no source is kept
            return _Code((textwrap.dedent(inspect.getsource(value)).rstrip(),), ((name, value.__name__),))
    elif hasattr(value, "get_params") and type(value).__module__.startswith("sklearn."):
        lines = _sklearn(value)
        if lines is not None:
            return _Code(lines, ((name, "MODEL"),))
    return _missing(name, type(value).__name__)


def _missing(name: str, what: str) -> _Code:
    return _Code((f"{name} = ...  # the notebook's own {what}: define it here",), ((name, name),), (name,))


def _sklearn(value: Any) -> tuple[str, ...] | None:
    """The estimator by its imports and parameters; None where a parameter has no text."""
    modules: set[str] = set()
    text = _python(value, modules)
    return None if text is None else (*(f"import {module}" for module in sorted(modules)), f"MODEL = {text}")


def _python(value: Any, modules: set[str]) -> str | None:
    """A parameter as Python: literals, lists, estimators inside estimators; other objects have no text."""
    if hasattr(value, "get_params") and type(value).__module__.startswith("sklearn."):
        return _constructor(value, modules)
    if isinstance(value, list | tuple):
        items = [_python(item, modules) for item in value]
        if any(item is None for item in items):
            return None
        inside = ", ".join(item for item in items if item is not None)
        return f"[{inside}]" if isinstance(value, list) else f"({inside}{',' if len(items) == 1 else ''})"
    if isinstance(value, float) and not isfinite(value):
        return f"float({str(value)!r})"
    return repr(value) if value is None or type(value) in (bool, int, float, str) else None


def _constructor(estimator: Any, modules: set[str]) -> str | None:
    kind = type(estimator)
    module = kind.__module__.partition("._")[0]  # `sklearn.svm._classes` is private
    modules.add(module)
    known = inspect.signature(kind).parameters
    given = estimator.get_params(deep=False).items()
    changed = {name: value for name, value in given if name not in known or repr(known[name].default) != repr(value)}
    texts = {name: _python(value, modules) for name, value in changed.items()}
    if None in texts.values():
        return None
    return f"{module}.{kind.__name__}({', '.join(f'{name}={text}' for name, text in texts.items())})"


def _text(title: str, spec: Spec, code: _Code, options: Mapping[str, Any]) -> str:
    names = ", ".join(f'"{name}": {expression}' for name, expression in code.names)
    arguments = ["SPEC", *([f"namespace={{{names}}}"] if names else [])]
    arguments += [f"{name}={value!r}" for name, value in options.items()] + ['ui="text"']
    own = [line for line in code.lines if line.startswith("import ")]
    body = [line for line in code.lines if not line.startswith("import ")]
    wanted = ", ".join(code.missing)
    warning = [f"NOT COMPLETE: define {wanted} first, as the notebook did.", ""] if wanted else []
    parts = [
        '"""' + title.replace("\\", "\\\\").replace('"', "'"),
        "",
        *warning,
        "Written by `%vista export`. It needs vista-nb; paths are relative to where it is started.",
        '"""',
        "",
        *sorted([*own, "import vista_nb"]),
        *(["", *body] if any(body) else []),
        "",
        'SPEC = """\\',
        spec_text(spec).replace("\\", "\\\\").replace('"""', '\\"\\"\\"') + '"""',
        "",
        f"result = vista_nb.run({', '.join(arguments)})",
        "print(result.accuracy.to_string(index=False))",
        "print(result.report())",
        "",
        "# new rows go the same way: decode, CNN prefix, pooling, structured preparation, model",
        '# predictions = result.predict("new_rows.csv", "new_photos/{' + spec.on + '}.jpg")',
        "# and into another process:",
        '# result.save("saved_result")   # there: vista_nb.load("saved_result").predict(...)',
    ]
    return "\n".join(parts) + "\n"


def _title(result: VistaResult, workload: Workload) -> str:
    best = result.best
    found = f": best {best.layer}, {best.metric} {best.value:.3f}" if best else ""
    layers = ", ".join(workload.layer_names)
    return f"Which layer of {workload.cnn.name} ({layers}) helps to predict {workload.label!r}{found}."
