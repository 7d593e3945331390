"""`cnn: path/to/model.keras` and `cnn: $variable`: from the name in a cell to the facts the binder needs.

Reads the name, the notebook's variables and the cache; returns an `OwnCNN`. May touch: the model's file (read only),
files in the cache folder; starts one throw-away process per model, ever. DESIGN.md sections 3, 4 and 8;
docs/adr/0012.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from vista_nb.catalog.own_cnn import OwnCNN, names_own_cnn, own_cnn
from vista_nb.catalog.roster import CNNFacts, Roster, load_roster
from vista_nb.errors import VistaDataError, VistaUsageError
from vista_nb.session.folders import cache_root
from vista_nb.spec.suggest import did_you_mean

__all__ = ["cnn_called", "find_own_cnn"]


def find_own_cnn(
    name: str | None, namespace: Mapping[str, object], roster: Roster, *, probe: bool = True
) -> OwnCNN | None:
    """The user's CNN that `cnn:` names; None where it names one of the roster (or nothing known).

    probe False: no process is started, so None too where the model was never described. Raises VST344, VST345 and
    VST360 to VST367, each naming file or variable.
    """
    if name is None:
        return None
    if not names_own_cnn(name, roster):
        _refuse_bare_variable(name, namespace, roster)
        return None
    from vista_nb.executor.cnn.described import described, remembered

    try:
        called, file = _file(name, namespace)
        found = described(file, cache_root()) if probe else remembered(file, cache_root())
    except VistaDataError as error:
        raise _named(error, name) from error
    return own_cnn(called, str(file), found, roster) if found is not None else None


def _refuse_bare_variable(name: str, namespace: Mapping[str, object], roster: Roster) -> None:
    """`cnn: model` where `$model` was meant: the roster knows no such CNN, the notebook has such a Keras model."""
    keras = sys.modules.get("keras")
    if name in namespace and keras is not None and isinstance(namespace[name], keras.Model) and not roster.find(name):
        message = f"`{name}` is no CNN of the roster, but a variable of the notebook"
        raise VistaDataError("VST366", message, f"write `cnn: ${name}`")


def _file(name: str, namespace: Mapping[str, object]) -> tuple[str, Path]:
    """What the CNN is called (the variable, the file's stem), and its file."""
    if name.startswith("$"):
        from vista_nb.session.model_variables import saved_model

        return name[1:], saved_model(name[1:], namespace, cache_root())
    file = Path(name).expanduser().absolute()
    return file.stem, file


def _named(error: VistaDataError, name: str) -> VistaDataError:
    """The same error, saying which CNN it is about."""
    if error.code == "VST366" or (name if name.startswith("$") else Path(name).name) in error.message:
        return error
    return VistaDataError(error.code, f"{name}: {error.message}", error.hint)


def cnn_called(name: str, namespace: Mapping[str, object] | None = None) -> CNNFacts:
    """For `%vista layers NAME`: a CNN of the roster, a `.keras` file, or `$variable`. Raises VistaUsageError VST007."""
    roster = load_roster()
    found = roster.find(name)
    if found is not None:
        return found
    own = find_own_cnn(name, namespace or {}, roster)
    if own is None:
        hint = did_you_mean(name, roster.names, "CNNs")
        raise VistaUsageError("VST007", f"unknown CNN {name!r}", f"{hint}; or a .keras file, or $variable")
    return own.facts
