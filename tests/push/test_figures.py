"""What a run did is on record with it: rows sent, accepted, left out and pending of this run, not of all runs."""

import inspect
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from oracle import query

from pipelines.alerts.after_run import conditions
from pipelines.cli.commands.push_dry_run import show_plans
from pipelines.cli.commands.push_results import of_period, show_push
from pipelines.cli.commands.resolve import ByHand
from pipelines.cli.commands.resolve import resolve as resolve_command
from pipelines.cli.terminal.results import push_notes
from pipelines.errors import AccessError, BusyError, StorageError, TracklySyncError, UsageError
from pipelines.pull.rollback import replay, rollback
from pipelines.pull.run import pull
from pipelines.push.audit.adopt.adopt import adopt
from pipelines.push.audit.alerts import push_conditions
from pipelines.push.ledger.lock import push_lock
from pipelines.push.ledger.status import outcomes
from pipelines.push.outcomes import Outcome
from pipelines.push.resolve import acknowledge, acknowledge_differing, resolve
from pipelines.push.run import intake, plan, push, send
from pipelines.run_records.summary import Run, latest_runs
from pipelines.runs.recording import newest
from pipelines.sandbox import Account, Fault, Server, seed_account
from pipelines.settings import Settings

Row = dict[str, Any]
Write = Callable[[str, list[Row]], Path]
Some = Callable[[int], list[Row]]


@pytest.fixture
def account() -> Account:
    """A small account: it is read several times."""
    return seed_account(contacts=60)


def last(settings: Settings) -> Run:
    return latest_runs(settings.data_dir, 1)[0][0]


def moved(settings: Settings) -> tuple[int, int, int, int, int]:
    """Of the last run: rows, sent, accepted, left out, pending."""
    run = last(settings)
    return run.rows, run.sent, run.accepted, run.left_out, run.pending


def alerting(settings: Settings) -> set[str]:
    return {c.name for c in conditions(settings, outcomes, push_conditions) if c.firing} - {"low:disk"}


JUNE = (datetime(2024, 6, 1, tzinfo=UTC), datetime(2024, 7, 1, tzinfo=UTC))


