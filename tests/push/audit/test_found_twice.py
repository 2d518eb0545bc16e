"""What a reconciliation found perhaps there twice, until somebody has acknowledged it; and what comes after that."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from beginnings import seeded
from oracle import query

from pipelines.errors import DataError, UsageError
from pipelines.push.audit.found_twice import condition, found_twice, rows_found_twice
from pipelines.push.audit.reconcile import reconcile
from pipelines.push.ledger.db.figures import FoundTwice
from pipelines.push.resolve import acknowledge_found
from pipelines.push.run import push
from pipelines.sandbox import Account
from pipelines.settings import Settings

Row = dict[str, Any]


@pytest.fixture
def account() -> Account:
    """A small account: all of its contacts are compared."""
    return seeded(60)


def grow(account: Account, earned: Sequence[Row], times: int = 1, other: float = 0) -> None:
    """Let the account count revenue so many times more, each with so much beside."""
    for one in earned:
        row = account.contact((one["phone_number"], one["list_id"]))
        assert row
        row["revenue_total"] += times * (one["revenue"] + other)
        row["conversion_count"] += times


def test_what_was_acknowledged_is_told_again_only_where_it_grows(
    account: Account, settings: Settings, database: str, write: Callable[[str, list[Row]], Path],
    some_sends: Callable[[int], list[Row]], offer: str,
) -> None:  # fmt: skip
    """Two machines on one PostgreSQL ledger: what one of them finds, the other one tells and acknowledges.

    Each state of the account is compared from what came of the one before it.
    """
    account.revenue.clear()
    sends = list({row["to_number"]: row for row in some_sends(30)}.values())[:12]
    write("sends.ndjson", sends)
    one = settings.model_copy(update={"ledger_url": database})
    other = one.model_copy(update={"data_dir": settings.data_dir.with_name("other"), "part": "other"})
    calls = []
    for number, datasets in enumerate((["sends", "revenue"], ["revenue"])):
        sales = [
            {"message_id": row["id"], "offer_id": offer, "revenue": 2 + n + 20 * number}
            | {"record_id": f"{number}-{n}", "timestamp": f"2024-06-0{number + 1}T00:00:00Z"}
            for n, row in enumerate(sends)
        ]
        write(f"revenue-{number}.ndjson", sales)
        before = len(account.revenue)
        push(one, datasets)
        calls.append(account.revenue[before:])
    first, second = calls
    assert [len(call) for call in calls] == [12, 12]

    def compared(on: Settings = one) -> tuple[str, int, Counter[str], int]:
        """The verdict, repeated calls, contacts by finding, and rows that are to be looked at."""
        done = reconcile(on)
        assert found_twice(one) == found_twice(other)
        sql = "SELECT finding FROM imports.differences WHERE measure = 'conversions'"
        findings = Counter(finding for (finding,) in query(on.warehouse, sql))
        return str(done.verdict), done.repeated_calls, findings, found_twice(one).rows

    with pytest.raises(DataError, match="Nothing that reconcile found"):
        acknowledge_found(one, "a slip")
    grow(account, first[:8])
    sold = sorted(row["revenue"] for row in first[:8])
    assert compared() == ("perhaps_twice", 1, Counter(perhaps_twice=8), 8)
    found = found_twice(other)
    assert found == FoundTwice(8, 1, 0, 8, 10_000 * sum(sold), found.found_at)
    named = rows_found_twice(other)
    assert sorted(row.amount for row in named) == [10_000 * amount for amount in sold]
    said = condition(found)
    assert (said.firing, said.since) == (True, found.found_at)
    assert "1 call of revenue is in the account as if delivered twice" in said.text
    assert f"(8 rows, {sum(sold):.2f}, 8 contacts)" in said.text
    assert not any(row.contact in said.text + said.remedy for row in named)
    with pytest.raises(UsageError, match="reason"):
        acknowledge_found(other, " ")
    assert acknowledge_found(other, "the shop reports them, too") == 8
    assert not condition(found_twice(one)).firing
    still = ("agrees", 0, Counter(still_twice=8), 0)
    assert compared(other) == still
    for changes, expected in (
        # corrected by hand, so that a part of it remains
        ([(first[:2], -1, 0)], ("agrees", 0, Counter(still_twice=6), 0)),
        # what had been corrected is there again, and the same call once more
        ([(first[:2], 1, 0), (first[:8], 1, 0)], ("perhaps_twice", 1, Counter(perhaps_twice=8), 8)),
        # other sales of the same contacts
        ([(first[:8], -1, 0), (second[:8], 1, 1.5)], ("agrees", 0, Counter(more=8), 0)),
        # another call of the same contacts
        ([(second[:8], -1, 1.5), (second[:9], 1, 0)], ("perhaps_twice", 1, Counter(perhaps_twice=9), 9)),
    ):
        for rows, times, beside in changes:
            grow(account, rows, times, beside)
        assert compared() == expected
    assert acknowledge_found(one, "so are these") == 9
    assert compared() == ("agrees", 0, Counter(still_twice=7, more=2), 0)
    grow(account, first[:8], -1)
    grow(account, second[:9], -1)
    assert compared() == ("agrees", 0, Counter(), 0)
    # all was removed, so what was acknowledged says nothing of what comes now
    grow(account, first[:8])
    assert compared() == ("perhaps_twice", 1, Counter(perhaps_twice=8), 8)
    seen = query(one.warehouse, "SELECT outcome, reason FROM imports.resolutions")
    assert Counter(seen) == Counter(
        {("acknowledged", "the shop reports them, too"): 8, ("acknowledged", "so are these"): 9}
    )
