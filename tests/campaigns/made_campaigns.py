"""A warehouse with hundreds of creatives, audiences and schedules, made of rows, without an account."""

import datetime as dt
import json
import random
from decimal import Decimal
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
from campaigns.audience_oracle import NOW, some_contact, some_filter

from pipelines.campaigns.publish import note_campaigns
from pipelines.settings import Settings
from pipelines.warehouse.structure.tables import complete
from pipelines.warehouse.structure.views import create_views
from pipelines.warehouse.swap import replacing
from schemas.columns import Field, Kind
from schemas.derived.arrow import TYPES
from schemas.own_tables.pull_columns import BOOKKEEPING
from schemas.own_tables.sync import Consistency, Manifest
from schemas.registry import PULLED

Row = dict[str, Any]
TODAY = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MESSAGES = (
    "Sale today {{link1}}",
    "Sale today\u2014{{link1}}",
    "Hi {{first_name}}, [only] for you {{ link1 }} or {{link2}}",
    "x" * 103 + "{{link1}}",
    "x" * 104 + "{{link1}}",
    "\U0001f600 {{link1}} and what there is to say of it today",
    "no link",
)


def warehouse_of(settings: Settings, rows: dict[str, list[Row]], *, pulled: bool = True) -> None:
    """Publish rows by dataset; what a row does not say is null. All that is named counts as pulled."""
    with replacing(settings.warehouse) as connection:
        complete(connection)
        for name, some in rows.items():
            dataset = PULLED[name]
            fields = (*dataset.fields, *BOOKKEEPING.fields)
            known = {"synced_at": NOW, "snapshot": "made", "page": 0}
            connection.register("made", _arrow(fields, [known | row for row in some]))
            connection.execute(f"DELETE FROM main.{name}; INSERT INTO main.{name} BY NAME FROM made")
            connection.execute(f"DELETE FROM sync.snapshots WHERE dataset = '{name}'")
            if pulled:
                _note_pulled(connection, name, len(some))
        create_views(connection)
        note_campaigns(connection, settings, rows)


def _note_pulled(connection: duckdb.DuckDBPyConnection, name: str, rows: int) -> None:
    at = NOW.isoformat()
    manifest = Manifest(
        dataset=name,
        snapshot="made",
        run="run",
        started_at=at,
        finished_at=at,
        rows=rows,
        quarantined=0,
        consistency=Consistency.EXACT,
    )
    row = msgspec.to_builtins(manifest) | {"published": True, "path": "", "quarantine_path": ""}
    columns = ", ".join(f"{name}" for name in row)
    connection.execute(
        f"INSERT INTO sync.snapshots ({columns}) VALUES ({', '.join('?' * len(row))})", list(row.values())
    )


def _arrow(fields: tuple[Field, ...], rows: list[Row]) -> pa.Table:
    """JSON columns as text, whatever a test has put into them."""
    nested = {field.name for field in fields if field.kind is Kind.JSON}
    plain = [
        {
            name: json.dumps(value) if name in nested and value is not None else value
            for name, value in row.items()
        }
        for row in rows
    ]
    return pa.Table.from_pylist(plain, pa.schema([(field.name, TYPES[field.kind]) for field in fields]))


def some_account(chance: random.Random) -> dict[str, list[Row]]:
    """Hundreds of everything, in every state, with references to what is there and to what is not."""
    offers = [
        {
            "id": f"{number:024x}", "name": f"Offer {number}", "slug": f"ofr_{number}" if number % 2 else None,
            "status": chance.choice(["active"] * 5 + ["paused", "archived", "odd", None]),
        }
        for number in range(60)
    ]  # fmt: skip
    lists = [
        {
            "id": number, "list_name": f"List {number}", "phone_number": f"+1555999000{number}",
            "status": chance.choice(["active"] * 4 + ["paused", "suspended", "deleted"]) if number > 3 else "active",
        }
        for number in range(1, 9)
    ]  # fmt: skip
    audiences = [some_audience(chance, number) for number in range(100)]
    contacts = [some_contact(chance, number) for number in range(900)]
    return {
        "offers": offers,
        "lists": lists,
        "contacts": [_row_of(contact) for contact in contacts],
        "creatives": [some_creative(chance, number) for number in range(300)],
        "audiences": audiences,
        "schedules": [some_schedule(chance, number) for number in range(160)],
    }


