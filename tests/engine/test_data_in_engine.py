"""Faults of the data and several views where photos are really decoded: in Spark's workers, by the CNN's own path."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_faults_support import bomb, encoded, picture
from executor_support import (
    SMALL_CNN,
    SMALL_LAYERS,
    SparkMaker,
    catalogue,
    make_plan,
    photo,
    run_inputs,
    run_plan,
    workload,
)
from PIL import Image

from vista_nb.catalog.roster import load_roster
from vista_nb.errors import VistaDataError
from vista_nb.executor.downstream.tuning import Split
from vista_nb.executor.local import LocalBackend
from vista_nb.executor.spark_train import fits_on_cluster
from vista_nb.plan.physical import TrainingSite
from vista_nb.spec.model import ImageSource

pytestmark = [pytest.mark.spark, pytest.mark.tf]

BAD = {
    "k003": b"no picture",
    "k010": b"",
    "k017": bomb(),
    "k024": encoded(picture(), "JPEG")[:300],
}
ODD = {
    "k031": encoded(picture().convert("L"), "JPEG"),
    "k038": encoded(picture().convert("CMYK"), "JPEG"),
    "k045": encoded(Image.fromarray(np.arange(0, 65536, 256, dtype=np.uint16).reshape(16, 16)), "PNG"),
    "k052": encoded(picture(), "GIF", save_all=True, append_images=[picture("blue")]),
}


def test_every_kind_of_photo_at_once(made: SparkMaker, tmp_path: Path) -> None:
    """Four bad ones leave by name, with the reasons that the reference gives; four odd ones have features."""
    table = catalogue(tmp_path, rows=100)
    for key, content in (BAD | ODD).items():
        (tmp_path / "photos" / f"{key}.jpg").write_bytes(content)
    work = workload(table, load_roster().find(SMALL_CNN), SMALL_LAYERS)
    plan = make_plan(work)
    backend = made(work, plan)
    outcome, _ = run_plan(plan, backend)
    small = workload(table)
    reference = LocalBackend(make_plan(small), run_inputs(small, tmp_path / "reference"))
    expected, _ = run_plan(reference.plan, reference)
    assert [bad.key for bad in sorted(outcome.bad_images, key=lambda bad: bad.key)] == sorted(BAD)
    assert set(outcome.bad_images) == set(expected.bad_images)
    assert outcome.rows == expected.rows
    features = backend.features(SMALL_LAYERS[0])
    assert set(ODD) <= set(features.column("key").to_pylist())
    assert np.isfinite(np.asarray(features.column("vector").combine_chunks().flatten())).all()


def test_views_and_reduction_are_the_same_at_both_sites(made: SparkMaker, tmp_path: Path) -> None:
    """Two photos per record, side by side, averaged, reduced: pyspark.ml sees what the driver's fit sees."""
    table = catalogue(tmp_path, rows=36)
    (tmp_path / "back").mkdir()
    for row in range(36):
        photo(tmp_path / "back" / f"k{row:03d}.jpg", ("green", "blue", "red")[row % 3], 100 + row)
    views = (ImageSource("photos/{id}.jpg", "pattern"), ImageSource("back/{id}.jpg", "pattern"))
    cnn, top, stored = load_roster().find(SMALL_CNN), SMALL_LAYERS[-1], False
    given: tuple[tuple[dict[str, Any], int], ...] = (({}, 2051), ({"views": "mean"}, 1027), ({"reduce": 6}, 9))
    for spec, width in given:
        work = workload(table, cnn, (top,), images=views, **spec)
        fits = []
        for site in (TrainingSite.DRIVER, TrainingSite.CLUSTER):
            reuse: dict[str, Any] = {"loaded": (top,), "inferred": ()} if stored else {}
            plan = make_plan(work, training=site, **reuse)
            backend = made(work, plan)
            outcome, _ = run_plan(plan, backend)
            assert (outcome.inferred_images, outcome.rows.joined) == (0 if stored else 72, 36)
            assert len(backend.preparation(top).names) == width
            fits.append(backend.fit(top))
            stored = True
        assert fits[0].keys == fits[1].keys
        np.testing.assert_allclose(fits[0].probabilities, fits[1].probabilities, atol=5e-3)


def test_features_that_are_no_numbers_end_a_fit_on_the_cluster(spark: Any, tmp_path: Path) -> None:
    """MLlib's complaint becomes the error that names layer and row."""
    work = workload(catalogue(tmp_path))
    backend = LocalBackend(make_plan(work), run_inputs(work, tmp_path))
    run_plan(backend.plan, backend)
    rows = backend.rows
    spoilt = rows.x.copy()
    spoilt[np.flatnonzero(~rows.test)[0], 0] = np.inf
    with (
        pytest.raises(VistaDataError, match="VST355: layer top gives NaN or infinity"),
        fits_on_cluster(spark, replace(rows, x=spoilt), None, work, backend.plan.physical, layer="top") as fit,
    ):
        fit(Split(~rows.test, rows.test), [work.call])
