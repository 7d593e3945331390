"""What `.mistakes`, `.compare_layers`, `.metrics`, `.confusion` and `.plot` show of held-out rows."""

from __future__ import annotations

from pathlib import Path

import pytest
from seen_run import HOSTILE, class_result, number_result

from vista_nb.errors import VistaUsageError
from vista_nb.views.gallery_view import Gallery


def test_mistakes_of_the_best_layer(tmp_path: Path) -> None:
    """The surest first, with truth, prediction, probability and a photo each; the layer by name, score or none."""
    result = class_result(tmp_path)
    gallery = result.mistakes("conv5")
    assert gallery.keys == (HOSTILE, "a2")
    (group,) = gallery.groups
    assert group.heading == "wrong, the surest first"
    tile = group.tiles[0]
    assert (tile.truth, tile.said[0].prediction, tile.said[0].right) == ("<b>Hat</b>", "Shirt 95%", False)
    assert tile.jpeg.startswith(b"\xff\xd8")
    assert result.best is not None
    assert result.mistakes().keys == result.mistakes(result.best).keys == result.mistakes(result.best.layer).keys
    assert len(result.mistakes("(table)")) == 3


def test_a_gallery_is_escaped_inline_and_small(tmp_path: Path) -> None:
    """No tag of a class or key, no script, no file, no link; 60 kB for a dozen photos."""
    html = class_result(tmp_path).mistakes("conv5")._repr_mimebundle_()["text/html"]
    assert "&lt;b&gt;Hat&lt;/b&gt;" in html
    assert "<b>Hat" not in html
    assert "<script" not in html
    assert "file:" not in html
    assert str(tmp_path) not in html
    assert html.count('<img src="data:image/jpeg;base64,') == 2
    assert html.count(' alt="') == 2
    assert len(html) < 10_000


def test_a_gallery_has_a_text_twin(tmp_path: Path) -> None:
    """For terminals: heading, count, a line per photo."""
    text = str(class_result(tmp_path).mistakes("conv5", n=1))
    assert text.splitlines()[:2] == ["conv5: 5 held-out rows", "wrong, the surest first: 2, the first 1 shown"]
    assert HOSTILE in text
    assert "Shirt 95%" in text
    assert repr(class_result(tmp_path).mistakes("conv5", n=1)) == text


def test_mistakes_of_one_cell_of_the_matrix(tmp_path: Path) -> None:
    """By truth and prediction; none is said, not raised."""
    result = class_result(tmp_path)
    assert result.mistakes("conv5", truth="Shirt").keys == ("a2",)
    assert result.mistakes("conv5", truth="Shirt").groups[0].heading.endswith("(truth Shirt)")
    none = result.mistakes("conv5", prediction="Boots")
    assert none.keys == ()
    assert "(predicted Boots): 0" in str(none)
    assert "img" not in none.html()


def test_compare_layers_shows_both_sides(tmp_path: Path) -> None:
    """Only one is right; how often neither tells, in the note."""
    gallery = class_result(tmp_path).compare_layers("conv5", "fc6")
    assert [group.heading for group in gallery.groups] == ["conv5 is right, fc6 wrong", "fc6 is right, conv5 wrong"]
    assert [tuple(t.key for t in group.tiles) for group in gallery.groups] == [("a1",), ("a2",)]
    assert gallery.note == "both right: 2, both wrong: 1"
    assert [said.right for said in gallery.groups[0].tiles[0].said] == [True, False]
    assert "(right)" in gallery.html()
    against = class_result(tmp_path).compare_layers("fc6", "(table)")
    assert sum(group.total for group in against.groups) == 5


def test_a_regression_shows_the_largest_errors(tmp_path: Path) -> None:
    """Truth and prediction in the label's unit, the error signed; no right or wrong, no probability."""
    result = number_result(tmp_path)
    gallery = result.mistakes("conv5", n=2)
    assert gallery.keys == ("a2", HOSTILE)
    tile = gallery.groups[0].tiles[0]
    space = "\N{NO-BREAK SPACE}"
    assert tile.truth == f"200{space}000"
    assert tile.said[0].prediction == f"110{space}000 (\N{MINUS SIGN}90{space}000)"
    assert tile.said[0].right is None
    assert gallery.note == ""
    nearer = result.compare_layers("conv5", "fc6")
    assert [group.heading for group in nearer.groups] == ["conv5 is nearer", "fc6 is nearer"]
    assert nearer.keys == (HOSTILE, "a1", "a2")


def test_a_photo_that_is_gone_is_named(tmp_path: Path) -> None:
    """The row is shown all the same."""
    result = class_result(tmp_path)
    for file in tmp_path.iterdir():
        file.unlink()
    html = result.mistakes("conv5").html()
    assert "No such file" in html
    assert "<img" not in html


@pytest.mark.parametrize("count", [0, -1, 101, 2.5, True, "3"])
def test_counts_that_are_none(tmp_path: Path, count: object) -> None:
    """Coded, with what would do."""
    result = class_result(tmp_path)
    for call in (lambda: result.mistakes(n=count), lambda: result.compare_layers("conv5", "fc6", count)):  # type: ignore[arg-type]
        with pytest.raises(VistaUsageError, match="VST030") as caught:
            call()
        assert caught.value.hint == "a whole number from 1 to 100"


def test_layers_that_are_none(tmp_path: Path) -> None:
    """An unknown layer, one without a score, one against itself: coded."""
    result = class_result(tmp_path)
    with pytest.raises(VistaUsageError, match="VST006"):
        result.mistakes("fc66")
    with pytest.raises(VistaUsageError, match=r"VST030.*\(table, tree\) has no score"):
        result.mistakes("(table, tree)")
    with pytest.raises(VistaUsageError, match="VST030"):
        result.compare_layers("fc6", "fc6")


def test_every_metric_and_the_confusion_matrix(tmp_path: Path) -> None:
    """As frames; a regression has no matrix."""
    result = class_result(tmp_path)
    metrics = result.metrics
    assert list(metrics.columns) == ["layer", "metric", "value", "ci_low", "ci_high"]
    assert set(metrics.metric) == {"accuracy", "f1", "auc", "logloss"}
    assert metrics[(metrics.layer == "conv5") & (metrics.metric == "accuracy")].value.item() == 0.6
    matrix = result.confusion("conv5")
    assert matrix.to_numpy().tolist() == [[1, 1, 0], [0, 1, 1], [0, 0, 1]]
    assert matrix.index.name == "truth"
    numbers = number_result(tmp_path)
    assert set(numbers.metrics.metric) == {"rmse", "mae", "r2"}
    with pytest.raises(VistaUsageError, match="VST030"):
        numbers.confusion()


def test_the_plot_holds_both_pictures(tmp_path: Path) -> None:
    """Wider than accuracy alone, told in words; equal runs give equal bytes; `ax` gets accuracy alone."""
    result = class_result(tmp_path)
    picture = result.plot(layer="conv5")
    assert picture.png.startswith(b"\x89PNG")
    assert (
        "Most frequent mistakes of conv5: <b>Hat</b> taken for Shirt 1 times, Shirt taken for Shoes 1 times"
        in picture.alt
    )
    assert "accuracy by layer" in picture.alt
    assert class_result(tmp_path).plot(layer="conv5").png == picture.png
    assert result._repr_mimebundle_()[0]["image/png"] != picture.png
    drawn = number_result(tmp_path).plot(layer="fc6")
    assert "largest error: 340" in drawn.alt


def test_a_gallery_is_a_value() -> None:
    """Empty ones print too."""
    assert str(Gallery("none", (), "")) == "none"
    assert len(Gallery("none", ())) == 0
