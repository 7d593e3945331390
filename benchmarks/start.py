"""How soon things start: import, %load_ext, --explain in a kernel and by the command line.

Prints medians of 5 (seconds), each in a fresh process, and writes results/start.csv. DESIGN.md section 13 names the
targets.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.real_photos import clothing_spec, shared
from benchmarks.record import asked, ended, report

__all__ = ["main"]

IMPORT = "import vista_nb"
LOAD = "ip.run_line_magic('load_ext', 'vista_nb')"
EXPLAIN = "ip.run_cell_magic('vista', '--explain --ui text', {spec!r})"
SHELL = "from IPython.core.interactiveshell import InteractiveShell; ip = InteractiveShell.instance(); "
ENGINES = "('pyspark', 'tensorflow', 'keras')"


def inside(setup: str, code: str) -> float:
    """Seconds of `code` in a fresh interpreter, the setup left out; fails where an engine was imported."""
    program = (
        f"import sys, time; {setup}\nbegin = time.perf_counter()\n{code}\nseconds = time.perf_counter() - begin\n"
        f"assert not [m for m in {ENGINES} if m in sys.modules]\nprint('seconds', seconds)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    return float(done.stdout.split("seconds ")[-1])


def by_command(spec: Path) -> float:
    """Seconds of `vista-nb explain`, interpreter included."""
    command = [str(Path(sys.executable).with_name("vista-nb")), "explain", str(spec)]
    begin = time.perf_counter()
    subprocess.run(command, capture_output=True, check=True, timeout=120)
    return time.perf_counter() - begin


def main(argv: Sequence[str] = ()) -> int:
    """Prints the table; returns 1 where a target is missed."""
    given = asked("start", argv)
    rows: list[tuple[str, float, Callable[[], float]]] = [
        ("import vista_nb", 0.5, lambda: inside("", IMPORT)),
        ("%load_ext vista_nb", 0.5, lambda: inside(SHELL, LOAD)),
    ]
    if shared().is_dir():
        spec = clothing_spec()
        file = Path(tempfile.mkdtemp()) / "clothing.vista"
        file.write_text(spec)
        in_kernel = EXPLAIN.format(spec=spec)
        rows.append(("--explain in a kernel", 1.0, lambda: inside(SHELL + LOAD, in_kernel)))
        rows.append(("vista-nb explain", 1.5, lambda: by_command(file)))
    found = []
    for name, target, measure in rows:
        runs = [measure() for _ in range(5)]
        note = f"median of 5 ({' '.join(f'{run:.2f}' for run in runs)})"
        found.append(ended(name, statistics.median(runs), "s", f"<= {target}", note))
    return report("start", found, write=not given.quick)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
