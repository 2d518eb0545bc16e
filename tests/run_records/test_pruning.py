"""Records of runs are removed at their age, except those that something goes by."""

import msgspec

from pipelines.run_records.pruning import prune_runs
from pipelines.settings import Settings, load_settings
from schemas.own_tables.sync import RunRecord


def write(settings: Settings, stamp: str, activity: str, status: str = "succeeded") -> str:
    record = RunRecord(run=stamp, activity=activity, started_at="2020-01-01T00:00:00+00:00", status=status)
    folder = settings.data_dir / "runs"
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{stamp}-7-{activity.replace(' ', '-')}.json"
    (folder / name).write_bytes(msgspec.json.encode(record))
    return name


def test_old_records_go_and_the_newest_of_each_activity_stays(settings: Settings) -> None:
    """The newest, and the newest that went well; of logs all that are old; nothing where 0 keeps all."""
    gone = [
        write(settings, "20200101T000000.1", "pull lists"),
        write(settings, "20200102T000000.1", "pull offers"),
        write(settings, "20200103T000000.1", "push sends", "failed"),
    ]
    kept = [
        write(settings, "20200104T000000.1", "pull lists"),
        write(settings, "20200105T000000.1", "pull lists", "failed"),
        write(settings, "29990101T000000.1", "pull offers"),
        write(settings, "20200104T000000.1", "push sends", "failed"),
        write(settings, "20200104T000000.1", "publish"),
    ]
    (settings.data_dir / "runs" / "20200104T000000.1-7-publish.begun").touch()
    logs = settings.data_dir / "logs"
    logs.mkdir()
    for name in ("20200101T000000000000-a.ndjson", "29990101T000000000000-b.ndjson"):
        (logs / name).touch()
    assert prune_runs(load_settings(data_dir=settings.data_dir, keep_records_days=0)) == 0
    assert prune_runs(settings) == len(gone) + 1
    left = {path.name for path in (settings.data_dir / "runs").glob("*.json")}
    assert left == set(kept)
    assert [path.name for path in logs.iterdir()] == ["29990101T000000000000-b.ndjson"]
    assert (settings.data_dir / "runs" / "20200104T000000.1-7-publish.begun").exists()
    assert prune_runs(settings) == 0


def test_without_records_there_is_nothing_to_remove(settings: Settings) -> None:
    assert prune_runs(settings) == 0
