"""The settings of the magic, and where the value of each comes from: flag, environment, `%config`, default.

Reads VistaMagic's traits and environment variables; returns text. May touch: nothing. DESIGN.md section 4; a cell's
own flag wins over all of them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["SETTINGS", "Setting", "asked_ui", "environment_first", "setting_rows"]


@dataclass(frozen=True)
class Setting:
    """trait: of VistaMagic, empty where there is none; variable: of the environment. first: which of them wins.

    default: what holds where neither is given, in words.
    """

    name: str
    trait: str
    variable: str
    default: str
    first: str = "trait"


SETTINGS: Final = (
    Setting("ui", "ui", "VISTA_NB_UI", "auto", "variable"),
    Setting("short_errors", "short_errors", "", "True"),
    Setting("reuse", "reuse", "", "auto"),
    Setting("speculate", "speculate", "VISTA_NB_SPECULATE", "auto"),
    Setting("store_dir", "store_dir", "VISTA_NB_STORE_DIR", "in the user's cache folder"),
    Setting("store_budget", "store_budget", "VISTA_NB_STORE_BYTES", "20 GB"),
    Setting("max_mem", "max_mem", "", "no limit"),
    Setting("max_time", "max_time", "", "no limit"),
    Setting("progress_after", "progress_after", "", "1.0"),
    Setting("refresh_hz", "refresh_hz", "", "10.0"),
    Setting("cache folder", "", "VISTA_NB_CACHE_DIR", "the user's cache folder"),
    Setting("calibration", "", "VISTA_NB_CALIBRATE", "auto"),
    Setting("artifacts", "", "VISTA_NB_ARTIFACT_BYTES", "4 GB"),
)


def environment_first(configured: str) -> str:
    """VISTA_NB_UI comes before `%config`: whoever runs a notebook headless must have the last word."""
    return "auto" if os.environ.get("VISTA_NB_UI", "").strip() else configured


def asked_ui(flag: str | None, configured: str) -> str:
    """The kind of display that was asked for: by the flag, VISTA_NB_UI or `%config`; `auto` where by none."""
    return flag or os.environ.get("VISTA_NB_UI", "").strip().lower() or configured


def setting_rows(magic: Any) -> tuple[tuple[str, str, str], ...]:
    """(name, value, source) of each; source: `%config`, the name of a variable, or `default`."""
    return tuple((setting.name, *_found(setting, magic)) for setting in SETTINGS)


def _found(setting: Setting, magic: Any) -> tuple[str, str]:
    configured = _configured(setting, magic)
    variable = os.environ.get(setting.variable, "").strip() if setting.variable else ""
    ways = [(configured, "%config"), (variable, setting.variable)]
    if setting.first == "variable":
        ways.reverse()
    return next(((value, source) for value, source in ways if value), (setting.default, "default"))


def _configured(setting: Setting, magic: Any) -> str:
    """The trait's value where it is not the default one."""
    if not setting.trait:
        return ""
    value = getattr(magic, setting.trait)
    return "" if value == magic.traits()[setting.trait].default_value else str(value)
