"""What conditions say of runs that failed or were killed."""

import os
import signal
from contextlib import suppress
from pathlib import Path

from pipelines.alerts.after_run import conditions
from pipelines.alerts.conditions import of_runs
from pipelines.runs.recording import part_of, recorded
from pipelines.settings import load_settings
from schemas.own_tables.sync import RunRecord


def test_parts_of_a_run_that_failed_for_one_reason_have_one_text() -> None:
    """Whichever file of theirs the disk refused; another reason of the same run, or another run, has its own."""

    def failed(name: str, error: str, run: str = "r", asked: str | None = "pull all") -> RunRecord:
        at = f"2026-11-01T00:00:0{len(name)}+00:00"
        return RunRecord(
            run=run,
            activity=f"pull {name}",
            asked=asked,
            status="failed",
            error=error,
            started_at=at,
            finished_at=at,
        )

    full = "Cannot write {}: No space left on device."
    lists, offers = full.format("/d/lists/a"), full.format("/d/offers/bodies")
    one, two, three, four = of_runs(
        [
            failed("offers", offers),
            failed("lists", lists),
            failed("contacts", "No answer."),
            failed("lists", lists, "s"),
        ]
    )
    assert one.text == two.text == f"pull all failed: {lists[:-1]}", "the first that failed"
    assert len({one.text, three.text, four.text}) == 2
    assert len({one.remedy, four.remedy}) == 2
    apart = of_runs([failed("offers", offers, asked=None), failed("lists", lists, asked=None)])
    assert {condition.text for condition in apart} == {f"pull lists, pull offers failed: {lists[:-1]}"}


def test_a_run_that_was_killed_alerts_until_it_has_run_again(tmp_path: Path) -> None:
    """Nobody else would say so of a nightly push for which there was no memory; a stop by a person is no alert."""
    settings = load_settings(data_dir=tmp_path)
    child = os.fork()
    if not child:
        with part_of("push all"), recorded(tmp_path, "dead", "take in sends"):
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)

    def alerting() -> dict[str, str]:
        return {c.name: c.text for c in conditions(settings) if c.name.startswith("failed:") and c.firing}

    text = "push all was killed; nothing is half-done, run it again: trackly-sync push"
    assert alerting() == {"failed:take in sends": text}
    with recorded(tmp_path, "again", "take in sends"):
        assert alerting() == {}
        assert "failed:take in sends" not in {c.name for c in conditions(settings)}, (
            "nothing is taken back yet"
        )
    assert alerting() == {}
    with suppress(KeyboardInterrupt), recorded(tmp_path, "stopped", "take in sends"):
        raise KeyboardInterrupt
    assert alerting() == {}
