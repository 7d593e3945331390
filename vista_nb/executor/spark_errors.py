"""What Spark and its Python workers say when they fail, as coded errors with the right hint.

Reads an exception, returns a VistaRunError. May touch: nothing. DESIGN.md section 14: each failure ends in a coded
error. A coded error raised inside a worker keeps its code.
"""

from __future__ import annotations

import re

from vista_nb.errors import VistaEnvironmentError, VistaError, VistaRunError

__all__ = ["is_memory_trouble", "translated"]

WORKER_DIED, JVM_MEMORY, DISK_FULL, JVM_GONE = "VST514", "VST515", "VST517", "VST518"

_CODED = re.compile(r"Vista\w+ (VST\d{3}): (.+)")
_DIED = re.compile(r"Python worker (?:exited unexpectedly|failed to connect|process terminated)|EOFException|SIGKILL")
_MEMORY = re.compile(
    r"MemoryError|ResourceExhausted|could not execute a primitive|bad_alloc|Cannot allocate memory|ENOMEM"
)
_HEAP = re.compile(r"java\.lang\.OutOfMemoryError|SparkOutOfMemoryError|UNABLE_TO_ACQUIRE_MEMORY")
_FULL = re.compile(r"No space left on device")
_GONE = re.compile(r"Connection refused|Answer from Java side is empty|Error while sending or receiving|reentrant call")
_LESS = "give the run more room (resources: {memory: ...}), or less work at a time (plan: {batch_size: 8, cpu: 1})"


def translated(error: Exception, stage: str) -> VistaError:
    """The coded error for what Spark raised; VistaErrors pass through."""
    if isinstance(error, VistaError):
        return error
    text = str(error)
    coded = _CODED.search(text)
    if coded:
        return VistaRunError(coded.group(1), coded.group(2).strip(), _hint_in(text, coded.end()), stage)
    if _FULL.search(text):
        message = f"{stage}: the disk that Spark spills to is full"
        return VistaRunError(DISK_FULL, message, "free some space, or set SPARK_LOCAL_DIRS to a larger disk", stage)
    if _HEAP.search(text):
        return VistaRunError(JVM_MEMORY, f"{stage}: Spark's heap is too small for this plan", _LESS, stage)
    if _MEMORY.search(text) or _DIED.search(text):
        message = f"{stage}: an inference worker died, most likely for want of memory"
        return VistaRunError(WORKER_DIED, message, _LESS, stage)
    if _GONE.search(text) or type(error).__name__ in ("Py4JNetworkError", "ConnectionRefusedError"):
        message = f"{stage}: Spark's JVM is gone"
        return VistaRunError(JVM_GONE, message, "run the cell again: a new JVM is started", stage)
    if type(error).__name__ == "ModuleNotFoundError" or "ModuleNotFoundError" in text:
        return VistaEnvironmentError("VST405", f"{stage}: a worker lacks a package: {_last(text)}", "install it there")
    return VistaRunError("VST511", f"{stage} failed: {_last(text)}", "", stage)


def is_memory_trouble(error: Exception) -> bool:
    """Whether going down the plan's ladder can help."""
    return isinstance(error, VistaRunError) and error.code in (WORKER_DIED, JVM_MEMORY)


def _hint_in(text: str, end: int) -> str:
    match = re.match(r"\s*hint: (.+)", text[end:])
    return match.group(1).strip() if match else ""


def _last(text: str) -> str:
    """The line that says most: the last one of a Python traceback, else the first."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(?:[\w.]+Error|[\w.]+Exception): ", line)]
    return (errors[-1] if errors else lines[0] if lines else "no message")[:300]
