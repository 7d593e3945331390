"""Nothing is undocumented, and the pages name nothing that is not there.

Every flag, subcommand, option, error code, environment variable and public name has its place in a page; every link
leads to a file, every code and variable that a page names is real. (Keys and parts of a spec: test_spec_docs.py; the
roster: test_roster_docs.py; code blocks: test_docs_blocks.py.)
"""

from __future__ import annotations

import argparse
import csv
import inspect
import re
import typing
from pathlib import Path

import pytest
from docs_support import (
    CODE,
    DOCS,
    ROOT,
    VARIABLE,
    anchors,
    links,
    pages,
    present,
    raised_codes,
    read,
    rows,
    run_commands,
    spans,
    variables_read,
)

import vista_nb
from benchmarks.__main__ import NAMES as BENCHMARKS
from vista_nb import errors, session
from vista_nb.cli import _parser
from vista_nb.magic_flags import FLAGS, SUBCOMMANDS, Flag
from vista_nb.magic_settings import SETTINGS, Setting
from vista_nb.result import VistaResult
from vista_nb.session_command import SESSION_COMMANDS
from vista_nb.store_command import STORE_COMMANDS

MAGIC = DOCS / "magic.md"
PYTHON = DOCS / "python.md"
TROUBLE = DOCS / "troubleshooting.md"
FOLDERS = ("vista_nb", "tests", "benchmarks", "notebooks")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def first_cells(page: Path, heading: str) -> str:
    return "\n".join(row[0] for row in rows(page, heading))


# -- links -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    """A relative link names a file of the repository, and its `#anchor` a heading there."""
    for link in links(page):
        if re.match(r"\w+:", link):
            continue
        target, _, anchor = link.partition("#")
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), link
        assert file.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(file), link


def test_the_home_of_the_repository_stands_in_one_place() -> None:
    """Binder's address names it: whoever moves the repository edits one line of the README."""
    files = [*pages(), *(ROOT / "notebooks").glob("*.ipynb"), *(ROOT / "binder").glob("*"), ROOT / "pyproject.toml"]
    holding = [name_of(file) for file in files if "mybinder.org/v2" in file.read_text(encoding="utf-8")]
    assert holding == ["README.md"]
    assert read("README.md").count("mybinder.org/v2") == 1


@pytest.mark.parametrize("page", present(), ids=name_of)
def test_files_that_pages_name_are_there(page: Path) -> None:
    """`session/execute.py`, `roster.json`: the end of a path of the repository; but for what a page tells to write."""
    told_to_write = {"spilling.py", "slowest_view.py", "rooms.py"}
    known = {path.relative_to(ROOT).as_posix() for folder in FOLDERS for path in (ROOT / folder).rglob("*.*")}
    for span in spans(page):
        if re.fullmatch(r"[\w/]+\.(?:py|ipynb)|(?:roster|estimators|bfloat16)\.json", span):
            name = span.removeprefix("/")
            there = any(path == name or path.endswith("/" + name) for path in known)
            assert there or name.rpartition("/")[2] in told_to_write, span


def test_the_glossary_names_what_the_code_has() -> None:
    """Every name of its last column stands in the package's source."""
    source = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "vista_nb").rglob("*.py")))
    words = set(re.findall(r"\w+", source))
    for row in rows(DOCS / "glossary.md", "# Glossary")[1:]:
        for span in re.findall(r"`([^`]+)`", row[-1]):
            name = re.match(r"\.?[\w.]+", span)
            assert name is None or name[0].split(".")[-1] in words, span


def test_every_page_is_linked() -> None:
    """A page that no other page leads to is found by nobody."""
    reached = {
        (page.parent / link.partition("#")[0]).resolve() for page in pages() for link in links(page) if ":" not in link
    }
    lost = [name_of(page) for page in pages() if page not in reached and page != ROOT / "README.md"]
    folders = {path for path in reached if path.is_dir()}
    assert not [page for page in lost if (ROOT / page).parent not in folders]


# -- the magic and the command line ------------------------------------------------------------------------------------


@pytest.mark.parametrize("flag", FLAGS, ids=lambda flag: flag.names[-1])
def test_every_flag_is_documented(flag: Flag) -> None:
    """In the table of flags, with each word it takes."""
    (row,) = [row for row in rows(MAGIC, "## Flags of a cell") if any(f"`{name}" in row[0] for name in flag.names)] or [
        ["", ""]
    ]
    text = " ".join(row)
    assert all(name in text for name in flag.names), flag.names
    assert all(f"`{choice}`" in text for choice in flag.choices), flag.choices


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_every_subcommand_is_documented(name: str) -> None:
    """In the table of subcommands, with each flag it takes."""
    found = [row for row in rows(MAGIC, "## Subcommands") if re.search(rf"[ `]{name}\b", row[0])]
    assert found
    text = " ".join(cell for row in found for cell in row)
    for flag in re.findall(r"(?<!\S|\[)?(-{1,2}[a-z]+)", SUBCOMMANDS[name].partition(":")[0]):
        assert flag in text, flag


