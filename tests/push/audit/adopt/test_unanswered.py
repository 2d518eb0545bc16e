"""Revenue that is taken over and had no answer, or was rejected: what counts of it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from beginnings import Beginning, seeded
from lost_ledgers import Row, change, copy_ledger, restore, rows_of
from oracle import query, restore_key

from pipelines.errors import AccessError
from pipelines.push.audit.adopt.adopt import _is_believed, adopt
from pipelines.push.audit.alerts import push_conditions
from pipelines.push.audit.publish.publish import publish_imports
from pipelines.push.ledger.queries.revenue.adopt import Unsure
from pipelines.push.ledger.status import outcomes
from pipelines.push.outcomes import UNREAD, Outcome, Outcomes
from pipelines.push.resolve import in_doubt, resolve
from pipelines.push.run import intake, push
from pipelines.sandbox import Account, Fault, Server
from pipelines.settings import Settings

Write = Callable[[str, list[Row]], Path]
Some = Callable[[int], list[Row]]
BOTH = ("sends", "revenue")


@pytest.fixture
def account() -> Account:
    """As that of `one_in_doubt`."""
    return seeded(120)


def test_what_had_no_answer_is_in_doubt(
    account: Account, server: Server, settings: Settings, write: Write, some_sends: Some, offer: str
) -> None:
    """A call without an answer is not taken for carried out, nor sent again: a person says what it was."""
    account.revenue.clear()
    sends = some_sends(3)
    sends[1] |= {name: sends[0][name] for name in ("to_number", "list_number")}
    write("sends.ndjson", sends)
    write("revenue.ndjson", rows_of(sends, offer, 0, 3))
    server.faults.active.append(Fault("reset-after", path="revenue", times=1))

    def revoke(entity: str, row: Row) -> None:
        """The key, before what was stored can be read."""
        if entity == "revenue":
            copy_ledger(settings, "backup.db", entity, row)
            server.faults.active.append(Fault("revoke", path="contacts"))

    account.refuse = revoke
    with pytest.raises(AccessError):
        push(settings, ["sends", "revenue"])
    account.refuse = None
    server.faults.active.clear()
    restore_key(server)
    doubtful = [doubt.identity for doubt in in_doubt(settings)]
    assert doubtful
    stored = len(account.revenue)
    restore(settings, settings.data_dir / "backup.db")  # where they are under way
    assert adopt(settings).rows == 0
    assert sorted(doubt.identity for doubt in in_doubt(settings)) == sorted(doubtful)
    restore(settings, None)
    done = adopt(settings)
    assert done.in_doubt == len(doubtful)
    promised = "SELECT code, reason FROM imports.records WHERE outcome = 'in_doubt'"
    by_hand = [("no_reading", UNREAD)] * len(doubtful)
    assert query(settings.warehouse, promised) == by_hand, "no push settles them, and none is said to"
    assert [(doubt.code, doubt.evidence) for doubt in in_doubt(settings)] == by_hand
    counted = [condition.figures for judge in push_conditions for condition in judge(settings)]
    assert {"by_hand": len(doubtful)} in counted
    push(settings, ("sends", "revenue"))
    assert query(settings.warehouse, promised) == by_hand
    assert [(doubt.code, doubt.amount is None) for doubt in in_doubt(settings)] == [
        ("no_reading", False)
    ] * len(doubtful)
    change(settings.data_dir / "ledger.db", "UPDATE push_rows SET amount = NULL WHERE outcome = 'in_doubt'")
    assert [doubt.amount for doubt in in_doubt(settings)] == [None] * len(doubtful), "not 0: it is not known"
    resolve(settings, doubtful, Outcome.ACCEPTED, "seen in the account")
    assert outcomes(settings)["revenue"] == Outcomes(3, accepted=3)
    # two of the three are of one contact, and so one of them was not sent at first
    assert (len(doubtful), stored, len(account.revenue)) == (2, 2, 3)


def test_what_was_corrected_while_it_was_in_doubt_is_taken_over_as_it_was_sent(
    account: Account, server: Server, settings: Settings, write: Write, some_sends: Some, offer: str
) -> None:
    """One says another amount by then, and one another time: both are in the account, and differ from their file."""
    account.revenue.clear()
    sends = some_sends(4)[1:]
    write("sends.ndjson", sends)
    sales = rows_of(sends, offer, 0, 3)
    later = "2024-07-01T00:00:00Z"
    given = [sales, [{**sales[0], "revenue": 9}, {**sales[1], "timestamp": later}, sales[2]]]
    faults = server.faults.active
    faults.append(Fault("reset-after", path="revenue", times=1))
    steps = zip(given, (BOTH, ["revenue"]), (1, 0), strict=True)
    for rows, datasets, readings in steps:  # none can look for them
        write("revenue.ndjson", rows)
        faults.append(Fault("revoke", path="contacts", skip=readings))
        with pytest.raises(AccessError):
            push(settings, datasets)
        faults.clear()
        restore_key(server)
    restore(settings, None)
    settings.warehouse.unlink()
    adopt(settings)
    resolve(
        settings, [doubt.identity for doubt in in_doubt(settings)], Outcome.ACCEPTED, "seen in the account"
    )
    push(settings, BOTH)
    records = "FROM imports.records WHERE dataset = 'revenue' ORDER BY revenue"
    shown = query(settings.warehouse, f"SELECT revenue::DOUBLE, month(happened_at), differs {records}")
    assert shown == [
        (sale["revenue"], 5, differs) for sale, differs in zip(sales, (True, True, False), strict=True)
    ]
    assert sorted(row["revenue"] for row in account.revenue) == [sale["revenue"] for sale in sales]


def test_a_sale_is_not_taken_for_the_one_that_a_person_called_absent(
    account: Account, settings: Settings, write: Write, some_sends: Some, offer: str, one_in_doubt: Beginning
) -> None:
    """Exported again under another id it is sent, and what it adds to its contact is its own.

    Corrected before, it is published as its file has it, since so it would be sent; without it as it was sent.
    Its send calls the list by its number, and no contacts were pulled, that would tell its id.
    """
    one_in_doubt.restore(account, settings)
    (sale,) = rows_of(some_sends(1), offer, 0, 1)
    records = "SELECT outcome, revenue::DOUBLE FROM imports.records WHERE dataset = 'revenue' ORDER BY ALL"
    lost = [doubt.identity for doubt in in_doubt(settings)]
    restore(settings, None)
    adopt(settings)
    resolve(settings, lost, Outcome.PENDING, "not in the account")
    write("revenue.ndjson", [{**sale, "revenue": 9}])
    intake(settings, ["revenue"])
    publish_imports(settings)
    assert query(settings.warehouse, records) == [("pending", 9)]
    (settings.history / "revenue.ndjson").unlink()
    write("revenue-2.ndjson", [{**sale, "record_id": f"new {sale['record_id']}"}])
    push(settings, BOTH, wait=False)
    amount = sale["revenue"]
    assert query(settings.warehouse, records) == [("accepted", amount), ("pending", amount)]
    assert [row["revenue"] for row in account.revenue] == [amount]


@pytest.mark.parametrize(
    ("outcome", "is_in_doubt", "minute", "believed"),
    [
        ("accepted", False, 9, True),
        ("duplicate", True, 9, True),
        ("rejected", True, 0, True),
        ("rejected", True, 9, False),
        ("rejected", False, 0, False),
    ],
)
def test_a_row_that_was_rejected_may_have_been_tried_again(
    outcome: str, is_in_doubt: bool, minute: int, believed: bool
) -> None:
    """So that outcome counts only for the very call that has no answer in the ledger."""
    at = datetime(2024, 5, 2, 10, tzinfo=UTC)
    row = {"outcome": outcome, "intended_at": at + timedelta(minutes=minute)}
    assert _is_believed(row, Unsure("r1", 1, at.isoformat(), is_in_doubt)) is believed
