"""The marts over imported history, against loops in plain Python over the rows that were imported."""

import datetime as dt
import random
from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow as pa
import pytest
from oracle import named_rows

from pipelines.warehouse.structure.tables import complete
from pipelines.warehouse.structure.views import create_views
from pipelines.warehouse.swap import replacing
from schemas.derived.arrow import TYPES
from schemas.own_tables.imports import RECORDS

Row = dict[str, Any]
QUESTIONS = Path(__file__).parents[2] / "docs" / "query.md"
START = dt.datetime(2024, 1, 28, 20, tzinfo=dt.UTC)
HOURS = {"24h": 24, "7d": 7 * 24, "30d": 30 * 24, "90d": 90 * 24}
CONTACTS = (
    ("+15550000001", 1, 9_000, 1), ("+15550000001", 2, 5, 1), ("+15550000002", 1, 700, 1),
    ("+15550000003", 2, 8_000, 3), ("+15550000004", 9, 60, 0),
)  # fmt: skip
"""Phone number, list, revenue and conversions."""
LAGS = (0, 1, 24, 24.001, 100, 7 * 24, 200, 30 * 24, 1000, 90 * 24, 90 * 24.01, -2)
NOTHING = Decimal(0)


def made_up() -> list[Row]:
    """Records of all kinds: unclicked, unsent, earned twice, by another offer, at no time, before the send."""
    chance = random.Random(5)
    records: list[Row] = []

    def record(dataset: str, message: str, at: dt.datetime | None, **more: Any) -> None:
        outcome = chance.choice(("accepted", "accepted", "duplicate"))
        taken = {"dataset": dataset, "message_id": message, "identity": f"{message}-{len(records)}"}
        records.append(
            {
                **taken,
                "outcome": outcome,
                "attempt": 1,
                "in_input": False,
                "happened_at": at,
                "at": START,
                **more,
            }
        )

    for number in range(240):
        message, sent = f"m{number:03}", START + dt.timedelta(hours=7 * number)
        phone, offers = f"+1555000{number % 50:04}", [f"offer{n}" for n in range(3)]
        if number % 8:
            record(
                "sends",
                message,
                None if number % 30 == 7 else sent,
                list_id=number % 3 or None,
                phone_number=phone,
                send_type=("campaign", "flow", None)[number % 3],
                delivered=(True, False, None)[number % 5 % 3],
            )
        clicked = sent + dt.timedelta(hours=chance.choice((0.5, 3, 30, -1)))
        if number % 7 < 4:
            record(
                "clicks",
                message,
                clicked,
                offer_id=chance.choice(offers),
                phone_number=phone,
                send_timestamp=chance.choice((sent, None)),
            )
        for _ in range((0, 0, 1, 1, 2)[number % 5]):
            lag = dt.timedelta(hours=chance.choice(LAGS))
            at = chance.choice((sent + lag, clicked + lag, None))
            record("revenue", message, at, offer_id=chance.choice(offers), revenue=Decimal(number) / 4)
    records[5] |= {"outcome": "rejected"}
    records[9] |= {"outcome": "duplicate", "attempt": 0}
    held = {"outcome": "quarantined", "attempt": 0, "code": "conflict", "phone_number": "+15550000000"}
    return [{**row, **held} for row in records if row["dataset"] == "sends"] + records


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Row]]:
    """A warehouse with those records, and the ones that are in the account."""
    path, records = tmp_path_factory.mktemp("marts") / "warehouse.duckdb", made_up()
    fields = [field for field in RECORDS.fields if field.kind in TYPES]
    columns = [pa.array([row.get(field.name) for row in records], TYPES[field.kind]) for field in fields]
    rows = pa.table(columns, names=[field.name for field in fields])
    with replacing(path) as connection:
        complete(connection)
        connection.register("rows", rows)
        connection.execute("INSERT INTO imports.records BY NAME FROM rows")
        connection.unregister("rows")
        connection.executemany(
            "INSERT INTO main.contacts (phone_number, list_id, revenue_total, conversion_count, active, send_count,"
            " click_count, synced_at, snapshot, page) VALUES (?, ?, ?, ?, true, 0, 0, now(), 's', 0)",
            [list(contact) for contact in CONTACTS],
        )
        create_views(connection)
    taken = [
        row for row in records if (row["outcome"], row["attempt"]) in (("accepted", 1), ("duplicate", 1))
    ]
    return path, taken


def mart(path: Path, name: str, zone: str = "America/Los_Angeles") -> list[Row]:
    """A mart's rows, as an analyst in some time zone reads them."""
    return named_rows(path, f"FROM marts.{name}", zone)


