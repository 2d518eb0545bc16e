"""Flaws in replies to reads: rows with broken keys, empty texts for no value, null for no rows, too large totals.

The flawed rows depend only on the rows, so every reply shows the same ones, and tests can compute them. What does not
belong here: when a flaw strikes (`kinds`), and totals that have nothing to do with rows (`apply`).
"""

from collections.abc import Mapping
from typing import Any
from zlib import crc32

from pipelines.sandbox.faults.kinds import Fault
from pipelines.sandbox.replies import Row

_KEYS = {
    "contacts": ("phone_number", "list_id"),
    "lists": ("id",),
    "offers": ("id",),
    "creatives": ("id",),
    "audiences": ("id",),
    "schedules": ("id",),
    "revenue": ("id",),
}
_MISSING: Any = object()
_BROKEN: dict[str, tuple[Any, ...]] = {
    "phone_number": ("", None, "n/a", 15550000000, _MISSING),
    "list_id": (None, "", "one", 1.5, _MISSING),
    "id": (None, "", {}, _MISSING),
}
_TIMES = ("_at", "_date", "timestamp")


def flawed(content: dict[str, Any], struck: Mapping[str, Fault]) -> dict[str, Any]:
    """Return a reply's content, changed by faults; the account's rows stay unchanged."""
    name = next((name for name in _KEYS if name in content), None)
    if name is None:
        return content
    content = {**content, name: _flawed_rows(name, content[name], struck)}
    if "more" in struck and "pagination" in content:
        total = content["pagination"]["total"] + struck["more"].value
        content["pagination"] = {**content["pagination"], "total": total}
    if "null-rows" in struck and not content[name]:
        content[name] = None
    if "no-rows" in struck and not content[name]:
        del content[name]
    return content


def _flawed_rows(resource: str, rows: list[Row], struck: Mapping[str, Fault]) -> list[Row]:
    if "broken-keys" in struck:
        rows = [with_broken_key(resource, row, struck["broken-keys"]) for row in rows]
    return [with_blank_times(row) for row in rows] if "blank-times" in struck else rows


def with_broken_key(resource: str, row: Row, fault: Fault) -> Row:
    """Return a row as the fault serves it: a share of the rows has no usable key.

    Args:
        resource: the row's resource.
        row: the account's row.
        fault: its `rate` is the share; with `value` 1 every broken key is the same, else they are of several kinds.
    """
    keys = _KEYS[resource]
    chance = crc32("/".join(str(row.get(key)) for key in keys).encode())
    if chance % 10_000 >= fault.rate * 10_000:
        return row
    key = keys[0] if fault.value == 1 else keys[chance // 10_000 % len(keys)]
    forms = _BROKEN[key]
    form = forms[0] if fault.value == 1 else forms[chance // 20_000 % len(forms)]
    broken = {name: value for name, value in row.items() if name != key}
    return broken if form is _MISSING else {key: form, **broken}


def with_blank_times(row: Row) -> Row:
    """Return a row with an empty text for every missing time."""
    return {name: "" if value is None and name.endswith(_TIMES) else value for name, value in row.items()}
