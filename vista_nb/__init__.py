"""vista_nb: which layer of a pretrained CNN gives the best features to join to your table?

The facade: `run`, `explain` and `load` for scripts, `load_ipython_extension` for `%load_ext vista_nb`. Reads nothing,
returns what `session` returns. May touch: nothing; every engine is imported only when a run needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vista_nb.result import VistaResult as VistaResult

__all__ = ["VistaResult", "__version__", "explain", "load", "load_ipython_extension", "run"]

__version__ = "0.1.0"


def run(source: Any, **options: Any) -> VistaResult:
    """Run a spec (text, dict or path of a file) and wait for its end. Options: see `vista_nb.session.run`."""
    from vista_nb import session

    return session.run(source, **options)


def explain(source: Any, **options: Any) -> Any:
    """Plan a spec without running it. Options: see `vista_nb.session.explain`."""
    from vista_nb import session

    return session.explain(source, **options)


def load(path: Any, trusted: Any = ()) -> VistaResult:
    """A result that `.save` wrote. trusted: types of other libraries' models that may be made. See `session.load`."""
    from vista_nb import session

    return session.load(path, trusted=trusted)


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext vista_nb`: register `%%vista` and `%vista`."""
    from vista_nb.magic import load_ipython_extension as load

    load(shell)


def __getattr__(name: str) -> Any:
    if name == "VistaResult":
        from vista_nb.result import VistaResult

        return VistaResult
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
