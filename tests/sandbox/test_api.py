"""The local account over HTTP: it speaks the API page, oddities included."""

import json
from typing import Any

import httpx
import pytest
from bodies import post, send
from sandbox.plain_clients import WITHOUT_KEY

from pipelines.errors import UsageError
from pipelines.sandbox import Account, Faults, Options, Server, parse_fault, running, seed_account


@pytest.mark.parametrize(
    ("headers", "code"), [({}, "missing_api_key"), ({"X-Api-Key": "trk_wrong"}, "invalid_api_key")]
)
def test_requests_without_a_good_key_are_refused(server: Server, headers: dict[str, str], code: str) -> None:
    """A missing and a wrong key have different codes."""
    reply = WITHOUT_KEY.get(f"{server.url}/lists", headers=headers)
    assert (reply.status_code, reply.json()["code"]) == (401, code)


def test_a_suspended_account_has_no_code(http: httpx.Client, account: Account) -> None:
    """403 for a suspended account carries an error and no code."""
    account.suspended = True
    reply = http.get("/lists")
    assert (reply.status_code, list(reply.json())) == (403, ["error"])


@pytest.mark.parametrize(
    ("path", "asked", "given"), [("/contacts", 5000, 1000), ("/offers", 5000, 100), ("/contacts", None, 50)]
)
def test_pages_are_capped(http: httpx.Client, path: str, asked: int | None, given: int) -> None:
    """per_page is 50 by default and at most 1000 for contacts, 100 elsewhere."""
    reply = http.get(path, params={} if asked is None else {"per_page": asked}).json()
    assert reply["pagination"]["per_page"] == given


def test_contacts_come_newest_first_and_pages_add_up(http: httpx.Client, account: Account) -> None:
    """All pages in turn are all contacts by signup_date, newest first."""
    rows: list[dict[str, Any]] = []
    for page in (1, 2, 3):
        reply = http.get("/contacts", params={"page": page, "per_page": 1000}).json()
        assert reply["pagination"] == {"page": page, "per_page": 1000, "total": 2500, "total_pages": 3}
        rows += reply["contacts"]
    dates = [row["signup_date"] for row in rows]
    assert dates == sorted(dates, reverse=True)
    assert rows == account.contacts()


def test_default_filters_hide_deleted_and_archived(http: httpx.Client) -> None:
    """Lists leave out deleted ones, offers archived ones, unless asked for; lists have no pagination."""
    lists, offers = http.get("/lists").json(), http.get("/offers").json()
    assert list(lists) == ["lists"]
    assert "deleted" not in {row["status"] for row in lists["lists"]}
    assert "archived" not in {row["status"] for row in offers["offers"]}
    assert {row["status"] for row in http.get("/lists", params={"status": "deleted"}).json()["lists"]} == {
        "deleted"
    }


def test_contact_filters(http: httpx.Client, account: Account) -> None:
    """list_number and active choose among contacts."""
    number = account.lists[0]["phone_number"]
    reply = http.get("/contacts", params={"list_number": number, "active": "false", "per_page": 1000}).json()
    wanted = [row for row in account.contacts() if row["list_number"] == number and not row["active"]]
    assert reply["contacts"] == wanted


def test_one_contact_shows_its_lists_and_no_revenue(http: httpx.Client, account: Account) -> None:
    """GET /contacts/{phone} is flat with lists[], and has no revenue fields."""
    phone = account.contacts()[0]["phone_number"]
    reply = http.get(f"/contacts/{phone.replace('+', '%2B')}").json()
    assert {item["list_id"] for item in reply["lists"]} == {
        row["list_id"] for row in account.contacts_of(phone)
    }
    assert "revenue" not in json.dumps(reply)


def test_revenue_is_not_served_unless_the_account_does(http: httpx.Client, account: Account) -> None:
    """GET /revenue is 404 by default, and paged events where the option is on."""
    assert http.get("/revenue").status_code == 404
    account.options = Options(revenue_events=True)
    assert http.get("/revenue").json()["pagination"]["total"] == len(account.revenue)


