"""Filters personal data on the way in: hashes phone numbers and drops custom fields, if settings say so.

    hashed phone     `hmac:` and the first 128 bits of HMAC-SHA-256 over the number as E.164 text, in hexadecimal
    other text       where a phone number should be: `invalid:` and the same

Replies of the API are filtered before they are decoded or written, so spool, snapshots, quarantine and warehouse
never hold filtered data. History files have to be sent as they are; the data that a push keeps is filtered
(`pipelines.push.stage.redact`). Equal numbers have equal hashes, so that joins work, within one secret. What does not
belong here: lists' own numbers, which are the account's and stay.
"""

import hmac
import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import duckdb
import msgspec

from pipelines.errors import SettingsError
from pipelines.settings import Settings
from schemas.values.phones import E164, like_a_number

PERSONAL = ("contacts", "revenue")
"""The datasets whose rows are about people."""

_DIGITS = 32
_BLOCK = 64  # bytes of SHA-256, for HMAC (RFC 2104)
_PHONE = re.compile(E164)
_NUMBER = re.compile(r"(?P<hash>(?:hmac|invalid):[0-9a-f]{32})|\+?\(?" + like_a_number(r"\d"))
"""Text that could be a phone number in any form; hashes match too, so that none is mistaken for a number."""

_NATIONAL, _SHORTEST = 10, 11
_PHONE_BYTES = re.compile(E164.encode())
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_rows = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_any_rows = msgspec.json.Decoder(list[msgspec.Raw])
_NULL = msgspec.Raw(b"null")
_LEFT_OUT = msgspec.Raw(b'"left out, since it may hold custom fields"')


