"""The numbers the optimizer plans from, measured without an engine.

Reads the checked table and the image tables, returns WorkloadStatistics. May touch: nothing. Paper: Table 1(A).
"""

from __future__ import annotations

import pyarrow as pa

from vista_nb.catalog.statistics import WorkloadStatistics
from vista_nb.catalog.workload import Workload
from vista_nb.executor.inputs import ImageTables
from vista_nb.spec.model import Task

__all__ = ["statistics"]


def statistics(workload: Workload, rows: pa.Table, images: ImageTables) -> WorkloadStatistics:
    """Rows with label and image (n), distinct images, bytes and pixels of a mean photo. rows: of `check_keys`."""
    views = max(1, len(workload.spec.images))
    records = images.links.num_rows // views
    assert records <= rows.num_rows
    return WorkloadStatistics(
        rows=records,
        structured_features=workload.structured_width,
        image_bytes=images.mean_bytes,
        views=views,
        images=images.images.num_rows,
        classes=len(workload.classes) if workload.task is Task.CLASSIFICATION else 0,
        test=workload.spec.held_share,
        mean_pixels=images.mean_pixels,
    )