@pytest.mark.parametrize(
    ("page", "name"),
    [*(("store.md", name) for name in STORE_COMMANDS), *(("magic.md", name) for name in SESSION_COMMANDS)],
)
def test_commands_of_store_and_session_are_documented(page: str, name: str) -> None:
    """Each word after `%vista store` and `%vista session`."""
    what = "store" if page == "store.md" else "session"
    assert re.search(rf"`%vista {what} [^`]*\b{name}\b", read(f"docs/{page}"))


def commands() -> dict[str, argparse.ArgumentParser]:
    (found,) = [a for a in _parser()._actions if isinstance(a, argparse._SubParsersAction)]
    return dict(found.choices)


@pytest.mark.parametrize("name", commands())
def test_every_command_and_option_is_documented(name: str) -> None:
    """`vista-nb NAME` has a row under "Command line"; it names every option, and `run` and `explain` those of both."""
    table = rows(MAGIC, "## Command line")
    text = " ".join(" ".join(row) for row in table if re.search(rf"`vista-nb {name}\b", row[0]))
    assert text, name
    for action in commands()[name]._actions:
        for option in action.option_strings:
            assert option in ("-h", "--help") or f"`{option}" in text, option


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_is_documented(setting: Setting) -> None:
    """A trait by its name, a variable of the environment by its own, in one row."""
    table = rows(MAGIC, "## Settings")
    found = [
        row for row in table if all(f"`{name}`" in " ".join(row) for name in (setting.trait, setting.variable) if name)
    ]
    assert found


def test_run_commands_are_documented() -> None:
    """What `./run` knows stands in the README or among what contributors type."""
    text = read("README.md") + read("docs/contributing.md")
    assert run_commands() == {"demo", "lab", "test", "bench", "clean"}
    assert all(f"./run {name}" in text for name in run_commands())


def test_words_in_backticks_are_commands() -> None:
    """`%vista X`, `vista-nb X`, `./run X` in running text name what is there."""
    known = {
        "%vista": set(SUBCOMMANDS) | {"SUB", "SUBCOMMAND"},
        "vista-nb": {*commands(), "--version", "COMMAND"},
        "./run": {*run_commands()},
        "%vista store": set(STORE_COMMANDS),
        "%vista session": set(SESSION_COMMANDS),
    }
    for page in present():
        for span in spans(page):
            for start, names in known.items():
                if span.startswith(start + " "):
                    word = span.removeprefix(start).split()[0].strip("[],.")
                    assert {w for w in re.split(r"\|", word) if w != "..."} <= names, f"{name_of(page)}: {span}"


# -- errors ------------------------------------------------------------------------------------------------------------


def trouble_rows() -> dict[str, list[str]]:
    """Code -> its row; a code has one row."""
    found: dict[str, list[str]] = {}
    for line in read("docs/troubleshooting.md").splitlines():
        match = re.match(r"\| (VST\d{3}) \|", line)
        if match:
            assert match[1] not in found, match[1]
            found[match[1]] = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))]
    return found


def test_every_error_code_is_explained() -> None:
    """One row per code that the package can raise, what it means and what to do; no row for a code it cannot."""
    assert sorted(trouble_rows()) == sorted(raised_codes())
    for code, row in trouble_rows().items():
        assert len(row) == 3, code
        assert all(len(cell) > 7 for cell in row[1:]), code


def test_codes_stand_in_their_family_and_in_order() -> None:
    """Sections are the families of errors.py; within one the codes rise."""
    text = read("docs/troubleshooting.md")
    found = CODE.findall(re.sub(r"(?m)^(?!\| VST\d{3} \|).*$", "", re.sub(r"(?m)^(\| VST\d{3} \|).*$", r"\1", text)))
    assert found == sorted(found)
    for family in {code[3] for code in found}:
        assert re.search(rf"^## .*VST{family}xx", text, re.MULTILINE), family
        assert f"VST{family}xx" in (errors.__doc__ or "")


def test_every_error_class_is_explained() -> None:
    """By its name, with the exit status of the command line."""
    text = read("docs/troubleshooting.md")
    classes = [
        getattr(errors, name) for name in errors.__all__ if name not in ("Problem", "short_errors", "VistaError")
    ]
    for cls in classes:
        assert re.search(rf"\| `{cls.__name__}` \|.*\| {cls.exit_status} \|", text), cls.__name__


