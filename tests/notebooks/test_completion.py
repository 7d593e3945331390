"""Tab completion in a `%%vista` cell: every key and flag, through the pure function and through a real shell."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from vista_nb.completion.complete import complete
from vista_nb.completion.world import World
from vista_nb.magic_flags import FLAGS, SUBCOMMANDS
from vista_nb.spec.keys import KEYS


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A table in a variable, one in a file, photos in a folder."""
    import pandas as pd

    (tmp_path / "photos").mkdir()
    (tmp_path / "houses.csv").write_text("house,area,pictures,expensive\n1,2,x,yes\n", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("", encoding="utf-8")
    products = pd.DataFrame({"id": [1], "price": [2.0], "kind": ["x"], "bestseller": ["yes"]})
    return World({"products": products, "folder": "photos", "_hidden": products, "sys": sys}, tmp_path)


def offered(text: str, world: World) -> tuple[str, list[str]]:
    """(fragment, candidates) at the `|` of the text."""
    cursor = text.index("|")
    found = complete(text.replace("|", "", 1), cursor, world)
    assert found is not None
    return found.fragment, [candidate.text for candidate in found.candidates]


CELL = "%%vista\nstructured: $products\nimages: photos/{id}.jpg\nlabel: bestseller\ncnn: resnet50\n"


def test_keys_are_offered_that_are_not_given_yet(world: World) -> None:
    """At an empty line all of them; by their beginning; also in the middle of a cell."""
    _, keys = offered(CELL + "|", world)
    assert set(keys) == {f"{key.name}: " for key in KEYS} - {"structured: ", "images: ", "label: ", "cnn: "}
    assert offered(CELL + "la|", world) == ("la", ["layers: "])
    assert offered(CELL.replace("label", "fe|\nlabel"), world) == ("fe", ["features: "])


@pytest.mark.parametrize(
    ("typed", "fragment", "among"),
    [
        ("cnn: res|", "res", ["resnet50"]),
        ("cnn: resnet50\nlayers: conv5_|", "conv5_", ["conv5_3", "conv5_2", "conv5_1"]),
        ("cnn: resnet50\nlayers: |", "", ["top 3", "all", "fc6", "conv4_6"]),
        ("cnn: resnet50\nlayers: conv4_6..f|", "conv4_6..f", ["conv4_6..fc6"]),
        ("cnn: resnet50\nlayers: [conv5_3, f|", "f", ["fc6"]),
        ("cnn: resnet50\nlayers:\n  - conv5_3\n  - f|", "f", ["fc6"]),
        ("layers: fc|\ncnn: vgg16", "fc", ["fc6", "fc7", "fc8"]),
        ("structured: |", "", ["$products", "houses.csv", "photos/"]),
        ("structured: $|", "$", ["$products"]),
        ("structured: ho|", "ho", ["houses.csv"]),
        ("images: pho|", "pho", ["photos/"]),
        ("structured: $products\nimages: photos/{|", "{", ["{id}", "{kind}"]),
        ("structured: houses.csv\nimages: |", "", ["photos/", "pictures"]),
        ("structured: $products\nlabel: be|", "be", ["bestseller"]),
        ("structured: houses.csv\non: h|", "h", ["house"]),
        ("structured: $products\nlabel: bestseller\nfeatures: [price, |", "", ["kind"]),
        ("structured: $products\nfeatures: [kind:|", "kind:", ["kind:category"]),
        ("model: Logi|", "Logi", ["LogisticRegression(", "sklearn.LogisticRegression("]),
        ("model: sklearn.Lo|", "sklearn.Lo", ["sklearn.LogisticRegression("]),
        ("model: LogisticRegression(reg|", "reg", ["regParam="]),
        ("model: LogisticRegression(regParam=0.1, el|", "el", ["elasticNetParam="]),
        ("model: LogisticRegression(regParam=0.1)\ntune: {|", "", ["elasticNetParam: ", "folds: "]),
        ("weights: im|", "im", ["imagenet"]),
        ("pool: a|", "a", ["avg"]),
        ("task: regression\nmetric: |", "", ["rmse", "mae", "r2"]),
        ("baseline: f|", "f", ["false"]),
        ("bad_images: |", "", ["drop", "fail"]),
        ("precision: b|", "b", ["bfloat16"]),
        ("plan: {materialization: st|", "st", ["staged"]),
        ("plan: {cpu: 2, jo|", "jo", ["join: "]),
        ("plan:\n  mat|", "mat", ["materialization: ", "materialize: "]),
        ("plan:\n  cpu: 2\n  join: |", "", ["shuffle", "broadcast"]),
        ("cnn: resnet50\nplan: {materialize: conv5_|", "conv5_", ["conv5_1"]),
        ("plan: |", "", ["{cpu: ", "{waves: "]),
        ("resources: {me|", "me", ["memory: "]),
        ("statistics: {ro|", "ro", ["rows: "]),
        ("label: {{fo|", "{{fo", ["{{folder}}"]),
        ("seed: |", "", ["0"]),
    ],
)
def test_values(world: World, typed: str, fragment: str, among: list[str]) -> None:
    """What the parser of each key reads, in flow, list and block form."""
    found, candidates = offered(f"%%vista\n{typed}", world)
    assert found == fragment
    assert set(among) <= set(candidates), candidates


@pytest.mark.parametrize(
    ("typed", "left_out"),
    [
        ("cnn: resnet50\nlayers: [conv5_3, |", "conv5_3"),
        ("structured: $products\nlabel: bestseller\nfeatures: |", "bestseller"),
        ("structured: $products\nfeatures: [price, |", "price"),
        ("model: LogisticRegression(regParam=0.1, |", "regParam="),
        ("plan: {cpu: 2, |", "cpu: "),
        ("structured: |", "notes.txt"),
        ("structured: $|", "$_hidden"),
    ],
)
def test_what_is_given_or_does_not_fit_is_left_out(world: World, typed: str, left_out: str) -> None:
    """No second time, no file that is no table, nothing private."""
    assert left_out not in offered(f"%%vista\n{typed}", world)[1]


def test_every_key_offers_something_or_nothing_but_ours(world: World) -> None:
    """In a cell of ours IPython never gets the word: an unknown beginning stands for itself."""
    for key in KEYS:
        assert offered(f"%%vista\nstructured: $products\ncnn: resnet50\n{key.name}: |", world)[1], key.name
    assert offered("%%vista\nzzz|", world) == ("zzz", ["zzz"])
    assert offered("%%vista\nnokey: zzz|", world)[1] == ["zzz"]
    assert offered("%%vista\nlabel: x  # pri|", world)[1] == [""]


def test_every_flag_is_offered_once(world: World) -> None:
    """All names; one that is given is left out, unless it may repeat; values by their flag."""
    _, all_of_them = offered("%%vista |", world)
    assert set(all_of_them) == {name for flag in FLAGS for name in flag.names}
    _, left = offered("%%vista --bg --set plan.cpu=2 -|\ncnn: resnet50", world)
    assert "--bg" not in left
    assert "--set" in left
    assert offered("%%vista --re|", world) == ("--re", ["--reuse"])
    assert offered("%%vista --reuse |", world)[1] == ["auto", "never", "require"]
    assert offered("%%vista --ui=st|", world) == ("st", ["static"])
    assert "fc6" in offered("%%vista --layers |\ncnn: resnet50", world)[1]
    assert offered("%%vista --set plan.mat|", world)[1] == ["plan.materialization=", "plan.materialize="]
    assert offered("%%vista --set pool=a|", world)[1] == ["pool=avg"]
    assert offered("%%vista --set plan.join=|", world)[1] == ["plan.join=shuffle", "plan.join=broadcast"]


def test_subcommands_and_what_they_take(world: World) -> None:
    """On a line of its own, also behind an assignment and below other lines."""
    assert set(offered("%vista |", world)[1]) == set(SUBCOMMANDS)
    assert offered("x = 1\nfound = %vista sto|", world) == ("sto", ["store"])
    assert "verify" in offered("%vista store |", world)[1]
    assert "restart" in offered("%vista session |", world)[1]
    assert offered("%vista layers vgg|", world)[1] == ["vgg16"]
    assert offered("%vista predict new.csv --l|", world)[1] == ["--layer"]
    assert offered("%vista export --p|", world)[1] == ["--py"]
    assert offered("%vista spec plan.c|", world)[1] == ["plan.cpu"]
    assert offered("%vista spec --|", world)[1] == ["--template"]
    assert "--calibrate" in offered("%vista doctor |", world)[1]
    assert offered("%vista run -f ho|", world)[1] == ["houses.csv"]


@pytest.mark.parametrize(
    "text", ["vista|", "%%vist|", "%%vista|", "%%vistas |", "x = 3\nprint(|", "%%time\n%%vista |", "%vistab |", ""]
)
def test_other_cells_are_left_alone(world: World, text: str) -> None:
    """Not ours: None, and IPython completes as always."""
    assert complete(text.replace("|", ""), text.index("|") if "|" in text else 0, world) is None


@pytest.mark.parametrize(
    "text", ["%%vista\n: |", "%%vista\n\n\n|", "%%vista\n- |", "%%vista\nmodel: (((|", "%%vista\n  x|"]
)
def test_half_written_cells_do_not_raise(world: World, text: str) -> None:
    """While people type, nothing is well formed."""
    offered(text, world)


def completions(shell: InteractiveShell, text: str) -> list[tuple[str, int, int]]:
    cursor = text.index("|")
    with provisionalcompleter():
        found = shell.Completer.completions(text.replace("|", "", 1), cursor)
        return [(each.text, each.start, each.end) for each in found]


def test_in_a_shell_only_ours_are_offered(shell: InteractiveShell) -> None:
    """Replacing exactly the fragment; Python's names and magics are not among them; other cells are as ever."""
    assert completions(shell, "%%vista\ncnn: resn|") == [("resnet50", 13, 17)]
    text = "%%vista\ncnn: resnet50\nlayers: conv5|"
    assert [found for found, *_ in completions(shell, text)][:3] == ["conv5_3", "conv5_2", "conv5_1"]
    shell.run_cell("import pandas as pd; houses = pd.DataFrame({'area': [1], 'garden': [2]})")
    assert completions(shell, "%%vista\nstructured: $houses\nlabel: ga|")[0][0] == "garden"
    assert "--bg" in {found for found, *_ in completions(shell, "%%vista --|")}
    assert "print" in {found for found, *_ in completions(shell, "pri|")}
    assert not any(found == "print" for found, *_ in completions(shell, "%%vista\npri|"))


def test_a_failure_in_the_matcher_is_silent(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A press of Tab must never print a traceback."""

    def broken(*_: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("vista_nb.completion.complete.complete", broken)
    completions(shell, "%%vista\ncnn: resn|")
    assert "broken" not in capsys.readouterr().err


def test_loading_twice_installs_one_matcher(shell: InteractiveShell) -> None:
    """Or every candidate would be computed twice."""
    shell.run_cell("%reload_ext vista_nb").raise_error()
    names = [getattr(matcher, "matcher_identifier", "") for matcher in shell.Completer.custom_matchers]
    assert names.count("vista_nb.completion") == 1


def test_completing_imports_no_engine() -> None:
    """Keys, CNNs, layers, estimators: nothing heavier than the standard library."""
    code = (
        "import sys; from vista_nb.completion.complete import complete; from vista_nb.completion.world import World; "
        "cell = '%%vista\\ncnn: resnet50\\nmodel: Logi\\nlayers: c'; "
        "assert complete(cell, len(cell), World({})).candidates; "
        "heavy = {'pyspark', 'tensorflow', 'keras', 'numpy', 'pandas', 'pyarrow', 'IPython', 'matplotlib'}; "
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
