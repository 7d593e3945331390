"""`vista-nb doctor --calibrate` and `%vista doctor --calibrate`; only the measuring itself is stood in for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

from vista_nb.catalog.roster import CNNFacts
from vista_nb.cli import main
from vista_nb.errors import VistaUsageError
from vista_nb.optimizer.calibration import Measured
from vista_nb.session import calibrating
from vista_nb.session.calibration_cache import CNNRecord


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The CNNs that were to be measured; each announces one step and comes back as a record."""
    names: list[str] = []

    def measure(cnns: Sequence[CNNFacts], say: Callable[[str], None]) -> tuple[CNNRecord, ...]:
        names.extend(cnn.name for cnn in cnns)
        for cnn in cnns:
            say(f"{cnn.name}: seconds per image, layer by layer")
        seconds = Measured(0.08, 0.08, 0.09)
        return tuple(
            CNNRecord(
                cnn.name, cnn.builder, "0" * 64, "float32", 0.0, "doctor", {cnn.layers[-1].name: seconds},
                Measured(4.0, 4.0, 4.2), ((8, 900_000_000), (32, 1_200_000_000)),
            )
            for cnn in cnns
        )  # fmt: skip

    monkeypatch.setattr(calibrating, "calibrate", measure)
    return names


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    InteractiveShell.clear_instance()
    config = Config()
    config.HistoryManager.enabled = False
    made = InteractiveShell.instance(config=config)
    made.run_cell("%load_ext vista_nb").raise_error()
    yield made
    InteractiveShell.clear_instance()


def test_command_line(asked: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Steps as they come, the table, then what doctor always says."""
    assert main(["doctor", "--calibrate", "resnet50", "VGG-16"]) in (0, 1)
    assert asked == ["resnet50", "vgg16"]
    printed = capsys.readouterr().out
    assert printed.index("resnet50: seconds per image") < printed.index("ms per image") < printed.index("calibration ")
    assert "1.2 GB" in printed


def test_without_names_the_bundled_cnn_is_measured(asked: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """And whatever else this cache has seen: in the tests' own cache at most what other tests prepared."""
    main(["doctor", "--calibrate"])
    assert "vistanet" in asked
    assert "vistanet" in capsys.readouterr().out


def test_unknown_cnn_is_a_usage_error(asked: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2, nothing measured, the nearest name offered."""
    assert main(["doctor", "--calibrate", "vistanet", "resnet5O"]) == 2
    assert "VST007" in capsys.readouterr().err
    assert asked == []


def test_line_magic_shows_steps_and_returns_the_table(asked: list[str], shell: InteractiveShell) -> None:
    """One display that changes, then a table."""
    with capture_output() as shown:
        result = shell.run_cell("%vista doctor --calibrate vistanet")
    result.raise_error()
    assert asked == ["vistanet"]
    assert "80" in str(result.result)
    assert "in the roster" in str(result.result)
    assert any("measur" in str(output.data) for output in shown.outputs)


def test_line_magic_refuses_what_it_does_not_know(shell: InteractiveShell) -> None:
    """A CNN and a flag."""
    for line in ("%vista doctor --calibrate resnet5O", "%vista doctor --measure"):
        with capture_output(), pytest.raises(VistaUsageError):
            shell.run_cell(line).raise_error()
