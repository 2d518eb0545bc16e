"""Bodies as rows of webhook_events, and what of a body is kept at all.

Nothing in a body is trusted: whatever it is, there is at least one row, and what could not be read stands in
`problem`. What does not belong here: where bodies wait (`queue`), and the table
(`pipelines.warehouse.webhook_events`).
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
"""Escapes in JSON, one after the other: a pair that is one character, half of one, or any other."""

_NAMES = {"event": frozenset({*EVENTS, "opt_out"}), "status": frozenset({*STATUSES, "failed"})}
"""Known names, by field; `failed` is the reports' word, which no event is documented to have."""

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_array = msgspec.json.Decoder(list[msgspec.Raw])
_BROKEN = (msgspec.MsgspecError, ValueError, RecursionError)
"""ValueError: it is no UTF-8, or a number has digits without end."""
_LEFT_OUT = "the body could not be searched for phone numbers, so nothing of it was kept"


def digest_of(body: bytes, privacy: Privacy) -> str:
    """What distinguishes a body; keyed where phones are, which could be tried out against a plain digest."""
    if privacy.key is None:
        return sha256(body).hexdigest()
    return f"hmac:{hmac.digest(privacy.key, body, 'sha256').hex()}"


def kept_of(body: bytes, privacy: Privacy) -> tuple[int, bytes]:
    """What is kept of a body, and in which form: all of it, or all but what the settings keep out.

    Where phones are hashed a body that is no JSON is kept with all that could be a number hashed.
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
    """What stays of a body when the time of raw bodies is over: what was read in it."""
    return msgspec.json.encode(_read_all(stored))


def rows_of(stored: StoredBody, privacy: Privacy) -> list[dict[str, Any]]:
    """The rows of a body, one for each event in it, with instants as aware times.

    Args:
        stored: out of the queue, as another version or other settings may have left it.
        privacy: as set now.
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
    """What was read in an event, as it is published."""
    fields = fields | {name: _known(fields[name], names) for name, names in _NAMES.items()}
    hashed = {name: _hashed(fields[name], privacy) for name in _PHONES}
    hashed["keyword"] = None if fields["keyword"] is None else privacy.numbers(fields["keyword"])
    fields = fields | hashed
    return fields | {
        "happening": _happening(fields),
        "timestamp": parse_instant((fields["timestamp"] or "").strip()),
    }


def _known(name: str | None, names: frozenset[str]) -> str | None:
    """A known name, however it is written; others stay as they came."""
    plain = (name or "").strip().lower()
    return plain if plain in names else name


def _happening(fields: Mapping[str, Any]) -> str | None:
    """Digest of what distinguishes one happening from another; None where the event does not say of what it is."""
    subject = fields["message_id"] or fields["phone_number"] or fields["to"]
    if subject is None or fields["event"] is None:
        return None
    at = parse_instant((fields["timestamp"] or "").strip())
    parts = [*(fields[name] for name in _HAPPENING), subject, at.isoformat() if at else fields["timestamp"]]
    return sha256(msgspec.json.encode(parts)).hexdigest()[:_DIGITS]


def _read_all(stored: StoredBody) -> list[dict[str, Any]]:
    """What is read in the events of a body: at least one, whatever it is."""
    if stored.form == REDUCED:
        found: list[dict[str, Any]] = msgspec.json.decode(stored.body)
        return [_nothing("") | fields for fields in found]
    if stored.form == FILTERED and not stored.body:
        return [_nothing(_LEFT_OUT)]
    try:
        text = _text_of(stored.body)
        msgspec.json.decode(text)  # all of it, deeper than the lines below look
        events = _elements(text)
    except _BROKEN:
        return [_nothing("the body is no JSON")]
    return [_read(event) for event in events] or [_nothing("the body holds no event")]


def _read(event: bytes) -> dict[str, Any]:
    """An event's documented fields as texts, beside `extra` and `problem`."""
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
    """Whether a field is a text, a number or null, and the text: of a number as it is written."""
    value = msgspec.json.decode(raw)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return True, bytes(raw).decode()
    return isinstance(value, str | None), value if isinstance(value, str) else None


def _nothing(problem: str) -> dict[str, Any]:
    return dict.fromkeys(DOCUMENTED) | {"problem": problem or None, "extra": None}


def _text_of(body: bytes) -> bytes:
    """A body as UTF-8 that can be decoded: halves of a character, as a cut emoji leaves them, are replaced."""
    text = _utf8_of(body).removeprefix(codecs.BOM_UTF8).strip().decode(errors="replace").encode()
    return _ESCAPE.sub(lambda found: b"\\ufffd" if found["half"] else found[0], text)


def _utf8_of(body: bytes) -> bytes:
    """A body that is marked as UTF-16 as UTF-8, and any other as it is."""
    is_utf16 = body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return body.decode("utf-16", errors="replace").encode() if is_utf16 else body


def _elements(text: bytes) -> list[bytes]:
    """The events in a body, which holds one as a rule."""
    return [bytes(raw) for raw in _array.decode(text)] if text.startswith(b"[") else [text]


def _filtered(event: bytes, privacy: Privacy) -> bytes:
    """An event without what is not to be kept; the list's own number is the account's, and stays."""
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
    """What is kept of a field where phones are hashed, as JSON."""
    value = msgspec.json.decode(raw)
    if value is None or (name in _NO_PHONES and isinstance(value, str | int)):
        if name == "timestamp" and isinstance(value, str) and parse_instant(value.strip()) is None:
            return msgspec.json.encode(privacy.numbers(value, own))  # no time, so what it is is unknown
        return bytes(raw)
    if name in _PHONES:
        return msgspec.json.encode(_hashed(value if isinstance(value, str) else bytes(raw).decode(), privacy))
    return msgspec.json.encode(without_numbers(value, privacy, own))


def _hashed(phone: str | None, privacy: Privacy) -> str | None:
    return phone if phone is None or _HASHED.fullmatch(phone) else privacy.phone(phone)
