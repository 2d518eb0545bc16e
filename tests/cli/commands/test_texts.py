"""What commands print of results that the engine's own tests produce: the rare ones, made by hand."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli.commands import (
    adopt,
    diff,
    logs,
    pull,
    push_dry_run,
    push_results,
    reconcile,
    resolve,
    resolve_emptied,
    resolve_lists,
    runs,
    webhooks,
)
from pipelines.cli.shared.arguments import run_named
from pipelines.cli.terminal.results import pull_notes, status_json
from pipelines.errors import UsageError
from pipelines.process.exit_codes import LEFT_OUT, USAGE
from pipelines.pull.run import Pulled
from pipelines.push.audit.adopt.adopt import Adopted
from pipelines.push.audit.balances import Balance
from pipelines.push.audit.lost_ledger.detect import Lost
from pipelines.push.audit.reconcile import Reconciliation, StillTwice
from pipelines.push.checks.differing_rows import DifferingRow
from pipelines.push.files.find import Unread
from pipelines.push.intake.found import Intake
from pipelines.push.outcomes import Outcomes
from pipelines.push.plan import Plan
from pipelines.push.resolve import Doubt
from pipelines.push.revenue.loop import Unsettled
from pipelines.push.run import PlanReport
from pipelines.settings import load_settings
from pipelines.snapshots import Snapshot
from schemas.own_tables.imports import FINDINGS
from schemas.own_tables.sync import Manifest
from schemas.registry import PUSHED

Shown = Callable[[], str]


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shown:
    """What was printed since the last look, as one line."""
    monkeypatch.setenv("COLUMNS", "200")

    def look() -> str:
        return " ".join("".join(capsys.readouterr()).split())

    return look


def manifest(**more: Any) -> Manifest:
    given = {"dataset": "contacts", "snapshot": "s1", "run": "r1", "rows": 3, "quarantined": 0} | more
    given.setdefault("consistency", "exact")
    return Manifest(started_at="2026-11-01T00:00:00+00:00", finished_at="2026-11-01T00:01:00+00:00", **given)


def test_adopted(shown: Shown) -> None:
    adopt._show(Adopted(calls=2, rows=3, in_doubt=1, amount=Decimal("12.5"), settled=1))
    text = shown()
    assert "3 rows of revenue in 2 calls, 12.50." in text
    assert "1 of them were in doubt or pending" in text
    assert "1 of them are in doubt. Settle them by hand: trackly-sync resolve" in text
    assert text.endswith("To go on: trackly-sync push")
    adopt._show(Adopted(calls=2, rows=3, in_doubt=0, amount=Decimal(5), settled=0, unknown=2))
    assert "The amounts of 2 of them are on record nowhere, and are not in that sum." in shown()


def test_what_is_not_in_the_account_any_more(shown: Shown) -> None:
    resolve_emptied._show(Lost({datetime(2026, 11, 1, tzinfo=UTC): "revenue"}))
    assert "what the ledger does not know (1 call) is not in the account" in shown()
    resolve_emptied._show(Lost(datasets=("sends", "revenue")))
    assert "(sends, revenue)" in shown()


def test_a_difference_of_pulls() -> None:
    """Examples, and that a fuzzy snapshot keeps what it did not see."""
    side = {"snapshot": "s", "finished_at": "2026-11-01T00:00:00+00:00", "rows": 1, "consistency": "fuzzy"}
    document = {
        "dataset": "lists", "from": side, "to": side, "added": 1, "removed": 0, "changed": 0, "unchanged": 0,
        "added_examples": [{"id": 7}], "columns": {}, "masked": False,
    }  # fmt: skip
    lines = list(diff._lines(document))
    assert lines[lines.index("added     1") + 1].strip() == "id 7"
    assert any("it keeps rows that it did not see" in line for line in lines)


def test_the_end_of_a_log_that_was_cut_off(shown: Shown) -> None:
    logs._show('{"time": "2026-11-01T00:00:00", "lev')
    assert shown() == ""


def test_a_dataset_that_the_account_does_not_serve(shown: Shown, tmp_path: Path) -> None:
    done = Pulled([Snapshot(tmp_path, manifest())], {"audiences": "404 not found"}, requests=1, retries=0)
    pull._show(["contacts"], done, 1.0)
    assert "audiences: not pulled, since the account does not serve it. 404 not found" in shown()
    assert pull_notes({"contacts": manifest(schema_changes="new: tier")}) == [
        "Fields of contacts changed: new: tier"
    ]


def test_a_plan_with_files_that_would_not_be_read(shown: Shown) -> None:
    """It names them, a push would end with exit code 2 for them; minutes and hours are told."""
    intake = Intake(dataset="sends", rows_in=10, pending=10)
    plan = Plan(intake, 9, 2_000_000, "", 240.0, 0.5, measured=True, differing=2, acknowledged=1)
    unread = [Unread(Path("/x/sends.xlsx"), "is in no known format", "sends")]
    push_dry_run.show_plans(
        PlanReport({"sends": plan}, tuple(unread)), lambda *_: USAGE, as_json=False, show_values=True
    )
    text = shown()
    assert "Not read, which stops a push (--ignore-unread goes on without them): sends.xlsx is in no" in text
    assert "about 4 min, at 0.50 s a request (as earlier calls took)" in text
    assert "3 rows differ from what was sent (1 acknowledged); the account keeps what it has" in text
    assert push_dry_run.exit_code({"sends": plan}, unread, 1.0, ignore_unread=False) == USAGE
    assert push_dry_run._duration(9_000) == "2.5 h"


def test_revenue_that_waits(shown: Shown) -> None:
    assert push_results._unsettled_code(Unsettled(waiting=2, seconds=30)) == LEFT_OUT
    assert "2 rows of revenue to be settled: push again in 30" in shown()


def balance(**more: int) -> Balance:
    given = {"accepted": 0, "settled": 0, "acknowledged": 0, "skipped": 0, "in_doubt": 0, **more}
    zero = Decimal(0)
    return Balance(
        "sends", **given, amount=zero, amount_settled=zero, amount_in_doubt=zero, amount_acknowledged=zero
    )


def test_what_a_reconciliation_comes_to(shown: Shown) -> None:
    """Missing revenue with its amount; and that nothing was compared is no agreement."""
    nothing = dict.fromkeys(FINDINGS, 0)
    reconcile._show(Reconciliation({}, 3, {**nothing, "missing": 1}, Decimal("12.5"), complete=False))
    text = shown()
    assert (
        "3 contacts compared with their totals now (not every contact of the account could be read)." in text
    )
    assert "Revenue missing: 12.50" in text
    assert text.endswith("Does not agree: what was accepted is not all there.")
    still = StillTwice(2, Decimal("12.5"), or_other=1)
    reconcile._show(Reconciliation({"sends": balance()}, 3, nothing, Decimal(0), True, still_twice=still))
    text = shown()
    assert (
        "2 contacts hold 12.50 more than was accepted, which is exactly revenue that was acknowledged" in text
    )
    assert "1 contact with other revenue may hold some that was acknowledged as perhaps there twice" in text
    assert ("All of them hold exactly" in text, text.endswith("Agrees.")) == (False, True)
    reconcile._show(Reconciliation({"sends": balance()}, 0, nothing, Decimal(0), complete=True))
    assert "Nothing to compare: nothing was accepted yet. To send history: trackly-sync push" in shown()
    apart = balance(accepted=2, acknowledged=1)
    assert not apart.agrees
    unknown = balance(accepted=2, acknowledged=2)
    assert Balance(
        **{**{n: getattr(unknown, n) for n in unknown.__slots__}, "amount_acknowledged": None}
    ).agrees


def test_rows_that_differ_and_rows_in_doubt(shown: Shown) -> None:
    """Each with its place; of very many the first ones, and the way to all."""
    row = DifferingRow("sends", "m1", "/x/sends.csv", 1, 2, acknowledged=True, fields=("message", "list_id"))
    resolve_lists._show_differing(
        [row] + [DifferingRow("clicks", "m2", "/x/c.parquet", 1_234, None, False)] * 100
    )
    text = shown()
    assert "sends m1 sends.csv 2 message, list_id acknowledged" in text
    assert "clicks m2 c.parquet 1234" in text
    assert "more: trackly-sync resolve --differs --json" in text
    doubt = Doubt(
        "record:1",
        "m1",
        Decimal("12.5"),
        3,
        "2026-11-01T00:00:00+00:00",
        "no_answer",
        "no answer",
        in_input=True,
    )
    gone = replace(doubt, amount=None, in_input=False)
    resolve_lists._show([gone] + [doubt] * 100, as_json=False)
    text = shown()
    assert "1 of 101 not in the current input, or quarantined there" in text
    assert "record:1 m1 unknown 3" in text
    assert "record:1 m1 12.50 3" in text
    assert "more: trackly-sync resolve --json" in text
    assert "Not settled yet: trackly-sync push revenue reads the contacts' totals and settles" in text
    resolve._show_sending(3, 1)
    assert "To send them: trackly-sync push revenue 1 of them" in shown()


def test_a_snapshot_with_rows_in_quarantine(shown: Shown) -> None:
    runs._show_evidence(manifest(quarantined=2))
    assert "2 rows quarantined: trackly-sync rejects contacts" in shown()
    assert (runs._plain(True), runs._plain(False), runs._plain(1_000)) == ("yes", "no", "1,000")


def test_status_for_programs_tells_of_rows_that_differ() -> None:
    pushed = {name: Outcomes() for name in PUSHED}
    assert status_json({}, pushed, {"sends": 2})["differs"] == {"sends": 2, "clicks": 0, "revenue": 0}
    assert "differs" not in status_json({}, pushed, {"sends": 0})
    with pytest.raises(ValueError, match="do not add up"):
        Outcomes(rows_in=1)


def test_a_queue_that_cannot_be_read_is_no_line_of_status(shown: Shown, tmp_path: Path) -> None:
    (tmp_path / "webhooks.db").write_bytes(b"no database " * 1_000)
    webhooks.show_webhooks(load_settings(_env_file=None, data_dir=tmp_path))
    assert shown() == ""


def test_the_beginning_of_several_runs_is_not_one() -> None:
    with pytest.raises(UsageError, match=r"2 runs begin with 'a'\. Say more of it: ab, ac"):
        run_named("a", ["ab", "ac", "b"], "run on record")
