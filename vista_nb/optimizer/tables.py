"""The table sizes of one logical plan, put together from the equations of `catalog.sizes`.

Reads a snapshot and the three logical decisions; returns `Sizes`. May touch: nothing.
Paper: equations 5, 6 and 16; DESIGN.md section 7 for the other plans.
"""

from __future__ import annotations

from vista_nb.catalog import sizes
from vista_nb.catalog.snapshot import Snapshot
from vista_nb.plan.logical import Inference, Materialization, PoolingPlace
from vista_nb.plan.memory import Sizes

__all__ = ["collected_widths", "feature_widths", "materialized_lengths", "plan_sizes"]


def materialized_lengths(
    snapshot: Snapshot, place: PoolingPlace, kind: Materialization = Materialization.EAGER
) -> tuple[int, ...]:
    """len_i of every layer, low to high, for pooling at `place`.

    Raw and staged, a layer from which the next pass goes on is stored with its whole cut (one tensor at an
    articulation point).
    """
    workload, pushed = snapshot.workload, place is PoolingPlace.PUSHED_DOWN
    views = snapshot.statistics.views
    if kind is Materialization.STAGED and not pushed:
        return (*(views * layer.stored_length for layer in workload.layers[:-1]), views * workload.layers[-1].length)
    return tuple(
        sizes.layer_length(layer.shape, workload.pool, pushed_down=pushed, views=views) for layer in workload.layers
    )


def feature_widths(snapshot: Snapshot) -> tuple[int, ...]:
    """Values of one training row per layer: encoded structured features and the pooled layer, after `reduce`."""
    d_s, components = snapshot.statistics.structured_features, snapshot.workload.spec.reduce
    photos = (width - d_s for width in collected_widths(snapshot))
    return tuple(d_s + (min(width, components) if components else width) for width in photos)


def collected_widths(snapshot: Snapshot) -> tuple[int, ...]:
    """The same before `reduce`: what the kernel brings together where it trains or reduces. Averaged views are one."""
    d_s = snapshot.statistics.structured_features
    share = snapshot.statistics.views if snapshot.workload.spec.views == "mean" else 1
    return tuple(d_s + length // share for length in materialized_lengths(snapshot, PoolingPlace.PUSHED_DOWN))


def plan_sizes(
    snapshot: Snapshot,
    materialization: Materialization,
    inference: Inference,
    place: PoolingPlace,
    *,
    count_encoded_images: bool,
    via: tuple[str, ...] = (),
) -> Sizes:
    """All sizes of the plan. Encoded images count in s_single in the default profile only (equation 5 has none).

    via: untrained layers that a staged plan passes through; raw, they are neighbours in s_double.
    """
    facts = snapshot.statistics
    t_str = sizes.structured_table(facts.rows, facts.structured_features)
    lengths = materialized_lengths(snapshot, place, materialization)
    t_i = tuple(sizes.layer_table(facts.rows, length, t_str) for length in lengths)
    t_e = sizes.eager_table(facts.rows, lengths, t_str)
    t_img = sizes.image_table(facts.rows, facts.image_bytes, facts.views)
    decoded = facts.decoded_image_values
    if decoded is not None:
        t_img = sizes.decoded_images_table(facts.rows, decoded, t_str, facts.views)
    tables = [t_e] if materialization is Materialization.EAGER else list(t_i)
    if decoded is not None or count_encoded_images:
        tables.append(t_img)
    return Sizes(
        t_str=t_str,
        t_img=t_img,
        t_i=tuple(zip(snapshot.workload.layer_names, t_i, strict=True)),
        s_single=sizes.s_single(tables),
        s_double=_s_double(
            materialization,
            _chain(snapshot, t_i, t_str, via) if place is PoolingPlace.PULLED_UP else t_i,
            t_e,
            t_str,
            before_join=inference is Inference.BEFORE_JOIN,
        ),
    )


def _chain(snapshot: Snapshot, t_i: tuple[int, ...], t_str: int, via: tuple[str, ...]) -> tuple[int, ...]:
    """The raw tables in the CNN's order, with those of `via` among them."""
    if not via:
        return t_i
    facts, known = snapshot.statistics, dict(zip(snapshot.workload.layer_names, t_i, strict=True))
    passed = {
        layer.name: sizes.layer_table(facts.rows, facts.views * layer.stored_length, t_str)
        for layer in snapshot.workload.cnn.layers
        if layer.name in via
    }
    tables = passed | known
    return tuple(tables[layer.name] for layer in snapshot.workload.cnn.layers if layer.name in tables)


def _s_double(kind: Materialization, t_i: tuple[int, ...], t_e: int, t_str: int, *, before_join: bool) -> int:
    if kind is Materialization.EAGER:
        return sizes.s_double_eager(t_e, t_str, before_join=before_join)
    if kind is Materialization.LAZY:
        return sizes.s_double_lazy(t_i, t_str, before_join=before_join)
    return sizes.s_double_staged(t_i, t_str, before_join=before_join)
