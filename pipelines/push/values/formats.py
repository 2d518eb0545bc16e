"""The declared format of each kind of value in a history file, as SQL for its text. Nothing is guessed.

A text is accepted only if a regular expression matches; the database cast then computes the value and decides
nothing. docs/history-files.md describes the formats for users. What does not belong here: files and columns
(`parse.relation`), declared checks of values (`schemas.history`), and what happens to a bad row (`checks.validate`).
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from pipelines.push.values.decimal_signs import marks_of_amount
from pipelines.text.sanitize import FORMULA_STARTS
from schemas.columns import Field, Kind
from schemas.derived.tables import TYPES, literal
from schemas.values.instants import BASIC, EXTENDED, plausible_between
from schemas.values.money import LARGEST

ZONE_ASSUMED, GUARD_REMOVED, NULL_WORD, TIME_CUT = 1, 2, 4, 8
"""Bits of `marks`: what the plan tells about the values of a row; `decimal_signs` has more bits."""

NULL_WORDS = (
    "null",
    r"\n",
    "none",
    "nil",
    "<na>",
    "n/a",
    "#n/a",
    "undefined",
    "nan",
    "nat",
    "<null>",
    "(null)",
)
"""Texts that mean no value in exports, in lower case; in a number column `nan` is an error instead."""

GUARDED = FORMULA_STARTS
"""An apostrophe before one of these is a spreadsheet guard, not part of the text, unless one also ends the text."""

WHITE = (
    " \t\n\v\f\r\x1c\x1d\x1e\x1f\x85\xa0\u1680"
    + "".join(map(chr, range(0x2000, 0x200B)))
    + ("\u2028\u2029\u202f\u205f\u3000\ufeff")
)
"""White space that is stripped from every value except a message."""

IDENTIFIERS = ("id", "message_id", "record_id", "offer_id", "to_number", "phone_number", "list_number")
_NUMBERS = (Kind.INTEGER, Kind.MONEY)

_ORDINARY = "[0-9A-Za-z+](?:.*[!-~])?"
"""Nothing to strip and no guard, which is true of most texts and much faster to handle."""
_LONGEST_WORD = max(map(len, NULL_WORDS))
LONG_MESSAGE = 40  # bytes; a longer message is not a word for null, whatever white space is around it

_AMOUNT = r"[+-]?(?:0*\d{1,11}(?:\.\d{1,4}0*)?|\.\d{1,4}0*)"
_WHOLE = r"[+-]?\d{1,19}(?:\.0+)?"
TRUE, FALSE = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")

_COMMON_INSTANT = r"\d{4}-\d\d-\d\d[T ](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?Z?"
"""The usual spellings of UTC, which a cast reads much faster than the general expression."""
_NANOSECONDS = r"[.,]\d{6}\d*[1-9]"
"""A fraction with digits beyond microseconds; the API's texts and the stage have microseconds."""
_WITH_MICROSECONDS = len("20240501T100000.123456")
_COMMON_OFFSET = _COMMON_INSTANT.removesuffix("Z?") + r"[+-](?:0\d|1[0-4]):[0-5]\d"
_PARTS = ("year", "month", "day", "hour", "minute", "second", "fraction", "zone")
_BROKEN = r"(?s).*[\r\n].*"
_INVISIBLE = r"\p{Cf}"
_CONTROL = r"[\x01-\x1f\x7f]"  # NUL is a problem of its own (`checks.validate`)
_OFFER_ID = "[0-9A-Fa-f]{24}"

_KEYS = ("id", "message_id", "record_id")
_NO_KEY = r"[^\p{L}\p{N}+]{1,8}"
"""What people write for an empty value: `-`, `--`, `?`, `***`."""

_SCIENTIFIC = r"[+-]?\d(?:[.,]\d+)?[eE][+-]\d+|[+-]?\d[.,]\d+[eE]\d+"
_FLOATED = r"\d+[.,]0+"
_SHEET_ERROR = r"(?i)#(?:(?:REF|DIV/0|VALUE|NUM|NULL|SPILL|CALC|FIELD|BUSY|BLOCKED|CONNECT|UNKNOWN)!|NAME\?)"
_LONGEST_ERROR = 64  # bytes, with white space around it
_IS_SHEET_ERROR = "is an error of a spreadsheet; correct its formula and export it again"
_LOCAL_DATE = (
    r"\d{1,4}[/.]\d{1,2}[/.]\d{1,4}(?:\D.*)?|\d{2}-\d{1,2}-\d{1,4}(?:\D.*)?|\d{1,2}-\d{1,2}-\d{4}(?:\D.*)?"
)
_ANY_TIME = f"(?:{EXTENDED}|{BASIC})"
_NO_CLOCK = r"\d{4}-?\d\d-?\d\d[T ](?:2[4-9]|[3-9]\d|\d\d:?[6-9]\d|\d\d:?\d\d:?[6-9]\d)(?:\D.*|\d\d.*)?"
_NO_OFFSET = r"\d{4}-?\d\d-?\d\d[T ][\d:.,]+ ?[+-](?:2[4-9]|[3-9]\d|\d\d:?[6-9]\d)(?:\D.*|\d\d)?"
_HALF_DAY = r"[0-9T:./, -]+ ?[AaPp]\.?[Mm]\.?"
_ZONE_NAME = r"\d{4}-?\d\d-?\d\d[T ][0-9:.,]+ ?(?:[A-Ya-y]|[A-Za-z][A-Za-z_/+-]+|.*\[.*)"


