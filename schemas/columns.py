"""The vocabulary that datasets are declared in: column types, checks, and `Dataset` itself.

A dataset is a `msgspec.Struct` whose annotations carry a `Column` each. The struct is also the JSON decoder; `arrow`,
`tables` and `pandera_checks` of `schemas.derived` and `schemas.dictionary` derive the rest from it. What does not
belong here: any one dataset, and anything that imports pandas, pandera or duckdb, since `status` and `--help` load
this module.
"""

import types
import typing
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Annotated, Any, Union

import msgspec

from schemas.values.money import LARGEST
from schemas.values.phones import E164


class Kind(Enum):
    """The kind of a column's values, independent of Arrow, DuckDB and pandas."""

    TEXT = "text"
    INTEGER = "integer"
    FLAG = "flag"
    MONEY = "money"
    INSTANT = "instant"
    JSON = "json"
    DAY = "day"
    RATIO = "ratio"
    INTEGERS = "integers"
    TEXTS = "texts"


Text = str
Label = Annotated[str | int | float, Kind.TEXT]
"""An id or the like whose JSON type is not documented; kept as text."""
Flag = bool
Integer = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1), Kind.INTEGER]
Money = Annotated[float, msgspec.Meta(ge=-float(LARGEST), le=float(LARGEST)), Kind.MONEY]
Instant = Annotated[str, Kind.INSTANT]
Json = Annotated[msgspec.Raw, Kind.JSON]
Day = Annotated[str, Kind.DAY]
Ratio = Annotated[float, Kind.RATIO]
Integers = Annotated[list[int | float], Kind.INTEGERS]
"""Whole numbers, also if written with a decimal point."""
Texts = Annotated[list[str], Kind.TEXTS]

ABSENT = msgspec.Raw(b"null")
"""Default of a JSON column: the field was missing, or null."""


@dataclass(frozen=True, slots=True)
class Matches:
    """The complete text matches a pattern, with a description for people."""

    pattern: str
    words: str


@dataclass(frozen=True, slots=True)
class AtLeast:
    """The number is not below a bound."""

    bound: int

    @property
    def words(self) -> str:
        """For people."""
        return f"at least {self.bound}"


@dataclass(frozen=True, slots=True)
class LengthAtMost:
    """The text is not longer than a number of characters."""

    characters: int

    @property
    def words(self) -> str:
        """For people."""
        return f"at most {self.characters} characters"


Check = Matches | AtLeast | LengthAtMost

PHONE = Matches(f"^{E164}$", "E.164, like +15551234567")
KEPT_PHONE = Matches(rf"^(?:{E164}|hmac:[0-9a-f]{{32}})$", PHONE.words)
"""A phone number that was pulled, or its keyed hash (TRACKLY_HASH_PHONES)."""
NOT_EMPTY = Matches(r"^.*\S.*$", "a text that is not empty")
NOT_NEGATIVE = AtLeast(0)


@dataclass(frozen=True, slots=True)
class Column:
    """The description and rules of a column.

    Attributes:
        doc: its meaning, one sentence.
        unit: its unit, if it has one.
        checks: a row that breaks one is quarantined.
        known: the values that the vendor documents. Other values are published with a warning, since the vendor may
            add values.
        refers_to: the column of the warehouse that has its values, as schema.table.column.
        planned: whether it holds planned times, so that future times are plausible.
        objects: for JSON, whether it must be an array of objects; other rows are quarantined.
        various: whether nearly all texts differ, so that a search for repeats is useless.
    """

    doc: str
    unit: str = ""
    checks: tuple[Check, ...] = ()
    known: tuple[str, ...] = ()
    refers_to: str = ""
    planned: bool = False
    objects: bool = False
    various: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a dataset, from its declaration."""

    name: str
    kind: Kind
    nullable: bool
    column: Column


@dataclass(frozen=True, slots=True)
class Dataset:
    """One dataset.

    Attributes:
        name: its table's name.
        row: the struct that declares its columns.
        key: the columns that tell its rows apart; empty if rows have no key.
        doc: the meaning of one row.
        source: the vendor page that documents it, as a path; see `page`.
    """

    name: str
    row: type[msgspec.Struct]
    key: tuple[str, ...]
    doc: str
    source: str

    @property
    def fields(self) -> tuple[Field, ...]:
        """Its columns in declaration order."""
        return _fields(self.row)

    @property
    def page(self) -> str:
        """The address of the vendor page that documents it; "" if there is none."""
        return f"https://docs.tracklysms.com{self.source}" if self.source else ""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of its columns in declaration order."""
        return _names(self.row)


def past_times(dataset: Dataset) -> tuple[str, ...]:
    """Return its columns of past times, in which a time after tomorrow is odd."""
    return tuple(
        field.name for field in dataset.fields if field.kind is Kind.INSTANT and not field.column.planned
    )


@cache
def _fields(row: type[msgspec.Struct]) -> tuple[Field, ...]:
    hints = typing.get_type_hints(row, include_extras=True)
    return tuple(_field(name, hints[name]) for name in row.__struct_fields__)


@cache
def _names(row: type[msgspec.Struct]) -> tuple[str, ...]:
    return tuple(field.name for field in _fields(row))


def _field(name: str, hint: Any) -> Field:
    """Read `Annotated[<type> | None, Column(...)]`, where `<type>` is one of the aliases above."""
    inner, *notes = _annotated(hint)
    column = next((note for note in notes if isinstance(note, Column)), None)
    if column is None:
        raise TypeError(f"column {name} is declared without a Column(...)")
    nullable = typing.get_origin(inner) in (Union, types.UnionType)
    if nullable:
        inner, *more = _annotated(_without_none(inner))
        notes += more
    kind = next((note for note in notes if isinstance(note, Kind)), None) or _PLAIN[inner]
    return Field(name, kind, nullable or kind is Kind.JSON, column)


def _without_none(hint: Any) -> Any:
    (inner,) = (arg for arg in typing.get_args(hint) if arg is not type(None))
    return inner


def _annotated(hint: Any) -> list[Any]:
    """`Annotated[T, a, b]` as `[T, a, b]`; a plain type as a list of one."""
    if typing.get_origin(hint) is Annotated:
        return list(typing.get_args(hint))
    return [hint]


_PLAIN = {str: Kind.TEXT, bool: Kind.FLAG}
