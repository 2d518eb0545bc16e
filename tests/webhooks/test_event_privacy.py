"""Phones and custom fields of webhook events: hashed or left out wherever they stand, as the settings say."""

import json
from pathlib import Path

from receiving import LIST, PHONE, arrive, delivery, encoded, event_rows, opt_out, settings_of

from pipelines.privacy import Privacy
from pipelines.warehouse.webhook_events import publish_events
from pipelines.webhooks.events import kept_of


def test_phones_are_hashed_wherever_they_stand(tmp_path: Path) -> None:
    """With TRACKLY_HASH_PHONES neither queue nor warehouse hold a number, and joins with contacts work."""
    secret = "a secret for hashing"  # noqa: S105 - of a test
    settings = settings_of(tmp_path, hash_phones=secret)
    hidden = PHONE.replace("+", "\\u002b")
    reply = f'{{"event": "reply", "from": "{hidden}", "text": "call {PHONE}", "list_number": "{LIST}"}}'
    arrive(
        settings, delivery(7, to=PHONE), opt_out(PHONE, keyword=f"stop {PHONE}"), reply.encode(),
        {"event": "reply", "phone_number": PHONE[1:], "timestamp": f"at {PHONE}"}, [delivery(8, to=PHONE)],
        f"junk {PHONE[1:]}".encode(),
    )  # fmt: skip
    publish_events(settings)
    held = b"".join(path.read_bytes() for path in settings.data_dir.glob("we*") if path.is_file())
    assert PHONE[1:].encode() not in held
    found = event_rows(settings)
    hashed = Privacy.of(settings).phone(PHONE)
    assert {row["to"] for row in found if row["event"] == "delivery"} == {hashed}
    assert {row["phone_number"] for row in found if row["event"] == "unsubscribe"} == {hashed}
    assert {row["list_number"] for row in found} - {None} == {LIST}
    assert all(row["digest"].startswith("hmac:") for row in found)
    assert len(found) == 6
    (junk,) = [row for row in found if row["event"] is None]
    assert (junk["raw"], junk["problem"]) == (f"junk {hashed}", "the body is no JSON")


def test_numbers_however_written_are_hashed_where_the_contract_does_not_know_the_field(
    tmp_path: Path,
) -> None:
    """Without a plus, with separators, as integers, in form bodies; ids, times and the list's own number stay."""
    settings = settings_of(tmp_path, hash_phones="a secret for hashing")
    written = [
        "15550000007",
        "(555) 000-0007",
        "555.000.0007",
        "1-555-000-0007",
        "+1 555 000 0007",
        "5550000007",
    ]
    more = {
        "from": 15550000007, "text": f"or {written[1]}, please", "own": LIST[1:], "at": "2026-11-20T10:00:01.000Z",
        "deep": [{written[2]: written}], "short": "555-000", "ratio": 0.12345678, "to_call": written[0],
    }  # fmt: skip
    arrive(
        settings, delivery(7, to=PHONE, message_id="15550009999", **more),
        opt_out(PHONE, keyword=f"stop {written[1]}"),
        written[0].encode(), b"from=%2B15550000007&text=555%20000%200007", f"{{junk {written[2]}".encode(),
        f"call {PHONE}".encode("utf-16"),
    )  # fmt: skip
    publish_events(settings)
    held = b"".join(path.read_bytes() for path in settings.data_dir.glob("webhooks*"))
    found = event_rows(settings)
    for number in written:
        assert number.encode() not in held
        assert number not in str(found)
    hashed = Privacy.of(settings).phone(PHONE)
    (shown,) = [row for row in found if row["event"] == "delivery"]
    assert shown["message_id"] == "15550009999"
    assert json.loads(shown["extra"]) == more | {
        "from": hashed, "text": f"or {hashed}, please", "to_call": hashed,
        "deep": [{hashed: [hashed] * len(written)}],
    }  # fmt: skip
    (left,) = [row for row in found if row["event"] == "unsubscribe"]
    assert left["keyword"] == f"stop {hashed}"
    junk = sorted(row["raw"] for row in found if row["event"] is None)
    assert junk == sorted(
        [f'"{hashed}"', f"from=%2B{hashed}&text={hashed}", f"{{junk {hashed}", f"call {hashed}"]
    )


def test_without_custom_fields_the_rest_is_kept_as_it_came() -> None:
    """Where phones are not hashed, nothing else of an event changes."""
    event = delivery(1, custom_fields={"name": "Ada"})
    kept = kept_of(encoded(event), Privacy(None, drop_custom_fields=True))[1]
    assert json.loads(kept) == delivery(1)


def test_another_setting_of_privacy_reads_all_again(tmp_path: Path) -> None:
    """Bodies from before the setting lose their numbers in the warehouse with the next publish."""
    plain = settings_of(tmp_path)
    arrive(plain, delivery(1), opt_out(PHONE))
    publish_events(plain)
    hashing = settings_of(tmp_path, hash_phones="a secret for hashing")
    assert publish_events(hashing) == 2
    for row in event_rows(hashing):
        assert "+1555000" not in str({**row, "list_number": None, "raw": row["raw"].replace(LIST, "")})
