"""Several machines, each with a data directory and a part of the input of its own, on one PostgreSQL ledger."""

import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from histories import clicks_of, write_rows
from processes import process

from pipelines.errors import BusyError, StorageError
from pipelines.push.audit.reconcile import reconcile
from pipelines.push.ledger.lock import part_lock
from pipelines.push.ledger.opening import open_ledger
from pipelines.push.ledger.status import outcomes
from pipelines.push.outcomes import Outcomes
from pipelines.push.resolve import in_doubt
from pipelines.push.run import push
from pipelines.sandbox import Account, Fault, Server
from pipelines.settings import Settings

Row = dict[str, Any]
ALL = ["sends", "clicks", "revenue"]
PUSH = "from pipelines.push import run\nfrom pipelines.settings import load_settings\n"
PUSH += "run.push(load_settings(), ['sends', 'clicks', 'revenue'])"


def machine(settings: Settings, database: str, number: int) -> Settings:
    """Settings of one machine."""
    folder = settings.data_dir.with_name(f"machine{number}")
    return settings.model_copy(update={"data_dir": folder, "ledger_url": database})


def give(settings: Settings, sends: list[Row], offer: str) -> None:
    """Write a machine's part of the history."""
    settings.history.mkdir(parents=True)
    clicks = clicks_of(sends, offer, "2024-05-03T00:00:00Z")
    sales = [{"message_id": row["id"], "offer_id": offer, "revenue": 2.5} for row in sends]
    for name, rows in (("sends", sends), ("clicks", clicks), ("revenue", sales)):
        (settings.history / f"{name}.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_machines_push_their_parts_at_once_and_one_of_them_is_killed(
    account: Account, settings: Settings, server: Server, database: str,
    some_sends: Callable[[int], list[Row]], offer: str,
) -> None:  # fmt: skip
    """Each row is in the account once, whichever machine sent it, or in doubt for a true reason."""
    account.revenue.clear()
    rows = some_sends(300)
    machines = [machine(settings, database, number) for number in range(3)]
    for number, one in enumerate(machines):
        give(one, rows[number::3], offer)
    server.faults.active.append(Fault("latency", path="history", seconds=0.05))
    pushes = [process(PUSH, one) for one in machines]
    while len(account.revenue) < 40:
        assert any(one.poll() is None for one in pushes)
        time.sleep(0.02)  # or this loop takes the processor from those that it waits for
    pushes[0].kill()
    for one in pushes:
        one.communicate(timeout=900)
    assert [one.returncode for one in pushes[1:]] == [0, 0]
    push(machines[0], ALL)
    # whether another machine's call fell before or after this one's reading of a contact nobody can tell
    doubts = in_doubt(machines[0])
    assert all("another push" in doubt.evidence for doubt in doubts)
    stored = Counter(row["message_id"] for row in account.revenue)
    assert max(stored.values()) == 1
    assert {row["id"] for row in rows} - stored.keys() <= {doubt.message_id for doubt in doubts}
    assert len(account.sends) == len(account.clicks) == 300
    for one in machines:
        found = outcomes(one)
        open_rows = len(doubts) if one is machines[0] else 0
        assert found["revenue"] == Outcomes(100, accepted=100 - open_rows, in_doubt=open_rows)
        assert found["sends"].accepted + found["sends"].duplicate == 100
    assert reconcile(machines[1]).agrees


