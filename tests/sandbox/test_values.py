"""Writes refuse values of other types and ranges than documented; what they accept, a pull publishes."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from bodies import (
    CARRIER,
    CLICK,
    CLICKED,
    CONTACT,
    COUNT,
    CREATIVE,
    CUSTOM,
    EARNED,
    LINK,
    MESSAGE,
    OFFER,
    REVENUE,
    SCHEDULE,
    SEND,
    SHORTEN,
    WEEKLY,
    blast,
    named,
)
from oracle import query
from sandbox.plain_clients import client

from pipelines.pull.run import pull_all
from pipelines.sandbox import Account, running, seed_account
from pipelines.sandbox.replies import Row
from pipelines.sandbox.requests.call import Call
from pipelines.sandbox.serving.routes import ROUTES, find
from pipelines.settings import Settings

FILTERED = {"name": "A", "filter": {"operator": "AND", "conditions": [COUNT]}}
WRONG: list[tuple[str, Row, str, tuple[Any, ...], str]] = [
    ("/schedules", SCHEDULE, "skip_within_hours", ("x", -1, 1.5, True, None), ""),
    ("/schedules", SCHEDULE, "automated_percent", (900, -1, "5", True), ""),
    *(("/schedules", SCHEDULE, name, ("no", 1, None), "")
      for name in ("use_local_time", "filter_bots", "is_mms", "is_cto")),
    ("/schedules", SCHEDULE, "send_date", ("2026-13-45", "2026-02-30", "2026-01-01T99", 5, "20260101"),
     "missing_send_date"),
    ("/schedules", WEEKLY, "end_date", ("2026-13-45", "0001-01-01"), "missing_end_date"),
    ("/schedules", WEEKLY, "days_of_week", ([True] * 6, [True] * 6 + ["x"], "x"), "no_days_selected"),
    ("/schedules", SCHEDULE, "start_date", ("2026-13-45", True), ""),
    ("/schedules", SCHEDULE, "audiences", ("x", {}), "missing_audiences"),
    ("/offers", OFFER, "payout", (-4, "4", 10**14, None), ""),
    ("/offers", OFFER, "tracking_url", ("not a url", "https://", "ftp://x", "https://[", "https://a b"), ""),
    ("/offers", OFFER, "metadata", ([], {"a": 1}, {"a": {}}), ""),
    *(("/offers", OFFER, name, ([], 1.5, True), "") for name in ("external_id", "advertiser_id")),
    ("/offers", OFFER, "filter_bots", ("maybe", 1), ""),
    ("/audiences", FILTERED, "description", (5, [], "\0"), ""),
    *(("/contacts", CONTACT, name, ("maybe", 1), "")
      for name in ("use_journeys", "skip_journey_if_exists", "use_validation")),
    ("/contacts", CONTACT, "custom_fields", ({"a": {}}, {"a": None}, {"a": 10**20}, "x"), ""),
    ("/contacts", CONTACT, "signup_date", (20260101, "0001-01-01", "9999-12-31"), ""),
    ("/contacts", CONTACT, "ip_address", ("1.2.3", 5), ""),
    ("/contacts", CONTACT, "url", ("x", 5), ""),
    ("/send", MESSAGE, "contact_data", ("x", {"first_name": 5}, {"custom_fields": "x"}), ""),
    ("/send", MESSAGE, "metadata", (5, "x", {"a": []}), ""),
    ("/send", MESSAGE, "wrap_links", ("x", 1), ""),
    ("/links/shorten", SHORTEN, "url", ("https://", "https:///x", 5), ""),
    ("/links/shorten", SHORTEN, "metadata", ([1], {"a": {}}), ""),
]  # fmt: skip
"""A path, a body that is taken, a field with values that are not, and the code where it has another name."""
OF_LISTS: list[tuple[str, Row, str]] = [
    *(("/schedules", blast(percent_audience=share), "invalid_blast_percent") for share in (150, -50, "100", True)),
    ("/schedules", {**SCHEDULE, "blasts": [
        {"message": "Hi", "percent_audience": 150}, {"message": "Hi", "percent_audience": -50}
    ]}, "invalid_blast_percent"),
    *(("/schedules", blast(percent_audience=100, **wrong), "invalid_blasts") for wrong in (
        {"offer_links": "zz"}, {"offer_links": ["zz"]}, {"variant_name": 5}, {"mms_image_url": "x"},
        {"offer_links": [{**LINK, "url_params": "x"}]},
    )),
    ("/schedules", {**SCHEDULE, "send_type": "automated", "blasts": "x"}, "invalid_blasts"),
    *(("/creatives", {**CREATIVE, "offer_links": [{**LINK, **wrong}]}, "invalid_offer_links")
      for wrong in ({"url": 5}, {"url": "x"}, {"url_params": "x"}, {"url_params": {"a": []}})),
]  # fmt: skip
OF_RECORDS: list[tuple[str, Row, str]] = [
    *(("/history/sends", {**SEND, "id": "new", name: value}, f"invalid_{name}") for name, value in (
        ("message", 5), ("delivered", "x"), ("length", -1), ("list_id", True), ("send_type", []),
    )),
    ("/history/clicks", {**CLICK, "send_timestamp": "x"}, "invalid_send_timestamp"),
    ("/history/revenue", {**EARNED, "payout": "x"}, "invalid_payout"),
    ("/history/revenue", {**EARNED, "timestamp": 5}, "invalid_timestamp"),
]  # fmt: skip


@pytest.fixture(scope="module")
def account() -> Account:
    """An account with a send, for clicks and revenue."""
    account = seed_account(contacts=20)
    write(account, "/history/sends", {"records": [{**SEND, "id": "SEND"}]})
    return account


def names_of(account: Account) -> dict[str, str]:
    """What stands in the requests for ids."""

    def active(rows: list[Row]) -> str:
        return next(str(row["id"]) for row in rows if row["status"] == "active")

    return {"OFFER": active(account.offers), "AUDIENCE": active(account.audiences)}


def write(account: Account, path: str, body: Any) -> tuple[int, Any]:
    """POST, without HTTP."""
    route, ids, _ = find(ROUTES, "POST", path)
    assert route is not None
    return route.handler(account, Call(ids, {}, named(body, names_of(account))))


def test_values_of_another_type_or_range_are_refused(account: Account) -> None:
    """Each such value has the documented code, or one of the field's name, and nothing is kept."""
    for path, body, field, values, code in WRONG:
        assert write(account, path, body)[0] == 200
        for value in values:
            status, reply = write(account, path, {**body, field: value})
            assert (status, reply.get("code")) == (400, code or f"invalid_{field}"), (path, field, value)
    for path, body, code in OF_LISTS:
        status, reply = write(account, path, body)
        assert (status, reply["code"]) == (400, code), (path, body)
    for path, body, code in OF_RECORDS:
        _, reply = write(account, path, {"records": [body]})
        assert [error["code"] for error in reply["errors"]] == [code], (path, body)