def test_sends_are_stored_once_and_counted(http: httpx.Client, account: Account) -> None:
    """A send is stored once however often it is sent, within a call and across calls."""
    before = account.contacts()[1]["send_count"]
    answer = post(http, "sends", send(account), send(account))
    assert (answer["success_count"], answer["duplicates_skipped"], answer["error_count"]) == (1, 1, 0)
    assert post(http, "sends", send(account))["duplicates_skipped"] == 1
    assert account.contacts()[1]["send_count"] == before + 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"id": None}, "missing_id"),
        ({"to_number": None}, "missing_to_number"),
        ({"timestamp": ""}, "missing_timestamp"),
        ({"to_number": "555"}, "invalid_phone"),
        ({"timestamp": "soon"}, "invalid_timestamp"),
        ({"list_id": 999}, "list_not_found"),
    ],
)
def test_send_codes(http: httpx.Client, account: Account, change: dict[str, Any], code: str) -> None:
    """Each documented code of a send comes with the record's index and id."""
    record = send(account, **change)
    answer = post(http, "sends", send(account, 2), record)
    assert answer["success_count"] == 1
    assert [(error["index"], error["id"], error["code"]) for error in answer["errors"]] == [
        (1, record["id"], code)
    ]


@pytest.mark.parametrize(
    ("entity", "change", "code"),
    [
        ("clicks", {"message_id": None}, "missing_message_id"),
        ("clicks", {"offer_id": None}, "missing_offer_id"),
        ("clicks", {"phone_number": None}, "missing_phone_number"),
        ("clicks", {"timestamp": None}, "missing_timestamp"),
        ("clicks", {"timestamp": "soon"}, "invalid_timestamp"),
        ("clicks", {"message_id": "nope"}, "message_not_found"),
        ("clicks", {"offer_id": "nope"}, "offer_not_found"),
        ("revenue", {"revenue": None}, "missing_revenue"),
        ("revenue", {"message_id": "nope"}, "message_not_found"),
        ("revenue", {"offer_id": "nope"}, "offer_not_found"),
    ],
)
def test_click_and_revenue_codes(
    http: httpx.Client, account: Account, entity: str, change: dict[str, Any], code: str
) -> None:
    """Each documented code of clicks and revenue comes with the record's index."""
    post(http, "sends", send(account))
    record = {
        "message_id": "m1",
        "offer_id": account.offers[0]["id"],
        "phone_number": account.contacts()[1]["phone_number"],
        "timestamp": "2025-01-01T00:01:00Z",
        "revenue": 1.5,
        **change,
    }
    assert [(error["index"], error["code"]) for error in post(http, entity, record)["errors"]] == [(0, code)]


def test_revenue_counts_every_time_it_is_sent(http: httpx.Client, account: Account) -> None:
    """The same revenue sent twice is counted twice, in the contact's totals too."""
    post(http, "sends", send(account))
    record = {"message_id": "m1", "offer_id": account.offers[0]["id"], "revenue": 1.1}
    before = account.contacts()[1]["revenue_total"]
    for _ in range(2):
        answer = post(http, "revenue", record)
        assert (answer["success_count"], answer["total_revenue"]) == (1, 1.1)
        assert "duplicates_skipped" not in answer
    contact = account.contacts()[1]
    assert round(contact["revenue_total"] - before, 4) == 2.2
    assert contact["last_revenue_at"] >= "2025-01-01T00:00:00"
    http.request(
        "DELETE",
        "/history/clear",
        json={"entities": ["revenue"], "confirm": True, "before_date": "2025-02-20"},
    )
    post(http, "revenue", record)
    ids = [row["id"] for row in account.revenue]
    assert len(ids) == len(set(ids))


def test_revenue_needs_the_contact(http: httpx.Client, account: Account) -> None:
    """Revenue of a message whose contact is gone is contact_not_found."""
    gone = account.contacts()[1]
    post(http, "sends", send(account))
    account.remove_contact((gone["phone_number"], gone["list_id"]))
    record = {"message_id": "m1", "offer_id": account.offers[0]["id"], "revenue": 1.1}
    assert post(http, "revenue", record)["errors"][0]["code"] == "contact_not_found"


def test_at_most_a_hundred_errors_are_named(http: httpx.Client, account: Account) -> None:
    """error_count counts all, errors names a hundred."""
    answer = post(http, "sends", *(send(account, 1, id=f"x{n}", to_number="bad") for n in range(130)))
    assert (answer["error_count"], len(answer["errors"]), answer["invalid_phones"]) == (130, 100, 130)


def test_calls_that_are_refused_whole(http: httpx.Client, account: Account) -> None:
    """No records, too many records, too large a body and no JSON are refused with status and code."""
    assert http.post("/history/sends", json={"records": []}).json()["code"] == "missing_records"
    many = http.post("/history/sends", json={"records": [send(account)] * 1001})
    assert (many.status_code, many.json()["code"]) == (413, "too_many_records")
    assert http.post("/history/sends", content=b"x" * (5 * 1024 * 1024 + 1)).status_code == 413
    assert http.post("/history/sends", content=b"{").status_code == 400
    assert http.delete("/history/clear").json()["code"] == "confirmation_required"


