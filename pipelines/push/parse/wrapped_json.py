"""JSON files whose rows lie within an object, as replies of APIs are: where the rows are, and how to write them out.

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
    """Say so where a file is one object, or one in each line, with the rows in a list within it.

    Args:
        content: the file, or how it begins.
        dataset: what its rows are of.
        source: the file.

    Raises:
        UsageError: it is.
    """
    what, value = _value(content)
    if type(value) is not dict:
        return
    is_row = what != _ONE or _has_fields(value, dataset)  # with the names of its fields wrong
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
            "Export it again, one object a line, or take it away.",
        )


def _of_rows(lists: list[tuple[Path, list[Any]]], dataset: Dataset, *, certain: bool) -> Path | None:
    """The list whose objects have fields of the dataset; where none has, and it need not be certain, any list."""
    found = [(path, rows[0]) for path, rows in lists if rows and type(rows[0]) is dict]
    with_fields = next((path for path, row in found if _has_fields(row, dataset)), None)
    return with_fields or (None if certain or not found else found[0][0])


def _has_fields(row: dict[str, Any], dataset: Dataset) -> bool:
    return any(normal(name) in dataset.columns for name in row)


def _value(content: str) -> tuple[str, Any]:
    """What a file is in words, and its value, or that of its first line."""
    for what, text in (
        ("is one object", content),
        ("has objects in its lines", content.lstrip().partition("\n")[0]),
    ):
        try:
            return what, msgspec.json.decode(text)
        except (msgspec.DecodeError, ValueError, RecursionError):  # several values, or too large for one
            continue
    return "", None


def _lists(value: dict[str, Any]) -> Iterator[tuple[Path, list[Any]]]:
    """Every list within an object, those nearest to its top first."""
    level: list[tuple[Path, dict[str, Any]]] = [((), value)]
    for _ in range(_DEEPEST):
        found = [((*path, name), one) for path, of in level for name, one in of.items()]
        yield from ((path, one) for path, one in found if type(one) is list)
        level = [(path, one) for path, one in found if type(one) is dict]


def _shown(path: Path) -> str:
    """Keys are shown where they are plain names: others may be a person's number."""
    return f"`{'.'.join(path)}`" if all(name.isidentifier() for name in path) else "a key"


def _command(path: Path, source: Source) -> str:
    """A command for it, to be typed as it stands."""
    if not all(name.isascii() and name.isidentifier() for name in path):
        return "."
    query, file = shlex.quote(f".{'.'.join(path)}[]"), shlex.quote(str(source.path))
    unpack = _UNPACKED.get(source.compression)
    return f": {unpack} {file} | jq -c {query}" if unpack else f": jq -c {query} {file}"
