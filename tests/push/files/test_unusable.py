"""Every file that cannot be used is named at once, by the plan and by the push, and nothing is recorded."""

from pathlib import Path

import pytest

from pipelines.errors import UsageError
from pipelines.push import run
from pipelines.push.ledger.opening import open_ledger
from pipelines.settings import load_settings

SENDS = "id,to_number,timestamp,list_id,message\na,+12000000000,2024-05-01T10:00:00Z,100,Hi\n"
NAMES = ["sends", "clicks", "revenue"]


def test_all_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    """Those of one dataset and of others, each with its remedy; what is alright is not."""
    settings = load_settings(data_dir=tmp_path / "data", api_key="trk_" + "s3cr3t00" * 4)
    history = tmp_path / "history"
    history.mkdir()
    (history / "sends-a.csv").write_text(SENDS, encoding="utf-8")
    (history / "sends-b.csv").write_text("id,to_number\nb,+12000000017\n", encoding="utf-8")
    (history / "sends-c.parquet").write_bytes(b"PAR1 no more than that")
    (history / "revenue.csv").write_text("message_id;revenue\na;5\n", encoding="utf-8")
    with pytest.raises(UsageError) as planned:
        run.plan(settings, NAMES, [history])
    with pytest.raises(UsageError) as pushed:
        run.push(settings, NAMES, [history])
    for found in (planned.value, pushed.value):
        assert found.message.startswith("3 files cannot be used. ")
        assert all(name in found.message for name in ("sends-b.csv", "sends-c.parquet", "revenue.csv"))
        assert "sends-a.csv" not in found.message
        assert "Export it again." in found.message
        assert "\n" not in found.message
    assert not [path for path in (tmp_path / "data").rglob("*.duckdb*") if path.parent.name == "push"]
    with open_ledger(settings) as ledger:
        assert ledger.outcomes() == {}
    for name in ("sends-b.csv", "sends-c.parquet"):
        (history / name).unlink()
    with pytest.raises(UsageError, match=r"^\S*revenue.csv "):
        run.plan(settings, NAMES, [history])
