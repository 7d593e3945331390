"""The bundled data set and CNN: everything a first cell needs, with nothing to download.

Reads nothing until `generate` is called; then draws a made-up product catalogue into the folder it is given.
Returns paths: of the catalogue's table and photos, and of the CNN file that ships with the package.
May touch that folder only. Imports no numpy, Pillow or pyarrow until it draws (DESIGN.md section 12).
"""

from pathlib import Path

from vista_nb.demo.catalogue import CataloguePaths, generate

__all__ = ["CataloguePaths", "generate", "vistanet_path"]


def vistanet_path() -> Path:
    """Return the path of the bundled CNN, a Keras file (96x96x3 in, 13 logits out; docs/demo_data.md)."""
    return Path(__file__).with_name("vistanet.keras")