def bare(field: Field, text: str) -> str:
    """Return SQL for the text of a value without guard and white space; it yields NULL if there is no value.

    White space is stripped except from a message, a spreadsheet guard (`'+1…`, `="…"`) is removed, and words for null
    become NULL.

    Args:
        field: the field of the column.
        text: the name of an SQL column of type VARCHAR.
    """
    words = _null_words(field)
    if field.name == "message":
        ordinary = (
            f"strlen({text}) > {LONG_MESSAGE}"
            f" AND NOT starts_with({text}, '''') AND NOT starts_with({text}, '=')"
        )
        careful = (
            f"CASE WHEN lower({_trim('t')}) IN {words} THEN NULL ELSE nullif({_without_guard('t')}, '') END"
        )
        return f"CASE WHEN {ordinary} THEN {text} ELSE list_transform([{text}], lambda t: {careful})[1] END"
    known = (
        f"CASE WHEN strlen({text}) <= {_LONGEST_WORD} AND lower({text}) IN {words} THEN NULL ELSE {text} END"
    )
    # the guard may be inside white space, and white space inside the guard
    careful = f"nullif(CASE WHEN lower(t) IN {words} THEN '' ELSE {_trim(_without_guard('t'))} END, '')"
    return (
        f"CASE WHEN {text} IS NULL THEN NULL WHEN {_is(text, _ORDINARY)} THEN {known}"
        f" ELSE list_transform([{_trim(text)}], lambda t: {careful})[1] END"
    )


def typed(field: Field, text: str) -> str:
    """Return SQL for the value of a column; it yields NULL if the text does not have the field's format.

    Args:
        field: the field of the column.
        text: the name of an SQL column that `bare` made.
    """
    match field.kind:
        case Kind.INTEGER:
            return f"CASE WHEN {_is(text, _WHOLE)} THEN TRY_CAST(split_part({text}, '.', 1) AS BIGINT) END"
        case Kind.FLAG:
            return f"CASE WHEN lower({text}) IN {TRUE} THEN true WHEN lower({text}) IN {FALSE} THEN false END"
        case Kind.MONEY:
            return f"CASE WHEN {_is(text, _AMOUNT)} THEN TRY_CAST({text} AS DECIMAL(18, 4)) END"
        case Kind.INSTANT:
            instant = _instant(text)
            first, end = (f"TIMESTAMP '{time:%Y-%m-%d}'" for time in plausible_between(datetime.now(UTC)))
            return (
                f"list_transform([{instant}], lambda t: CASE WHEN t >= {first} AND t < {end}"
                " THEN make_timestamptz(epoch_us(t)) END)[1]"
            )
        case _:
            return text


def plainly_typed(field: Field, text: str) -> str:
    """Return SQL for the value of a column whose texts are plain (`fast_typing.plain`): as `typed`, by a cast alone.

    Args:
        field: the field of the column.
        text: the name of an SQL column, NULL for no value.
    """
    match field.kind:
        case Kind.INTEGER | Kind.MONEY:
            return f"CAST({text} AS {TYPES[field.kind]})"
        case Kind.INSTANT:
            return f"make_timestamptz(epoch_us(CAST({text} AS TIMESTAMP)))"
        case _:
            return typed(field, text)


def problem(field: Field, text: str, value: str) -> str | None:
    """Return SQL for the problem of a text; it yields NULL if there is none. None if no text can have a problem.

    Reasons are stable and never quote the value.

    Args:
        field: the field of the column.
        text: the name of an SQL column that `bare` made.
        value: the name of the SQL column that `typed` made of `text`.
    """
    name = field.name
    if field.kind is Kind.TEXT:
        return f"CASE{''.join(_cases_of_text(name, text))} END"
    cases = "".join(f" WHEN {_is(text, pattern)} THEN '{name}: {why}'" for pattern, why in _named(field.kind))
    if field.kind is Kind.INSTANT:
        cases = f" WHEN {_no_such_day(text)} THEN '{name}: there is no such day'{cases}"
    return f"CASE WHEN {text} IS NULL OR {value} IS NOT NULL THEN NULL{cases} ELSE '{name}: {_MUST[field.kind]}' END"


