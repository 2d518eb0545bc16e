"""Turns bodies into rows of webhook_events, and decides which part of a body is kept.

No body is trusted: every body gives at least one row, and `problem` names the parts that could not be read. What does
not belong here: storing bodies (`queue`), and the table (`pipelines.warehouse.webhook_events`).
"""

import codecs
import hmac
import re
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

import msgspec

from pipelines.privacy import Privacy
from pipelines.webhooks.masking import text_without_numbers, without_numbers
from pipelines.webhooks.queue.state import instant
from pipelines.webhooks.queue.store import AS_IT_CAME, FILTERED, REDUCED, StoredBody
from schemas.values.instants import parse_instant
from schemas.values.phones import E164
from schemas.webhook_events import DOCUMENTED, EVENTS, STATUSES

_PHONES = ("to", "phone_number")
_PHONE = re.compile(E164.encode())
_HASHED = re.compile(r"(?:hmac|invalid):[0-9a-f]{32}")
_DIGITS = 32
_NO_PHONES = ("message_id", "list_number", "timestamp")
_HAPPENING = ("event", "list_number", "status")
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
"""Escapes in JSON: a pair for one character, half of a pair, or any other escape."""

_NAMES = {"event": frozenset({*EVENTS, "opt_out"}), "status": frozenset({*STATUSES, "failed"})}
"""Known names, by field; `failed` is a word of reports, not documented for events."""

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_array = msgspec.json.Decoder(list[msgspec.Raw])
_BROKEN = (msgspec.MsgspecError, ValueError, RecursionError)
"""ValueError: the body is not UTF-8, or a number has too many digits."""
_LEFT_OUT = "the body could not be searched for phone numbers, so nothing of it was kept"


def digest_of(body: bytes, privacy: Privacy) -> str:
    """Return a digest of a body.

    The digest is keyed if phones are hashed, since numbers could be tried out against a plain digest.
    """
    if privacy.key is None:
        return sha256(body).hexdigest()
    return f"hmac:{hmac.digest(privacy.key, body, 'sha256').hex()}"


def kept_of(body: bytes, privacy: Privacy) -> tuple[int, bytes]:
    """Return the form in which a body is kept, and its bytes: complete, or without data that the settings exclude.

    If phones are hashed, a body that is not JSON is kept with all possible numbers hashed.
    """
    if privacy.key is None and not privacy.drop_custom_fields:
        return AS_IT_CAME, body
    try:
        plain = msgspec.json.encode(msgspec.json.decode(_text_of(body)))  # a plus may be written as an escape
        events = [_filtered(event, privacy) for event in _elements(plain)]
    except _BROKEN:
        return FILTERED, text_without_numbers(_utf8_of(body), privacy) if privacy.key else body
    return FILTERED, b"[" + b",".join(events) + b"]" if plain.startswith(b"[") else events[0]


def reduced(stored: StoredBody) -> bytes:
    """Return the part of a body that is kept after the raw body's time: the fields that were read."""
    return msgspec.json.encode(_read_all(stored))


def rows_of(stored: StoredBody, privacy: Privacy) -> list[dict[str, Any]]:
    """Return the rows of a body, one per event, with instants as aware times.

    Args:
        stored: from the queue, perhaps stored by another version or with other settings.
        privacy: of the current settings.
    """
    if stored.form == AS_IT_CAME and privacy.key is not None:  # it came before the setting
        form, body = kept_of(stored.body, privacy)
        stored = replace(stored, form=form, body=body)
    about = {
        "received_at": instant(stored.received_at),
        "verified": stored.verified,
        "repeats": stored.repeats,
        "repeated_at": None if stored.repeated_at is None else instant(stored.repeated_at),
        "digest": stored.digest,
        "raw": None if stored.form == REDUCED else stored.body.decode(errors="backslashreplace"),
    }
    return [
        _row(fields, privacy) | about | {"position": place} for place, fields in enumerate(_read_all(stored))
    ]


def _row(fields: dict[str, Any], privacy: Privacy) -> dict[str, Any]:
    """Return the row to publish for an event."""
    fields = fields | {name: _known(fields[name], names) for name, names in _NAMES.items()}
    hashed = {name: _hashed(fields[name], privacy) for name in _PHONES}
    hashed["keyword"] = None if fields["keyword"] is None else privacy.numbers(fields["keyword"])
    fields = fields | hashed
    return fields | {
        "happening": _happening(fields),
        "timestamp": parse_instant((fields["timestamp"] or "").strip()),
    }


def _known(name: str | None, names: frozenset[str]) -> str | None:
    """Return a known name for any spelling of it; other names unchanged."""
    plain = (name or "").strip().lower()
    return plain if plain in names else name


