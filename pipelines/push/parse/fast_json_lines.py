"""Blocks of JSON lines that are beyond doubt, read as columns at once: several times as fast as line by line.

A block is taken only if each of its lines is an object, none has a key twice, and nothing is wrong with any value.
What does not belong here: reading line by line, and what becomes of values (`json_lines`).
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
"""msgspec's own errors are of the first."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How lines are read one by one.

    Attributes:
        dataset: what they are of.
        decode: all objects of a block.
        layout: by an object's keys, the place of each key's field, -1 where it is none.
        text: a value that is no string as a text, and what is wrong with it.
    """

    dataset: Dataset
    decode: Callable[[str], list[Any]]
    layout: Callable[[tuple[str, ...]], list[int]]
    text: Callable[[Field, Any], tuple[str, str]]


def read_block(block: str, rules: Rules, before: int) -> Columnar | None:
    """The rows of a block of complete lines; None where it has to be read line by line.

    Args:
        block: it begins with a line, and is not empty.
        rules: of the file.
        before: how many lines come before it.
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
    """Whether every line begins and ends as an object does, and every colon follows its key at once."""
    end = "\r\n" if "\r" in block else "\n"
    if block.count("\r") != block.count("\r\n"):
        return False
    ends = block.count(f"}}{end}") + (block[-1] == "}")
    begins = block.count("\n{") + (block[0] == "{")
    return begins == ends == lines and " :" not in block and "\t:" not in block


def _keys(layouts: Sequence[tuple[str, ...]], rules: Rules) -> dict[int, str] | None:
    """By the place of a field, its key; None where a field has several."""
    found: dict[int, str] = {}
    for keys in layouts:
        for key, place in zip(keys, rules.layout(keys), strict=True):
            if place >= 0 and found.setdefault(place, key) != key:
                return None
    return found


def _columns(
    rows: Sequence[dict[str, Any]], keys: Mapping[int, str], only: tuple[str, ...], rules: Rules
) -> dict[str, "pa.Array[Any]"] | None:
    """By field, its texts; None where something is wrong with one.

    Args:
        rows: the objects.
        keys: by the place of a field, its key.
        only: the keys of every row, in order; empty where rows differ.
        rules: of the file.
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
