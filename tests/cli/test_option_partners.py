"""An option that only means something beside another is an error without it, before anything is done."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines.cli.app import app
from pipelines.sandbox import API_KEY


@pytest.mark.parametrize(
    ("command", "partner"),
    [
        ("push --show-values", "--dry-run"),
        ("push sends --show-values --json", "--dry-run"),
        ("push --dry-run --retry-rejected", "--retry-rejected"),
        ("push --reason because", "--same-rows-count"),
        ("resolve record:1 --all --as accepted --reason seen", "--all"),
        ("resolve --reason because", "--as"),
        ("resolve --all --as accepted --reason seen --show-values", "--show-values"),
        ("resolve --acknowledge 1 --reason seen --show-values", "--show-values"),
        ("resolve --acknowledge second --reason seen", "reconcile"),
        ("resolve --account-emptied --reason seen --show-values", "--show-values"),
        ("resolve record:1 --account-emptied --reason seen", "--account-emptied"),
        ("resolve --account-emptied", "--reason"),
        ("resolve --differs --all", "--differs"),
        ("resolve record:1 --acknowledge 1 --reason seen", "--acknowledge"),
        ("push --same-rows-count --same-rows-once --reason seen", "--same-rows-count"),
        ("runs --json --csv", "--csv"),
        ("ui --host 0.0.0.0", "TRACKLY_UI_PASSWORD"),
        ("ui --host somewhere", "TRACKLY_UI_PASSWORD"),
        ("sandbox --worst-day", "--webhook"),
        ("sandbox --webhook-secret other", "--webhook"),
        ("demo --port 3001", "--ui"),
    ],
)
def test_an_option_without_its_partner(
    command: str, partner: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 2, one line that names the other option, and no data directory."""
    monkeypatch.setenv("TRACKLY_API_KEY", API_KEY)
    monkeypatch.setenv("TRACKLY_BASE_URL", "http://127.0.0.1:9/api/v2")
    monkeypatch.setenv("TRACKLY_DATA_DIR", str(tmp_path / "data"))
    done = CliRunner().invoke(app, command.split())
    assert done.exit_code == 2
    assert partner in done.output
    assert "→" in done.output
    assert list(tmp_path.iterdir()) == []
