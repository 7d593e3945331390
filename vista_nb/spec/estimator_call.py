"""The downstream model as written: `LogisticRegression(regParam=0.01)`, read with `ast` and never evaluated.

Reads a located text, returns an EstimatorCall with the place of each argument, or raises BadValue. May touch: nothing.
DESIGN.md section 3 (a bare name is pyspark.ml's, `sklearn.Name(...)` scikit-learn's, `$name` a variable) and section 14
(no spec text is evaluated). An argument that is written as a call of a class is a call as well:
`OneVsRest(classifier=LinearSVC(regParam=0.1))`; whether a parameter takes one is the binder's to say.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator

from vista_nb.errors import Problem
from vista_nb.spec.located import BadValue, Located
from vista_nb.spec.model import Argument, EstimatorCall, Literal, Position

__all__ = ["read_call", "read_literal"]

_LONGEST = 20_000  # characters; a deeper expression would only exhaust Python's parser
_LIBRARIES = {"pyspark": "pyspark", "sklearn": "sklearn"}
_FORM = "write it as `LogisticRegression(regParam=0.01)` or `sklearn.LogisticRegression(C=1.0)`"
_LITERALS = "only numbers, text in quotes, True, False, None, and lists of these"


def read_call(value: Located, key: str = "model") -> tuple[EstimatorCall, dict[str, Position]]:
    """The call, and the place of every argument's name under `model.NAME`."""
    value = value.strip()
    is_variable = value.text.startswith("$")
    if is_variable and (value.text[1:].isidentifier() or "(" not in value.text):
        return _variable(value, key), {}
    value = value[1:] if is_variable else value
    tree = _parsed(value, key)
    node = tree.func if isinstance(tree, ast.Call) else tree
    if is_variable and not isinstance(node, ast.Name):
        raise value.bad("VST110", f"`{key}`: `${value.text}` is no variable", "`$` is followed by one variable's name")
    library, name = _library_and_name(node, value, key)
    library = "variable" if is_variable else library
    if not isinstance(tree, ast.Call):
        return EstimatorCall(library, name), {}
    parameters, positions, problems = _arguments(tree, value, key)
    if problems:
        raise BadValue(problems)
    return EstimatorCall(library, name, tuple(parameters.items())), positions


def read_literal(value: Located, key: str) -> Literal:
    """One argument's value alone, for `--set model.regParam=0.1`; bare words are text."""
    try:
        return _plain_literal(_parsed(value.strip(), key))
    except (BadValue, _NoLiteral):
        if value.text.strip().isidentifier():
            return value.text.strip()
        raise value.bad("VST110", f"`{key}`: `{value.text}` is no literal", _LITERALS) from None


class _NoLiteral(Exception):
    def __init__(self, node: ast.AST) -> None:
        self.node = node


def _variable(value: Located, key: str) -> EstimatorCall:
    if not value.text[1:].isidentifier():
        raise value.bad("VST110", f"`{key}`: `{value.text}` is no variable", "`$` is followed by one variable's name")
    return EstimatorCall("variable", value.text[1:])


def _parsed(value: Located, key: str) -> ast.expr:
    if len(value.text) > _LONGEST:
        raise value[:1].bad("VST110", f"`{key}` is longer than {_LONGEST} characters", _FORM)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape in a string is no matter of ours
            return ast.parse(value.text, mode="eval").body
    except SyntaxError as error:
        start = _index(value, error.lineno or 1, (error.offset or 1) - 1, of_bytes=False)
        start = min(start, max(len(value.text) - 1, 0))
        raise value[start : start + 1].bad("VST110", f"`{key}` cannot be read: {error.msg}", _FORM) from None
    except (ValueError, RecursionError, MemoryError):
        raise value.bad("VST110", f"`{key}` cannot be read as a call", _FORM) from None


