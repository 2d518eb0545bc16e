"""What is wrong with the receiver of events, seen from outside of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from receiving import arrive, delivery, settings_of

from pipelines.alerts.after_run import conditions
from pipelines.alerts.conditions import of_webhooks
from pipelines.cli.commands.webhooks import show_webhooks, webhooks_json
from pipelines.pull.run import pull
from pipelines.sandbox import API_KEY, running, seed_account
from pipelines.webhooks.queue.state import Received
from pipelines.webhooks.queue.store import Rejection, now, open_store

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
WELL = Received(NOW - timedelta(hours=9), 7, NOW - timedelta(seconds=20), True, 3, 2, 0)


def firing(tmp_path: Path, received: Received | None, sent_hours_ago: float | None = None) -> list[str]:
    sent_at = None if sent_hours_ago is None else NOW - timedelta(hours=sent_hours_ago)
    found = of_webhooks(settings_of(tmp_path), received, sent_at, NOW)
    assert all(condition.text and condition.remedy for condition in found)
    return [condition.name.partition(":")[0] for condition in found if condition.firing]


@pytest.mark.parametrize(
    ("received", "sent_hours_ago", "wanted"),
    [
        (None, 1, []),
        (WELL, None, []),
        (WELL, 12, []),  # nobody was sent to since the last event
        (WELL, 6.1, []),
        (WELL, 5.9, ["silent"]),
        (replace(WELL, beat_at=NOW - timedelta(minutes=11)), None, ["stopped"]),
        (replace(WELL, beat_at=NOW - timedelta(minutes=11), serving=False), None, []),
        (replace(WELL, beat_at=NOW - timedelta(hours=4), serving=False), 1, ["silent", "stopped"]),
        (replace(WELL, bodies=0), None, ["refused"]),
        (replace(WELL, bodies=0, wrongly_signed=0), None, []),
    ],
)
def test_silence_and_standstill(
    tmp_path: Path, received: Received | None, sent_hours_ago: float | None, wanted: list[str]
) -> None:
    """Silence is measured by what contacts say; a killed receiver alerts sooner than one that was stopped."""
    assert firing(tmp_path, received, sent_hours_ago) == wanted


def test_a_pull_hears_the_silence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Contacts that were sent to long after the last event fire; a queue that cannot be read does too."""
    account = seed_account(contacts=5)
    with running(account) as server:
        settings = settings_of(tmp_path, api_key=API_KEY, base_url=server.url)
        assert webhooks_json(settings) == {}
        arrive(settings, delivery(1), at=now() - 40 * 86_400 * 1_000_000)
        with open_store(settings) as store:
            store.append([], [Rejection(now(), "unsigned", 1)])
            store.beat(serving=True)
        account.contacts()[0]["last_sent_at"] = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%dT%H:%M:%S}"
        pull(settings, ["contacts"], "run")
    names = [condition.name for condition in conditions(settings) if condition.firing]
    assert names == ["silent:webhooks"]
    show_webhooks(settings)
    assert "1 received, last 40 d ago; 1 refused; receiver serving" in capsys.readouterr().out
    assert webhooks_json(settings)["webhooks"]["unsigned"] == 1
    for path in settings.data_dir.glob("webhooks.db*"):
        path.write_bytes(b"no database at all, and longer than a header of one is" * 90)
    assert [c.name for c in conditions(settings) if c.firing] == ["damaged:webhooks"]
    assert webhooks_json(settings) == {"webhooks": None}