def deep(levels: int) -> bytes:
    """An audience's JSON with groups in groups."""
    inner = json.dumps({"operator": "AND", "conditions": [COUNT]}).encode()
    group = b'{"operator": "OR", "groups": [' * (levels - 1) + inner + b"]}" * (levels - 1)
    return b'{"name": "Deep", "filter": ' + group + b"}"


def test_deep_filters_are_taken_or_refused_as_such(http: httpx.Client) -> None:
    """A hundred groups in groups are taken, counted and shown; more are refused with a code that says so."""
    for levels, code in ((101, "filter_too_deep"), (600, "body_too_deep"), (50_000, "body_too_deep")):
        reply = http.post("/api/v2/audiences", content=deep(levels))
        assert (reply.status_code, reply.json()["code"]) == (400, code)
    made = http.post("/api/v2/audiences", content=deep(100)).json()
    assert http.get(f"/api/v2/audiences/{made['id']}").json()["filter"] == made["filter"]
    assert http.get(f"/api/v2/audiences/{made['id']}/size").json()["size"] > 0


def test_changes_are_held_to_the_same_rules(account: Account) -> None:
    """PUT refuses what POST refuses, and leaves the row as it was."""
    for path, body, field, values, code in WRONG:
        resource = path.strip("/")
        if resource not in ("schedules", "offers", "audiences"):
            continue
        write(account, path, body)
        row = getattr(account, resource)[-1]
        before, (route, ids, _) = json.dumps(row), find(ROUTES, "PUT", f"{path}/{row['id']}")
        assert route is not None
        for value in values:
            status, reply = route.handler(account, Call(ids, {}, {field: value}))
            assert (status, reply.get("code")) == (400, code or f"invalid_{field}"), (path, field, value)
        assert json.dumps(row) == before


ODD: tuple[Any, ...] = (
    None, "", "x", " ", "\0", "é\u2028", "x" * 300, 0, 1, -1, 1.5, 99.99, 10**9, 10**14, 10**16, 10**300, True, False,
    [], {}, [1], [10**20], ["x"], [{}], {"a": []}, {"": ""}, {"a": "b"}, {"a": 1e-7}, "2026-02-30", "2026-01-01",
    "24:00", "2026-01-01T00:00:00+23:59", "0001-01-01", "2026-W01-1", "20260101",
    "https://example.com/{x}?a=1", "::1",
)  # fmt: skip


def varied(value: Any, chance: random.Random) -> Any:
    """A body some of whose values are others."""
    if chance.random() < 0.05:
        return chance.choice(ODD)
    if isinstance(value, dict):
        return {name: varied(item, chance) for name, item in value.items()}
    return [varied(item, chance) for item in value] if isinstance(value, list) else value


