"""Counts the segments of a message, as SQL macros: `marts.sms_as_sent`, `sms_encoding`, `sms_units`, `sms_segments`.

The alphabet is the default one of 3GPP TS 23.038 (GSM 03.38), section 6.2.1, and its extension, section 6.2.1.1.
The sizes of segments are those of TS 23.040, section 9.2.3.24.1; the vendor has them in /guides/message-segments.
An extension character takes two units, and neither it nor a pair of surrogates is split between two segments. What
does not belong here: the account's estimate, which ignores all this (the column `creatives.segment_count`).
"""

from collections.abc import Iterator

from schemas.derived.tables import literal

LINK_CHARACTERS = 23
COMPLIANCE_CHARACTERS = 34
"""Characters of the compliance text that is added to each message (/api-reference/v2/creatives/get-creative)."""

BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = "\f^{}\\[~]|€"
_SINGLE_GSM, _PART_GSM = 160, 153
_SINGLE_UCS, _PART_UCS = 70, 67
_ASTRAL = r"\x{10000}-\x{10FFFF}"
"""Characters that UCS-2 has as two surrogates, such as emoji."""


def macros() -> str:
    """The statements that create the macros, in schema `marts`.

    Each character is written as one letter a unit: `a` for one unit, `be` for two. A segment is as many letters as
    fit, and ends with a or e.
    """
    return ";".join((*_texts(), *_sizes()))


def _texts() -> Iterator[str]:
    extension, known = _class(EXTENSION), _class(BASIC + EXTENSION)
    sent = "regexp_replace(regexp_replace(message, {}, {}, 'g'), {}, {}, 'g') || {}".format(
        literal(r"\{\{\s*link\d+\s*\}\}"),
        literal("x" * LINK_CHARACTERS),
        literal(r"\{\{([^{}]*)\}\}"),
        literal(r"xx\1xx"),
        literal("x" * COMPLIANCE_CHARACTERS),
    )
    doc = (
        "A creative's or variant's text with stand-ins: 23 characters for each link, 34 for the compliance text. "
        "Other placeholders count as they are written; what is filled in may be longer."
    )
    yield _macro("sms_as_sent(message)", sent, doc)
    other = f"regexp_matches(text, {literal(f'[^{known}]')})"
    encoding = f"CASE WHEN {other} THEN 'UCS-2' WHEN text IS NOT NULL THEN 'GSM-7' END"
    doc = "GSM-7 where all characters are of that alphabet or its extension; one other makes all of it UCS-2."
    yield _macro("sms_encoding(text)", encoding, doc)
    outside = f"list_sort(list_distinct(regexp_extract_all(text, {literal(f'[^{known}]')})))"
    doc = "The characters of a text that are not in GSM-7, each once."
    yield _macro("sms_outside(text)", f"array_to_string({outside}, '')", doc)
    yield _macro(
        "sms_letters(text)",
        _by_encoding(_letters(extension), _letters(_ASTRAL)),
        "A letter for each unit of a text; sms_segments counts them.",
    )


def _sizes() -> Iterator[str]:
    yield _macro(
        "sms_units(text)",
        "length(marts.sms_letters(text))",
        "Units that a text takes: characters, those of the GSM-7 extension and emoji twice.",
    )
    single = _by_encoding(str(_SINGLE_GSM), str(_SINGLE_UCS))
    parts = _by_encoding(_parts(_PART_GSM), _parts(_PART_UCS))
    yield _macro(
        "sms_segments(text)",
        f"CASE WHEN marts.sms_units(text) <= {single} THEN 1 ELSE len({parts}) END",
        "Segments that a text is sent and billed as: 160 units, or parts of 153; in UCS-2 70, or parts of 67.",
    )
    several = f"((length(text) + {_PART_GSM - 1}) // {_PART_GSM})::BIGINT"
    yield _macro(
        "sms_estimate(text)",
        f"CASE WHEN length(text) <= {_SINGLE_GSM} THEN 1 ELSE {several} END",
        "Segments by the vendor's rule, which ignores the encoding.",
    )


def _macro(signature: str, sql: str, doc: str) -> str:
    name = signature.partition("(")[0]
    return (
        f"CREATE OR REPLACE MACRO marts.{signature} AS {sql}; COMMENT ON MACRO marts.{name} IS {literal(doc)}"
    )


def _by_encoding(gsm: str, ucs: str) -> str:
    return f"CASE marts.sms_encoding(text) WHEN 'GSM-7' THEN {gsm} WHEN 'UCS-2' THEN {ucs} END"


def _letters(double: str) -> str:
    """Return SQL that replaces every character by `a`, or by `be` if it has two units."""
    single = f"regexp_replace(text, {literal(f'[^{double}]')}, 'a', 'g')"
    return f"regexp_replace({single}, '[^a]', 'be', 'g')"


def _parts(units: int) -> str:
    return f"regexp_extract_all(marts.sms_letters(text), {literal(f'[abe]{{0,{units - 1}}}[ae]')})"


def _class(characters: str) -> str:
    """Return characters for an RE2 character class, each by its number, so that none is special."""
    return "".join(rf"\x{{{ord(character):X}}}" for character in characters)
