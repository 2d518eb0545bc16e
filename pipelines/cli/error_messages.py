"""The messages of errors, read from the code, for the page on troubleshooting.

`python -m pipelines.cli.reference` writes docs/troubleshooting.md below its marker; a test compares the page with the
code. What does not belong here: causes, which the page explains above the marker.
"""

import ast
import inspect
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pipelines
from pipelines import errors

DOCUMENT = Path("docs/troubleshooting.md")
MARKER = "<!-- from here on: python -m pipelines.cli.reference -->\n"
_PLACE = "…"
"""Stands for a value that a message fills in."""

_LEFT_OUT = ("sandbox",)
"""Packages whose errors users do not see."""


class Message(NamedTuple):
    """One error: its class, its message and its remedy, with an ellipsis for each value."""

    kind: str
    message: str
    remedy: str


def messages() -> list[Message]:
    """Return every error whose text stands where it is raised, each once, in order."""
    root = Path(pipelines.__file__).parent
    paths = [path for path in root.rglob("*.py") if path.relative_to(root).parts[0] not in _LEFT_OUT]
    return sorted({found for path in paths for found in _of(path)})


def page(above: str) -> str:
    """Return the page: the text above the marker, and the messages by class.

    Args:
        above: the text up to the marker.
    """
    found, parts = messages(), [f"{above}{MARKER}"]
    for kind in _kinds():
        rows = [one for one in found if one.kind == kind.__name__]
        if rows:
            doc = inspect.cleandoc(kind.__doc__ or "").splitlines()[0]
            parts.append(f"### {kind.__name__}\n\n{doc} Exit code {kind.exit_code}.\n")
            table = [f"| {_cell(one.message)} | {_cell(one.remedy)} |" for one in rows]
            parts.append("\n".join(["| message | remedy |", "|---|---|", *table]) + "\n")
    return "\n".join(parts)


def _kinds() -> list[type[errors.TracklySyncError]]:
    classes = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
    return [kind for kind in classes if issubclass(kind, errors.TracklySyncError)]


def _of(path: Path) -> Iterator[Message]:
    names, constants = {kind.__name__ for kind in _kinds()}, _constants(path)
    for node in ast.walk(_parsed(path)):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        text = _text(node.args[0], constants)
        if name in names and text.strip(f"{_PLACE} :."):
            yield Message(name, text, _text(node.args[1], constants) if len(node.args) > 1 else "")


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def _constants(path: Path) -> dict[str, str]:
    """Return the texts of a module's constants, its own and those that it imports from the engine."""
    found: dict[str, str] = {}
    for node in _parsed(path).body:
        match node:
            case ast.ImportFrom(module=str(module)) if module.startswith(f"{pipelines.__name__}."):
                theirs = Path(pipelines.__file__).parent.parent / f"{module.replace('.', '/')}.py"
                if theirs.exists():
                    found |= {
                        name: text for name, text in _constants(theirs).items() if _is_among(name, node)
                    }
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name.isupper():
                text = _text(value, found)
                if (
                    text != _PLACE and not text.isdigit()
                ):  # a bound or a version is a value, not part of the text
                    found[name] = text
    return found


def _is_among(name: str, imported: ast.ImportFrom) -> bool:
    return any(alias.name == name and alias.asname is None for alias in imported.names)


def _text(node: ast.expr, constants: Mapping[str, str]) -> str:
    """Return the text of an expression, as far as it is known without running the code.

    Args:
        node: the expression.
        constants: the texts of the module's constants.
    """
    match node:
        case ast.Constant(value=value):
            return str(value)
        case ast.Name(id=name):
            return constants.get(name, _PLACE)
        case ast.JoinedStr(values=parts):
            return "".join(_text(part, constants) for part in parts)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _text(left, constants) + _text(right, constants)
        case ast.FormattedValue(value=ast.Call() as call):
            return _counted(call, constants)
        case ast.FormattedValue(value=ast.Name() as constant):
            return _text(constant, constants)
    return _PLACE


def _counted(call: ast.Call, constants: Mapping[str, str]) -> str:
    """Return the plural form that `humanize.plural` or `humanize.form` fills in."""
    nouns = [_text(noun, constants) for noun in call.args[1:]]
    match call.func:
        case ast.Name("plural"):
            return f"{_PLACE} {nouns[1] if len(nouns) > 1 else f'{nouns[0]}s'}"
        case ast.Name("form"):
            return nouns[-1]
    return _PLACE


def _cell(text: str) -> str:
    plain = re.sub(r"\s+", " ", text).strip()
    return f"`{plain.replace('|', '/').replace('`', chr(39))}`" if plain else ""


def rewritten(text: str) -> str:
    """Return the page with the part below its marker written again."""
    return page(text.partition(MARKER)[0])
