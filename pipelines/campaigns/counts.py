"""Counts audiences over contacts: people, their time zones, and people in two audiences.

Contacts are read once for each 512 audiences. Every audience is one bit of a person, so a person is a few numbers,
and people with equal bits are counted together. What does not belong here: what a filter means (`filters`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from pipelines.campaigns.conditions import Sql, custom_field
from pipelines.campaigns.filters import Translation, translate

_BITS = 64
_MASKS = 8
NO_LISTS = "none"
"""A schedule and its audience have no list in common."""
IN_ONE_PASS = _BITS * _MASKS
"""Audiences that are counted in one pass over contacts."""
_BATCH_ROWS = 4_096
_CHAIN = 3
_NARROW, _WIDE, _ALL = "narrow", "wide", "all"
_FORMS = (_NARROW, _WIDE, _ALL)


@dataclass(frozen=True, slots=True)
class Audience:
    """An audience to count.

    Attributes:
        id: its id.
        filter_json: its filter as sent.
        source_lists: its lists; None or none: all.
        lists: empty, or the lists that remain with a schedule's lists: ids joined by commas, or `NO_LISTS`.
    """

    id: str
    filter_json: str | None
    source_lists: Sequence[int] | None
    lists: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether the audience is empty with any filter."""
        return self.lists == NO_LISTS

    @property
    def drawn_from(self) -> Sequence[int] | None:
        """The lists of its contacts; None or empty for all."""
        return [int(one) for one in self.lists.split(",")] if self.lists else self.source_lists

    def test(self, as_of: datetime, unknown: dict[str, str], custom: Any = custom_field) -> Translation:
        """Its test of a contact.

        Args:
            as_of: when the contacts were read.
            unknown: columns of contacts that cannot be used, each with the reason.
            custom: the SQL of a custom field's text, by the field's name.
        """
        return translate(
            self.filter_json, as_of, source_lists=self.drawn_from, unknown=unknown, custom=custom
        )


@dataclass(slots=True)
class Counts:
    """The counts of one pass over contacts for up to `IN_ONE_PASS` audiences, by their places.

    Attributes:
        people: by form, people of each audience.
        timezones: by time zone, people of each audience.
        pairs: people in each two audiences.
    """

    size: int
    people: dict[str, Any] = field(init=False)
    timezones: dict[str | None, Any] = field(default_factory=dict)
    pairs: Any = field(init=False)

    def __post_init__(self) -> None:
        self.people = {form: np.zeros(self.size) for form in _FORMS}
        self.pairs = np.zeros((self.size, self.size))

    def add(self, batch: pa.RecordBatch) -> None:
        """Add people that are counted together by their bits and time zone."""
        weights = batch.column("people").to_numpy(zero_copy_only=False).astype(np.float64)
        bits = {form: self._bits(batch, form) for form in _FORMS}
        for form, found in bits.items():
            self.people[form] += weights @ found
        narrow = bits[_NARROW]
        self.pairs += narrow.T @ (narrow * weights[:, None])
        zones = batch.column("timezone").to_pylist()
        for zone in set(zones):
            rows = np.array([one == zone for one in zones])
            known = self.timezones.setdefault(zone, np.zeros(self.size))
            known += weights[rows] @ narrow[rows]

    def _bits(self, batch: pa.RecordBatch, form: str) -> Any:
        """A column of zeros and ones for each audience."""
        masks = [batch.column(f"{form}_{number}").to_numpy() for number in range(_MASKS)]
        as_bytes = np.ascontiguousarray(np.stack(masks, axis=1)).astype("<u8").view(np.uint8)
        return np.unpackbits(as_bytes, axis=1, bitorder="little")[:, : self.size].astype(np.float64)


def count(connection: duckdb.DuckDBPyConnection, tests: Sequence[Sql], fields: Sequence[str]) -> Counts:
    """Count the people that meet each test: phone numbers with a contact that meets it.

    Args:
        connection: of a warehouse with `main.contacts`.
        tests: at most `IN_ONE_PASS`; a custom field in them is its column, `field_<place in fields>`.
        fields: the SQL of the custom fields, each read once for all tests.
    """
    found = Counts(len(tests))
    for batch in connection.sql(_query(tests, fields)).to_arrow_reader(_BATCH_ROWS):
        found.add(batch)
    return found


def _query(tests: Sequence[Sql], fields: Sequence[str]) -> str:
    columns = "".join(f", {sql} AS field_{number}" for number, sql in enumerate(fields))
    masks = ", ".join(
        f"{_mask(part)} AS {form}_{number}"
        for form, all_of in ((_NARROW, [one.least for one in tests]), (_WIDE, _extra(tests)))
        for number, part in enumerate(_parts(all_of))
    )
    gathered = ", ".join(_gathered(number) for number in range(_MASKS))
    return (
        "WITH zones AS (SELECT timezone, row_number() OVER (ORDER BY timezone) AS zone FROM "
        "(SELECT DISTINCT timezone FROM main.contacts WHERE timezone IS NOT NULL)), "
        f"people AS (SELECT max(zone) AS zone, {gathered} FROM ("
        f"SELECT phone_number, active, zone, {masks} FROM (SELECT *{columns} FROM main.contacts "
        "LEFT JOIN zones USING (timezone))) GROUP BY phone_number), "
        "alike AS (SELECT *, count(*) AS people FROM people GROUP BY ALL) "
        "SELECT alike.*, timezone FROM alike LEFT JOIN zones USING (zone)"
    )


def _extra(tests: Sequence[Sql]) -> list[str]:
    """Return the wide tests that differ from the narrow ones; equal tests need not run twice."""
    return ["false" if one.most == one.least else one.most for one in tests]


def _parts(tests: list[str]) -> Iterator[list[str]]:
    for number in range(_MASKS):
        yield tests[number * _BITS : (number + 1) * _BITS]


def _mask(tests: Sequence[str]) -> str:
    bits = [f"CASE WHEN {test} THEN {1 << bit}::UBIGINT ELSE 0::UBIGINT END"
            for bit, test in enumerate(tests) if test != "false"]  # fmt: skip
    return _either(bits)


def _either(bits: Sequence[str]) -> str:
    """Combine bits as a tree, since the planner is much slower with a chain."""
    if len(bits) < _CHAIN:
        return f"({' | '.join(bits)})" if bits else "0::UBIGINT"
    half = len(bits) // 2
    return f"({_either(bits[:half])} | {_either(bits[half:])})"


def _gathered(number: int) -> str:
    """Combine the bits of all contacts of a person, so that each person is counted once."""
    narrow, wide = f"{_NARROW}_{number}", f"{_WIDE}_{number}"
    return (
        f"coalesce(bit_or({narrow}) FILTER (active), 0)::UBIGINT AS {narrow}, "
        f"coalesce(bit_or({narrow} | {wide}) FILTER (active), 0)::UBIGINT AS {wide}, "
        f"bit_or({narrow})::UBIGINT AS {_ALL}_{number}"
    )
