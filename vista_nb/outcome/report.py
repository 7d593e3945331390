"""The report: what a run found, in sentences that do not promise more than the rows can carry.

Reads a `RunOutcome`, returns sentences. May touch: nothing (standard library only). DESIGN.md sections 5 and 11: which
layer wins, whether that is clear, whether pictures help at all, and what was left out on the way.
"""

from __future__ import annotations

from vista_nb.outcome.metrics import best_of, gain, ranked
from vista_nb.outcome.scores import TABLE, TABLE_TREE, LayerScore, PairedTest, RowCounts, RunOutcome
from vista_nb.outcome.wording import change, evidence, listed, value_with_interval, written

__all__ = ["report"]

LARGE_CLASS = 0.8


def report(outcome: RunOutcome) -> tuple[str, ...]:
    """One sentence or two per finding, the most important first. Empty where no layer was scored."""
    best = best_of(outcome.scores)
    if best is None:
        return (*_baseline_only(outcome), *_rows(outcome))
    return (
        *_winner(outcome, best),
        *_pictures(outcome, best),
        *_chosen_on_test(outcome, best),
        *_balance(outcome, best),
        *_rows(outcome),
    )


def _winner(outcome: RunOutcome, best: LayerScore) -> tuple[str, ...]:
    head = f"Best layer: {best.layer}, {value_with_interval(best)} on {_held_out(outcome, best)}."
    if best.parameters:
        head += f" Tuning chose {best.parameters} for it."
    others = [s for s in outcome.scores if not s.is_baseline and s is not best]
    if not others:
        return (head,)
    runner_up = ranked(others)[0]
    test = _test(outcome, best.layer, runner_up.layer)
    if test is None:
        return (head, f"Runner-up: {runner_up.layer}, {written(runner_up.metric, runner_up.value)}.")
    clear = "clearly better" if test.clear else "not clearly better"
    said = (
        f"It is {clear} than the runner-up {runner_up.layer} ({written(runner_up.metric, runner_up.value)}): "
        f"{change(best.metric, test.difference)}, {evidence(test)}."
    )
    return (head, said, *_others(outcome, best, test))


def _others(outcome: RunOutcome, best: LayerScore, runner_up: PairedTest) -> tuple[str, ...]:
    """Which further layers would do as well, as far as these rows can tell."""
    layers = {s.layer for s in outcome.scores if not s.is_baseline} - {runner_up.b}
    alike = [t.b for t in outcome.tests if t.a == best.layer and t.b in layers and not t.clear]
    words = "It is not" if runner_up.clear else "Nor is it"
    return (f"{words} clearly better than {listed(alike)}.",) if alike else ()


def _held_out(outcome: RunOutcome, score: LayerScore) -> str:
    if outcome.folds:
        return f"{score.rows_test} rows, each held out once ({outcome.folds} folds)"
    return f"{score.rows_test} held-out rows"


def _pictures(outcome: RunOutcome, best: LayerScore) -> tuple[str, ...]:
    """Against the better of the two table-only models: a weak baseline would flatter the pictures."""
    baselines = ranked(s for s in outcome.scores if s.is_baseline)
    if not baselines:
        return ("No baseline was scored, so this run cannot say whether pictures help.",)
    table = baselines[0]
    against = f"{_without_pictures(outcome)}, {table.layer} {written(table.metric, table.value)}"
    test = _test(outcome, best.layer, table.layer)
    if test is None:
        moved = change(best.metric, gain(best.metric, best.value, table.value))
        return (f"Against {against}, {best.layer} changes {moved}; no paired test was made.",)
    said = f"{change(best.metric, test.difference)}, {evidence(test)}"
    return (f"{_verdict(test, best.layer, against)}: {said}.", *_other_baseline(baselines), *_hurt(outcome, test))


def _without_pictures(outcome: RunOutcome) -> str:
    """With `features: []` there is no tree to beat: `(table)` is a guess, the same for every row."""
    if any(score.layer == TABLE_TREE for score in outcome.scores):
        return "the structured features alone"
    return "always guessing the " + ("mean" if outcome.task == "regression" else "largest class")


