"""The spec room: cell text to a typed spec with places, and everything wrong with it.

Reads text, returns values. May touch: a YAML library (imported only when a YAML key is used). DESIGN.md section 3.
"""

from vista_nb.spec.keys import KEYS, Key, Part, find_key
from vista_nb.spec.overrides import apply_overrides
from vista_nb.spec.parse import Parsed, parse

__all__ = ["KEYS", "Key", "Parsed", "Part", "apply_overrides", "find_key", "parse"]
