"""What a user reads after a mistake: code, line, column, caret, hint; all mistakes at once."""

from __future__ import annotations

import pytest

from vista_nb.errors import VistaSpecError
from vista_nb.spec import apply_overrides, parse

CALL_FORM = "write it as `LogisticRegression(regParam=0.01)` or `sklearn.LogisticRegression(C=1.0)`"
HEAD = "structured: t.csv\nimages: p/{id}.jpg\nlabel: y\ncnn: vgg16\n"


def message(text: str, **variables: object) -> str:
    """The error's whole text; the test fails where the spec has no problem."""
    return str(VistaSpecError(parse(text, variables).problems, text))


def one(line: str, **variables: object) -> list[str]:
    """The lines of the single problem that `line` makes after the required keys."""
    lines = message(HEAD + line, **variables).splitlines()
    assert lines[0] == "VistaSpecError: 1 problem in the spec"
    return lines[1:]


def test_all_problems_of_a_spec_come_at_once() -> None:
    """Grammar, values, missing keys: one error, in the order of the text."""
    text = (
        "structured: t.csv\nlabl: y\nimages: p/{id}.jpg\nlayers: top five\nplan: {cpu: 0, jion: x}\nseed: -1\nseed: 2\n"
    )
    assert (
        message(text)
        == """\
VistaSpecError: 8 problems in the spec
VST102 line 2, column 1: unknown key `labl`
    labl: y
    ^^^^
  hint: did you mean `label`?
VST105 line 4, column 9: `layers`: `top five` is no `top k`
    layers: top five
            ^^^^^^^^
  hint: for example `layers: top 5`
VST105 line 5, column 13: `plan.cpu` is a whole number of at least 1, not `0`
    plan: {cpu: 0, jion: x}
                ^
VST109 line 5, column 16: `plan` has no part `jion`
    plan: {cpu: 0, jion: x}
                   ^^^^
  hint: did you mean `join`?
VST105 line 6, column 7: `seed` is a whole number of at least 0, not `-1`
    seed: -1
          ^^
VST103 line 7, column 1: `seed` is given twice
    seed: 2
    ^^^^
  hint: keep one of them
VST104: `label` is missing
  hint: add a line `label: expensive`
VST104: `cnn` is missing
  hint: add a line `cnn: resnet50`"""
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "poool: avg",
            [
                "VST102 line 5, column 1: unknown key `poool`",
                "    poool: avg",
                "    ^^^^^",
                "  hint: did you mean `pool`?",
            ],
        ),
        (
            "memory: 8g",
            [
                "VST102 line 5, column 1: unknown key `memory`",
                "    memory: 8g",
                "    ^^^^^^",
                "  hint: `memory` is a part of `resources`: write `resources: {memory: ...}`",
            ],
        ),
        (
            "pool: avrg",
            [
                "VST105 line 5, column 7: `pool`: no `avrg`",
                "    pool: avrg",
                "          ^^^^",
                "  hint: did you mean `avg`?",
            ],
        ),
        (
            "baseline: yes",
            [
                "VST105 line 5, column 11: `baseline` is true or false, not `yes`",
                "    baseline: yes",
                "              ^^^",
                "  hint: write `baseline: true`",
            ],
        ),
        (
            "test: 20",
            [
                "VST105 line 5, column 7: `test` is a number between 0 and 1, not `20`",
                "    test: 20",
                "          ^^",
                "  hint: 0.2 holds out a fifth of the rows",
            ],
        ),
        (
            "weights:",
            [
                "VST106 line 5, column 1: `weights` has no value",
                "    weights:",
                "    ^^^^^^^",
                "  hint: for example `weights: imagenet`",
            ],
        ),
        (
            "features: [a, b",
            [
                "VST107 line 5, column 11: `features`: this `[` is never closed",
                "    features: [a, b",
                "              ^",
                "  hint: end the list with `]`",
            ],
        ),
        (
            "features: [a,, b]",
            [
                "VST106 line 5, column 14: `features`: an item is empty",
                "    features: [a,, b]",
                "                 ^",
                "  hint: remove one comma",
            ],
        ),
        (
            "layers: fc6, fc7",
            [
                "VST105 line 5, column 9: `layers`: `fc6, fc7` is not one layer",
                "    layers: fc6, fc7",
                "            ^^^^^^^^",
                "  hint: write `layers: [fc6, fc7]`",
            ],
        ),
        (
            "model: LogisticRegression(regParam=x)",
            [
                "VST110 line 5, column 36: `model`: `regParam` must be a literal, not `x`",
                "    model: LogisticRegression(regParam=x)",
                "                                       ^",
                "  hint: write `'x'`, or {{x}} for a notebook variable",
            ],
        ),
        (
            "model: LogisticRegression(0.1)",
            [
                "VST110 line 5, column 27: `model`: arguments need a name",
                "    model: LogisticRegression(0.1)",
                "                              ^^^",
                "  hint: write `regParam=0.01`, not `0.01`",
            ],
        ),
        (
            "model: lgb.LGBMClassifier()",
            [
                "VST110 line 5, column 8: `model`: library `lgb` is not known",
                "    model: lgb.LGBMClassifier()",
                "           ^^^^^^^^^^^^^^^^^^",
                f"  hint: {CALL_FORM}; for another library build the model in a cell above and write `$name`",
            ],
        ),
        (
            "plan: {cpu:4}",
            [
                "VST109 line 5, column 8: `plan` has no part `cpu:4`",
                "    plan: {cpu:4}",
                "           ^^^^^",
                "  hint: put a space after the colon: `cpu: 4`",
            ],
        ),
        (
            "plan: {profile: sigmod2o20}",
            [
                "VST105 line 5, column 17: `plan.profile` cannot be `sigmod2o20`",
                "    plan: {profile: sigmod2o20}",
                "                    ^^^^^^^^^^",
                "  hint: did you mean `sigmod2020`?",
            ],
        ),
        (
            "resources: {memory: 32}",
            [
                "VST105 line 5, column 21: `resources.memory` is a size of at least 1000000 bytes, not `32`",
                "    resources: {memory: 32}",
                "                        ^^",
                "  hint: write 8g, 32 GB or 512MiB",
            ],
        ),
        (
            "tune: {regParam: 0.1}",
            [
                "VST105 line 5, column 18: `tune.regParam` is a list of values",
                "    tune: {regParam: 0.1}",
                "                     ^^^",
                "  hint: write `regParam: [0.1]`",
            ],
        ),
        (
            "test: 0.2\nfolds: 5",
            [
                "VST112 line 6, column 8: `test` and `folds` exclude each other",
                "    folds: 5",
                "           ^",
                "  hint: keep one of them",
            ],
        ),
        (
            "seed: {{missing}}",
            [
                "VST111 line 5, column 7: no variable `missing` is defined",
                "    seed: {{missing}}",
                "          ^^^^^^^^^^^",
                "  hint: run the cell that defines it",
            ],
        ),
        (
            "views: mean\n  seed: 3",
            [
                "VST101 line 6, column 3: the key `seed` is indented",
                "      seed: 3",
                "      ^^^^",
                "  hint: `seed` would belong to `views`; write it at the start of the line",
            ],
        ),
        (
            "label expensive",
            [
                "VST101 line 5, column 1: this line is no `key: value`",
                "    label expensive",
                "    ^^^^^^^^^^^^^^^",
                "  hint: write `label: expensive`, or indent a line that goes on with the value above",
            ],
        ),
    ],
)
def test_a_mistake_is_shown_with_its_place_and_one_hint(line: str, expected: list[str]) -> None:
    """The caret stands under the wrong word."""
    assert one(line) == expected


