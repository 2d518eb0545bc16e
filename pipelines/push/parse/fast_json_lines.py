"""Reads plain blocks of JSON lines as columns, several times as fast as line by line.

A block is plain if each line is an object without repeated keys, and every value is valid. What does not belong here:
reading line by line, and converting values (`json_lines`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.push.parse.records import Columnar
from pipelines.push.parse.text import MAX_LINE
from schemas.columns import Dataset, Field, Kind

_FAILURES = (ValueError, RecursionError)
"""Errors of decoding; msgspec's own are ValueErrors."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How `json_lines` reads single lines, so that blocks are read the same way.

    Attributes:
        dataset: the dataset of the lines.
        decode: decodes all objects of a block.
        layout: maps an object's keys to the places of their fields, -1 for a key that is no field.
        text: converts a value that is not a string to a text, and says what is wrong with it.
    """

    dataset: Dataset
    decode: Callable[[str], list[Any]]
    layout: Callable[[tuple[str, ...]], list[int]]
    text: Callable[[Field, Any], tuple[str, str]]


def read_block(block: str, rules: Rules, before: int) -> Columnar | None:
    """Read a block of complete lines; None if it must be read line by line.

    Args:
        block: the lines, not empty.
        rules: how single lines are read.
        before: how many lines come before the block.
    """
    lines = block.count("\n") + (block[-1] != "\n")
    if len(block) >= MAX_LINE or not _is_plain(block, lines):
        return None
    try:
        rows = rules.decode(block)
    except _FAILURES:
        return None
    if len(rows) != lines:
        return None
    layouts = list(dict.fromkeys(map(tuple, rows)))
    keys = _keys(layouts, rules)
    if keys is None or block.count('":') != sum(map(len, rows)):
        return None
    columns = _columns(rows, keys, layouts[0] if len(layouts) == 1 else (), rules)
    if columns is None:
        return None
    numbers = pa.array(np.arange(before + 1, before + lines + 1))
    return Columnar(rules.dataset, columns, numbers, numbers)


def _is_plain(block: str, lines: int) -> bool:
    """Return whether every line begins with { and ends with }, and every colon directly follows its key."""
    end = "\r\n" if "\r" in block else "\n"
    if block.count("\r") != block.count("\r\n"):
        return False
    ends = block.count(f"}}{end}") + (block[-1] == "}")
    begins = block.count("\n{") + (block[0] == "{")
    return begins == ends == lines and " :" not in block and "\t:" not in block


def _keys(layouts: Sequence[tuple[str, ...]], rules: Rules) -> dict[int, str] | None:
    """Return the key of each field, by the field's place; None if a field has several keys."""
    found: dict[int, str] = {}
    for keys in layouts:
        for key, place in zip(keys, rules.layout(keys), strict=True):
            if place >= 0 and found.setdefault(place, key) != key:
                return None
    return found


def _columns(
    rows: Sequence[dict[str, Any]], keys: Mapping[int, str], only: tuple[str, ...], rules: Rules
) -> dict[str, "pa.Array[Any]"] | None:
    """Return the texts of each field; None if a value is invalid.

    Args:
        rows: the objects.
        keys: the key of each field, by the field's place.
        only: the keys of every row, in order; empty if rows differ.
        rules: how single lines are read.
    """
    cells = dict(zip(only, zip(*map(dict.values, rows), strict=True), strict=True)) if only else {}
    columns = {}
    for place, key in keys.items():
        field = rules.dataset.fields[place]
        texts = _texts(field, cells[key] if only else [row.get(key) for row in rows], rules)
        if texts is None:
            return None
        columns[field.name] = texts
    return columns


def _texts(field: Field, values: Sequence[Any], rules: Rules) -> "pa.Array[Any] | None":
    kinds = set(map(type, values)) - {type(None)}
    if kinds == {bool} and field.kind is Kind.FLAG:
        flags: pa.Array[Any] = pa.array(values, pa.bool_()).cast(pa.string())
        return flags
    if kinds <= {str}:
        return pa.array(values, pa.string())
    texts: list[str | None] = []
    for value in values:
        text, wrong = (value, "") if value is None or type(value) is str else rules.text(field, value)
        if wrong:
            return None
        texts.append(text)
    return pa.array(texts, pa.string())