@dataclass(frozen=True, slots=True)
class Privacy:
    """Which personal data is kept.

    Attributes:
        key: the secret that phone numbers are hashed with; None to keep numbers.
        drop_custom_fields: whether custom fields are dropped.
        keep_messages: whether messages of imported sends are kept, without numbers if phones are hashed.
    """

    key: bytes | None = field(default=None, repr=False)
    drop_custom_fields: bool = False
    keep_messages: bool = False

    @classmethod
    def of(cls, settings: Settings) -> "Privacy":
        """Build the privacy of the settings."""
        secret = settings.hash_phones
        key = secret.get_secret_value().encode() if secret else None
        return cls(key, settings.drop_custom_fields, settings.keep_messages)

    @property
    def label(self) -> str:
        """Return which data is kept, as a text; eight digits tell secrets apart."""
        phones = f"hashed ({self._digest(b'trackly-sync')[:8]})" if self.key else "kept"
        return f"phones {phones}, custom fields {'left out' if self.drop_custom_fields else 'kept'}"

    def phone(self, text: str) -> str:
        """Return the form in which to keep a text that should be a phone number."""
        if not self.key:
            return text
        form = "hmac" if _PHONE.fullmatch(text) else "invalid"
        return f"{form}:{self._digest(text.encode())}"

    def text(self, text: str) -> str:
        """Return a text with its phone numbers hashed."""
        return _PHONE.sub(lambda found: self.phone(found[0]), text) if self.key else text

    def numbers(self, text: str, own: str = "") -> str:
        """Return a text with everything hashed that could be a phone number, also without a plus or with separators.

        Args:
            text: any text.
            own: the account's own number, which is kept.
        """
        return _NUMBER.sub(lambda found: self._hashed_number(found, own), text) if self.key else text

    def filters(self, dataset: str) -> bool:
        """Whether replies of a dataset hold data that may not be kept."""
        return dataset in PERSONAL and (self.key is not None or self.drop_custom_fields)

    def filtered(self, body: bytes, envelope: str) -> bytes:
        """Return a reply without data that may not be kept.

        Args:
            body: of the reply; if it has another form, or cannot be filtered, the result is empty.
            envelope: the key of its rows.
        """
        try:
            if b"\\u002" in body:  # a plus may be escaped like this
                body = msgspec.json.encode(msgspec.json.decode(body))
            reply = _fields.decode(body)
            rows = self._rows(reply[envelope])
        except (msgspec.DecodeError, KeyError, UnicodeDecodeError, RecursionError):
            return b""
        own = {bytes(row.get("list_number", b"")).strip(b'"') for row in rows if isinstance(row, dict)}
        reply[envelope] = msgspec.Raw(msgspec.json.encode(rows))
        body = msgspec.json.encode(reply)
        if not self.key:
            return body
        return _PHONE_BYTES.sub(lambda found: found[0] if found[0] in own else self._hashed(found[0]), body)

    def define(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Define the SQL macros `kept_phone(text)`, which does the same as `phone`, and `phone_tag()`, the secret."""
        tag = int(self._digest(b"tag")[:2], 16) % 255 + 1 if self.key else 0
        connection.execute(f"CREATE OR REPLACE TEMP MACRO phone_tag() AS {tag}")
        if not self.key:
            connection.execute("CREATE OR REPLACE TEMP MACRO kept_phone(given) AS given")
            return
        key = self.key if len(self.key) <= _BLOCK else sha256(self.key).digest()
        padded = key.ljust(_BLOCK, b"\0")
        connection.execute("SET VARIABLE inner_key = $1", [bytes(byte ^ 0x36 for byte in padded)])
        connection.execute("SET VARIABLE outer_key = $1", [bytes(byte ^ 0x5C for byte in padded)])
        connection.execute(
            "CREATE OR REPLACE TEMP MACRO kept_phone(given) AS"
            f" CASE WHEN regexp_full_match(given, '{E164}') THEN 'hmac:' ELSE 'invalid:' END || left(sha256("
            "getvariable('outer_key') || unhex(sha256(getvariable('inner_key') || encode(given)))"
            f"), {_DIGITS})"
        )

    def _rows(self, raw: msgspec.Raw) -> list[Any]:
        try:
            rows: list[Any] = _rows.decode(raw)
        except msgspec.DecodeError:  # a row is not an object, so its contents are unknown
            rows = [_object(row) or self._unknown(row) for row in _any_rows.decode(raw)]
        for row in rows:
            if isinstance(row, dict):
                self._filter(row)
        return rows

    def _filter(self, row: dict[str, msgspec.Raw]) -> None:
        if self.key and "phone_number" in row:
            row["phone_number"] = msgspec.Raw(self._secret(row["phone_number"]))
        if self.drop_custom_fields and "custom_fields" in row:
            row["custom_fields"] = _NULL

    def _unknown(self, raw: msgspec.Raw) -> msgspec.Raw:
        return msgspec.Raw(self._secret(raw)) if self.key else _LEFT_OUT

    def _secret(self, raw: msgspec.Raw) -> bytes:
        value = msgspec.json.decode(raw)
        if value is None or not self.key:
            return bytes(raw)
        return msgspec.json.encode(self.phone(value if isinstance(value, str) else bytes(raw).decode()))

    def _hashed_number(self, found: re.Match[str], own: str) -> str:
        """What is kept of a match of `_NUMBER`; ten digits without a plus are a number of North America."""
        written = found[0]
        digits = "".join(character for character in re.sub("%2.", "", written) if character.isdecimal())
        if found["hash"] or (own and digits == own.removeprefix("+")):
            return written
        has_plus = "+" in written
        if len(digits) == _NATIONAL and not has_plus:
            digits = f"1{digits}"
        return self.phone(f"+{digits}" if has_plus or len(digits) >= _SHORTEST else digits)

    def _hashed(self, phone: bytes) -> bytes:
        return b"hmac:" + self._digest(phone).encode()

    def _digest(self, text: bytes) -> str:
        assert self.key is not None  # noqa: S101 - callers have looked
        return hmac.digest(self.key, text, "sha256").hex()[:_DIGITS]


KEEP_ALL = Privacy()
"""The default of the settings."""


def hold_to(privacy: Privacy, before: str) -> None:
    """Refuse a change of these settings, since the same contacts would appear as different people.

    Args:
        privacy: as set now.
        before: `Privacy.label` of the published data.

    Raises:
        SettingsError: the two differ.
    """
    if before != privacy.label:
        raise SettingsError(
            "TRACKLY_HASH_PHONES or TRACKLY_DROP_CUSTOM_FIELDS is not what this data directory was filled with "
            f"(then: {before}; now: {privacy.label}).",
            "Set it as it was; or, to change it, move warehouse.duckdb and parquet/ away (not ledger.db) and pull.",
        )


def _object(raw: msgspec.Raw) -> dict[str, msgspec.Raw] | None:
    try:
        return _fields.decode(raw)
    except msgspec.DecodeError:
        return None