def test_a_caret_after_non_ascii_text_stands_right() -> None:
    """ast counts bytes; the cell's columns are characters."""
    lines = one("model: LogisticRegression(regParam='äöü€', tol=nope)")
    assert lines[2].index("^") == lines[1].index("nope")


def test_a_problem_in_an_inserted_text_points_at_the_braces() -> None:
    """The text of the variable is nowhere in the cell."""
    lines = one("pool: {{p}}", p="avrg")
    assert lines[1:3] == ["    pool: {{p}}", "          ^^^^^"]


def test_a_table_is_not_inserted_as_text() -> None:
    """`{{df}}` of an object says how to hand over the object itself."""
    assert one("weights: {{net}}", net=object())[-1] == "  hint: to use the object itself write `$net`"
    assert "one variable" in one("weights: {{a + b}}")[0]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("plan: {cpu: [1}", "readable YAML"),
        ("plan: &a {cpu: 1}", "anchors"),
        ("plan: {cpu: !!python/object:os.system 1}", "tags"),
        ("resources: {master: local[2]}", "readable YAML"),
        ("plan: 4", "no mapping"),
        ("tune: {folds: 3}", "names no parameter"),
        ("images: p/{id.jpg", "braces"),
        ("images: []", "empty list"),
        ("layers: [a..b]", "no item of a list"),
        ("label: 'open", "quote"),
        ("model: LogisticRegression(a=1, a=2)", "given twice"),
        ("model: LogisticRegression(**x)", "`**`"),
        ("model: LogisticRegression(a={1: 2})", "must be a literal"),
        ("model: LogisticRegression(a=__import__('os'))", "must be a literal"),
        ("model: f(1)(2)", "no call of an estimator"),
        ("model: $1", "no variable"),
        ("reduce: pca", "pca K"),
        ("folds: 1", "at least 2"),
        ("statistics: {rows: 1.5}", "whole number"),
        ("statistics: {rows: .inf}", "whole number"),
        ("metric: acuracy", "acuracy"),
        ("structured: $a b", "no variable"),
    ],
)
def test_every_other_bad_value_is_a_problem_at_its_line(line: str, word: str) -> None:
    """One problem, on the line where the value stands, that names the matter."""
    key = line.split(":")[0]
    head = "".join(row + "\n" for row in HEAD.splitlines() if not row.startswith(f"{key}:"))
    problems = parse(head + line).problems
    assert len(problems) == 1
    assert word in problems[0].message
    assert problems[0].line == len(head.splitlines()) + 1


