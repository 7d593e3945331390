"""Grappler, once per artifact: batch norm folded, operators fused, and for bfloat16 the graph rewritten to it.

Reads a frozen GraphDef, returns another with the same inputs and outputs, which stay float32. May touch: TensorFlow,
inside functions (throw-away processes and tests only), one environment variable of it for the time of the call.
DESIGN.md section 8; docs/adr/0014.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from vista_nb.errors import VistaEnvironmentError
from vista_nb.executor.environment import environment
from vista_nb.spec.model import Precision

__all__ = ["optimised"]

_CPU = "/job:localhost/replica:0/task:0/device:CPU:0"
_LISTS = "TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_"
# `pool: avg` adds up to thousands of values: a mantissa of eight bits would lose most of them
_MEANS_STAY = {f"{_LISTS}INFERLIST_REMOVE": "Mean", f"{_LISTS}DENYLIST_ADD": "Mean"}


def optimised(
    definition: Any, kept: Sequence[str], placeholders: Iterable[str], precision: Precision, *, gpu: bool = False
) -> Any:
    """The graph after Grappler; the tensors `kept` and the placeholders keep their names and shapes. The definition is
    used up: it is empty afterwards, as memory is short while Grappler runs (ResNet50: 3.35 GB with it, 2.49 without).

    gpu: the machine has one, so that nothing may be fused that only a CPU can run. Raises VST447 where TensorFlow
    rewrote nothing to bfloat16.
    """
    bfloat16 = precision is Precision.BFLOAT16
    multiplied = any(_multiplies(node) for node in definition.node)
    # operators are fused only where Grappler knows their device: MobileNetV2 in float32 is 1.2 times as fast fused
    _place(definition, "" if gpu and not bfloat16 else _CPU)
    # the rewrite to mixed precision has no other setting for its lists of operators
    with environment(_MEANS_STAY if bfloat16 else {}):
        graph = _grappler(definition, [*kept, *(f"{name}:0" for name in placeholders)], bfloat16)
    _place(graph, "")
    in_bfloat16 = _nodes_in_bfloat16(graph)
    _name_as_onednn(in_bfloat16)
    if bfloat16:
        if multiplied and not any(_multiplies(node) for node in in_bfloat16):
            raise VistaEnvironmentError(
                "VST447",
                "`precision: bfloat16`: TensorFlow's oneDNN cannot rewrite this CNN to bfloat16 on this machine",
                "leave `precision` out (TF_ENABLE_ONEDNN_OPTS=0 switches oneDNN off)",
            )
        _weights_in_bfloat16(graph, set(placeholders))
    return graph


def _multiplies(node: Any) -> bool:
    """A convolution or a dense layer: what bfloat16 is for."""
    return "Conv" in node.op or "MatMul" in node.op


def _place(definition: Any, device: str) -> None:
    for node in definition.node:
        node.device = device


def _grappler(definition: Any, kept: Sequence[str], bfloat16: bool) -> Any:
    from tensorflow.core.protobuf import config_pb2, meta_graph_pb2
    from tensorflow.python.grappler import tf_optimizer

    # without importing it into a tf.Graph, as the usual way by `export_meta_graph` does: two copies of every constant
    meta_graph = meta_graph_pb2.MetaGraphDef()
    meta_graph.graph_def.CopyFrom(definition)
    definition.Clear()
    meta_graph.collection_def["train_op"].node_list.value.extend(kept)
    config = config_pb2.ConfigProto()
    options = config.graph_options.rewrite_options
    options.min_graph_nodes = -1  # small graphs too
    options.meta_optimizer_iterations = options.TWO
    if bfloat16:
        options.auto_mixed_precision_onednn_bfloat16 = options.ON
    return tf_optimizer.OptimizeGraph(config, _Once(meta_graph))


class _Once:
    """A message that is gone once it is serialized: Grappler, which makes a dozen copies, runs without this one."""

    def __init__(self, message: Any) -> None:
        self._message = message

    def SerializeToString(self) -> bytes:  # noqa: N802 (protobuf's name)
        content: bytes = self._message.SerializeToString()
        self._message.Clear()
        return content


def _nodes_in_bfloat16(graph: Any) -> list[Any]:
    import tensorflow as tf

    # `in` first: reading an absent attribute of a protobuf map makes one
    return [n for n in graph.node if "T" in n.attr and n.attr["T"].type == tf.bfloat16.as_datatype_enum]


def _name_as_onednn(nodes: Sequence[Any]) -> None:
    """Gives fused bfloat16 convolutions the name that TensorFlow's own rewrite after placement would give them.

    Grappler writes `_FusedConv2D`, which TensorFlow 2.21 refuses to import with T = bfloat16. Unfused, MobileNetV2 is
    slower in bfloat16 than in float32; fused, faster. A model of a Keras policy may hold them in any precision.
    """
    for node in nodes:
        if node.op == "_FusedConv2D":
            node.op = "_MklNativeFusedConv2D"
            node.attr["_kernel"].s = b"MklNameChangeOp"


def _weights_in_bfloat16(graph: Any, placeholders: set[str]) -> None:
    """Matrices lifted out before Grappler get a cast at every call: they become bfloat16 placeholders instead."""
    import tensorflow as tf

    wanted = tf.bfloat16.as_datatype_enum
    readers: dict[str, list[Any]] = {name: [] for name in placeholders}
    for node in graph.node:
        for name in node.input:
            if name.removesuffix(":0") in readers:
                readers[name.removesuffix(":0")].append(node)
    for node in graph.node:
        casts = readers.get(node.name)
        if not casts or any(c.op != "Cast" or c.attr["DstT"].type != wanted for c in casts):
            continue
        node.attr["dtype"].type = wanted
        for cast in casts:
            cast.op = "Identity"
            cast.attr["T"].type = wanted
            for name in ("SrcT", "DstT", "Truncate"):
                cast.attr.pop(name, None)
