"""What `status` and its neighbours say of runs that were killed, and where nothing has run yet."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli.commands.logs import _chosen
from pipelines.cli.shared.attention import attention
from pipelines.errors import NothingYetError
from pipelines.settings import Settings
from schemas.registry import PULLED, PUSHED


def test_a_killed_pull_is_named_as_it_was_asked_for(settings: Settings) -> None:
    """Once, whatever its parts: the command that is run again is the one that was given."""
    runs = settings.data_dir / "runs"
    runs.mkdir(parents=True)
    for activity, asked in (
        ("pull contacts", "pull all"),
        ("pull lists", "pull all"),
        ("pull offers", None),
        ("measure audiences", "pull contacts audiences --measure"),
        ("push sends", "push all of 2026-10"),
        ("take in clicks", "push clicks"),
    ):
        record = {
            "run": "dead",
            "activity": activity,
            "started_at": "2030-01-01T00:00:00+00:00",
            "asked": asked,
        }
        (runs / f"20300101T000000.0-1-{activity.replace(' ', '-')}.begun").write_text(json.dumps(record))
    notes = [note for note in attention(settings, {}, {}) if "was killed" in note]
    assert len(notes) == 5
    found = [note.partition(". Look at it: trackly-sync runs dead")[0] for note in notes]
    assert {note.replace(" was killed; nothing is half-done, run it again", "") for note in found} == {
        "pull all: trackly-sync pull",
        "pull offers: trackly-sync pull offers",
        "pull contacts audiences --measure: trackly-sync pull contacts audiences --measure",
        "push all of 2026-10: trackly-sync push --month 2026-10",
        "push clicks: trackly-sync push clicks",
    }


def test_no_log_yet_is_a_failure_as_no_warehouse_yet_is() -> None:
    """Exit code 1: nothing is wrong with the command that was typed."""
    with pytest.raises(NothingYetError, match="No run has left a log") as caught:
        _chosen({}, None)
    assert caught.value.exit_code == 1


@pytest.mark.parametrize("ledger", ["postgresql://trackly@127.0.0.1:9/none", None])
def test_a_ledger_that_cannot_be_read_hides_nothing_else(
    sync: Callable[..., Any], tmp_path: Path, ledger: str | None
) -> None:
    """Its part is unknown in --json too; the rest is there, and both end with 1 and the error."""
    if ledger is None:
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "ledger.db").write_bytes(b"no database" * 99)
    for_people = sync("status", TRACKLY_LEDGER_URL=ledger)
    for_programs = sync("status", "--json", TRACKLY_LEDGER_URL=ledger)
    assert (for_people.returncode, for_programs.returncode) == (1, 1)
    assert for_people.stderr == for_programs.stderr
    assert for_programs.stderr.startswith("Error: ")
    document = json.loads(for_programs.stdout)
    assert document["pull"] == dict.fromkeys(PULLED)
    assert document["push"] == dict.fromkeys(PUSHED)
    assert set(document) - {"pull", "push", "needs_attention"} == ({"webhooks"} if ledger else set())
    assert document.get("webhooks") is None, "they have their queue in the same database"
    shown = " ".join(for_people.stdout.split())
    assert all(" ".join(note.split()) in shown for note in document["needs_attention"])
    assert any("ledger" in note for note in document["needs_attention"])
