"""`trackly-sync lint`: what it shows, its JSON, and its exit codes."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from campaigns.audience_oracle import NOW
from campaigns.made_campaigns import TODAY, WEEKDAYS, warehouse_of

from pipelines.cli.commands import lint
from pipelines.errors import NothingYetError
from pipelines.settings import Settings, load_settings

SECRET = "Dear Ann Smith, your code is 4711"  # noqa: S105 - of a message
SCHEDULE: dict[str, Any] = {
    "id": "5", "name": "Weekly [red]\x1b[2J", "status": "on", "send_type": "blast", "audiences": ["a"],
    "is_repeating": True, "send_time": "10:00", "days_of_week": dict.fromkeys(WEEKDAYS, True), "start_date": TODAY,
    "use_local_time": True, "blasts": [{"message": SECRET, "percent_audience": 100, "offer_links": []}],
}  # fmt: skip
ACCOUNT: dict[str, list[dict[str, Any]]] = {
    "offers": [], "lists": [], "creatives": [], "schedules": [SCHEDULE], "contacts": [],
    "audiences": [{"id": "a", "name": "All", "status": "active", "filter": {}}],
}  # fmt: skip


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("TRACKLY_DATA_DIR", str(tmp_path))
    return load_settings()


def run(capsys: pytest.CaptureFixture[str], *, as_json: bool = False) -> tuple[int, str]:
    """The command's body in this process: its exit code, and what it printed."""
    code = lint.lint.__wrapped__(as_json=as_json)
    return code, capsys.readouterr().out


def test_nothing_found_is_0_and_notices_are_no_fault(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """A schedule of which nothing is known to be wrong, then one whose own time is not known."""
    warehouse_of(settings, ACCOUNT)
    assert run(capsys) == (0, "Nothing found.\n")
    warehouse_of(settings, {"schedules": [{**SCHEDULE, "use_local_time": False}]})
    code, text = run(capsys, as_json=True)
    found = json.loads(text)
    assert (code, found["errors"], found["warnings"], found["notices"]) == (0, 0, 0, 1)
    assert found["findings"][0]["kind"] == "quiet_hours_unknown"
    assert "TRACKLY_ACCOUNT_TIMEZONE" in found["findings"][0]["remedy"]


def test_findings_are_3_and_texts_stay_out(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """Names are shown as text, messages not at all; the JSON has what the table has, with when it was pulled."""
    warehouse_of(settings, {**ACCOUNT, "audiences": [{"id": "a", "name": "Old", "status": "archived"}]})
    code, text = run(capsys)
    assert code == 3
    assert "audience_archived" in text
    assert "[red]" in text
    assert "\x1b" not in text
    assert "turn the schedule off" in text
    code, as_json = run(capsys, as_json=True)
    found = json.loads(as_json)
    assert (code, found["errors"], len(found["findings"])) == (3, 1, 1)
    assert found["pulled_at"].keys() == ACCOUNT.keys()
    assert SECRET not in text + as_json


def test_what_was_not_checked_is_named(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """Never pulled, not served, served no longer, in quarantine: the rest is checked; without anything, an error."""
    warehouse_of(settings, {"contacts": []})
    with pytest.raises(
        NothingYetError, match="creatives, schedules, audiences, offers, lists were not pulled"
    ):
        run(capsys)
    warehouse_of(settings, {name: ACCOUNT[name] for name in ("offers", "lists", "creatives")})
    with duckdb.connect(str(settings.warehouse)) as connection:
        skipped = json.dumps({"skipped": "404: no such path"})
        for dataset, status, details in [
            ("audiences", "succeeded", skipped), ("lists", "succeeded", skipped), ("offers", "failed", None),
            ("creatives", "succeeded", "{}"),
        ]:  # fmt: skip
            connection.execute(
                "INSERT INTO sync.runs BY NAME SELECT 'r' AS run, ? AS activity, ?::TIMESTAMPTZ AS started_at, "
                "? AS status, ? AS details",
                [f"pull {dataset}", NOW + dt.timedelta(days=1), status, details],
            )
    code, text = run(capsys, as_json=True)
    found = json.loads(text)
    assert (code, found["notices"], found["warnings"]) == (0, 4, 0)
    assert {one["subject_id"]: (one["kind"], one["detail"]) for one in found["findings"]} == {
        "audiences": ("not_pulled", "Not checked, since the account does not serve it: 404: no such path"),
        "schedules": ("not_pulled", "Not checked, since it was never pulled."),
        "lists": ("not_renewed", "Checked as of 2026-11-20: the account no longer serves it."),
        "offers": ("not_renewed", "Checked as of 2026-11-20: its last pull did not succeed."),
    }
    assert "dataset audiences: Not checked" in run(capsys)[1]
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute(
            "UPDATE sync.snapshots SET quarantined = 2 WHERE dataset IN ('creatives', 'contacts')"
        )
    code, text = run(capsys, as_json=True)
    (warning,) = [one for one in json.loads(text)["findings"] if one["severity"] == "warning"]
    assert (code, warning["kind"], warning["subject_id"]) == (3, "rows_quarantined", "creatives")
    assert warning["detail"] == "2 rows are in quarantine and were not checked."