def test_faults_can_be_set_over_http(server: Server, http: httpx.Client) -> None:
    """The control route sets and clears faults without a key, and names a bad one."""
    control = server.url.replace("/api/v2", "/_sandbox/faults")
    assert WITHOUT_KEY.post(control, json={"fault": "503,times=1"}).status_code == 200
    assert [http.get("/lists").status_code for _ in range(2)] == [503, 200]
    assert "not a kind of fault" in WITHOUT_KEY.post(control, json={"fault": "nonsense"}).json()["error"]
    WITHOUT_KEY.post(control, json={"fault": "500"})
    WITHOUT_KEY.delete(control)
    assert http.get("/lists").status_code == 200


@pytest.mark.parametrize("kind", ["reset-before", "reset-after", "truncate"])
def test_connections_break(server: Server, http: httpx.Client, account: Account, kind: str) -> None:
    """Resets and truncated bodies reach the client as broken connections, after the work or before it."""
    server.faults.active.append(parse_fault(f"{kind},times=1"))
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        post(http, "sends", send(account))
    assert ("m1" in account.sends) == (kind != "reset-before")


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        ("429,seconds=3", 429, "Too many"),
        ("500", 500, "Internal"),
        ("502", 502, "<html>"),
        ("503", 503, "Internal"),
        ("html", 200, "<html>"),
        ("shape", 200, '{"data"'),
    ],
)
def test_answers_in_trouble(server: Server, http: httpx.Client, fault: str, status: int, body: str) -> None:
    """Each kind of trouble has its status and body; 429 says how long to wait."""
    server.faults.active.append(parse_fault(fault))
    reply = http.get("/contacts")
    assert reply.status_code == status
    assert body in reply.text
    assert reply.headers.get("Retry-After") == ("3" if fault.startswith("429") else None)


def test_random_delays_repeat_with_the_seed() -> None:
    """A fault's delays are drawn from its seed, between `seconds` and `seconds` + `jitter`, and grow by rows."""
    fault = parse_fault("latency,seconds=1,jitter=3,per_row=0.5")
    delays, again = ([faults.delay(fault, 2) for _ in range(50)] for faults in (Faults(), Faults()))
    assert delays == again
    assert min(delays) >= 2
    assert max(delays) <= 5
    assert len(set(delays)) == 50


def test_a_proxy_limits_bodies(server: Server, http: httpx.Client, account: Account) -> None:
    """A body above the limit is refused with a proxy's page, and nothing is done; at the limit it passes."""
    content = json.dumps({"records": [send(account)]}).encode()
    server.faults.active.append(parse_fault(f"limit,path=sends,value={len(content)}"))
    assert http.post("/history/sends", content=content).status_code == 200
    reply = http.post("/history/sends", content=content + b" ")
    assert (reply.status_code, "html" in reply.text) == (413, True)


def test_records_fail_on_demand(server: Server, http: httpx.Client, account: Account) -> None:
    """save-error makes single records fail with the documented code."""
    server.faults.active.append(parse_fault("save-error,rate=1"))
    assert post(http, "sends", send(account))["errors"][0]["code"] == "save_error"


@pytest.mark.parametrize("text", ["nonsense", "503,colour=red", "503,times=often", "gateway,body=xml"])
def test_a_fault_that_is_none_is_named(text: str) -> None:
    """A misspelt fault is the user's mistake and says what there is."""
    with pytest.raises(UsageError):
        parse_fault(text)


def test_the_same_seed_makes_the_same_account() -> None:
    """Accounts are made up from their seed alone."""
    one, two, other = (seed_account(contacts=300, seed=seed) for seed in (1, 1, 2))
    assert one.contacts() == two.contacts()
    assert one.contacts() != other.contacts()


def test_the_state_can_be_looked_at(account: Account) -> None:
    """Other programs see the account's state and its log over HTTP, without a key."""
    with running(account) as server:
        state = WITHOUT_KEY.get(server.url.replace("/api/v2", "/_sandbox/state")).json()
        assert state["contacts"] == account.contacts()
        WITHOUT_KEY.get(f"{server.url}/lists")
        log = WITHOUT_KEY.get(server.url.replace("/api/v2", "/_sandbox/log")).json()["log"]
    assert [(item["path"], item["status"]) for item in log] == [("/lists", 401)]
