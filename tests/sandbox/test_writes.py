"""What writes do in the account: contacts, live revenue, messages, history, and v1's that do nothing."""

import json
from pathlib import Path

import httpx
import pytest
from bodies import sent
from sandbox.plain_clients import WITHOUT_KEY

from pipelines.sandbox import API_KEY, Account, Options, load, save
from pipelines.sandbox.replies import Row

LIST, OTHER = "+15559000001", "+15559000002"
NEW = "+15557000001"


@pytest.fixture
def account(written: tuple[Account, httpx.Client]) -> Account:
    """The account that is written to."""
    return written[0]


@pytest.fixture
def http(written: tuple[Account, httpx.Client]) -> httpx.Client:
    """Its client."""
    return written[1]


def row_of(account: Account, phone: str, list_id: int = 1) -> Row:
    """A contact that must be there."""
    row = account.contact((phone, list_id))
    assert row is not None
    return row


def test_a_contact_is_added_and_merged(account: Account, http: httpx.Client) -> None:
    """POST /contacts adds a row, newest first; again it merges custom fields and keeps the date."""
    count = account.lists[0]["contact_count"]
    given = {
        "phone_number": NEW,
        "list_number": LIST,
        "ip_address": "192.0.2.1",
        "url": "https://example.com",
    }
    first = sent(http, "POST", "/contacts", **given, custom_fields={"a": 1, "b": 2})
    assert (first["is_new_contact"], first["is_new_list_contact"], first["journeys_enrolled"]) == (
        True,
        True,
        0,
    )
    assert {len(first[name]) for name in ("contact_id", "list_contact_id")} == {24}
    newest = http.get("/contacts", params={"per_page": 1}).json()["contacts"][0]
    assert newest == account.contact((NEW, 1))
    assert (newest["signup_date"], newest["signup_method"]) == ("2026-03-01T12:00:00", "api")
    again = sent(
        http, "POST", "/contacts", **given, custom_fields={"b": 3}, signup_date="2020-01-01T00:00:00Z"
    )
    assert (again["is_new_contact"], again["list_contact_id"]) == (False, first["list_contact_id"])
    assert (newest := row_of(account, NEW))["custom_fields"] == {"a": 1, "b": 3}
    assert newest["signup_date"] == "2026-03-01T12:00:00"
    on_another = sent(http, "POST", "/contacts", phone_number=NEW, list_number=OTHER, use_journeys=True)
    assert (on_another["is_new_contact"], on_another["is_new_list_contact"]) == (False, True)
    assert on_another["journeys_enrolled"] == 1
    assert row_of(account, NEW, 2)["in_workflow"]
    for skip, joined in ((True, 0), (False, 1)):  # somebody who is there begins only on request
        more = {"list_number": OTHER, "use_journeys": True, "skip_journey_if_exists": skip}
        assert sent(http, "POST", "/contacts", phone_number=NEW, **more)["journeys_enrolled"] == joined
    assert account.lists[0]["contact_count"] == count + 1
    assert account.consents[f"{NEW}/1"] == {"ip_address": "192.0.2.1", "url": "https://example.com"}


def test_people_who_opted_out_stay_out(account: Account, http: httpx.Client) -> None:
    """DELETE /contacts opts out once; an upsert changes nobody who is out, unless the option says so."""
    who = {"phone_number": "+15557000002", "list_number": LIST}
    sent(http, "POST", "/contacts", **who)
    assert [sent(http, "DELETE", "/contacts", **who)["unsubscribed"] for _ in range(2)] == [True, False]
    nobody = sent(http, "DELETE", "/contacts", phone_number="+15551111111", list_number="+15551111111")
    assert nobody == {"success": True, "unsubscribed": False}
    assert not sent(http, "DELETE", "/contacts", phone_number=["x"], list_number=LIST)["unsubscribed"]
    row = row_of(account, who["phone_number"])
    sent(http, "POST", "/contacts", **who, custom_fields={"a": 1})
    assert (row["active"], row["custom_fields"]) == (False, {})
    assert account.opt_outs[f"{who['phone_number']}/1"] == "api"
    account.options = Options(upsert_reactivates=True, created_status=201)
    assert http.post("/contacts", json=who).status_code == 201
    assert row["active"]


def test_a_bulk_call_counts(account: Account, http: httpx.Client) -> None:
    """POST /contacts/bulk: updates count as successes, each failure by itself; a large contact may fail alone."""
    fresh = [{"phone_number": f"+1555700010{n}", "list_number": LIST} for n in range(3)]
    known = {"phone_number": account.contacts()[-1]["phone_number"], "list_number": LIST}
    large = {**fresh[0], "custom_fields": {"a": "x" * 4000}}
    account.options = Options(large_contact_sinks_batch=False, partial_status=207)
    reply = http.post("/contacts/bulk", json={"contacts": [*fresh, known, "x", large]})
    answer = reply.json()
    errors = [(error["index"], error["code"]) for error in answer.pop("errors")]
    assert errors == [(4, "missing_phone_number"), (5, "payload_too_large")]
    assert answer == {
        "success_count": 4, "error_count": 2, "contacts_created": 3, "list_contacts_created": 3,
        "journeys_enrolled": 0,
    }  # fmt: skip
    assert reply.status_code == 207
    repeat = sent(http, "POST", "/contacts/bulk", contacts=fresh)
    assert (repeat["success_count"], repeat["contacts_created"], repeat["list_contacts_created"]) == (3, 0, 0)


