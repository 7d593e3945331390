"""How large each table is: one function per equation, in exact integer arithmetic.

Reads row counts, widths and layer shapes; returns bytes (`int`). May touch: nothing.
Paper: equations 5 (s_single), 6 (s_double), 16 (|T_i|) and section 4.1 (|M|_mem), as DESIGN.md section 7 states
them: a1 = 6/5, every table rounded up to a whole byte, units decimal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import prod

from vista_nb.catalog.workload import EstimatorFacts
from vista_nb.spec.model import EstimatorCall, Pooling

__all__ = [
    "decoded_images_table",
    "eager_table",
    "image_table",
    "layer_length",
    "layer_table",
    "model_memory",
    "pooled_length",
    "s_double_eager",
    "s_double_lazy",
    "s_double_staged",
    "s_single",
    "structured_table",
]

_ID_AND_HEADER = 8 + 8  # the key and the row's header
_FLOAT = 4
_A1_NUMERATOR, _A1_DENOMINATOR = 6, 5  # a1 = 1.2: what a row in the engine costs above its payload

_LBFGS_VECTORS = 2 * 10 + 4  # ten (s, y) pairs, point, direction, gradient and the aggregator's copy
_TREE_BINS, _TREE_DEPTH, _TREES = 32, 5, 20  # pyspark.ml's defaults: maxBins, maxDepth, numTrees and maxIter
_TREE_GROUP_BYTES = 256 * 2**20  # maxMemoryInMB: nodes of a level are split in groups of this many bytes
_NODE_BYTES = 64
_DEEPEST = 30  # pyspark.ml's limit
_HIDDEN = 100  # units assumed for a model of which nothing is known


def pooled_length(shape: Sequence[int], pooling: Pooling) -> int:
    """Values of g_l for one photo. Only H x W x C tensors are pooled; any other rank stays as it is.

    `max 2x2` is adaptive (cells may overlap), so even a 1 x 1 map gives 4 C values.
    """
    if len(shape) != 3 or pooling is Pooling.NONE:
        return prod(shape)
    channels = shape[-1]
    return 4 * channels if pooling is Pooling.MAX_2X2 else channels


def layer_length(shape: Sequence[int], pooling: Pooling, *, pushed_down: bool, views: int = 1) -> int:
    """len_i: what is really materialized of one record: pooled when pooling is pushed down, else the raw tensor."""
    return views * (pooled_length(shape, pooling) if pushed_down else prod(shape))


def structured_table(rows: int, structured_features: int) -> int:
    """|T_str| = n (8 + 8 + 4 d_s)."""
    return rows * (_ID_AND_HEADER + _FLOAT * structured_features)


def image_table(rows: int, image_bytes: int, views: int = 1) -> int:
    """|T_img| = n v (8 + 8 + image_bytes), images as encoded."""
    return rows * views * (_ID_AND_HEADER + image_bytes)


def layer_table(rows: int, length: int, t_str: int) -> int:
    """Equation 16: |T_i| = n a1 (8 + 8 + 4 len_i) + |T_str|."""
    payload = rows * (_ID_AND_HEADER + _FLOAT * length) * _A1_NUMERATOR
    return -(-payload // _A1_DENOMINATOR) + t_str


def eager_table(rows: int, lengths: Sequence[int], t_str: int) -> int:
    """|T_E| = n a1 (8 + 8 + 4 sum len_i) + |T_str|: all layers side by side in one table."""
    return layer_table(rows, sum(lengths), t_str)


def decoded_images_table(rows: int, decoded_values: int, t_str: int, views: int = 1) -> int:
    """The table of decoded images, where there is one: |T_i| with len = v x decoded values."""
    return layer_table(rows, views * decoded_values, t_str)


def s_single(tables: Sequence[int]) -> int:
    """Equation 5: the largest table of the plan."""
    return max(tables)


def s_double_staged(t_i: Sequence[int], t_str: int, *, before_join: bool = False) -> int:
    """Equation 6: the two neighbouring tables that live at once; |T_1| where |L| = 1 (docs/adr/0004).

    T_str is in both but stored once; before the join it is in neither.
    """
    if len(t_i) == 1:
        return t_i[0] - (t_str if before_join else 0)
    pairs = max(low + high for low, high in pairwise(t_i))
    return pairs - (2 * t_str if before_join else t_str)


def s_double_lazy(t_i: Sequence[int], t_str: int, *, before_join: bool = False) -> int:
    """Lazy keeps one layer's table at a time: max |T_i|."""
    return max(t_i) - (t_str if before_join else 0)


def s_double_eager(t_e: int, t_str: int, *, before_join: bool = False) -> int:
    """Eager keeps |T_E|."""
    return t_e - (t_str if before_join else 0)


def model_memory(estimator: EstimatorFacts, call: EstimatorCall, width: int, classes: int) -> int:
    """|M|_mem in bytes for feature vectors of `width` values; `classes` is 0 for regression.

    linear:   8 k (d + 1) 24, with k = 1 coefficient row for two classes and regression, else one per class:
              L-BFGS holds ten pairs of vectors and four more, in doubles.
    tree:     the histogram of one level, 2^depth nodes of d x bins x k statistics in doubles, at most
              maxMemoryInMB (256 MiB) at once but never less than one node.
    ensemble: a tree's histogram, and trees x 2^(depth + 1) nodes of 64 bytes.
    other:    8 (d + 1) x 100 units x 4 (weights, gradient, two moments).
    """
    parameters = dict(call.parameters)
    if estimator.family == "linear":
        return 8 * _coefficient_rows(classes) * (width + 1) * _LBFGS_VECTORS
    if estimator.family in ("tree", "ensemble"):
        depth = min(max(_whole(parameters, ("maxDepth", "max_depth"), _TREE_DEPTH), 0), _DEEPEST)
        trees = _whole(parameters, ("numTrees", "n_estimators", "maxIter"), _TREES)
        histogram = _tree_histogram(width, depth, classes)
        return histogram if estimator.family == "tree" else histogram + trees * (2 << depth) * _NODE_BYTES
    return 8 * (width + 1) * _HIDDEN * 4


def _coefficient_rows(classes: int) -> int:
    return classes if classes > 2 else 1


def _tree_histogram(width: int, depth: int, classes: int) -> int:
    one_node = max(width, 1) * _TREE_BINS * max(classes, 3) * 8
    return max(one_node, min(_TREE_GROUP_BYTES, one_node << depth))


def _whole(parameters: Mapping[str, object], names: Sequence[str], default: int) -> int:
    value = next((parameters[name] for name in names if name in parameters), None)
    return value if isinstance(value, int) else default
