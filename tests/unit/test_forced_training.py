"""`plan: {training: ...}`: obeyed where both sites give the same model, refused with its place where they do not."""

from __future__ import annotations

import pytest
from planning_fixtures import MOBILENETV2, snapshot

import vista_nb
from vista_nb.catalog.statistics import SystemFacts, WorkloadStatistics
from vista_nb.errors import VistaSpecError
from vista_nb.optimizer.optimize import optimize
from vista_nb.units import GB

DATA = WorkloadStatistics(rows=400, structured_features=4, image_bytes=20_000, images=400)
SPEC = "cnn: resnet50\nlayers: top 2\nmodel: {}\nplan: {{training: {}}}\nstatistics: {{rows: 500}}\n"


@pytest.mark.parametrize("site", ["driver", "cluster"])
def test_a_forced_site_is_the_only_one_weighed(site: str) -> None:
    """LogisticRegression with an L2 penalty may be trained on either."""
    plan = optimize(snapshot(MOBILENETV2, DATA, SystemFacts(memory=24 * GB, cores=2), training=site))
    assert {candidate.physical.training.value for candidate in plan.candidates} == {site}


@pytest.mark.parametrize(
    ("model", "site", "other"),
    [
        ("LogisticRegression(regParam=0.01, elasticNetParam=0.5)", "driver", "cluster"),
        ("sklearn.LogisticRegression(C=0.1)", "cluster", "driver"),
    ],
)
def test_a_site_that_would_give_another_model_is_refused(model: str, site: str, other: str) -> None:
    """VST132 at the part, with the site that works."""
    with pytest.raises(VistaSpecError) as caught:
        vista_nb.explain(SPEC.format(model, site))
    (problem,) = caught.value.problems
    assert (problem.code, problem.hint) == ("VST132", f"write training: {other}")
    assert problem.line == 4
    assert vista_nb.explain(SPEC.format(model, other)).physical.training.value == other


def test_an_unknown_site_has_a_suggestion() -> None:
    """As every word of the plan."""
    with pytest.raises(VistaSpecError, match="did you mean `driver`"):
        vista_nb.explain(SPEC.format("LogisticRegression(regParam=0.01)", "drivr"))
