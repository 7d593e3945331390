"""What a run's workers tell becomes calibration: only enough of it, of whole passes, and never below `doctor`'s."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vista_nb.catalog.roster import load_roster
from vista_nb.executor.cnn.measuring import ResidentLine
from vista_nb.executor.cnn.usage import PassUsage, Usage
from vista_nb.optimizer.calibration import Measured
from vista_nb.session.calibration_cache import CNNRecord, merged
from vista_nb.session.run_record import seen

CNN = load_roster().find("vistanet")
assert CNN is not None
EMPTY = CNNRecord(CNN.name, CNN.builder, "ab" * 32, "float32", 1e9, "run")
WORKER = Usage(
    process=7, images=320, batches=10, seconds=0.64, decode=0.32, decoded=352, decode_seconds=0.352, start=4.062,
    first_images=32, peak=830_000_000, alone=True,
)  # fmt: skip
OTHER = replace(WORKER, process=8, seconds=0.96, peak=835_000_000)
PASS = PassUsage(CNN.default_layers, None, True, 32, (WORKER, OTHER))


def test_seconds_start_and_peak_of_a_pass() -> None:
    """Without decoding: 1 ms and 2 ms per image; start-up without the other 31 photos of the first batch."""
    assert CNN is not None
    found = seen(EMPTY, CNN, [PASS])
    (layer,) = found.layer_seconds
    assert layer == CNN.default_layers[-1]
    assert found.layer_seconds[layer] == Measured(pytest.approx(0.0015), pytest.approx(0.001), pytest.approx(0.002))
    assert found.start is not None
    assert found.start.value == pytest.approx(4.062 - 31 * (0.0015 + 0.001))
    assert found.peaks == ((32, 835_000_000),)


@pytest.mark.parametrize(
    "little",
    [
        replace(PASS, start="conv3"),
        replace(PASS, workers=()),
        replace(PASS, workers=(replace(WORKER, images=40, batches=2),)),
        replace(PASS, batch_size=1, workers=(replace(WORKER, alone=False),)),
    ],
    ids=["from a stored layer", "on another machine", "too few", "a call per photo"],
)
def test_too_little_changes_nothing(little: PassUsage) -> None:
    """A short first run teaches nothing wrong."""
    assert CNN is not None
    assert seen(EMPTY, CNN, [little]) == EMPTY
    assert merged(None, EMPTY) is None


@pytest.mark.parametrize(
    "partial",
    [
        replace(PASS, layers=CNN.default_layers[:1]),
        replace(PASS, pooled=False),
        replace(PASS, workers=(replace(WORKER, alone=False), replace(WORKER, batches=2))),
    ],
    ids=["low layers", "raw tensors", "other models, few batches"],
)
def test_a_peak_counts_only_from_a_whole_lone_pass(partial: PassUsage) -> None:
    """Too low a peak would break the plan's promise; seconds are good all the same."""
    assert CNN is not None
    found = seen(EMPTY, CNN, [partial])
    assert found.peaks == ()
    assert bool(found.layer_seconds) == partial.pooled  # raw tensors are packed in the same CPU seconds


def test_vgg16_without_its_dense_layers_shows_too_little_memory() -> None:
    """All its default layers belong to the class head, and most of its bytes; ResNet50 without its logits is whole."""
    vgg16, resnet50 = load_roster().find("vgg16"), load_roster().find("resnet50")
    assert vgg16 is not None
    assert resnet50 is not None
    below = next(layer.name for layer in reversed(vgg16.layers) if layer.name not in vgg16.default_layers)
    assert seen(EMPTY, vgg16, [replace(PASS, layers=(below,))]).peaks == ()
    assert seen(EMPTY, vgg16, [replace(PASS, layers=(*vgg16.default_layers,))]).peaks
    assert seen(EMPTY, resnet50, [replace(PASS, layers=("conv5_2", "conv5_3"))]).peaks


def test_the_next_run_replaces_seconds_and_keeps_the_highest_peak() -> None:
    """A run's record follows the machine."""
    assert CNN is not None
    first = merged(None, seen(EMPTY, CNN, [PASS]))
    assert first is not None
    lower = replace(PASS, workers=(replace(WORKER, peak=800_000_000),))
    second = merged(first, seen(replace(EMPTY, when=2e9), CNN, [lower]))
    assert second is not None
    assert second.peaks == first.peaks
    assert second.when == 2e9
    assert second.layer_seconds["fc6"].value == pytest.approx(0.001)


def test_doctors_seconds_stay_and_its_memory_is_only_raised() -> None:
    """A worker above the line lifts it; one below leaves all as it is."""
    assert CNN is not None
    doctor = replace(
        EMPTY,
        source="doctor",
        layer_seconds={"fc6": Measured(1.0, 1.0, 1.0)},
        peaks=((8, 790_000_000), (32, 815_000_000)),
    )
    above = merged(doctor, seen(EMPTY, CNN, [replace(PASS, batch_size=16)]))
    assert above is not None
    assert above.layer_seconds == doctor.layer_seconds
    assert dict(above.peaks)[16] == 835_000_000
    assert ResidentLine.through(dict(above.peaks)).at(16) >= 835_000_000
    below = replace(PASS, workers=(replace(WORKER, peak=700_000_000),))
    assert merged(doctor, seen(EMPTY, CNN, [below])) == doctor


def test_the_line_passes_above_every_point_and_never_falls() -> None:
    """Through the larger batches, lifted to the points between; what the least batch takes is taken by all."""
    line = ResidentLine.through({8: 900, 32: 1140})
    assert (line.fixed, line.per_image, line.at(16), line.at(1)) == (820, 10, 980, 900)
    loading = ResidentLine.through({1: 890, 8: 900, 16: 1000, 32: 1140})
    assert (loading.at(1), loading.at(8), loading.at(16), loading.at(32)) == (890, 920, 1000, 1160)
    assert ResidentLine.through({8: 900, 32: 850}) == ResidentLine(900, 0, 900)
