"""`vista-nb demo | run | explain | store | doctor | cnns | layers`: the same engine without a notebook.

Reads arguments, prints text, returns the exit status: 0 done, 1 run failed, 2 spec or usage, 3 no feasible plan,
130 interrupted. May touch: standard output and error. DESIGN.md section 4. The only module that prints.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from vista_nb import __version__
from vista_nb.errors import NoFeasiblePlan, PlanRefused, VistaError, VistaUsageError
from vista_nb.spec.suggest import did_you_mean
from vista_nb.store_command import STORE_COMMANDS, run_store
from vista_nb.units import parse_bytes, parse_seconds

__all__ = ["main"]

INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """argparse whose mistakes are coded errors, so that they look like every other one; no half-written options."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **options})

    def error(self, message: str) -> NoReturn:
        raise VistaUsageError("VST001", message, f"{self.prog} --help")


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Errors go to standard error in their short form; their class gives the status."""
    as_json = False
    try:
        arguments = _parsed(argv)
        as_json = getattr(arguments, "json", False)
        command: Callable[[argparse.Namespace], int] = arguments.command
        return command(arguments)
    except VistaError as error:
        if isinstance(error, PlanRefused):
            print(json.dumps({"error": error.message, "code": error.code}) if as_json else _explained(error.plan))
        print(error, file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt as error:
        print(str(error) or "interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader (`| head`) has left: nothing to say, and nothing to flush at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """Raises VistaUsageError; for an option that the command does not have with the one that was meant."""
    arguments, unknown = _parser().parse_known_args(argv)
    if unknown:
        label = unknown[0].partition("=")[0]
        known = sorted(set(re.findall(r"(?<!\S)--[a-z-]+", arguments.parser.format_help())))
        hint = did_you_mean(label, known, "options") if label.startswith("-") else f"{arguments.parser.prog} --help"
        raise VistaUsageError("VST001", f"{arguments.parser.prog}: unknown argument {label!r}", hint)
    return arguments


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="vista-nb", description="Which CNN layer's features predict best?")
    parser.add_argument("--version", action="version", version=f"vista-nb {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    run = _spec_command(commands, "run", _run, "run a spec file")
    run.add_argument(
        "--reuse", choices=("auto", "never", "require"), default="auto", help="whether stored layers are used"
    )
    run.add_argument("--analyze", action="store_true", help="then show predicted against measured, step by step")
    run.add_argument("--json", action="store_true", help="with --analyze: one JSON object, and nothing else")
    explain = _spec_command(commands, "explain", _explain, "show the plan of a spec file, without running it")
    explain.add_argument("--json", action="store_true", help="one JSON object")
    explain.add_argument("--vary", metavar="KEY=LOW..HIGH", help="where the plan changes, such as memory=2g..64g")
    explain.add_argument("--picture", type=Path, metavar="FILE", help="with --vary: also draw it, as SVG")
    demo = _command(commands, "demo", _demo, "run the quickstart on the bundled data")
    demo.add_argument("--folder", type=Path, default=Path("demo_output"), help="where everything goes")
    store = _command(commands, "store", _store, "the stored layers: " + "; ".join(STORE_COMMANDS.values()))
    store.add_argument("words", nargs="*", metavar="COMMAND", help="ls (default), pin, unpin, drop, gc, verify")
    spec = _command(commands, "spec", _spec, "what a spec may say; one key in full; a spec to start from")
    spec.add_argument("key", nargs="?", metavar="KEY", help="a key, or a part such as plan.cpu")
    spec.add_argument("--template", action="store_true", help="a cell to start from")
    doctor = _command(commands, "doctor", _doctor, "what this machine has for a run, and what is missing")
    doctor.add_argument("--calibrate", nargs="*", metavar="CNN", help="measure this machine and these CNNs first")
    _command(commands, "cnns", _cnns, "the known CNNs")
    _command(commands, "layers", _layers, "the layers of one CNN").add_argument("cnn", metavar="CNN")
    return parser


def _command(commands: Any, name: str, function: Callable[[argparse.Namespace], int], words: str) -> Any:
    command = commands.add_parser(name, help=words, description=words)
    command.set_defaults(command=function, parser=command)
    return command


def _spec_command(commands: Any, name: str, function: Callable[[argparse.Namespace], int], words: str) -> Any:
    command = _command(commands, name, function, words)
    command.add_argument("spec", type=Path, metavar="SPEC", help="a file holding the spec")
    command.add_argument("--profile", choices=("default", "sigmod2020"), help="how to plan")
    command.add_argument("--set", dest="overrides", action="append", default=[], type=_override, metavar="KEY=VALUE")
    command.add_argument(
        "--layers",
        dest="overrides",
        action="append",
        type=lambda text: ("layers", text),
        metavar="LAYERS",
        help="other layers than the spec's",
    )
    command.add_argument("--max-mem", type=_measure(parse_bytes), metavar="SIZE", help="refuse plans that hold more")
    command.add_argument(
        "--max-time", type=_measure(parse_seconds), metavar="TIME", help="refuse plans that take longer"
    )
    return command


def _measure(read: Callable[[str], float]) -> Callable[[str], float]:
    def measured(text: str) -> float:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return measured


def _chosen(arguments: argparse.Namespace) -> dict[str, Any]:
    """What `session` is told of the options that `run` and `explain` share."""
    return {
        "profile": arguments.profile,
        "overrides": tuple(arguments.overrides),
        "max_memory": arguments.max_mem,
        "max_seconds": arguments.max_time,
    }


def _override(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not all(part.isidentifier() for part in key.split(".")):
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key, value


def _existing(spec: Path) -> Path:
    if not spec.is_file():
        raise VistaUsageError("VST008", f"no spec file {str(spec)!r}", "give the path of a text file holding the spec")
    return spec


def _run(arguments: argparse.Namespace) -> int:
    from vista_nb import session

    chosen = _chosen(arguments) | {"reuse": arguments.reuse}
    if arguments.json and not arguments.analyze:
        raise VistaUsageError("VST003", "--json shows what --analyze finds", "add --analyze")
    result = session.run(_existing(arguments.spec), ui="off" if arguments.json else "text", **chosen)
    if arguments.analyze:
        found = result.explain(analyze=True)
        print(json.dumps(found.to_json(), indent=2) if arguments.json else found)
    return 0


def _explain(arguments: argparse.Namespace) -> int:
    from vista_nb import session

    overrides = tuple(arguments.overrides)
    if arguments.vary is not None:
        return _vary(arguments, overrides)
    if arguments.picture is not None:
        raise VistaUsageError("VST003", "--picture draws what --vary finds", "add --vary memory=2g..64g")
    try:
        plan = session.explain(_existing(arguments.spec), **_chosen(arguments))
    except NoFeasiblePlan as error:
        if not arguments.json:
            raise
        from vista_nb.plan.explain_json import infeasible_json

        print(json.dumps(infeasible_json(error), indent=2))
        return error.exit_status
    if arguments.json:
        from vista_nb.plan.explain_json import to_json

        print(json.dumps(to_json(plan), indent=2))
        return 0
    print(_explained(plan))
    return 0


def _explained(plan: Any) -> str:
    from vista_nb.plan.explain import explain

    return explain(plan)


def _vary(arguments: argparse.Namespace, overrides: tuple[tuple[str, str], ...]) -> int:
    from vista_nb import session
    from vista_nb.views.vary_view import VariationView, variation_svg

    if arguments.json:
        raise VistaUsageError("VST003", "--json shows one plan, --vary many", "leave one of them out")
    found = session.vary(_existing(arguments.spec), arguments.vary, profile=arguments.profile, overrides=overrides)
    print(VariationView(found))
    if arguments.picture is not None:
        try:
            arguments.picture.write_text(variation_svg(found), encoding="utf-8")
        except OSError as error:
            raise VistaUsageError("VST011", f"--picture: {error}", "name a file in a folder that exists") from error
    return 0


def _demo(arguments: argparse.Namespace) -> int:
    from vista_nb.demo_run import run_demo

    run_demo(arguments.folder, say=lambda line: print(line, flush=True))
    return 0


def _store(arguments: argparse.Namespace) -> int:
    """Status 1 where something was broken, or would not go, so that a script can ask."""
    answer = run_store(arguments.words)
    print(answer.shown)
    return 0 if answer.ok else 1


def _spec(arguments: argparse.Namespace) -> int:
    from vista_nb.spec_help import spec_help

    print(spec_help("--template" if arguments.template else arguments.key))
    return 0


def _doctor(arguments: argparse.Namespace) -> int:
    """Status 1 where something is missing, so that a script can ask."""
    from vista_nb import session
    from vista_nb.listings import calibration_table, doctor_table

    if arguments.calibrate is not None:
        print(calibration_table(session.calibrate(arguments.calibrate, say=lambda line: print(line, flush=True))))
    checks = session.doctor()
    print(doctor_table(checks))
    return 0 if all(check.ok for check in checks) else 1


def _cnns(arguments: argparse.Namespace) -> int:  # noqa: ARG001
    from vista_nb.listings import cnns_table

    print(cnns_table())
    return 0


def _layers(arguments: argparse.Namespace) -> int:
    from vista_nb.listings import layers_table
    from vista_nb.session.calibrating import as_measured
    from vista_nb.session.own_models import cnn_called

    print(layers_table(*as_measured(cnn_called(arguments.cnn))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
