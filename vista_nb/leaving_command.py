"""`%vista export` and `%vista predict`: a run as a script, and its predictions for new rows.

Reads the words after the subcommand and the notebook's names, returns what to show. May touch: the file named, and what
`.predict` touches. DESIGN.md section 4; docs/leaving.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vista_nb.command_words import names_and_flags
from vista_nb.errors import VistaUsageError
from vista_nb.magic_flags import SUBCOMMANDS
from vista_nb.views.words import Words

__all__ = ["run_export", "run_predict"]

_FLAGS = ("--run", "--layer", "-o", "--out")


def run_export(words: Sequence[str], magic: Any) -> Any:
    """The script as text, or where it was written. Raises VistaUsageError."""
    from vista_nb.session.exporting import script_of

    if "--py" not in words:
        raise VistaUsageError("VST003", "%vista export needs --py", SUBCOMMANDS["export"])
    place = list(words).index("--py")
    names, files = list(words[:place]), list(words[place + 1 :])
    if len(names) > 1 or len(files) > 1:
        raise VistaUsageError(
            "VST003", f"%vista export: nothing known about {(names + files)[-1]!r}", SUBCOMMANDS["export"]
        )
    file = Path(files[0]).expanduser() if files else None
    script = script_of(_result(names[0] if names else None), magic.shell.user_ns, file.stem if file else "vista_run")
    if file is None:
        return Words(script.text)
    written = script.write(file)
    more = f"; define {', '.join(script.missing)} in it before it runs" if script.missing else ""
    return Words(f"written: {', '.join(map(str, written))}{more}")


def run_predict(words: Sequence[str], magic: Any) -> Any:
    """The frame of `.predict`, bound to NAME too. Raises VistaUsageError."""
    rest, given = names_and_flags("predict", words, _FLAGS)
    if not rest:
        raise VistaUsageError("VST003", "%vista predict needs a table", SUBCOMMANDS["predict"])
    out = given.get("-o", given.get("--out"))
    if out is not None and not out.isidentifier():
        raise VistaUsageError("VST003", f"-o {out}: no name of a variable", SUBCOMMANDS["predict"])
    table = _value(rest[0], magic.shell.user_ns)
    images = None if len(rest) == 1 else rest[1] if len(rest) == 2 else rest[1:]
    predictions = _result(given.get("--run")).predict(table, images, given.get("--layer"))
    if out is not None:
        magic.shell.push({out: predictions})
    return predictions


def _value(word: str, namespace: dict[str, Any]) -> Any:
    """`$name` is a variable, anything else a path."""
    if not word.startswith("$"):
        return word
    if word[1:] not in namespace:
        raise VistaUsageError("VST025", f"there is no variable {word[1:]}", "run the cell that makes it first")
    return namespace[word[1:]]


def _result(name: str | None) -> Any:
    """A run of this kernel or a saved one, or the folder of a saved result."""
    from vista_nb import session

    if name is not None and (Path(name).expanduser() / "manifest.json").is_file():
        return session.load(Path(name).expanduser())
    return session.show(name)