@pytest.mark.parametrize("page", present(), ids=name_of)
def test_pages_name_real_codes(page: Path) -> None:
    assert set(CODE.findall(page.read_text(encoding="utf-8"))) <= raised_codes()


# -- environment variables ---------------------------------------------------------------------------------------------


def test_every_variable_is_documented() -> None:
    """A row in the table of users (magic.md) or of contributors (contributing.md), never in both."""
    of_users = {word for row in rows(MAGIC, "## Settings") for word in VARIABLE.findall(" ".join(row[:2]))}
    ours = {word for row in rows(DOCS / "contributing.md", "## Variables") for word in VARIABLE.findall(row[0])}
    assert of_users | ours == variables_read()
    assert not of_users & ours


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_pages_name_real_variables(page: Path) -> None:
    named = set(VARIABLE.findall(page.read_text(encoding="utf-8")))
    assert named <= variables_read() | {"VISTA_NB_"}


# -- Python ------------------------------------------------------------------------------------------------------------


def public(cls: type) -> set[str]:
    """What a user may call; what views and the session use of it says so in its docstring."""
    inside = {"poll", "restored", "state", "worth_showing", "outcome", "run_id"}
    return {name for name in dir(cls) if not name.startswith("_")} - inside


def test_every_public_name_is_documented() -> None:
    """Of the package, and every member of a result."""
    functions = first_cells(PYTHON, "## Functions")
    for name in vista_nb.__all__:
        assert name == "VistaResult" or f"`vista_nb.{name}" in functions, name
    members = first_cells(PYTHON, "## The result")
    for name in public(VistaResult):
        assert re.search(rf"`\.{name}[`(]", members), name


def test_the_page_names_no_member_that_is_not_there() -> None:
    members = set(re.findall(r"`\.(\w+)", first_cells(PYTHON, "## The result")))
    assert members <= public(VistaResult) | {"outcome", "run_id"}


@pytest.mark.parametrize("function", [session.submit, session.explain, session.run, session.load])
def test_every_option_of_the_functions_is_documented(function: typing.Any) -> None:
    """`run` takes what `submit` takes."""
    options = first_cells(PYTHON, "### Options")
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD and name not in ("source", "path", "trusted"):
            assert f"`{name}`" in options, name


# -- benchmarks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_is_documented(name: str) -> None:
    table = first_cells(DOCS / "benchmarks.md", "## Which there are")
    assert f"`{name}`" in table


@pytest.mark.parametrize(
    ("name", "what", "said"),
    [
        (
            "against_lazy",
            "resnet50/5, 300 photos, inference stage: lazy / chosen",
            r"50, 5 layers: ([\d.]+) times;",
        ),
        ("against_lazy", "vgg16/3, 120 photos, inference stage: lazy / chosen", r"VGG16, 3 layers: ([\d.]+) times"),
        (
            "against_lazy",
            "alexnet/4, 1500 photos, inference stage: lazy / chosen",
            r"Net, 4 layers: ([\d.]+) times",
        ),
        ("against_lazy", "resnet50/5, 2000 photos, end to end: lazy / chosen", r"2 000 photos, .*: ([\d.]+) times"),
        (
            "speed",
            "resnet50/5, 1000 photos, 2 processes x 1 thread, batch 32: inside Spark / bare",
            r"([\d.]+) of its",
        ),
        ("cold", "2000 photos, float32: vista_nb", r"5 layers: (\d+) s against"),
        ("cold", "2000 photos, float32: Keras predict + scikit-learn", r"s against (\d+) s"),
        ("cold", "2000 photos, bfloat16: vista_nb", r"bfloat16 (\d+) s, by hand"),
        ("cold", "2000 photos, bfloat16: Keras predict + scikit-learn", r"by hand (\d+) s"),
        ("second_cell", "features ready, cell 1 / cell 2", r"there (\d+) times sooner"),
        ("panel", "panel / off, median of the pairs", r"([\d.]+) times the cell without it"),
    ],
)
def test_the_numbers_of_the_page_are_those_measured(name: str, what: str, said: str) -> None:
    """docs/benchmarks.md tells what the CSVs hold, within a tenth; measured anew, the page is mended."""
    with (ROOT / "benchmarks" / "results" / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        (value,) = [float(line["value"]) for line in csv.DictReader(file) if line["what"] == what]
    (told,) = re.findall(said, read("docs/benchmarks.md"))
    assert float(told) == pytest.approx(value, rel=0.1)
