"""What `trackly-sync alerts` shows a person."""

from datetime import UTC, datetime, timedelta

import pytest

from pipelines.alerts.conditions import Condition
from pipelines.cli.commands.alerts import show


def test_each_condition_is_short_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What, since when, and what to do, in 80 columns; the earlier of two instants counts, and none is made up."""
    monkeypatch.setenv("COLUMNS", "80")
    now = datetime.now(UTC)
    earlier, later = (now - timedelta(hours=5)).isoformat(), (now - timedelta(hours=2)).isoformat()
    show(
        [
            Condition(
                "failed:pull",
                True,
                "pull all failed: " + "word " * 40,
                "Look: trackly-sync runs 1",
                {},
                later,
            ),
            Condition("lost:ledger", True, "the [ledger] was lost", "Put it back."),
            Condition("stale:lists", False, "lists is 1 h old"),
        ],
        {"failed:pull": earlier},
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"failed:pull  since {earlier[:16].replace('T', ' ')} UTC (5 h)"
    assert max(map(len, lines)) <= 80
    assert lines[-4:] == [
        "  → Look: trackly-sync runs 1",
        "lost:ledger",
        "  the [ledger] was lost",
        "  → Put it back.",
    ]