def hours(earlier: dt.datetime | None, later: dt.datetime | None) -> float | None:
    return None if earlier is None or later is None else (later - earlier) / dt.timedelta(hours=1)


def followed(records: Iterable[Row]) -> dict[str, Row]:
    """Each message with its send, its click and its revenue."""
    messages: defaultdict[str, Row] = defaultdict(lambda: {"sends": None, "clicks": None, "revenue": []})
    for row in records:
        if row["dataset"] == "revenue":
            messages[row["message_id"]]["revenue"].append(row)
        else:
            messages[row["message_id"]][row["dataset"]] = row
    for message in messages.values():
        send, click, earned = message["sends"] or {}, message["clicks"] or {}, message["revenue"]
        timed = [(row["happened_at"], row["offer_id"]) for row in earned if row["happened_at"]]
        firsts = [min(timed)[1]] if timed else sorted(row["offer_id"] for row in earned)[:1]
        message["list_id"] = send.get("list_id")
        message["sent_at"] = send.get("happened_at") or click.get("send_timestamp")
        message["clicked_at"] = click.get("happened_at")
        message["earned_at"] = min(timed)[0] if timed else None
        message["offer_id"] = click.get("offer_id") or next(iter(firsts), None)
        at = message["sent_at"] or message["clicked_at"] or message["earned_at"]
        message["month"] = at and at.date().replace(day=1)
    return messages


def test_imported_revenue_is_that_of_whom_the_message_was_sent_to(imported: tuple[Path, list[Row]]) -> None:
    """Not of another number that a row in conflict with the send has."""
    path, records = imported
    sent_to = {row["message_id"]: row["phone_number"] for row in records if row["dataset"] == "sends"}
    wanted = {phone: NOTHING for phone, *_ in CONTACTS}
    for row in records:
        if (phone := sent_to.get(row["message_id"])) in wanted:
            wanted[phone] += row.get("revenue", NOTHING)
    assert {row["phone_number"]: row["imported_revenue"] for row in mart(path, "people")} == wanted
    assert sum(map(bool, wanted.values())) > 1


def test_imported_messages_are_sends_with_what_followed(imported: tuple[Path, list[Row]]) -> None:
    """One row a message, those included of which only a click or revenue came in."""
    path, records = imported
    found = {row["message_id"]: row for row in mart(path, "imported_messages")}
    messages = followed(records)
    assert found.keys() == messages.keys()
    for name, message in messages.items():
        row, send, click = found[name], message["sends"], message["clicks"]
        for column in ("month", "list_id", "offer_id", "sent_at", "clicked_at", "earned_at"):
            assert row[column] == message[column], (name, column)
        assert (row["is_sent"], row["is_clicked"]) == (send is not None, click is not None)
        assert row["phone_number"] == (send or click or {"phone_number": None})["phone_number"]
        assert (row["send_type"], row["delivered"]) == (
            (send["send_type"], send["delivered"]) if send else (None, None)
        )
        assert row["conversions"] == len(message["revenue"])
        assert row["revenue"] == sum((one["revenue"] for one in message["revenue"]), NOTHING)
        for column, start, end in (
            ("click_lag_hours", "sent_at", "clicked_at"),
            ("revenue_lag_hours", "sent_at", "earned_at"),
            ("click_revenue_lag_hours", "clicked_at", "earned_at"),
        ):
            assert row[column] == pytest.approx(hours(message[start], message[end])), (name, column)


