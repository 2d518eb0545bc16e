"""JSON files whose rows are inside an object, as in API replies: finds the rows, and says how to write them out.

What does not belong here: reading records (`json_lines`).
"""

import shlex
from collections.abc import Iterator
from typing import Any

import msgspec

from pipelines.errors import UsageError
from pipelines.push.files.find import Source
from pipelines.push.values.columns import normal
from schemas.columns import Dataset

_ONE = "is one object"
_DEEPEST = 5
_LEVELS = ("", "one level", "two levels", "three levels", "four levels", "five levels")
_UNPACKED = {"gzip": "gzip -dc", "zstd": "zstd -dc"}

Path = tuple[str, ...]
"""The keys that lead to a list."""


def refuse_wrapped(content: str, dataset: Dataset, source: Source) -> None:
    """Raise if a file is one object, or one in each line, with the rows in a list inside it.

    Args:
        content: the file, or its beginning.
        dataset: the dataset of the rows.
        source: the file.

    Raises:
        UsageError: the rows are in a list inside an object, or there are none.
    """
    what, value = _value(content)
    if type(value) is not dict:
        return
    is_row = what != _ONE or _has_fields(value, dataset)  # a row whose field names may be wrong
    lists = list(_lists(value))
    if path := _of_rows(lists, dataset, certain=is_row):
        raise UsageError(
            f"{source.path} {what}; its rows are {_LEVELS[len(path)]} down, under {_shown(path)}.",
            f"Write the rows themselves, one object a line{_command(path, source)}",
        )
    empty = [path for path, rows in lists if not rows]
    if empty and not is_row:
        under = f": the list under {_shown(empty[0])} is empty" if len(empty) == 1 else ""
        raise UsageError(
            f"{source.path} {what} and has no rows{under}.",
            "Export it again, one object a line, or remove it.",
        )


def _of_rows(lists: list[tuple[Path, list[Any]]], dataset: Dataset, *, certain: bool) -> Path | None:
    """Return the path of a list whose objects have fields of the dataset; else, unless `certain`, of any list."""
    found = [(path, rows[0]) for path, rows in lists if rows and type(rows[0]) is dict]
    with_fields = next((path for path, row in found if _has_fields(row, dataset)), None)
    return with_fields or (None if certain or not found else found[0][0])


def _has_fields(row: dict[str, Any], dataset: Dataset) -> bool:
    return any(normal(name) in dataset.columns for name in row)


def _value(content: str) -> tuple[str, Any]:
    """Return what a file is, in words, and its value or that of its first line."""
    for what, text in (
        ("is one object", content),
        ("has objects in its lines", content.lstrip().partition("\n")[0]),
    ):
        try:
            return what, msgspec.json.decode(text)
        except (msgspec.DecodeError, ValueError, RecursionError):  # several values, or one that is too large
            continue
    return "", None


def _lists(value: dict[str, Any]) -> Iterator[tuple[Path, list[Any]]]:
    """Yield every list inside an object, those nearest to its top first."""
    level: list[tuple[Path, dict[str, Any]]] = [((), value)]
    for _ in range(_DEEPEST):
        found = [((*path, name), one) for path, inner in level for name, one in inner.items()]
        yield from ((path, one) for path, one in found if type(one) is list)
        level = [(path, one) for path, one in found if type(one) is dict]


def _shown(path: Path) -> str:
    """Return the keys joined, if they are plain names: other keys may be a person's number."""
    return f"`{'.'.join(path)}`" if all(name.isidentifier() for name in path) else "a key"


def _command(path: Path, source: Source) -> str:
    """Return the end of the remedy: a command to type as it stands, if the keys are plain names."""
    if not all(name.isascii() and name.isidentifier() for name in path):
        return "."
    query, file = shlex.quote(f".{'.'.join(path)}[]"), shlex.quote(str(source.path))
    unpack = _UNPACKED.get(source.compression)
    return f": {unpack} {file} | jq -c {query}" if unpack else f": jq -c {query} {file}"
