"""What TensorFlow may use in a worker: its threads, and its share of a GPU where TensorFlow sees one.

Reads numbers of the plan, sets TensorFlow's configuration once per process. May touch: TensorFlow's global settings,
inside functions (workers and throw-away processes only). DESIGN.md section 8; paper: equation 15, x * |f|_mem_gpu.
The GPU part is untested where it matters: no GPU with TensorFlow was at hand.
"""

from __future__ import annotations

from vista_nb.executor.cnn.tensorflow_alone import import_tensorflow
from vista_nb.units import MIB

__all__ = ["gpu_share", "own_threads", "use_devices"]

_set: list[int] = []


def gpu_share(gpu_memory: int, workers: int) -> int:
    """Bytes of the GPU's memory for one of `workers` processes that share it, whole MiB; 0 where none is planned."""
    return gpu_memory // max(1, workers) // MIB * MIB


def use_devices(threads: int, gpu_memory: int = 0) -> None:
    """Before TensorFlow's first operation; a reused worker keeps what it has.

    gpu_memory: this process' share in bytes (0: as much as it comes to need).
    """
    if _set:
        return
    tf = import_tensorflow()
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        for gpu in tf.config.list_physical_devices("GPU"):
            if gpu_memory:
                limit = tf.config.LogicalDeviceConfiguration(memory_limit=gpu_memory // MIB)
                tf.config.set_logical_device_configuration(gpu, [limit])
            else:
                # else the first worker takes the whole GPU and the second one dies
                tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError:  # TensorFlow is already at work in this process (tests)
        pass
    _set.append(threads)


def own_threads() -> int:
    """TensorFlow's threads in this process; 0 where it was never set up."""
    return _set[0] if _set else 0