def test_a_pull_publishes_all_that_writes_accept(
    tmp_path: Path, settings_of: Callable[..., Settings]
) -> None:
    """Of random bodies, what POST takes is published by one pull without a row in quarantine."""
    account, chance = seed_account(contacts=5), random.Random(17)
    full: list[tuple[str, Row]] = [
        ("/offers", {**OFFER, "payout": 1.5, "external_id": 5, "advertiser_id": "x", "metadata": {"a": "b"},
                     "external_platform": None, "filter_bots": True}),
        ("/creatives", {**CREATIVE, "offer_links": [{**LINK, "url": None, "url_params": {"a": 1}}]}),
        *(("/audiences", {"name": "A", "description": None, "source_lists": [1], "filter": {
            "operator": "AND", "conditions": [one], "groups": [FILTERED["filter"]]}})
          for one in (CLICKED, CARRIER, CUSTOM, REVENUE)),
        *(("/schedules", {**one, "skip_within_hours": 5, "automated_percent": 5.5, "use_local_time": True,
                          "start_date": None, "variant": 1, "blasts": [
            {"message": "Hi", "percent_audience": share, "offer_links": [LINK], "variant_name": "A",
             "mms_image_url": None} for share in (33.3, 66.7)]} | {
            name: one[name] for name in ("start_date", "end_date", "days_of_week") if name in one})
          for one in (SCHEDULE, WEEKLY, {**SCHEDULE, "send_type": "automated"})),
        *(("/contacts", {**CONTACT, "phone_number": f"+1555700{number:04}", "signup_date": "2026-01-01",
                         "custom_fields": {"a": 1, "b": "x"}, "url": None, "ip_address": "::1"})
          for number in range(3)),
        ("/history/sends", {"records": [SEND]}),
    ]  # fmt: skip
    write(account, "/audiences", json.loads(deep(100)))
    taken: dict[str, int] = {}
    for _ in range(25):
        for path, body in full:
            status, _ = write(account, path, {name: varied(item, chance) for name, item in body.items()})
            taken[path] = taken.get(path, 0) + (status == 200)
    assert min(taken.values()) > 5, taken
    with running(account) as server:
        settings = settings_of(server.url, tmp_path / "data")
        pull_all(settings, "values")
    for name in ("contacts", "offers", "creatives", "audiences", "schedules"):
        assert query(settings.warehouse, f"SELECT reason, raw FROM quarantine.{name}") == [], name
        rows = account.contacts() if name == "contacts" else getattr(account, name)
        assert query(settings.warehouse, f"SELECT count(*) FROM {name}") == [(len(rows),)]


@pytest.fixture(scope="module")
def http(account: Account) -> Iterator[httpx.Client]:
    with running(account) as server, client(server.url.removesuffix("/api/v2")) as asking:
        yield asking


def test_control_routes_say_what_is_wrong(account: Account, http: httpx.Client) -> None:
    """Values of other shapes are 400 without the text of a Python error, and change nothing."""
    options = account.options
    for path, wrong in (
        *(("account", body) for body in (
            [], "x", [None], {"products": 5}, {"suspended": "no"}, {"lists": []}, {"lists": {"1": 5}},
            {"suspended": True, "products": ["mms"]}, {"options": []}, {"domain": 5}, {"billing": []},
            {"lists": {"1": {"status": "gone"}}},
        )),
        *(("faults", body) for body in ({}, {"fault": 5}, [])),
        *(("webhooks", body) for body in (
            {}, {"url": "x"}, {"url": "http://127.0.0.1:1", "colour": 1},
            {"url": "http://127.0.0.1:1", "mood": {"late": 5}},
        )),
        ("opt-outs", {"phone": "+15550000000"}), ("replies", {"text": 5}), ("opt-outs", {"phone": 5}),
    ):  # fmt: skip
        reply = http.post(f"/_sandbox/{path}", json=wrong)
        assert reply.status_code == 400, (path, wrong)
        assert not any(
            word in reply.text for word in ("object has", "not iterable", "__init__", "argument")
        ), reply.text
    assert http.post("/_sandbox/account", content=b"[" * 100_000).json()["code"] == "body_too_deep"
    assert (account.suspended, account.options, account.webhooks) == (False, options, None)


def test_pages_beyond_all_pages_are_empty(http: httpx.Client) -> None:
    """However large the number is; paths with another slash are 404 as JSON."""
    for path in ("creatives", "contacts", "offers"):
        for page in ("99999999999999999999", "9" * 5000):
            assert http.get(f"/api/v2/{path}?page={page}").json()[path] == []
    for path in ("/lists/", "/audiences/x/size/", "//lists"):
        reply = http.get(f"/api/v2{path}")
        assert (reply.status_code, reply.json()["code"]) == (404, "not_found")


def test_the_description_has_types(http: httpx.Client) -> None:
    """/openapi.json has the type and range of every field that a write of v2 takes."""
    paths = http.get("/openapi.json").json()["paths"]
    of_schedules = paths["/api/v2/schedules"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    percent = of_schedules["properties"]["automated_percent"]
    assert percent == {"type": ["number", "null"], "minimum": 0, "maximum": 100}
    for path, methods in paths.items():
        for method, operation in methods.items():
            schema = (
                operation.get("requestBody", {})
                .get("content", {})
                .get("application/json", {})
                .get("schema", {})
            )
            untyped = [name for name, kind in schema.get("properties", {}).items() if not kind]
            assert path.startswith("/api/v1") or untyped == [], (method, path)