def _cases_of_text(name: str, text: str) -> Iterator[str]:
    """What can be wrong with a text, as cases with the reason; of an identifier more than of other texts."""
    yield (
        f" WHEN strlen({text}) <= {_LONGEST_ERROR} AND contains({text}, '#') AND {_is(_trim(text), _SHEET_ERROR)}"
        f" THEN '{name}: {_IS_SHEET_ERROR}'"
    )
    if name not in IDENTIFIERS:
        return
    yield (
        f" WHEN {_is(text, _SCIENTIFIC)} THEN"
        f" '{name}: a spreadsheet has rounded it (scientific notation); export it as text'"
    )
    yield f" WHEN {_is(text, _FLOATED)} THEN '{name}: a number with .0, as floats are written; export it as text'"
    yield f" WHEN {_is(text, _BROKEN)} THEN '{name}: has a line break'"
    yield (
        f" WHEN strlen({text}) <> length({text}) AND regexp_matches({text}, '{_INVISIBLE}')"
        f" OR regexp_matches({text}, '{_CONTROL}') THEN '{name}: has invisible characters'"
    )
    if name == "offer_id":
        yield f" WHEN NOT {_is(text, _OFFER_ID)} THEN '{name}: must be 24 hexadecimal characters'"
    if name in _KEYS:
        yield f" WHEN strlen({text}) <= 32 AND {_is(text, _NO_KEY)} THEN '{name}: has no letter and no digit'"


def marks(field: Field, text: str, cleaned: str) -> str | None:
    """Return SQL for the bits that a value contributes to `marks`; None if the field has no such bits.

    Args:
        field: the field of the column.
        text: the name of the SQL column as it was read.
        cleaned: the name of the SQL column that `bare` made of `text`.
    """
    if field.kind is Kind.INSTANT:
        zone = r"(?:[Zz]|UTC|GMT|[+-]\d{2}(?::?\d{2})?)$"
        assumed = (
            f"CASE WHEN {cleaned} IS NULL OR ends_with({cleaned}, 'Z') THEN 0"
            f" WHEN regexp_matches(substr({cleaned}, 11), {literal(zone)}) THEN 0 ELSE {ZONE_ASSUMED} END"
        )
        long = (
            f"strlen({cleaned}) > {_WITH_MICROSECONDS} AND regexp_matches({cleaned}, {literal(_NANOSECONDS)})"
        )
        return f"({assumed} + CASE WHEN {long} THEN {TIME_CUT} ELSE 0 END)"
    if field.kind is Kind.MONEY:
        return f"({marks_of_amount(field.name, cleaned)})"
    if field.kind is not Kind.TEXT:
        return None
    # in a lambda, because DuckDB would compute a repeated expression for all rows, also where the CASE skips it
    odd = (
        f"list_transform([{_trim(text)}], lambda t: CASE WHEN {cleaned} IS NULL AND lower(t) IN {_null_words(field)}"
        f" THEN {NULL_WORD} WHEN {cleaned} IS NOT NULL AND ({_is_guarded('t')}"
        f" OR {_is('t', _FORMULA)}) THEN {GUARD_REMOVED} ELSE 0 END)[1]"
    )
    return f"CASE WHEN {text} IS NULL OR {text} = '' OR coalesce({cleaned} = {text}, false) THEN 0 ELSE {odd} END"


_WHITE = literal(WHITE)
_FORMULA = '="[^"]*"'
_GUARD = "^'[" + "".join("\\" + c if c in "=+-@" else c for c in GUARDED) + "]"

_MUST = {
    Kind.INTEGER: "must be a whole number",
    Kind.FLAG: "must be true or false",
    Kind.MONEY: f"must be an amount below {LARGEST:,} with at most 4 decimals, digits and a point only",
    Kind.INSTANT: "must be a date and time in ISO 8601",
}


def _named(kind: Kind) -> tuple[tuple[str, str], ...]:
    """Return the kinds of damage that are recognized, as patterns with their reasons."""
    return ((_SHEET_ERROR, _IS_SHEET_ERROR), *_named_by_kind(kind))


