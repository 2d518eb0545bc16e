"""Files that are corrected after their rows were sent: what is published of them stays what the account was given."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from beginnings import seeded
from histories import active_offer, clicks_of, sends_to, write_rows
from oracle import query
from pydantic import SecretStr

from pipelines.errors import ServiceError
from pipelines.pull.run import pull
from pipelines.push.audit.archive.files import archive_folder, archived
from pipelines.push.audit.publish.publish import publish_imports
from pipelines.push.outcomes import Outcome
from pipelines.push.resolve import acknowledge_differing, differing_rows, in_doubt, resolve
from pipelines.push.run import PushReport, push
from pipelines.push.stage.database import stage_path
from pipelines.report.figures import figures
from pipelines.sandbox import Account, Fault, running
from pipelines.settings import Settings
from pipelines.warehouse.swap import reading
from schemas.own_tables.imports import FACTS
from schemas.registry import PUSHED

Row = dict[str, Any]
ALL = list(PUSHED)
FACT_NAMES = ", ".join(field.name for field in FACTS)
SECRET = "a secret that nobody can guess"  # noqa: S105 - the tests' own


def history_of(account: Account) -> dict[str, list[Row]]:
    offer = active_offer(account)
    sends = [
        {**row, "message": f"Deal {n}", "send_type": "campaign", "delivered": True}
        for n, row in enumerate(sends_to(account.contacts(), 4))
    ]
    revenue = [
        {
            "message_id": row["id"],
            "offer_id": offer,
            "record_id": f"r{n}",
            "revenue": 84.99 + n,
            "payout": 2.25,
            "timestamp": "2024-05-02T10:00:00Z",
        }
        for n, row in enumerate(sends)
    ]
    return {"sends": sends, "clicks": clicks_of(sends, offer, "2024-05-01T11:00:00Z"), "revenue": revenue}


def corrected(account: Account, rows: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """The same rows, of which all but the last of each file say something else in one field."""
    offers = [str(offer["id"]) for offer in account.offers if offer["status"] == "active"]
    lists = [row["phone_number"] for row in account.lists]
    other = next(number for number in lists if number not in {row["list_number"] for row in rows["sends"]})
    later = "2025-01-09T08:00:00Z"
    changes: dict[str, list[Row]] = {
        "sends": [
            {"list_number": other},
            {"timestamp": later, "message": "Other"},
            {"to_number": "+15559998888"},
        ],
        "clicks": [{"offer_id": offers[1]}, {"timestamp": later}, {"phone_number": "+15559998888"}],
        "revenue": [
            {"revenue": 2000, "payout": 900},
            {"timestamp": later, "offer_id": offers[1]},
            {"message_id": "m000003"},
        ],
    }
    return {
        name: [row | change for row, change in zip(rows[name], [*some, {}], strict=True)]
        for name, some in changes.items()
    }


def published(settings: Settings) -> dict[str, Any]:
    """What every mart of imported rows has, and the figures of the report."""
    of_imports = (
        "SELECT view_name FROM duckdb_views() WHERE schema_name = 'marts'"
        " AND (contains(sql, 'imports.records') OR contains(sql, 'imported_') OR view_name = 'send_hours')"
        " AND view_name NOT IN ('freshness', 'import_outcomes')"  # times of runs, counts of rows
    )
    with reading(settings.warehouse) as connection:
        names = [name for (name,) in connection.execute(of_imports).fetchall()]
        assert {"people", "funnel", "imported_daily", "offer_performance", "revenue_windows"} < set(names)
        marts = {
            name: connection.execute(f"SELECT * FROM marts.{name} ORDER BY ALL").fetchall() for name in names
        }
    of_report = figures(settings.warehouse)
    return marts | {name: of_report[name] for name in ("revenue", "earned", "progress", "imported_since")}


def records(settings: Settings) -> list[tuple[Any, ...]]:
    """What is published of each row but for its place."""
    columns = f"dataset, identity, message_id, outcome, attempt, {FACT_NAMES}"
    return query(settings.warehouse, f"SELECT {columns} FROM imports.records ORDER BY 1, 2")


def of_account(account: Account, rows: dict[str, list[Row]]) -> dict[str, Decimal]:
    """What the account has of our sales, by the number of the list of their sends as it was given them."""
    ours = {row["id"]: row for row in rows["sends"]}
    sums: dict[str, Decimal] = {}
    for row in account.revenue:
        if row.get("message_id") in ours:
            number = account.sends[row["message_id"]]["list_number"]
            sums[number] = sums.get(number, Decimal(0)) + Decimal(str(row["revenue"]))
    return sums


def test_what_is_published_of_a_corrected_row_is_what_the_account_was_given(
    settings_of: Callable[..., Settings], tmp_path: Path
) -> None:
    """Records, marts and report stay as they were, acknowledged or not; where a row stands is by the file."""
    account = seeded(60)
    with running(account) as server:
        settings = settings_of(
            server.url, tmp_path / "data", keep_messages=True, hash_phones=SecretStr(SECRET)
        )
        rows = history_of(account)

        def push_all(files: dict[str, list[Row]]) -> PushReport:
            for name in ALL:
                write_rows(settings.history / f"{name}.ndjson", files[name])
            return push(settings, ALL)

        push_all(rows)
        pull(settings, ("contacts", "lists", "offers", "revenue"), "r")
        facts, before = records(settings), published(settings)
        assert push_all(corrected(account, rows)).differing == dict.fromkeys(ALL, 3)
        assert records(settings) == facts
        after = published(settings)
        assert [name for name in before if after[name] != before[name]] == []
        by_list = (
            "SELECT records.list_number, sum(earned.revenue) FROM imports.records JOIN"
            " (SELECT message_id, revenue FROM imports.records WHERE dataset = 'revenue') AS earned"
            " USING (message_id) WHERE dataset = 'sends' GROUP BY 1"
        )
        assert dict(query(settings.warehouse, by_list)) == of_account(account, rows)
        places = "SELECT count(*), count(DISTINCT file), count(line), bool_and(in_input) FROM imports.records"
        assert query(settings.warehouse, f"{places} WHERE differs") == [(9, 3, 9, True)]
        fields = {row.identity: row.fields for row in differing_rows(settings, ["revenue"])}
        assert fields == {
            "record:r0": ("revenue", "payout"),
            "record:r1": ("timestamp", "offer_id"),
            "record:r2": ("message_id",),
        }
        acknowledge_differing(settings, ALL, "a correction")
        assert records(settings) == facts
        for name in ALL:  # a stage of an older program has what differs alone
            with duckdb.connect(str(stage_path(settings, name))) as stage:
                stage.execute("DROP TABLE corrected; UPDATE version SET version = 12")
        publish_imports(settings)
        assert records(settings) == facts


def test_what_was_corrected_after_a_call_without_an_answer_is_what_the_account_has(
    settings_of: Callable[..., Settings], tmp_path: Path
) -> None:
    """A send keeps its first values where they had arrived, else has those that it was sent with again.

    Revenue in doubt has the amount that its call had, also once a person has settled it. The ledger alone has that
    of what an older program sent.
    """
    account = seeded(60)
    account.revenue.clear()
    rows = history_of(account)
    send, sale = rows["sends"][0], {**rows["revenue"][0], "message_id": "arrived"}
    other = rows["sends"][1]["list_number"]
    contacts = account.contacts_of(send["to_number"])

    def hide(*_: Any) -> None:
        for row in contacts:
            row["revenue_total"] = None

    def reveal(*_: Any) -> None:
        for row in contacts:
            row["revenue_total"] = 0.0

    with running(account) as server:
        settings = settings_of(server.url, tmp_path / "data", retry_seconds=0.0)

        def push_all(name: str, rows: list[Row]) -> None:
            write_rows(settings.history / f"{name}.ndjson", rows)
            push(settings, [name])

        def shown(name: str, columns: str) -> list[tuple[Any, ...]]:
            of_input = f"FROM imports.records WHERE dataset = '{name}' AND in_input ORDER BY identity"
            return query(settings.warehouse, f"SELECT {columns} {of_input}")

        # of the first call one row arrives, of the second none, and the third has an answer
        sends = [{**send, "id": name} for name in ("arrived", "did-not")]
        for kind, number in (("half", send["list_number"]), ("reset-before", other)):
            server.faults.active = [Fault(kind, path="sends")]
            with pytest.raises(ServiceError):
                push_all("sends", [{**row, "list_number": number} for row in sends])
            assert shown("sends", "outcome, list_number") == [("pending", send["list_number"])] * 2
        server.faults.active = []
        push_all("sends", [{**row, "list_number": other} for row in sends])
        given = [(row["id"], row["list_number"]) for row in account.sends.values()]
        assert given == [("arrived", send["list_number"]), ("did-not", other)]
        assert shown("sends", "identity, list_number") == given
        assert shown("sends", "differs") == [(True,), (False,)]
        acknowledge_differing(settings, ["sends"], "a correction")  # else its revenue would wait

        server.faults.active = [Fault("reset-after", path="revenue", times=1)]
        account.before_request, account.refuse = hide, reveal
        amount = Decimal(str(sale["revenue"]))
        push_all("revenue", [sale])
        push_all("revenue", [{**sale, "revenue": 2000}])
        assert shown("revenue", "outcome, revenue") == [("in_doubt", amount)]
        resolve(settings, [in_doubt(settings)[0].identity], Outcome.ACCEPTED, "seen in the account")
        assert shown("revenue", "outcome, revenue") == [("accepted", amount)]
        assert [row["revenue"] for row in account.revenue] == [sale["revenue"]]

        # an older program kept no digest and archived nothing
        with closing(sqlite3.connect(settings.data_dir / "ledger.db")) as ledger, ledger:
            ledger.execute("UPDATE push_rows SET content = NULL WHERE dataset = 'revenue'")
        for path in (*archived(archive_folder(settings, "revenue")), settings.warehouse):
            path.unlink()
        push_all("revenue", [{**sale, "revenue": 3000}])
        as_sent = "SELECT message_id, revenue, differs FROM imports.records WHERE dataset = 'revenue'"
        assert query(settings.warehouse, as_sent) == [("arrived", amount, True)]
        settings.warehouse.unlink()
        stage_path(settings, "revenue").unlink()
        publish_imports(settings)
        assert query(settings.warehouse, as_sent) == [("arrived", amount, False)]