def _library_and_name(node: ast.AST, value: Located, key: str) -> tuple[str, str]:
    """`LogisticRegression`, `sklearn.LogisticRegression`, or the same with the whole module path."""
    path = list(_dotted(node))
    if not path:
        raise value.bad("VST110", f"`{key}` is no call of an estimator", _FORM)
    if len(path) == 1:
        return "pyspark", path[0]
    if path[0] not in _LIBRARIES:
        hint = f"{_FORM}; for another library build the model in a cell above and write `$name`"
        raise _piece(node, value).bad("VST110", f"`{key}`: library `{path[0]}` is not known", hint)
    return _LIBRARIES[path[0]], path[-1]


def _dotted(node: ast.AST) -> tuple[str, ...]:
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute):
        rest = _dotted(node.value)
        return (*rest, node.attr) if rest else ()
    return ()


def _arguments(
    call: ast.Call, value: Located, key: str
) -> tuple[dict[str, Argument], dict[str, Position], list[Problem]]:
    parameters: dict[str, Argument] = {}
    positions: dict[str, Position] = {}
    problems = [
        _piece(node, value).problem("VST110", f"`{key}`: arguments need a name", "write `regParam=0.01`, not `0.01`")
        for node in call.args
    ]
    for argument in call.keywords:
        piece = _piece(argument, value)
        name = argument.arg
        if name is None:
            problems.append(piece.problem("VST110", f"`{key}`: `**` is no argument", "write every argument out"))
        elif name in parameters:
            problems.append(piece.problem("VST103", f"`{key}`: `{name}` is given twice", "keep one of them"))
        else:
            positions[f"{key}.{name}"] = piece[: len(name)].position()
            try:
                parameters[name] = _literal(argument.value)
            except _NoLiteral as error:
                problems.append(_no_literal(error.node, name, value, key))
    return parameters, positions, problems


def _no_literal(node: ast.AST, name: str, value: Located, key: str) -> Problem:
    piece = _piece(node, value)
    hint = _LITERALS
    if isinstance(node, ast.Name):
        word = {"true": "True", "false": "False", "none": "None", "null": "None"}.get(node.id, f"'{node.id}'")
        hint = f"write `{word}`, or {{{{{node.id}}}}} for a notebook variable"
    elif isinstance(node, ast.Call):
        hint = f"{_LITERALS}; build such a model in a cell above and write `$name`"
    return piece.problem("VST110", f"`{key}`: `{name}` must be a literal, not `{piece.text}`", hint)


def _literal(node: ast.AST) -> Argument:
    """A literal, or the call of a class (a capital letter begins its name) with literals, or lists of both."""
    match node:
        case ast.Call(func=func, args=[], keywords=arguments) if (path := _dotted(func)) and path[-1][:1].isupper():
            library = "pyspark" if len(path) == 1 else _LIBRARIES.get(path[0], "")
            names = [argument.arg for argument in arguments]
            if not library or None in names or len(set(names)) < len(names):
                raise _NoLiteral(node)
            parameters = tuple((str(argument.arg), _literal(argument.value)) for argument in arguments)
            return EstimatorCall(library, path[-1], parameters)
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return tuple(_literal(item) for item in items)
        case _:
            return _plain_literal(node)


def _plain_literal(node: ast.AST) -> Literal:
    """Constants, signed numbers, lists and tuples of these; anything else is refused, not evaluated."""
    match node:
        case ast.Constant(value=None | bool() | int() | float() | str() as constant):
            return constant
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=ast.Constant(value=int() | float() as number)):
            if isinstance(number, bool):
                raise _NoLiteral(node)
            return -number if isinstance(sign, ast.USub) else number
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return tuple(_plain_literal(item) for item in items)
        case _:
            raise _NoLiteral(node)


def _piece(node: ast.AST, value: Located) -> Located:
    """The text of a node. ast counts columns in UTF-8 bytes."""
    places: Iterator[int] = (getattr(node, name) for name in ("lineno", "col_offset", "end_lineno", "end_col_offset"))
    line, column, end_line, end_column = places
    return value[_index(value, line, column) : _index(value, end_line, end_column)]


def _index(value: Located, line: int, column: int, of_bytes: bool = True) -> int:
    lines = value.text.split("\n")
    before = sum(len(text) + 1 for text in lines[: line - 1])
    text = lines[line - 1] if line <= len(lines) else ""
    return before + (len(text.encode()[:column].decode(errors="ignore")) if of_bytes else column)