def test_the_funnel_counts_every_step(imported: tuple[Path, list[Row]]) -> None:
    """By month, list and offer: each send and each amount in one row, and what lacks the step before as such."""
    path, records = imported
    messages = followed(records)
    wanted: defaultdict[tuple[Any, ...], Row] = defaultdict(lambda: defaultdict(int) | {"revenue": NOTHING})
    lags: defaultdict[tuple[Any, ...], defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for message in messages.values():
        key = (message["month"], message["list_id"], message["offer_id"])
        send, clicked, converted = message["sends"], bool(message["clicks"]), bool(message["revenue"])
        row = wanted[key]
        if send:
            for step, is_there in (
                ("sends", True),
                ("delivered", send["delivered"] is True),
                ("undelivered", send["delivered"] is False),
                ("clicked", clicked),
                ("not_clicked", not clicked),
                ("converted", converted),
                ("clicked_converted", clicked and converted),
                ("converted_not_clicked", converted and not clicked),
            ):
                row[step] += is_there
        row["clicks_without_send"] += clicked and not send
        for column, start, end in (
            ("click_lag_hours", "sent_at", "clicked_at"),
            ("revenue_lag_hours", "sent_at", "earned_at"),
            ("click_revenue_lag_hours", "clicked_at", "earned_at"),
        ):
            lag = hours(message[start], message[end])
            if lag is not None:
                lags[key][column].append(lag)
        for earned in message["revenue"]:
            own = wanted[message["month"], message["list_id"], earned["offer_id"]]
            own["conversions"] += 1
            own["conversions_without_send"] += not send
            own["revenue"] += earned["revenue"]
    found = {(row["month"], row["list_id"], row["offer_id"]): row for row in mart(path, "funnel")}
    assert found.keys() == wanted.keys()
    steps = (
        "sends", "delivered", "undelivered", "clicked", "not_clicked", "converted", "clicked_converted",
        "converted_not_clicked", "clicks_without_send", "conversions", "conversions_without_send", "revenue",
    )  # fmt: skip
    for key, row in found.items():
        assert {step: row[step] for step in steps} == {step: wanted[key][step] for step in steps}, key
        for column in ("click_lag_hours", "revenue_lag_hours", "click_revenue_lag_hours"):
            values = lags[key][column]
            assert row[column] == (pytest.approx(median(values)) if values else None)
        assert row["click_rate"] == (pytest.approx(row["clicked"] / row["sends"]) if row["sends"] else None)
        rate = pytest.approx(row["clicked_converted"] / row["clicked"]) if row["clicked"] else None
        assert row["conversion_rate"] == rate
    assert sum(row["sends"] for row in found.values()) == sum(row["dataset"] == "sends" for row in records)
    assert all(sum(row[step] for row in found.values()) for step in steps), "every case occurs"


def earned_within(lag: float | None, most: float) -> bool:
    return lag is not None and 0 <= lag <= most


def windows(rows: Iterable[tuple[Decimal, float | None]], prefix: str) -> Row:
    """Amounts by how long after, as the marts name them."""
    amounts = list(rows)
    found = {
        f"{prefix}_{name}": sum((a for a, lag in amounts if earned_within(lag, most)), NOTHING)
        for name, most in HOURS.items()
    }
    later = sum((a for a, lag in amounts if lag is not None and lag > HOURS["90d"]), NOTHING)
    unknown = sum((a for a, lag in amounts if lag is None or lag < 0), NOTHING)
    return found | {f"{prefix}_later": later, f"{prefix}_unknown": unknown}


def test_revenue_stands_under_every_window(imported: tuple[Path, list[Row]]) -> None:
    """From send and from click, the ends included; with what is later and what is not known it is all revenue."""
    path, records = imported
    groups: defaultdict[tuple[Any, ...], list[tuple[Decimal, float | None, float | None]]] = defaultdict(list)
    for message in followed(records).values():
        for row in message["revenue"]:
            lags = (
                hours(message["sent_at"], row["happened_at"]),
                hours(message["clicked_at"], row["happened_at"]),
            )
            groups[message["month"], message["list_id"], row["offer_id"]].append((row["revenue"], *lags))
    found = {(row["month"], row["list_id"], row["offer_id"]): row for row in mart(path, "revenue_windows")}
    assert found.keys() == groups.keys()
    for key, rows in groups.items():
        wanted = windows(((amount, lag) for amount, lag, _ in rows), "from_send")
        wanted |= windows(((amount, lag) for amount, _, lag in rows), "from_click")
        wanted |= {"conversions": len(rows), "revenue": sum((amount for amount, *_ in rows), NOTHING)}
        assert {name: found[key][name] for name in wanted} == wanted, key
        for since in ("from_send", "from_click"):
            parts = (found[key][f"{since}_{part}"] for part in ("90d", "later", "unknown"))
            assert sum(parts) == wanted["revenue"]


def test_hours_of_the_day_are_those_of_the_send(imported: tuple[Path, list[Row]]) -> None:
    """In UTC, whatever zone the reader is in: sends, clicks and money by how long after."""
    path, records = imported
    groups: defaultdict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for message in followed(records).values():
        if message["sends"]:
            groups[message["list_id"], message["sent_at"] and message["sent_at"].hour].append(message)
    found = {(row["list_id"], row["hour"]): row for row in mart(path, "send_hours")}
    assert found.keys() == groups.keys()
    for key, messages in groups.items():
        row = found[key]
        earned = [
            (one["revenue"], hours(message["sent_at"], one["happened_at"]))
            for message in messages
            for one in message["revenue"]
        ]
        clicked = sum(bool(message["clicks"]) for message in messages)
        revenue = sum((amount for amount, _ in earned), NOTHING)
        wanted = windows(earned, "from_send") | {
            "sends": len(messages),
            "clicked": clicked,
            "revenue": revenue,
        }
        wanted["converted"] = sum(bool(message["revenue"]) for message in messages)
        assert {name: row[name] for name in wanted} == wanted, key
        assert row["click_rate"] == pytest.approx(clicked / len(messages))
        assert row["revenue_per_send"] == pytest.approx(revenue / len(messages), abs=Decimal("0.0001"))


def test_a_conversion_rate_is_a_share(imported: tuple[Path, list[Row]]) -> None:
    """Of clicks, those that the offer has a conversion of; conversions per click may be more than one."""
    path, records = imported
    clicks = [row for row in records if row["dataset"] == "clicks"]
    earned = [row for row in records if row["dataset"] == "revenue"]
    sold = {(row["message_id"], row["offer_id"]) for row in earned}
    rows = {row["offer_id"]: row for row in mart(path, "offer_performance")}
    for offer, row in rows.items():
        of = [click for click in clicks if click["offer_id"] == offer]
        led = sum((click["message_id"], offer) in sold for click in of)
        assert 0 < row["conversion_rate"] < 1
        assert row["conversion_rate"] == pytest.approx(led / len(of))
        conversions = sum(one["offer_id"] == offer for one in earned)
        assert row["conversions_per_click"] == pytest.approx(conversions / len(of))
    assert max(row["conversions_per_click"] for row in rows.values()) > 1


def answer(path: Path, question: str) -> list[Row]:
    """What the query answers that stands below a question in docs/query.md."""
    _, _, rest = QUESTIONS.read_text(encoding="utf-8").partition(question)
    sql = rest.partition("```sql\n")[2].partition("```")[0]
    return named_rows(path, sql)


def test_documented_questions_about_money(imported: tuple[Path, list[Row]]) -> None:
    """Revenue by list and month, and what offers earn after 7 days."""
    path, records = imported
    messages = followed(records)
    by_month: defaultdict[dt.date | None, Decimal] = defaultdict(Decimal)
    late: defaultdict[str, Decimal] = defaultdict(Decimal)
    for message in messages.values():
        for row in message["revenue"]:
            at, lag = row["happened_at"], hours(message["sent_at"], row["happened_at"])
            by_month[at and at.date().replace(day=1)] += row["revenue"]
            late[row["offer_id"]] += row["revenue"] if lag is not None and lag > 7 * 24 else NOTHING
    found: defaultdict[dt.date | None, Decimal] = defaultdict(Decimal)
    for row in answer(path, "by its own month"):
        found[row["month"]] += row["revenue"]
    assert found == by_month
    offers = answer(path, "Which offers still earn after 7 days?")
    assert {row["offer_id"]: row["after_7_days"] for row in offers} == late
    assert [row["after_7_days"] for row in offers] == sorted(late.values(), reverse=True)


def test_documented_questions_about_people_and_sends(imported: tuple[Path, list[Row]]) -> None:
    """Who bought twice on whatever list, the best hour, and the kind of send that converts best."""
    path, records = imported
    bought: defaultdict[str, int] = defaultdict(int)
    for phone, _, _, conversions in CONTACTS:
        bought[phone] += conversions
    assert [(row["phone_number"], row["conversions"]) for row in answer(path, "Who bought twice")] == [
        ("+15550000003", 3), ("+15550000001", 2),
    ]  # fmt: skip
    sent = [message for message in followed(records).values() if message["sends"]]
    earned: defaultdict[int, list[Decimal]] = defaultdict(list)
    for message in sent:
        if message["sent_at"]:
            lags = [
                (row["revenue"], hours(message["sent_at"], row["happened_at"])) for row in message["revenue"]
            ]
            within = sum((amount for amount, lag in lags if earned_within(lag, 7 * 24)), NOTHING)
            earned[message["sent_at"].hour].append(within)
    best = max(earned, key=lambda hour: sum(earned[hour]) / len(earned[hour]))
    assert answer(path, "What is the best hour to send?")[0]["hour"] == best
    kinds = {row["send_type"]: row for row in answer(path, "Which kind of send converts best?")}
    for kind in ("campaign", "flow", None):
        of = [message for message in sent if message["sends"]["send_type"] == kind]
        clicked = [message for message in of if message["clicks"]]
        assert kinds[kind]["sends"] == len(of)
        assert kinds[kind]["click_rate"] == pytest.approx(len(clicked) / len(of))
        rate = sum(bool(message["revenue"]) for message in clicked) / len(clicked)
        assert kinds[kind]["conversion_rate"] == pytest.approx(rate)