def _happening(fields: Mapping[str, Any]) -> str | None:
    """Return a digest that tells happenings apart; None if the event does not name its subject."""
    subject = fields["message_id"] or fields["phone_number"] or fields["to"]
    if subject is None or fields["event"] is None:
        return None
    at = parse_instant((fields["timestamp"] or "").strip())
    parts = [*(fields[name] for name in _HAPPENING), subject, at.isoformat() if at else fields["timestamp"]]
    return sha256(msgspec.json.encode(parts)).hexdigest()[:_DIGITS]


def _read_all(stored: StoredBody) -> list[dict[str, Any]]:
    """Read the events of a body: at least one, whatever the body is."""
    if stored.form == REDUCED:
        found: list[dict[str, Any]] = msgspec.json.decode(stored.body)
        return [_nothing("") | fields for fields in found]
    if stored.form == FILTERED and not stored.body:
        return [_nothing(_LEFT_OUT)]
    try:
        text = _text_of(stored.body)
        msgspec.json.decode(text)  # check the complete text, deeper than the code below
        events = _elements(text)
    except _BROKEN:
        return [_nothing("the body is no JSON")]
    return [_read(event) for event in events] or [_nothing("the body holds no event")]


def _read(event: bytes) -> dict[str, Any]:
    """Return an event's documented fields as texts, and `extra` and `problem`."""
    try:
        given = _fields.decode(event)
    except _BROKEN:
        return _nothing("the event is no object")
    fields, problems, extra = _nothing(""), [], {}
    for name, raw in given.items():
        is_text, text = _as_text(raw)
        if name not in DOCUMENTED or not is_text:
            extra[name] = raw
            problems += [f"{name} is no text"] if name in DOCUMENTED else []
        else:
            fields[name] = text
    if fields["event"] is None:
        problems.append("it does not say which event it is")
    if not _is_time(fields["timestamp"]):
        problems.append("timestamp is not a time")
        extra["timestamp"] = given["timestamp"]
    fields["problem"] = "; ".join(problems) or None
    fields["extra"] = msgspec.json.encode(extra).decode() if extra else None
    return fields


def _is_time(text: str | None) -> bool:
    return text is None or parse_instant(text.strip()) is not None


def _as_text(raw: msgspec.Raw) -> tuple[bool, str | None]:
    """Return whether a field is a text, a number or null, and its text; a number's as it is written."""
    value = msgspec.json.decode(raw)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return True, bytes(raw).decode()
    return isinstance(value, str | None), value if isinstance(value, str) else None


def _nothing(problem: str) -> dict[str, Any]:
    return dict.fromkeys(DOCUMENTED) | {"problem": problem or None, "extra": None}


def _text_of(body: bytes) -> bytes:
    """Return a body as decodable UTF-8; halves of a character, as from a cut emoji, are replaced."""
    text = _utf8_of(body).removeprefix(codecs.BOM_UTF8).strip().decode(errors="replace").encode()
    return _ESCAPE.sub(lambda found: b"\\ufffd" if found["half"] else found[0], text)


def _utf8_of(body: bytes) -> bytes:
    """Return a body marked as UTF-16 as UTF-8; any other unchanged."""
    is_utf16 = body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return body.decode("utf-16", errors="replace").encode() if is_utf16 else body


def _elements(text: bytes) -> list[bytes]:
    """Return the events of a body, usually one."""
    return [bytes(raw) for raw in _array.decode(text)] if text.startswith(b"[") else [text]


def _filtered(event: bytes, privacy: Privacy) -> bytes:
    """Return an event without data that may not be kept; the list's own number is kept."""
    try:
        given = _fields.decode(event)
    except _BROKEN:
        return msgspec.json.encode(without_numbers(msgspec.json.decode(event), privacy))
    if privacy.drop_custom_fields:
        given.pop("custom_fields", None)
    if privacy.key is None:
        return msgspec.json.encode(given)
    own = bytes(given.get("list_number", b"")).strip(b'"')
    kept = {
        privacy.numbers(name, own.decode()): msgspec.Raw(_kept_field(name, raw, own.decode(), privacy))
        for name, raw in given.items()
    }
    return _PHONE.sub(
        lambda found: found[0] if found[0] == own else privacy.phone(found[0].decode()).encode(),
        msgspec.json.encode(kept),
    )


def _kept_field(name: str, raw: msgspec.Raw, own: str, privacy: Privacy) -> bytes:
    """Return the kept form of a field as JSON, if phones are hashed."""
    value = msgspec.json.decode(raw)
    if value is None or (name in _NO_PHONES and isinstance(value, str | int)):
        if name == "timestamp" and isinstance(value, str) and parse_instant(value.strip()) is None:
            return msgspec.json.encode(privacy.numbers(value, own))  # not a time, so its meaning is unknown
        return bytes(raw)
    if name in _PHONES:
        return msgspec.json.encode(_hashed(value if isinstance(value, str) else bytes(raw).decode(), privacy))
    return msgspec.json.encode(without_numbers(value, privacy, own))


def _hashed(phone: str | None, privacy: Privacy) -> str | None:
    return phone if phone is None or _HASHED.fullmatch(phone) else privacy.phone(phone)