def _row_of(contact: Row) -> Row:
    return {**contact, "revenue_total": Decimal(str(contact["revenue_total"]))}


def some_audience(chance: random.Random, number: int) -> Row:
    given = some_filter(chance)
    if number % 20 == 7:
        given = {
            "operator": "AND",
            "conditions": [{"condition_type": "on_dnc", "operator": "eq", "value": True}],
        }
    return {
        "id": f"a{number:023x}",
        "name": f"Audience {number}",
        "source_lists": chance.choice([None, [], [1], [2, 3], [1, 2, 3]]),
        "filter": given,
        "cached_size": chance.choice([None, 0, 10, 125, 1_000]),
        "cached_size_updated_at": chance.choice([None, NOW]),
        "status": chance.choice(["active"] * 8 + ["archived", "odd"]),
    }


def some_links(chance: random.Random) -> list[Row]:
    def ref() -> Any:
        number = chance.randrange(60)
        return chance.choice([f"{number:024x}"] * 4 + [f"ofr_{number}", "offer_abc123", None])

    return [
        {"key": f"link{number}", "offer_id": ref(), "url_params": {}}
        for number in (1, 2)[: chance.randrange(3)]
    ]


def some_creative(chance: random.Random, number: int) -> Row:
    return {
        "id": number,
        "name": f"Creative {number}",
        "message": chance.choice(MESSAGES),
        "offer_links": some_links(chance),
        "status": chance.choice(["active", "active", "paused", "archived"]),
        "creative_type": "automated",
        "segment_count": chance.choice([1, 1, 1, None]),
    }


def some_days(chance: random.Random) -> Any:
    """Named, as the vendor's examples have them, or in that order without names."""
    days = {day: chance.random() < 0.4 for day in WEEKDAYS}
    return chance.choice([days, dict(reversed(days.items())), list(days.values())])


def some_schedule(chance: random.Random, number: int) -> Row:
    repeats = chance.random() < 0.6
    start = TODAY + dt.timedelta(days=chance.randrange(-20, 40))
    blasts = [
        {
            "message": chance.choice(MESSAGES), "percent_audience": share, "variant_name": f"V{position}",
            "offer_links": some_links(chance),
        }
        for position, share in enumerate(chance.choice([[100], [60, 40], [50, 49], []]))
    ]  # fmt: skip
    return {
        "id": f"5{number:023x}",
        "name": f"Schedule {number}",
        "status": chance.choice(["on", "on", "off", "draft", "complete", "archive"]),
        "send_type": chance.choice(["blast", "blast", "blast", "automated"]),
        "source_lists": chance.choice([[], [], None, [1], [2, 1], [2, 4], [4, 5], [77]]),
        "audiences": chance.choice(
            [[f"a{chance.randrange(102):023x}" for _ in range(size)] for size in (1, 1, 2, 0)]
        ),
        "is_repeating": repeats,
        "send_time": chance.choice(["09:30", "10:00", "07:59", "21:00", "21:01", "06:00", "14:30", None]),
        "send_date": None if repeats else start,
        "start_date": start if repeats else None,
        "end_date": chance.choice([None, start + dt.timedelta(days=30)]) if repeats else None,
        "days_of_week": some_days(chance) if repeats else None,
        "skip_within_hours": chance.choice([0, 0, 24, 72, None]),
        "use_local_time": chance.random() < 0.4,
        "is_mms": chance.random() < 0.1,
        "blasts": blasts,
    }
