"""What Spark and its Python workers say when they fail, as coded errors with the right hint.

Reads an exception, returns a VistaRunError. May touch: nothing. DESIGN.md section 14: each failure ends in a coded
error. A coded error raised inside a worker keeps its code.
"""

from __future__ import annotations

import re

from vista_nb.errors import VistaError, VistaRunError
from vista_nb.executor.shipping import lacking

__all__ = ["is_memory_trouble", "translated"]

WORKER_DIED, JVM_MEMORY, DISK_FULL, JVM_GONE, WORKERS_OVER = "VST514", "VST515", "VST517", "VST518", "VST519"

_CODED = re.compile(r"Vista\w+ (VST\d{3}): (.+)")
_DIED = re.compile(r"Python worker (?:exited unexpectedly|failed to connect|process terminated)|EOFException|SIGKILL")
_MEMORY = re.compile(
    r"MemoryError|ResourceExhausted|could not execute a primitive|bad_alloc|Cannot allocate memory|ENOMEM"
)
_HEAP = re.compile(r"java\.lang\.OutOfMemoryError|SparkOutOfMemoryError|UNABLE_TO_ACQUIRE_MEMORY")
_FULL = re.compile(r"No space left on device")
_LOST = re.compile(r"ExecutorLostFailure.*(?:exceeding|memory|OOM|exit (?:code|status):? ?\[?137)", re.IGNORECASE)
_GONE = re.compile(r"Connection refused|Answer from Java side is empty|Error while sending or receiving|reentrant call")
_SHUT = re.compile(r"because SparkContext was shut down")  # a task ran out of heap, and Spark ended the JVM for it
_LESS = "give the run more room (resources: {memory: ...}), or less work at a time (plan: {batch_size: 8, cpu: 1})"
_ANEW = "run the cell again: a new JVM is started, and finished layers are kept"


def translated(error: Exception, stage: str, memory_killed: bool = False) -> VistaError:
    """The coded error for what Spark raised; VistaErrors pass through. memory_killed: the kernel's memory killer has
    just struck.
    """
    if isinstance(error, VistaError):
        return error
    text = str(error)
    coded = _CODED.search(text)
    if coded:
        return VistaRunError(coded.group(1), coded.group(2).strip(), _hint_in(text, coded.end()), stage)
    needs = lacking(text, stage)
    if needs is not None:
        return needs
    if _FULL.search(text):
        message = f"{stage}: the disk that Spark spills to is full"
        return VistaRunError(DISK_FULL, message, "free some space, or set SPARK_LOCAL_DIRS to a larger disk", stage)
    if _HEAP.search(text):
        return VistaRunError(JVM_MEMORY, f"{stage}: Spark's heap is too small for this plan", _LESS, stage)
    if _MEMORY.search(text) or _DIED.search(text) or _LOST.search(text):
        return VistaRunError(WORKER_DIED, f"{stage}: {_worker_died(text, memory_killed)}", _LESS, stage)
    if _GONE.search(text) or type(error).__name__ in ("Py4JNetworkError", "ConnectionRefusedError"):
        return _jvm_gone(stage, memory_killed)
    if _SHUT.search(text):
        message = f"{stage}: Spark's JVM ended itself, most likely for want of heap"
        return VistaRunError(JVM_GONE, message, f"{_LESS}; {_ANEW}", stage)
    return VistaRunError("VST511", f"{stage} failed: {_last(text)}", "", stage)


def _worker_died(text: str, memory_killed: bool) -> str:
    if memory_killed:
        return "the system's memory killer ended an inference worker"
    if _MEMORY.search(text):
        return "an inference worker could not get the memory it asked for"
    return "an inference worker died, most likely for want of memory"


def _jvm_gone(stage: str, memory_killed: bool) -> VistaRunError:
    if not memory_killed:
        return VistaRunError(JVM_GONE, f"{stage}: Spark's JVM is gone", f"{_ANEW}; if it goes again, {_LESS}", stage)
    message = f"{stage}: the system's memory killer ended Spark's JVM"
    return VistaRunError(JVM_GONE, message, f"{_LESS}; {_ANEW}", stage)


def is_memory_trouble(error: Exception) -> bool:
    """Whether going down the plan's ladder can help."""
    return isinstance(error, VistaRunError) and error.code in (WORKER_DIED, JVM_MEMORY, WORKERS_OVER)


def _hint_in(text: str, end: int) -> str:
    match = re.match(r"\s*hint: (.+)", text[end:])
    return match.group(1).strip() if match else ""


def _last(text: str) -> str:
    """The line that says most: the last one of a Python traceback, else the first."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(?:[\w.]+Error|[\w.]+Exception): ", line)]
    return (errors[-1] if errors else lines[0] if lines else "no message")[:300]
