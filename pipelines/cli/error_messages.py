"""The messages that errors can have, read out of the code, for the page on troubleshooting.

`python -m pipelines.cli.reference` writes docs/troubleshooting.md from its marker on; a test holds the page to the
code.
What does not belong here: causes, which the page explains above the marker.
"""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pipelines
from pipelines import errors

DOCUMENT = Path("docs/troubleshooting.md")
MARKER = "<!-- from here on: python -m pipelines.cli.reference -->\n"
_PLACE = "…"
"""Stands for what a message fills in."""

_LEFT_OUT = ("sandbox",)
"""Rooms whose errors no user of the product meets."""


class Message(NamedTuple):
    """One error: its class, what it says, and the remedy; what is filled in is an ellipsis."""

    kind: str
    message: str
    remedy: str


def messages() -> list[Message]:
    """Every error that is made with its text in place, each once, in order."""
    root = Path(pipelines.__file__).parent
    paths = [path for path in root.rglob("*.py") if path.relative_to(root).parts[0] not in _LEFT_OUT]
    return sorted({found for path in paths for found in _of(ast.parse(path.read_text(encoding="utf-8")))})


def page(above: str) -> str:
    """The page: what stands above the marker, and the messages by class.

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


def _of(tree: ast.AST) -> Iterator[Message]:
    names = {kind.__name__ for kind in _kinds()}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        text = _text(node.args[0])
        if name in names and text.strip(f"{_PLACE} :."):
            yield Message(name, text, _text(node.args[1]) if len(node.args) > 1 else "")


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left) + _text(node.right)
    if isinstance(node, ast.FormattedValue) and isinstance(node.value, ast.Call):
        return _counted(node.value)
    return _PLACE


def _counted(call: ast.Call) -> str:
    """What `humanize.plural` and `humanize.form` fill in, as it is for several."""
    nouns = [_text(noun) for noun in call.args[1:]]
    match call.func:
        case ast.Name("plural"):
            return f"{_PLACE} {nouns[1] if len(nouns) > 1 else f'{nouns[0]}s'}"
        case ast.Name("form"):
            return nouns[-1]
    return _PLACE


def _cell(text: str) -> str:
    plain = re.sub(r"\s+", " ", text).strip()
    return f"`{plain.replace('|', '/').replace('`', chr(39))}`" if plain else ""


def rewrite() -> None:
    """Write the page again, below its marker."""
    above = DOCUMENT.read_text(encoding="utf-8").partition(MARKER)[0]
    DOCUMENT.write_text(page(above), encoding="utf-8")