def _named_by_kind(kind: Kind) -> tuple[tuple[str, str], ...]:
    if kind is Kind.MONEY:
        return (
            (r"[+-]?\d*\.\d{5,}", "has more than the 4 decimals that the account keeps"),
            (
                r"[+-]?\d+(?:[.,]\d+)?[eE][+-]?\d+",
                "a spreadsheet or a float has changed it (scientific notation)",
            ),
        )
    if kind is Kind.INSTANT:
        return (
            (
                _LOCAL_DATE,
                "a date as a spreadsheet or a country writes it; must be a date and time in ISO 8601",
            ),
            (_HALF_DAY, "a clock of twelve hours (AM, PM); must be a date and time in ISO 8601"),
            (r"\d{4}-?W.*", "a week date; must be a date and time in ISO 8601"),
            (_NO_CLOCK, "there is no such time of day; must be from 00:00:00 to 23:59:59"),
            (_NO_OFFSET, "there is no such offset; must be below 24 hours and 60 minutes"),
            (_ANY_TIME, "is not a time between 2000 and tomorrow"),
            (r"\d+(?:\.\d+)?", "a number of seconds or days; must be a date and time in ISO 8601"),
            (_ZONE_NAME, "the name of a time zone; must be Z, UTC, GMT or an offset such as +02:00"),
        )
    if kind is Kind.INTEGER:
        return (
            (_SCIENTIFIC, "a spreadsheet has rounded it (scientific notation)"),
            (r"[+-]?\d{19,}(?:\.0+)?", "is too large"),
        )
    return ()


def _no_such_day(text: str) -> str:
    """Return SQL for whether a text has the form of a time, but its day does not exist."""
    day = f"regexp_replace(left({text}, 10), '^(\\d{{4}})-?(\\d\\d)-?(\\d\\d).*$', '\\1-\\2-\\3')"
    return f"{_is(text, _ANY_TIME)} AND TRY_CAST({day} AS DATE) IS NULL"


def _is(text: str, pattern: str) -> str:
    return f"regexp_full_match({text}, {literal(pattern)})"


def _trim(text: str) -> str:
    return f"trim({text}, {_WHITE})"


def _is_guarded(text: str) -> str:
    """Return SQL for whether an apostrophe is a guard; if another one ends the text, both are quotes and stay."""
    return f"(regexp_matches({text}, {literal(_GUARD)}) AND NOT ends_with({text}, ''''))"


def _without_guard(text: str) -> str:
    return (
        f"CASE WHEN {_is_guarded(text)} THEN substr({text}, 2)"
        f" WHEN regexp_full_match({text}, {literal(_FORMULA)}) THEN substr({text}, 3, length({text}) - 3)"
        f" ELSE {text} END"
    )


def _null_words(field: Field) -> str:
    """Return the words for null of a column, as an SQL list."""
    words = [word for word in NULL_WORDS if word != "nan" or field.kind not in _NUMBERS]
    return f"({', '.join(map(literal, words))})"


def _instant(text: str) -> str:
    """Return SQL for the time as TIMESTAMP in UTC; it yields NULL if the text is not a time."""
    names = "[" + ", ".join(map(literal, _PARTS)) + "]"
    parts = (
        f"CASE WHEN {_is(text, EXTENDED)} THEN regexp_extract({text}, {literal(f'^(?:{EXTENDED})$')}, {names})"
        f" WHEN {_is(text, BASIC)} THEN regexp_extract({text}, {literal(f'^(?:{BASIC})$')}, {names}) END"
    )
    clock = (
        "coalesce(nullif(p.hour, ''), '00') || ':' || coalesce(nullif(p.minute, ''), '00') || ':'"
        " || coalesce(nullif(p.second, ''), '00') || '.' || rpad(left(p.fraction, 6), 6, '0')"
    )
    local = f"TRY_CAST(p.year || '-' || p.month || '-' || p.day || ' ' || {clock} AS TIMESTAMP)"
    digits = "replace(p.zone, ':', '')"  # of an offset: the sign, two digits of hours, perhaps two of minutes
    hours, minutes = f"substr({digits}, 2, 2)", f"coalesce(nullif(substr({digits}, 4, 2), ''), '00')"
    ahead = f"to_minutes(CAST({hours} AS INTEGER) * 60 + CAST({minutes} AS INTEGER))"
    general = (
        f"list_transform([{parts}], lambda p: CASE WHEN p IS NULL OR p.hour > '23' THEN NULL"
        f" WHEN NOT starts_with(p.zone, '+') AND NOT starts_with(p.zone, '-') THEN {local}"
        f" WHEN {hours} > '23' OR {minutes} > '59' THEN NULL"
        f" WHEN starts_with(p.zone, '+') THEN {local} - {ahead} ELSE {local} + {ahead} END)[1]"
    )
    return (
        f"CASE WHEN {_is(text, _COMMON_INSTANT)} THEN TRY_CAST({text} AS TIMESTAMP)"
        f" WHEN {_is(text, _COMMON_OFFSET)} THEN make_timestamp(epoch_us(TRY_CAST({text} AS TIMESTAMPTZ)))"
        f" ELSE {general} END"
    )