def test_deep_nesting_is_refused_not_a_crash() -> None:
    """Neither Python's nor YAML's parser is brought down."""
    assert one("model: f(a=" + "(" * 3000 + ")" * 3000 + ")")[0].startswith("VST110")
    assert one("plan: " + "[" * 1500)[0].startswith("VST108")


def test_tabs_in_yaml_get_their_own_hint() -> None:
    """The most common way to break an indented mapping."""
    assert one("plan:\n\tcpu: 4")[-1] == "  hint: indent with spaces, YAML knows no tabs"


def test_overrides_go_through_the_same_readers() -> None:
    """Whole keys, parts, Spark settings, parameters of the model."""
    settings = [
        ("plan.cpu", "2"),
        ("plan.cpu", "3"),
        ("label", "z"),
        ("layers", "[fc6, fc7]"),
        ("resources.spark.spark.ui.enabled", "true"),
        ("statistics.rows", "1e10"),
        ("model.regParam", "0.1"),
        ("model.family", "binomial"),
    ]
    parsed = apply_overrides(HEAD + "plan: {join: shuffle}\n", settings)
    assert not parsed.problems
    spec = parsed.spec
    assert (spec.plan.cpu, spec.plan.join, spec.label) == (3, "shuffle", "z")
    assert spec.layers.names == ("fc6", "fc7")
    assert spec.resources.spark == (("spark.ui.enabled", "true"),)
    assert spec.statistics.rows == 10**10
    assert str(spec.model) == "LogisticRegression(regParam=0.1, family='binomial')"


def test_an_override_can_supply_what_is_missing_or_wrong() -> None:
    """Required keys may come from the command line; a bad value in the text is replaced."""
    assert not apply_overrides("cnn: vgg16\nseed: x\n", [("statistics.rows", "9"), ("seed", "1")]).problems


def test_wrong_overrides_are_problems_that_name_the_setting() -> None:
    """They have no place in the text."""
    settings = [("plan.cpus", "2"), ("plan.cpu", "two"), ("lable", "y"), ("label.x", "1"), ("cpu", "2")]
    problems = apply_overrides(HEAD, settings).problems
    assert [(p.code, p.line) for p in problems] == [
        ("VST109", 0), ("VST105", 0), ("VST102", 0), ("VST109", 0), ("VST102", 0)
    ]  # fmt: skip
    assert "plan.cpu" in problems[1].message
    assert problems[2].hint == "did you mean `label`?"
    assert "--set plan.cpu" in problems[4].hint
