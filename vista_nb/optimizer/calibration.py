"""How measured numbers take the place of the roster's: the interface that a calibration of the machine fills.

Reads a snapshot, rates and a `Calibration`; returns both with the measured values in. May touch: nothing. DESIGN.md
section 7, "Calibration": seconds per image and prefix, decode rate, disk and shuffle rate, training cost per site,
resident memory, start-up. Whoever measures (a throw-away process outside the pure rooms) only builds this value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import accumulate
from statistics import median

from vista_nb.catalog.roster import CNNFacts, LayerFacts
from vista_nb.catalog.snapshot import Snapshot
from vista_nb.optimizer.facts import given
from vista_nb.optimizer.rates import Rates

__all__ = ["Calibration", "Measured", "calibrate", "measured_cnn"]


@dataclass(frozen=True)
class Measured:
    """One number with the least and the most of its repetitions."""

    value: float
    low: float
    high: float

    @classmethod
    def least(cls, values: Sequence[float]) -> Measured:
        """Of a time: whatever else the machine did can only have added to it."""
        return cls(min(values), min(values), max(values))

    @classmethod
    def middle(cls, values: Sequence[float]) -> Measured:
        """The median: of a rate, which is off on both sides."""
        return cls(median(values), min(values), max(values))

    def widened(self, relative: float) -> Measured:
        """With at least so much spread: what repetitions in one quiet process cannot show."""
        return Measured(
            self.value, min(self.low, self.value * (1 - relative)), max(self.high, self.value * (1 + relative))
        )

    @property
    def spread(self) -> float:
        """The larger side, relative to the value."""
        return max(self.high - self.value, self.value - self.low, 0.0) / self.value if self.value else 0.0


@dataclass(frozen=True)
class Calibration:
    """What was measured on one machine; anything left out keeps the roster's number and its wide spread.

    rates: field of `Rates` -> Measured. cnn: which CNN the rest is about. layer_seconds: layer -> Measured, seconds
    per image on one core from the image to there. start: seconds until a worker's first batch. resident: bytes of
    one worker at batch 32; resident_per_image: what each image of a batch adds; resident_least: what
    loading takes. note: the same in a sentence.
    """

    rates: Mapping[str, Measured]
    cnn: str = ""
    layer_seconds: Mapping[str, Measured] | None = None
    start: Measured | None = None
    resident: int | None = None
    resident_per_image: int | None = None
    resident_least: int | None = None
    note: str = ""


def calibrate(snapshot: Snapshot, rates: Rates, found: Calibration) -> tuple[Snapshot, Rates]:
    """The same workload with measured numbers. Raises ValueError for a rate that does not exist."""
    unknown = set(found.rates) - {field.name for field in fields(Rates)}
    if unknown:
        raise ValueError(f"no such rates: {', '.join(sorted(unknown))}")
    spread = dict(rates.spread) | {name: measured.spread for name, measured in found.rates.items()}
    values: dict[str, float] = {name: measured.value for name, measured in found.rates.items()}
    cnn = snapshot.workload.cnn
    if found.cnn == cnn.name:
        cnn = measured_cnn(cnn, found)
        spread |= _cnn_spread(found)
        snapshot = _with_cnn(snapshot, cnn)
    # mypy cannot see that the names were checked above
    return snapshot, replace(rates, spread=tuple(sorted(spread.items())), **values)  # type: ignore[arg-type]


def _cnn_spread(found: Calibration) -> dict[str, float]:
    layers = (found.layer_seconds or {}).values()
    spread = {"cnn_factor": max(measured.spread for measured in layers)} if layers else {}
    return spread | ({"start_factor": found.start.spread} if found.start else {})


def measured_cnn(cnn: CNNFacts, found: Calibration) -> CNNFacts:
    """The CNN with the measured numbers; what was not measured stays, or is scaled (seconds of other layers)."""
    return replace(
        cnn,
        layers=_measured_layers(cnn.layers, found.layer_seconds or {}),
        start_seconds=found.start.value if found.start else cnn.start_seconds,
        resident=given(found.resident, cnn.resident),
        resident_per_image=given(found.resident_per_image, cnn.resident_per_image),
        resident_least=given(found.resident_least, cnn.resident_least),
    )


def _measured_layers(layers: tuple[LayerFacts, ...], measured: Mapping[str, Measured]) -> tuple[LayerFacts, ...]:
    """Measured layers as measured, the others scaled by the nearest measured one; never falling along the CNN."""
    known = [(place, measured[layer.name].value) for place, layer in enumerate(layers) if layer.name in measured]
    if not known:
        return layers
    seconds = []
    for place, layer in enumerate(layers):
        nearest, value = min(known, key=lambda pair: abs(pair[0] - place))
        roster = layers[nearest].seconds
        seconds.append(value if nearest == place or not roster else layer.seconds * value / roster)
    rising = accumulate(seconds, max)
    return tuple(replace(layer, seconds=value) for layer, value in zip(layers, rising, strict=True))


def _with_cnn(snapshot: Snapshot, cnn: CNNFacts) -> Snapshot:
    workload = snapshot.workload
    layers = tuple(cnn.layer(layer.name) or layer for layer in workload.layers)
    return replace(snapshot, workload=replace(workload, cnn=cnn, layers=layers))
