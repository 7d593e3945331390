"""Where vista_nb keeps what outlives a run.

Reads environment variables, returns paths. May touch: nothing (the users of the folders make them).
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_root"]


def cache_root() -> Path:
    """Artifacts, digests and the private Java home: VISTA_NB_CACHE_DIR, else the user's cache folder."""
    given = os.environ.get("VISTA_NB_CACHE_DIR")
    if given:
        return Path(given)
    import platformdirs

    return Path(platformdirs.user_cache_dir("vista_nb"))
