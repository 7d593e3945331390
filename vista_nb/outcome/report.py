"""The report: what a run found, in sentences that do not promise more than the rows can carry.

Reads a `RunOutcome`, returns sentences. May touch: nothing (standard library only). DESIGN.md sections 5 and 11: which
layer wins, whether that is clear, whether pictures help at all, and what was left out on the way.
"""

from __future__ import annotations

from vista_nb.outcome.metrics import best_of, gain, ranked
from vista_nb.outcome.scores import LayerScore, PairedTest, RowCounts, RunOutcome

__all__ = ["report"]

LARGE_CLASS = 0.8
_POINTS = ("accuracy", "f1", "auc")


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
    head = f"Best layer: {best.layer}, {_with_interval(best)} on {best.rows_test} held-out rows."
    others = [s for s in outcome.scores if not s.is_baseline and s is not best]
    if not others:
        return (head,)
    runner_up = ranked(others)[0]
    test = _test(outcome, best.layer, runner_up.layer)
    if test is None:
        return (head, f"Runner-up: {runner_up.layer}, {_value(runner_up)}.")
    clear = "clearly better" if test.clear else "not clearly better"
    return (
        head,
        (
            f"It is {clear} than the runner-up {runner_up.layer} ({_value(runner_up)}): "
            f"{_change(best.metric, test.difference)}, {_evidence(test)}."
        ),
    )


def _pictures(outcome: RunOutcome, best: LayerScore) -> tuple[str, ...]:
    """Against the better of the two table-only models: a weak baseline would flatter the pictures."""
    baselines = ranked(s for s in outcome.scores if s.is_baseline)
    if not baselines:
        return ("No baseline was scored, so this run cannot say whether pictures help.",)
    table = baselines[0]
    tests = [t for t in outcome.tests if t.b == table.layer]
    test = _test(outcome, best.layer, table.layer)
    against = f"the structured features alone, {table.layer} {_value(table)}"
    if test is None:
        change = _change(best.metric, gain(best.metric, best.value, table.value))
        return (f"Against {against}, {best.layer} changes {change}; no paired test was made.",)
    said = f"{_change(best.metric, test.difference)}, {_evidence(test)}"
    if test.clear:
        sentences = [f"Pictures help: {best.layer} is clearly better than {against}: {said}."]
    else:
        sentences = [f"Pictures do not clearly help: {best.layer} is not clearly better than {against}: {said}."]
    hurt = [t.a for t in tests if t.difference < 0 and t.p_value < 0.05]
    if hurt:
        sentences.append(f"Clearly worse than the structured features alone: {', '.join(hurt)}.")
    return tuple(sentences)


def _chosen_on_test(outcome: RunOutcome, best: LayerScore) -> tuple[str, ...]:
    layers = sum(not s.is_baseline for s in outcome.scores)
    if layers < 2:
        return ()
    return (
        (
            f"{best.layer} was chosen on the same rows it is scored on, as the best of {layers} layers, so its score "
            "is a little too good; confirm it on new rows."
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
    return tuple(f"{s.layer}: {_with_interval(s)} on {s.rows_test} held-out rows." for s in baselines)


def _rows(outcome: RunOutcome) -> tuple[str, ...]:
    rows = outcome.rows
    dropped = [f"{count} {what}" for count, what in _dropped(rows) if count]
    used = f"{rows.joined} of {rows.structured} rows used ({rows.train} to train, {rows.test} held out)"
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


def _value(score: LayerScore) -> str:
    return f"{score.value:.3f}"


def _with_interval(score: LayerScore) -> str:
    return f"{score.metric} {score.value:.3f} (95 % interval {score.ci_low:.3f} to {score.ci_high:.3f})"


def _change(metric: str, difference: float) -> str:
    """A difference for people: points for shares, the metric's own unit otherwise; plus is always better."""
    if metric in _POINTS:
        return f"{100 * difference:+.1f} points"
    return f"{difference:+.3f} {metric} (plus is better)"


def _evidence(test: PairedTest) -> str:
    """`p = 0.031 (McNemar, exact; corrected for 5 comparisons)`."""
    p_value = "p < 0.001" if test.p_value < 0.001 else f"p = {test.p_value:.3f}"
    corrected = f"; corrected for {test.compared} comparisons" if test.compared > 1 else ""
    return f"{p_value} ({test.method}{corrected})"