def test_validation_is_paid_once(account: Account, http: httpx.Client) -> None:
    """use_validation costs once a number; the single call stores a bad number, the bulk call does not."""
    who = {"phone_number": "+15557000003", "list_number": LIST, "use_validation": True}
    costs = [sent(http, "POST", "/contacts", **who)["validation"] for _ in range(2)]
    assert [(one["cached"], one["cost"], one["disposition"]) for one in costs] == [
        (False, 0.003, "ok"),
        (True, 0.0, "ok"),
    ]
    bad = {**who, "phone_number": "+15556670001"}
    assert sent(http, "POST", "/contacts/bulk", contacts=[bad])["errors"][0]["code"] == "validation_failed"
    assert account.contact(("+15556670001", 1)) is None
    assert sent(http, "POST", "/contacts", **bad)["validation"]["disposition"] == "invalid"
    assert account.contact(("+15556670001", 1)) is not None


def test_custom_fields_are_merged_or_replaced(account: Account, http: httpx.Client) -> None:
    """PUT /contacts merges by default, replaces with merge_fields false, and answers with all fields."""
    who = {"phone_number": "+15557000004", "list_number": LIST}
    sent(http, "POST", "/contacts", **who, custom_fields={"a": 1})
    merged = sent(http, "PUT", "/contacts", **who, custom_fields={"b": True})
    assert merged["custom_fields"] == {"a": 1, "b": True}
    assert sent(http, "PUT", "/contacts", **who, custom_fields={"c": "x"}, merge_fields=False)[
        "custom_fields"
    ] == {"c": "x"}
    assert row_of(account, who["phone_number"])["custom_fields"] == {"c": "x"}


def test_live_revenue_counts_every_time(account: Account, http: httpx.Client) -> None:
    """Live revenue needs a live message, and is added to the contact's totals as often as it is sent."""
    row = account.contacts()[-1]
    message = sent(http, "POST", "/send", to=row["phone_number"], list_number=row["list_number"], body="Hi")
    record = {"message_id": message["message_id"], "revenue": 1.1, "attribution_type": "sale"}
    before, count = row["revenue_total"], row["conversion_count"]
    sent(http, "POST", "/revenue", **record)
    bulk = sent(http, "POST", "/revenue/bulk", records=[{**record, "offer_id": "unknown"}] * 2)
    assert (bulk["success_count"], bulk["total_revenue"]) == (2, 2.2)
    assert round(row["revenue_total"] - before, 4) == 3.3
    assert row["conversion_count"] == count + 3
    assert [one["attribution_type"] for one in account.revenue[-3:]] == ["sale"] * 3


def test_messages_are_queued_and_held_back(account: Account, http: httpx.Client) -> None:
    """Placeholders are filled; repeats and people who opted out are held back without a word, raw ones on request."""
    account.options = Options(duplicate_seconds=60)
    row = next(row for row in account.contacts() if row["active"])
    row["active"] = False
    given = {
        "to": row["phone_number"],
        "list_number": row["list_number"],
        "body": "Hi {{first_name}} {{messageId}}",
    }
    kept = sent(http, "POST", "/send", **given, contact_data={"first_name": "Ada"})["message_id"]
    assert account.messages[kept]["body"] == f"Hi Ada {kept}"
    assert account.messages[kept]["stopped"]
    wrapped = sent(http, "POST", "/send", **{**given, "body": "See https://example.com/a"}, wrap_links=True)
    assert account.messages[wrapped["message_id"]]["body"] == f"See {account.links[-1]['shortUrl']}"
    raw = sent(http, "POST", "/send-raw", **{**given, "body": "Hi"}, skip_contact_validation=True)[
        "message_id"
    ]
    again = sent(http, "POST", "/send-raw", **{**given, "body": "Hi"}, skip_contact_validation=True)[
        "message_id"
    ]
    assert [account.messages[one]["stopped"] for one in (raw, again)] == [False, True]
    row["active"] = True


def test_v1_takes_messages_and_drops_contacts(account: Account, http: httpx.Client) -> None:
    """v1 normalises numbers and answers with its own ids; contacts answer success and change nothing."""
    url = f"{http.base_url}".rstrip("/").replace("/v2", "/v1")
    reply = http.post(
        f"{url}/send", json={"to": "(555) 000-0000", "from_phone_number_id": "pn_1", "body": "É" * 71}
    )
    assert reply.headers["X-API-Deprecated"] == "v1 is deprecated"
    answer = reply.json()
    assert (answer["deprecated"], answer["id"][:4], answer["segments"]) == (True, "msg_", 2)
    partial = http.post(f"{url}/send/bulk", json={"messages": [{}]})
    assert (partial.status_code, partial.json()["error_count"]) == (201, 1)
    before = json.dumps(account.contacts())
    for method in ("POST", "PUT", "DELETE"):
        done = http.request(
            method, f"{url}/contacts", json={"phone_number": "+15557999999", "list_number": LIST}
        )
        assert (done.status_code, done.json()["deprecated"]) == (200, True)
    assert json.dumps(account.contacts()) == before
    checked = http.post(f"{url}/phone/validate", json={"phone_number": "+15550000000"}).json()
    assert checked["line_type"] in ("mobile", "fixed line", "voip", "other", "unknown")


