"""The report's sentences: no claim without a paired test behind it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vista_nb.outcome.metrics import best_of, ranked
from vista_nb.outcome.report import report
from vista_nb.outcome.scores import TABLE, TABLE_TREE, LayerScore, NestedScore, PairedTest, RowCounts, RunOutcome


def score(layer: str, value: float, metric: str = "accuracy") -> LayerScore:
    return LayerScore(layer, metric, value, value - 0.03, value + 0.03, rows_train=1920, rows_test=480)


def paired(a: str, b: str, difference: float, p_value: float, compared: int = 1) -> PairedTest:
    return PairedTest(a, b, "McNemar, exact", difference, p_value, compared)


SCORES = (score(TABLE, 0.34), score(TABLE_TREE, 0.36), score("block_13", 0.82), score("block_16", 0.86))


def test_pictures_that_help() -> None:
    """The winner, how sure, against the better baseline, chosen on test, class shares, rows."""
    tests = (
        paired("block_13", TABLE_TREE, 0.46, 1e-30, 2),
        paired("block_16", TABLE_TREE, 0.50, 1e-30, 2),
        paired("block_16", "block_13", 0.04, 0.02),
    )
    rows = RowCounts(structured=2410, joined=2400, no_image=6, null_label=1, bad_images=3, train=1920, test=480)
    said = report(RunOutcome(SCORES, tests, rows=rows, majority=0.226))
    assert said == (
        "Best layer: block_16, accuracy 0.860 (95 % interval 0.830 to 0.890) on 480 held-out rows.",
        "It is clearly better than the runner-up block_13 (0.820): +4.0 points, p = 0.020 (McNemar, exact).",
        (
            "Pictures help: block_16 is clearly better than the structured features alone, (table, tree) 0.360: "
            "+50.0 points, p < 0.001 (McNemar, exact; corrected for 2 comparisons)."
        ),
        "On the structured features alone the same model reaches 0.340.",
        (
            "block_16 was chosen on the same rows it is scored on, as the best of 2 layers, so its score is a little "
            "too good; confirm it on new rows."
        ),
        "The largest class holds 22.6% of the rows.",
        (
            "2400 of 2410 rows used (1920 to train, 480 held out); left out: 1 without a label, 6 without an image, "
            "3 with an image that cannot be read."
        ),
    )


def test_pictures_that_do_not_help() -> None:
    """A better score that the test does not bear is not called better; a clearly worse layer is named."""
    scores = (score(TABLE, 0.83), score(TABLE_TREE, 0.80), score("low", 0.84), score("top", 0.70))
    tests = (paired("low", TABLE, 0.01, 0.8, 2), paired("top", TABLE, -0.13, 0.001, 2), paired("low", "top", 0.14, 0.4))
    said = " ".join(report(RunOutcome(scores, tests)))
    assert "not clearly better than the runner-up top" in said
    assert "Pictures do not clearly help: low is not clearly better than the structured features alone" in said
    assert "Clearly worse than the structured features alone: top." in said
    assert "Pictures help" not in said


def test_a_significant_loss_is_no_win() -> None:
    """A small p-value with the table ahead does not say that pictures help."""
    scores = (score(TABLE, 0.9), score(TABLE_TREE, 0.8), score("top", 0.7))
    said = " ".join(report(RunOutcome(scores, (paired("top", TABLE, -0.2, 0.0001),))))
    assert "Pictures hurt: even top is clearly worse than the structured features alone, (table) 0.900" in said
    assert "chosen on the same rows" not in said  # one layer: nothing was chosen


@pytest.mark.parametrize(("task", "guess"), [("classification", "the largest class"), ("regression", "the mean")])
def test_the_photo_alone_is_held_against_a_guess(task: str, guess: str) -> None:
    """`features: []`: there is no structured feature to speak of."""
    scores = (score(TABLE, 0.5), score("top", 0.7))
    said = " ".join(report(RunOutcome(scores, (paired("top", TABLE, 0.2, 0.0001),), task=task)))
    assert f"Pictures help: top is clearly better than always guessing {guess}, (table) 0.500" in said
    assert "structured features" not in said


def test_no_gain_at_all() -> None:
    """The best layer below the table: the plain word, not `not clearly`."""
    scores = (score(TABLE, 0.83), score(TABLE_TREE, 0.84), score("top", 0.80))
    said = report(RunOutcome(scores, (paired("top", TABLE_TREE, -0.04, 0.2),)))
    assert said[1].startswith("Pictures do not help: even top is no better than the structured features alone, (table,")
    assert said[2] == "On the structured features alone the same model reaches 0.830."


@pytest.mark.parametrize(("runner_up", "words"), [(0.9, "Nor is it"), (0.001, "It is not")])
def test_layers_that_would_do_as_well(runner_up: float, words: str) -> None:
    """Beyond the runner-up, whatever the rows cannot tell from the best is named; in words that fit what was said."""
    scores = (score("a", 0.80), score("b", 0.81), score("c", 0.60), score("d", 0.82))
    tests = (paired("d", "b", 0.01, runner_up, 6), paired("d", "a", 0.02, 0.7, 6), paired("d", "c", 0.22, 0.001, 6))
    said = report(RunOutcome(scores, tests))
    assert said[2] == f"{words} clearly better than a."


def test_folds_and_a_nested_estimate() -> None:
    """With folds every row is held out once, and the choice of the best is scored on rows that had no part in it."""
    nested = NestedScore("accuracy", 0.851, 0.836, 0.865, ("block_16", "block_13"))
    rows = RowCounts(structured=2400, joined=2400, train=2400, test=2400)
    tuned = tuple(replace(s, parameters="regParam=0.1") for s in SCORES)
    said = report(RunOutcome(tuned, rows=rows, folds=3, nested=nested))
    assert said[0] == (
        "Best layer: block_16, accuracy 0.860 (95 % interval 0.830 to 0.890) on 480 rows, each held out once "
        "(3 folds). Tuning chose regParam=0.1 for it."
    )
    assert said[-2] == (
        "block_16 was chosen on the same rows it is scored on, as the best of 2 layers, so its score may be a little "
        "too good; chosen on half of these rows and scored on the other half, many times, the best layer (mostly "
        "block_16, also block_13) reaches accuracy 0.851 (95 % interval 0.836 to 0.865)."
    )
    assert said[-1] == "2400 of 2400 rows used (each held out once)."


def test_a_regression_speaks_in_the_labels_unit() -> None:
    """Prices are written out, not as 1.5e+05; smaller is better."""
    scores = (
        LayerScore(TABLE, "rmse", 351_234.5, 310_000, 402_000, rows_test=535),
        LayerScore("top", "rmse", 300_111.2, 280_000, 350_000, rows_test=535),
    )
    test = PairedTest("top", TABLE, "paired bootstrap", 51_123.3, 0.012)
    said = report(RunOutcome(scores, (test,), task="regression", metric="rmse"))
    assert said[0] == (
        "Best layer: top, rmse 300\N{NO-BREAK SPACE}111 (95 % interval 280\N{NO-BREAK SPACE}000 to "
        "350\N{NO-BREAK SPACE}000) on 535 held-out rows."
    )
    assert "(table) 351\N{NO-BREAK SPACE}234: +51\N{NO-BREAK SPACE}123 rmse (plus is better), p = 0.012" in said[1]


def test_unequal_classes_are_said() -> None:
    """Accuracy below always guessing, and a share that makes accuracy useless."""
    said = " ".join(report(RunOutcome((score("top", 0.94),), majority=0.95)))
    assert "The largest class holds 95.0% of the rows. No layer beats always guessing it." in said
    assert "try metric: f1 or auc" in said
    assert "cannot say whether pictures help" in said


def test_a_loss_is_better_when_lower() -> None:
    """logloss: the best is the smallest, a gain is a decrease, said in the metric's unit."""
    scores = (score(TABLE, 1.9, "logloss"), score("a", 0.5, "logloss"), score("b", 0.6, "logloss"))
    assert best_of(scores).layer == "a"
    assert [s.layer for s in ranked(scores)] == ["a", "b", TABLE]
    said = report(RunOutcome(scores, (PairedTest("a", TABLE, "paired bootstrap", 1.4, 0.0004, 2),), metric="logloss"))
    assert "Pictures help" in said[2]
    assert "+1.400 logloss (plus is better)" in said[2]


def test_equal_and_undefined_scores() -> None:
    """Of equal layers the lower one is best; NaN is never best; nothing scored gives no sentence."""
    assert best_of([score("low", 0.8), score("top", 0.8)]).layer == "low"
    assert best_of([score("low", float("nan")), score("top", 0.1)]).layer == "top"
    assert best_of([score(TABLE, 0.9)]) is None
    assert report(RunOutcome()) == ()
    assert "(table): accuracy 0.900" in report(RunOutcome((score(TABLE, 0.9),)))[0]