def test_a_run_shows_what_it_did_and_a_push_of_a_month_counts_its_rows(
    account: Account, settings: Settings, write: Write, some_sends: Some, offer: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Sent once, it is no figure of the next push; what the account refused is sent again where that is asked for.

    Rows of other months are neither left out nor pending of a push of a month; a row without a time is of none. A
    click whose send is of another month waits for that, and the remedy is to push it.
    """
    sends = some_sends(30)
    for row in sends[:12]:
        row["timestamp"] = "2024-06-02T10:00:00Z"
    bad = [{**sends[0], "id": "b1", "to_number": "1"}, {**sends[20], "id": "b2", "to_number": "1"}]
    write("sends.ndjson", [*sends, *bad])
    click = {"message_id": sends[20]["id"], "offer_id": offer, "phone_number": sends[20]["to_number"]}
    write("clicks.ndjson", [{**click, "timestamp": "2024-06-04T00:00:00Z"}])
    done = push(settings, ["sends", "clicks", "revenue"], between=JUNE)
    assert last(settings).what == "push all of 2024-06"
    assert moved(settings) == (12, 12, 12, 2, 0)
    left_out = "SELECT dataset, left_out FROM marts.freshness WHERE direction = 'push' ORDER BY ALL"
    assert query(settings.warehouse, left_out) == [("clicks", 1), ("revenue", 0), ("sends", 2)], (
        "18 are pending"
    )
    comes = "parked: message_id: its send is in the input and still to be sent: trackly-sync push"
    assert done.reasons["clicks"] == {comes: 1}
    assert "for rows whose sends are still to be sent: trackly-sync push" in push_notes(done.outcomes)[-1]
    none = (datetime(2031, 1, 1, tzinfo=UTC), datetime(2031, 2, 1, tzinfo=UTC))
    show_push(settings, of_period(settings, done, none), 1.0, "2031-01", as_json=False)
    assert "No row of the input is of 2031-01." in capsys.readouterr().out
    assert query(settings.warehouse, "SELECT DISTINCT month FROM sync.runs WHERE sent > 0") == [("2024-06",)]

    refused = {sends[24]["id"], sends[25]["id"]}
    account.refuse = lambda _, row: ("list_not_found", "No such list") if row["id"] in refused else None
    push(settings, ["sends"])
    assert (last(settings).what, moved(settings)) == ("push sends", (18, 18, 16, 4, 0))
    push(settings, ["sends"], between=(JUNE[0], JUNE[1].replace(day=2)))
    assert last(settings).what == "push sends of 2024-06-01T00:00:00+00:00 to 2024-07-02T00:00:00+00:00"
    assert moved(settings) == (0, 0, 0, 1, 0), "the bad row was held back again, and nothing was sent"
    account.refuse = None
    push(settings, ["sends"], retry_rejected=True)
    assert moved(settings) == (2, 2, 2, 2, 0)
    record = next(newest(settings.data_dir))
    assert json.loads(bytes(record.details))["input"]["accepted"] == 30, (
        "how the input stands has its own place"
    )
    stored = query(
        settings.warehouse, "SELECT rows, sent, accepted, left_out, pending FROM sync.runs"
        " WHERE activity = 'push sends' ORDER BY started_at",
    )  # fmt: skip
    assert stored == [(12, 12, 12, 1, 0), (18, 18, 16, 4, 0), (0, 0, 0, 1, 0), (2, 2, 2, 2, 0)]
    show_plans(plan(settings, ["sends"]), lambda *_: 3, as_json=False, show_values=False)
    assert "Nothing was sent. There is nothing to send." in capsys.readouterr().out


def test_a_push_that_fails_or_cannot_publish_shows_how_far_it_came(
    account: Account, settings: Settings, write: Write, some_sends: Some
) -> None:
    """What is in the account from before is none of it; rows of calls that were refused were not sent.

    Who reads that nothing was changed, where outcomes cannot be published, would begin from scratch; what failed
    before is named with it.
    """
    write("sends.ndjson", some_sends(3))
    push(settings, ["sends"])
    write("sends.ndjson", some_sends(20))
    account.suspended = True
    with pytest.raises(AccessError):
        push(settings, ["sends"])
    assert (last(settings).status, moved(settings)) == ("failed", (0, 0, 0, 0, 17))
    in_the_way = settings.warehouse.with_name(f".{settings.warehouse.name}.building")
    in_the_way.mkdir()
    with pytest.raises(StorageError) as refused:
        push(settings, ["sends"])
    assert "suspended" in refused.value.message
    assert "Nothing was sent. The warehouse was not rebuilt: Cannot " in refused.value.message
    account.suspended = False
    with pytest.raises(StorageError) as unpublished:
        push(settings, ["sends"])
    assert len(account.sends) == 20
    assert unpublished.value.message.startswith(
        "17 rows were sent; the ledger has each of them, and none is sent"
    )
    assert "nothing was" not in str(unpublished.value)
    run = last(settings)
    assert (run.status, run.sent, run.accepted) == ("failed", 17, 17)
    assert run.errors == [str(unpublished.value)]
    assert alerting(settings) == {"failed:push sends", "behind:warehouse"}
    in_the_way.rmdir()
    write("sends.ndjson", some_sends(50))
    push(settings, ["sends"])
    assert (last(settings).status, alerting(settings)) == ("succeeded", set())
    assert moved(settings) == (30, 30, 30, 0, 0)
    assert len(account.sends) == 50


@pytest.mark.parametrize(
    ("begin", "what", "activity"),
    [
        (lambda given: push(given, ["revenue", "sends", "clicks"]), "push all", "push sends"),
        (lambda given: push(given, ["clicks", "sends"], between=JUNE), "push sends clicks of 2024-06", "push sends"),
        (lambda given: send(given, ["clicks"], between=JUNE), "push clicks of 2024-06", "push clicks"),
        (lambda given: intake(given, ["sends"]), "take in sends", "take in sends"),
    ],
    ids=["push", "months", "send", "intake"],
)  # fmt: skip
def test_a_push_that_may_not_begin_is_on_record_as_failed(
    settings: Settings,
    write: Write,
    some_sends: Some,
    begin: Callable[[Settings], object],
    what: str,
    activity: str,
) -> None:
    """Else scheduled pushes could be refused for weeks and nobody would notice; a slip of the caller is no run."""
    with pytest.raises(UsageError):
        begin(settings) if activity.startswith("take") else push(settings, ["sends"])
    assert latest_runs(settings.data_dir, 1) == ([], False)
    write("sends.ndjson", some_sends(1))
    with push_lock(settings.data_dir), pytest.raises(BusyError) as refused:
        begin(settings)
    run = last(settings)
    assert (run.status, run.what, run.errors) == ("failed", what, [str(refused.value)])
    assert alerting(settings) == {f"failed:{activity}"}
    assert not run.is_push


def test_revenue_that_is_settled_by_reading_counts_where_it_was_settled(
    account: Account, server: Server, settings: Settings, write: Write, some_sends: Some, offer: str
) -> None:
    """Rows without an answer are left out of the run that sent them, and accepted in the run that found them.

    A push of a month counts those of the month, and names the others.
    """
    write("sends.ndjson", some_sends(3))
    sales = [
        {"record_id": f"r{n}", "message_id": f"m{n:06}", "offer_id": offer, "revenue": 5 + n, "timestamp": at}
        for n, at in enumerate(("2024-05-20T00:00:00Z", "2024-06-02T00:00:00Z", "2024-06-03T00:00:00Z"))
    ]
    for offers in account.offers:
        offers["external_platform"] = None
    write("revenue.ndjson", sales)
    count = len(account.revenue)

    def suspend(_: int, account: Account) -> None:
        account.suspended = len(account.revenue) > count

    account.before_request = suspend  # no reading follows
    server.faults.active.append(Fault("reset-after", path="revenue", times=1))
    with pytest.raises(AccessError):
        push(settings, ["sends", "revenue"])
    (record, *_) = newest(settings.data_dir)
    assert (record.sent, record.accepted, record.left_out, record.pending) == (2, 0, 2, 1)
    account.before_request, account.suspended = None, False
    push(settings, ["revenue"], between=(datetime(2024, 6, 1, tzinfo=UTC), datetime(2024, 7, 1, tzinfo=UTC)))
    assert moved(settings) == (1, 1, 2, 0, 0)
    assert (last(settings).settled, last(settings).settled_other_months) == (1, 1)
    assert (
        last(settings).figures
        == "1 sent, 2 accepted (1 of them sent earlier), 1 of other months found accepted"
    )
    assert len(account.revenue) == count + 3


def test_what_a_person_decides_is_a_run(
    account: Account, server: Server, settings: Settings, write: Write, some_sends: Some, offer: str,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Rollback, replay, adopt and resolve are on record in `runs` and at once in sync.runs; a slip is no run."""

    def shown() -> tuple[str, str, int | None]:
        latest = next(newest(settings.data_dir))
        ((run, rows),) = query(
            settings.warehouse, "SELECT run, rows FROM sync.runs ORDER BY started_at DESC LIMIT 1"
        )
        assert (run, rows) == (latest.run, latest.rows), "sync.runs has it already"
        return latest.activity, latest.status, latest.rows

    pull(settings, ["lists"], "r1")
    account.lists[0]["list_name"] = "other"
    pull(settings, ["lists"], "r2")
    rollback(settings, "lists", "r3")
    assert shown() == ("rollback lists", "succeeded", len(account.lists))
    replay(settings, "lists", "r4")
    assert shown() == ("replay lists", "succeeded", 0)
    adopt(settings)
    assert shown() == ("adopt", "succeeded", 0)

    contact = account.contacts()[0]
    for offers in account.offers:
        offers["external_platform"] = None
    write("sends.ndjson", some_sends(1))
    write("revenue.ndjson", [{"record_id": "r", "message_id": "m000000", "offer_id": offer, "revenue": 3}])
    count = len(account.revenue)

    def delete(_: int, account: Account) -> None:
        if len(account.revenue) > count:
            account.remove_contact((contact["phone_number"], contact["list_id"]))

    account.before_request = delete
    server.faults.active.append(Fault("reset-after", path="revenue", times=1))
    push(settings, ["sends", "revenue"])
    with pytest.raises(TracklySyncError, match="not in doubt; nothing was resolved"):
        resolve(settings, ["record:r", "record:other"], Outcome.ACCEPTED, "a slip")
    with pytest.raises(TracklySyncError, match="No alarm 7 is open"):
        acknowledge(settings, 7, "a slip")
    assert next(newest(settings.data_dir)).activity == "push revenue"
    resolve(settings, ["record:r"], Outcome.ACCEPTED, "seen")
    monkeypatch.setenv("TRACKLY_DATA_DIR", str(settings.data_dir))
    assert inspect.unwrap(resolve_command)(every=True, outcome=ByHand.PENDING, reason="none is left") == 0
    assert capsys.readouterr().out == "No row is in doubt; nothing was changed.\n"
    assert shown() == ("resolve", "succeeded", 1)
    assert next(newest(settings.data_dir)).accepted == 1
    number = len(list(newest(settings.data_dir)))
    assert acknowledge_differing(settings, ["sends"], "corrected") == {"sends": 0}
    assert len(list(newest(settings.data_dir))) == number, "a decision about nothing is no run"
    assert "seen" not in "".join(path.read_text() for path in (settings.data_dir / "runs").iterdir())
