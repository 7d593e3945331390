"""How fast the machine is: the numbers behind every predicted second, each with its spread.

Reads nothing, returns frozen values. May touch: nothing. DESIGN.md section 7, "Calibration": the defaults were
measured on two cores of an AVX512 server (DESIGN.md sections 8, 11, 15) and are only the start; `calibration`
replaces them by what was measured on the user's machine.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

__all__ = ["DEFAULT", "Rates"]

_PER_SECOND = frozenset(
    {"wire", "shuffle", "broadcast", "disk_write", "disk_read", "serialize", "pool", "collect"}
    | {"artifact_load", "make_write"}
)
_NO_SPREAD = frozenset({"thread_exponent", "start_contention", "serialized_percent", "family_weight", "spread"})
_UNCALIBRATED = 0.25  # relative: what a rate of another machine may be off, where nothing better is known


@dataclass(frozen=True)
class Rates:
    """Seconds are wall clock of one core; rates are bytes per second, per core or per node as said.

    Start. session_seconds: JVM and Spark ready. first_jobs: what a new JVM's first jobs take more. start_factor:
    start-up of workers against the roster's. start_contention: how much each further worker of a node slows it.
    make_process: a process with TensorFlow and the model; make_seconds, make_write (bytes of weights per second): one
    artifact made by it. artifact_seconds, artifact_load (bytes per second): loading a further cut into a running
    worker. mllib_first: the JVM's path still cold.
    Jobs. job_seconds: one Spark job beyond its tasks. join_seconds: the join's, with both sides brought to Spark.
    part_seconds: one layer to or from the store, beyond its bytes. file_seconds: opening one photo. decode_seconds +
    decode_pixel_seconds x pixels: JPEG to input tensor.
    CNN. cnn_factor: seconds per image of this machine against the roster's. thread_exponent: a worker of t TensorFlow
    threads is as fast as t ** thread_exponent of one. call_seconds: one call of the CNN beyond its images.
    Bytes. wire: Arrow between JVM and Python, per core. shuffle, broadcast, disk: per node. serialize, pool: per core.
    collect: features to the kernel, per node. serialized_percent: bytes left of a serialized table.
    Training. mllib_fit: one fit beyond its passes; mllib_pass: one pass beyond its values; mllib_value, sklearn_value:
    core seconds per (row, column, pass); sklearn_linear_value: of its linear models. sklearn_fit: one fit beyond its
    values. forest_seconds: the 200 trees of the table's baseline.
    spread: (name of a rate, relative half-width) where it was measured; 25 % for every other.

    Of a second cell's steps (JVM up, workers live), measured by benchmarks/optimizer_clock.py on two idle cores: job_,
    join_, part_, call_, artifact_seconds, mllib_fit, mllib_pass, sklearn_fit, forest_seconds. make_*: artifacts of five
    CNNs, 0.3 to 138 M weights. first_jobs: the first cell of two new kernels.
    """

    session_seconds: float = 4.0
    job_seconds: float = 0.15
    join_seconds: float = 0.2
    first_jobs: float = 4.0
    part_seconds: float = 0.07
    file_seconds: float = 0.0001
    decode_seconds: float = 0.0007
    decode_pixel_seconds: float = 1.25e-9
    cnn_factor: float = 1.0
    thread_exponent: float = 0.87  # ResNet50, 2 threads: 1.83 times one (44.6 against 2 x 24.35 images/s)
    call_seconds: float = 0.010
    artifact_seconds: float = 0.05
    artifact_load: float = 400e6
    make_process: float = 5.0
    make_seconds: float = 2.0
    make_write: float = 30e6
    start_factor: float = 1.0
    start_contention: float = 0.1
    wire: float = 400e6
    shuffle: float = 150e6
    broadcast: float = 100e6
    disk_write: float = 200e6
    disk_read: float = 400e6
    serialize: float = 300e6
    pool: float = 1e9
    serialized_percent: int = 60
    mllib_first: float = 5.8
    mllib_fit: float = 0.25
    mllib_pass: float = 0.02
    mllib_value: float = 2.5e-8
    sklearn_fit: float = 0.012
    forest_seconds: float = 0.2
    sklearn_value: float = 9.8e-9
    sklearn_linear_value: float = 2.0e-9
    collect: float = 100e6
    family_weight: tuple[tuple[str, float], ...] = (("linear", 1.0), ("tree", 1.5), ("ensemble", 10.0))
    spread: tuple[tuple[str, float], ...] = ()

    def weight(self, family: str) -> float:
        """Work of one pass of this family, against a linear model's."""
        return dict(self.family_weight).get(family, 3.0)

    def fast(self) -> Rates:
        """Every rate at the fast end of its spread."""
        return self._end(-1)

    def slow(self) -> Rates:
        """Every rate at the slow end of its spread."""
        return self._end(+1)

    def _end(self, sign: int) -> Rates:
        known = dict(self.spread)
        changed = {}
        for field in fields(self):
            if field.name not in _NO_SPREAD:
                factor = max(0.0, 1 + sign * known.get(field.name, _UNCALIBRATED))
                value = getattr(self, field.name)
                # a rate that went to infinity at the fast end would only divide by it: that is no time at all
                changed[field.name] = value / max(factor, 1e-9) if field.name in _PER_SECOND else value * factor
        return replace(self, **changed)


DEFAULT = Rates()