def test_a_sale_in_two_parts_is_sent_by_one(
    account: Account, settings: Settings, database: str, some_sends: Callable[[int], list[Row]], offer: str
) -> None:
    """What another part has is a duplicate here, and says so; also where its file says something else by now.

    One was sent as 5 and says 6 by now; the other machine's file has the 6 under an id of its own, and it is not
    sent. Whoever puts it back as it was sent, or takes it out, says nothing of another sale.
    """
    rows, corrected = some_sends(33)[:30], some_sends(33)[30:]
    first, second = (machine(settings, database, number) for number in range(2))
    give(first, rows[:20], offer)
    give(second, rows[10:], offer)
    write_rows(first.history / "sends-2.ndjson", corrected)

    def sales(of: Settings, amounts: list[float], day: int) -> None:
        lines = [
            {"record_id": f"{day}-{row['id']}", "message_id": row["id"], "offer_id": offer, "revenue": amount,
             "timestamp": f"2024-05-0{day}T10:00:00Z"}
            for row, amount in zip(corrected, amounts, strict=False)
        ]  # fmt: skip
        write_rows(of.history / "revenue-2.ndjson", lines)

    before = len(account.revenue)
    for amounts, datasets in (
        ([5, 15, 25], ALL),
        ([6, 16, 26], ["revenue"]),
        ([6, 15], ["revenue"]),  # put back, and gone
    ):
        sales(first, amounts, 4)
        push(first, datasets)
    sales(second, [6, 16, 26], 5)
    report = push(second, ALL)
    theirs = Outcomes(23, accepted=10 + 1, duplicate=10, parked=2)
    assert report.outcomes["revenue"] == theirs
    assert "another part of the input" in next(iter(report.reasons["sends"]))
    assert sorted(row["revenue"] for row in account.revenue[before:]) == [*[2.5] * 30, 5, 15, 16, 25]
    assert outcomes(first)["revenue"] == Outcomes(22, accepted=22)
    sales(first, [], 4)
    assert push(first, ["sends", "revenue"]).outcomes["sends"] == Outcomes(23, accepted=23)
    assert push(second, ["revenue"]).outcomes["revenue"] == theirs


def test_rows_that_another_machine_sets_free_during_a_push_have_one_outcome(
    account: Account, settings: Settings, server: Server, database: str,
    some_sends: Callable[[int], list[Row]], offer: str,
) -> None:  # fmt: skip
    """Revenue waits for sends of another machine, which brings them while this one settles a lost answer."""
    rows = some_sends(3)
    first, second = (machine(settings, database, number) for number in range(2))
    give(first, rows[1:], offer)
    give(second, rows[:1], offer)
    sales = [
        {"message_id": row["id"], "offer_id": offer, "revenue": 2.5, "record_id": f"r{n}"}
        for n, row in enumerate([rows[0], rows[0], *rows[1:]])
    ]
    (second.history / "revenue.ndjson").write_text("".join(json.dumps(row) + "\n" for row in sales))
    before = len(account.revenue)
    server.faults.active.append(Fault("reset-before", path="history/revenue", times=1))
    slow = process(PUSH, second, TRACKLY_SETTLE_SECONDS="4")
    while not any(request.path == "/history/revenue" for request in account.log):
        assert slow.poll() is None
        time.sleep(0.02)
    push(first, ["sends"])
    slow.communicate(timeout=900)
    assert slow.returncode == 0
    assert outcomes(second)["revenue"] == Outcomes(4, accepted=4)
    assert len(account.revenue) - before == 4


def test_two_machines_with_one_name_do_not_push_at_once(
    settings: Settings, database: str, tmp_path: Path
) -> None:
    """The second would take the first one's calls for those of a dead process."""
    one = settings.model_copy(update={"ledger_url": database, "push_part": "all"})
    with open_ledger(one) as ledger, part_lock(ledger):
        two = one.model_copy(update={"data_dir": tmp_path / "other"})
        give(two, [], "o")
        with pytest.raises(BusyError, match="TRACKLY_PUSH_PART"):
            push(two, ["sends"])


def test_a_ledger_that_cannot_be_reached_is_a_clear_error(settings: Settings) -> None:
    """One line, without the password."""
    gone = settings.model_copy(update={"ledger_url": "postgresql://me:secret@127.0.0.1:9/none"})
    with pytest.raises(StorageError, match="ledger") as caught, open_ledger(gone):
        pass
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