def _verdict(test: PairedTest, layer: str, against: str) -> str:
    """Four answers: help, not clearly, no, harm. The last two where even the best layer is no better."""
    if test.clear:
        return f"Pictures help: {layer} is clearly better than {against}"
    if test.difference > 0:
        return f"Pictures do not clearly help: {layer} is not clearly better than {against}"
    if test.p_value < 0.05 and test.difference < 0:
        return f"Pictures hurt: even {layer} is clearly worse than {against}"
    return f"Pictures do not help: even {layer} is no better than {against}"


def _other_baseline(baselines: tuple[LayerScore, ...]) -> tuple[str, ...]:
    """The weaker table-only model, so that both opponents are named."""
    if len(baselines) < 2:
        return ()
    other = baselines[1]
    model = "the same model" if other.layer == TABLE else "a tree model"
    return (f"On the structured features alone {model} reaches {written(other.metric, other.value)}.",)


def _hurt(outcome: RunOutcome, best: PairedTest) -> tuple[str, ...]:
    tests = [t for t in outcome.tests if t.b == best.b and t.a != best.a]
    hurt = [t.a for t in tests if t.difference < 0 and t.p_value < 0.05]
    return (f"Clearly worse than {_without_pictures(outcome)}: {listed(hurt, 10)}.",) if hurt else ()


def _chosen_on_test(outcome: RunOutcome, best: LayerScore) -> tuple[str, ...]:
    layers = sum(not s.is_baseline for s in outcome.scores)
    if layers < 2:
        return ()
    chosen = f"{best.layer} was chosen on the same rows it is scored on, as the best of {layers} layers, so its score "
    if outcome.nested is None:
        return (f"{chosen}is a little too good; confirm it on new rows.",)
    picked = list(outcome.nested.chosen)
    where = f"always {picked[0]}" if len(picked) == 1 else f"mostly {picked[0]}, also {listed(picked[1:])}"
    return (
        (
            f"{chosen}may be a little too good; chosen on half of these rows and scored on the other half, many times, "
            f"the best layer ({where}) reaches {value_with_interval(outcome.nested)}."
        ),
    )


def _balance(outcome: RunOutcome, best: LayerScore) -> tuple[str, ...]:
    share = outcome.majority
    if share is None or outcome.task != "classification":
        return ()
    sentences = [f"The largest class holds {share:.1%} of the rows."]
    if best.metric == "accuracy" and best.value <= share:
        sentences.append("No layer beats always guessing it.")
    if best.metric == "accuracy" and share >= LARGE_CLASS:
        sentences.append("With classes this unequal accuracy says little: try metric: f1 or auc.")
    return (" ".join(sentences),)


def _baseline_only(outcome: RunOutcome) -> tuple[str, ...]:
    baselines = ranked(s for s in outcome.scores if s.is_baseline)
    return tuple(f"{s.layer}: {value_with_interval(s)} on {_held_out(outcome, s)}." for s in baselines)


def _rows(outcome: RunOutcome) -> tuple[str, ...]:
    rows = outcome.rows
    dropped = [f"{count} {what}" for count, what in _dropped(rows) if count]
    split = "each held out once" if outcome.folds else f"{rows.train} to train, {rows.test} held out"
    used = f"{rows.joined} of {rows.structured} rows used ({split})"
    if not rows.structured:
        return ()
    if not dropped:
        return (f"{used}.",)
    return (f"{used}; left out: {', '.join(dropped)}.",)


def _dropped(rows: RowCounts) -> tuple[tuple[int, str], ...]:
    return (
        (rows.null_key, "without a key"),
        (rows.null_label, "without a label"),
        (rows.no_image, "without an image"),
        (rows.bad_images, "with an image that cannot be read"),
        (rows.unmatched_images, "images without a row"),
    )


def _test(outcome: RunOutcome, a: str, b: str) -> PairedTest | None:
    return next((t for t in outcome.tests if (t.a, t.b) == (a, b)), None)
