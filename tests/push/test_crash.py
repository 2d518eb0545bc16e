"""Pushes that are killed or interrupted, and what the next push makes of them."""

import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from effort import examples
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from oracle import query
from processes import process

from pipelines.push.ledger.opening import open_ledger
from pipelines.push.ledger.status import outcomes
from pipelines.push.outcomes import Outcomes
from pipelines.push.run import intake, push
from pipelines.push.stage.cleanup import tidy
from pipelines.run_records.summary import latest_runs
from pipelines.sandbox import Account, Fault, Server
from pipelines.settings import Settings

ALL = ["sends", "clicks", "revenue"]
Row = dict[str, Any]
Write = Callable[[str, list[Row]], Path]

DYING = """
import os
from pipelines.push import run
from pipelines.push.ledger.ledger import Ledger
from pipelines.settings import load_settings

verb, before, dataset, left = os.environ["DIE"].split(",")

def dying(self, name, *args, _real=getattr(Ledger, verb), **more):
    global left
    left = int(left) - (name == dataset)
    if left < 0 and before == "yes":
        os._exit(9)
    found = _real(self, name, *args, **more)
    if left < 0:
        os._exit(9)
    return found

setattr(Ledger, verb, dying)
run.push(load_settings(), ["sends", "clicks", "revenue"])
"""


POINTS = (
    "intend,no,sends,1", "answer,yes,sends,1", "answer,no,clicks,0", "intend,no,revenue,1", "answer,yes,revenue,3",
)  # fmt: skip
"""Which verb, whether before it, of which dataset, after how many."""


def calls_of(settings: Settings, run: str) -> tuple[int, int]:
    """Rows of the calls of a run, and those of calls that are answered."""
    with open_ledger(settings) as ledger:
        calls = [call for call in ledger.chunks() if call["run"] == run]
    return sum(call["rows"] for call in calls), sum(
        call["rows"] for call in calls if call["state"] == "answered"
    )


@pytest.mark.parametrize(
    ("either", "points"),
    [("sqlite", POINTS), ("postgresql", POINTS[-1:])],  # what a dead process leaves is found by one statement
    indirect=["either"],
)
def test_killed_at_every_step_rows_arrive_once(
    account: Account, either: Settings, write: Write, some_sends: Callable[[int], list[Row]], offer: str,
    points: tuple[str, ...],
) -> None:  # fmt: skip
    """Killed round the intent and round the answer, over and over: nothing is there twice, nothing is lost.

    What each push did is on record with its run, and all of them together have what was accepted.
    """
    account.revenue.clear()
    write("sends.ndjson", some_sends(1_200))
    click = {"offer_id": offer, "phone_number": "+15551234567", "timestamp": "2024-05-03T00:00:00Z"}
    write("clicks.ndjson", [{**click, "message_id": f"m{n:06}"} for n in range(300)])
    sale = {"offer_id": offer, "revenue": 2.5}
    write("revenue.ndjson", [{**sale, "message_id": f"m{n:06}"} for n in range(900)])
    for point in points:
        with process(DYING, either, DIE=point) as dying:
            _, words = dying.communicate(timeout=60)
        assert dying.returncode == 9, words.decode()
        tidy(either)  # as any command does first
        (killed, *_), _ = latest_runs(either.data_dir, 1)
        assert killed.is_counted
        by_calls = calls_of(either, killed.run)
        assert (killed.status, killed.sent, killed.accepted) == ("killed", *by_calls), point
        for of in outcomes(either).values():
            assert of.rows_in in (0, 300, 900, 1_200)  # and the outcomes add up, or this had raised
    found = push(either, ALL).outcomes
    assert found["revenue"] == Outcomes(900, accepted=900)
    together = query(
        either.warehouse, "SELECT activity, sum(accepted) FROM sync.runs WHERE activity LIKE 'push %' GROUP BY 1"
    )  # fmt: skip
    assert dict(together) == {f"push {name}": of.accepted for name, of in found.items()}
    assert query(either.warehouse, "SELECT count(*) FROM imports.chunks WHERE run IS NULL") == [(0,)]
    assert set(account.sends) == {f"m{n:06}" for n in range(1_200)}
    assert found["sends"].accepted + found["sends"].duplicate == 1_200
    assert len(account.clicks) == found["clicks"].accepted + found["clicks"].duplicate == 300
    stored = Counter(row["message_id"] for row in account.revenue)
    assert stored == Counter(f"m{n:06}" for n in range(900))


def test_an_interrupted_push_waits_for_the_calls_under_way(
    settings: Settings, server: Server, write: Write, some_sends: Callable[[int], list[Row]]
) -> None:
    """Ctrl-C ends the push once the calls under way are answered and on record."""
    server.faults.active.append(Fault("latency", path="sends", seconds=0.6))
    write("sends.ndjson", some_sends(20_000))
    code = "from pipelines.push import run\nfrom pipelines.settings import load_settings\n"
    # two at once, so that most calls are still to come, also where this process gets its turn late
    with process(code + "run.push(load_settings(), ['sends'])", settings, TRACKLY_CONCURRENCY="2") as pushing:
        while outcomes(settings)["sends"].accepted == 0 and pushing.poll() is None:
            time.sleep(0.05)  # the process is another one: there is nothing to wait on but its ledger
        pushing.send_signal(signal.SIGINT)
        pushing.communicate(timeout=120)
    with open_ledger(settings) as ledger:
        assert {chunk["state"] for chunk in ledger.chunks()} == {"answered"}
    assert 0 < outcomes(settings)["sends"].accepted < 20_000


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "message_id": st.sampled_from(["m000000", "m000001", "gone", ""]),
            "offer_id": st.just("0" * 24),
            "revenue": st.sampled_from(["1.5", "1.50", "-1", "x", "", "0.00001"]),
            "record_id": st.sampled_from([None, "r1", "r2"]),
        }
    ),
    max_size=12,
)


@hypothesis_settings(
    max_examples=examples(2), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=ROWS, later=ROWS)
def test_every_row_has_one_outcome(
    settings: Settings, write: Write, rows: list[Row], later: list[Row]
) -> None:
    """Whatever the rows are, and however they change, the outcomes sum to the rows of the current input."""
    for some in (rows, later, rows):
        write("revenue.ndjson", some)
        found = intake(settings, ["revenue"])["revenue"]
        assert outcomes(settings)["revenue"] == Outcomes(
            len(some), quarantined=found.quarantined, duplicate=found.duplicate, parked=found.parked
        )
        good = [row for row in some if row["message_id"] and row["revenue"] in ("1.5", "1.50")]
        keyed: dict[str, list[str]] = defaultdict(list)
        for row in good:
            if row["record_id"]:
                keyed[row["record_id"]].append(row["message_id"])  # the rest of them is equal
        conflicts = sum(len(rows) for rows in keyed.values() if len(set(rows)) > 1)
        repeats = sum(len(rows) - 1 for rows in keyed.values() if len(set(rows)) == 1)
        assert found.quarantined == len(some) - len(good) + conflicts
        assert found.duplicate == repeats