def test_history_is_cleared_as_documented(account: Account, http: httpx.Client) -> None:
    """DELETE /history/clear removes imported sends before a date, and of revenue all, live revenue too."""
    row = account.contacts()[0]
    sends = [
        {
            "id": f"c{n}",
            "to_number": row["phone_number"],
            "list_id": row["list_id"],
            "timestamp": f"2025-0{n}-01",
        }
        for n in (1, 2, 3)
    ]
    assert sent(http, "POST", "/history/sends", records=sends)["success_count"] == 3
    done = sent(
        http,
        "DELETE",
        "/history/clear",
        entities=["sends", "revenue"],
        before_date="2025-02-15",
        confirm=True,
    )
    assert done["deleted"]["sends"] == 2
    assert list(account.sends) == ["c3"]
    sent(http, "DELETE", "/history/clear", entities=["revenue"], confirm=True)
    assert account.revenue == []


def test_an_account_that_was_written_to_can_be_kept(
    account: Account, http: httpx.Client, tmp_path: Path
) -> None:
    """Whatever requests have left in the account is plain data: it is saved, and loaded as it was."""
    who = {"phone_number": NEW, "list_number": LIST}
    sent(http, "POST", "/contacts", **who, url="https://example.com", use_validation=True)
    sent(http, "POST", "/send", to=NEW, list_number=LIST, body="Hi")
    sent(http, "DELETE", "/contacts", **who)
    sent(http, "POST", "/links/shorten", url="https://example.org", phoneNumber=LIST)
    save(account, tmp_path / "account.json")
    again = load(tmp_path / "account.json")
    for name in (
        "messages",
        "consents",
        "opt_outs",
        "validated",
        "links",
        "creatives",
        "audiences",
        "schedules",
    ):
        assert getattr(again, name) == getattr(account, name) != type(getattr(account, name))()
    assert again.contacts() == account.contacts()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        *((content, "invalid_json") for content in (b"{", b"\xff", b"nul", b'{"a": NaN}')),
        (b'{"revenue": 1e999}', "number_too_large"), (b'{"a": ' + b"9" * 5000 + b"}", "number_too_large"),
        (b"[" * 100_000, "body_too_deep"), (b'{"a": "\\ud83d"}', "invalid_text"),
        (b'{"\\ude00": 1}', "invalid_text"), (b'{"a": "\xed\xa0\xbd"}', "invalid_text"),
    ],
)  # fmt: skip
def test_bad_json_is_no_crash(http: httpx.Client, content: bytes, code: str) -> None:
    """What is no JSON, or no JSON that can be kept, is 400 with a code that says why, whatever the route."""
    for method, path in (("POST", "/contacts"), ("PUT", "/schedules/x"), ("POST", "/history/sends")):
        reply = http.request(method, path, content=content)
        assert (reply.status_code, reply.json()["code"]) == (400, code)


def test_other_shapes_are_no_crash(account: Account, http: httpx.Client) -> None:
    """Whole characters pass; a body that is no object lacks what is required, and changes nothing."""
    fields = b'"custom_fields": {"a": "\\ud83d\\ude00"}}'
    content = b'{"phone_number": "+15557000009", "list_number": "+15559000001", ' + fields
    assert http.post("/contacts", content=content).status_code == 200
    assert http.get("/contacts/%2B15557000009").json()["lists"][0]["custom_fields"] == {"a": "\U0001f600"}
    assert http.put(f"/offers/{account.offers[0]['id']}", content=b"[]").json()["code"] == "invalid_body"
    for content in (b"[]", b"5", b'"x"', b"null", b""):
        assert http.post("/contacts", content=content).json()["code"] == "missing_phone_number"


def test_methods_of_a_path(http: httpx.Client) -> None:
    """HEAD is GET without a body, OPTIONS lists the methods, another method is 405 with the same list."""
    assert (http.head("/lists").status_code, http.head("/lists").content) == (200, b"")
    options = WITHOUT_KEY.options(f"{http.base_url}offers")
    assert (options.status_code, options.headers["Allow"]) == (204, "GET, HEAD, OPTIONS, POST")
    wrong = http.patch("/offers", json={})
    assert (wrong.status_code, wrong.headers["Allow"]) == (405, options.headers["Allow"])
    outside = WITHOUT_KEY.get(
        f"{http.base_url}".replace("/api/v2/", "/lists"), headers={"X-Api-Key": API_KEY}
    )
    assert (outside.status_code, outside.json()["code"]) == (404, "not_found")
